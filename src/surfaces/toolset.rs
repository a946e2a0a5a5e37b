//! Some of all tools, in the order of their names, built from the prepared parts of every toolset.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use crate::catalog::TOOLS;
use tool::{Effect, Tool};

/// The name for every toolset.
const ALL: &str = "all";

/// The indexes of a toolset's tools among all, ascending, by the toolset's name.
static PLACES_BY_TOOLSET: LazyLock<BTreeMap<&str, Vec<usize>>> = LazyLock::new(|| {
    let mut toolsets = BTreeMap::from([(ALL, (0..TOOLS.len()).collect::<Vec<usize>>())]);
    for (place, tool) in TOOLS.iter().enumerate() {
        for toolset in tool.toolsets {
            toolsets.entry(*toolset).or_default().push(place);
        }
    }
    toolsets
});

/// The index of a tool among all, by each of its names.
static PLACES_BY_NAME: LazyLock<HashMap<&str, usize>> = LazyLock::new(|| {
    let names = TOOLS.iter().enumerate().flat_map(|(place, tool)| {
        let names = std::iter::once(&tool.name).chain(tool.aliases);
        names.map(move |name| (*name, place))
    });
    names.collect()
});

/// Some of all tools.
pub struct Toolset {
    /// Indexes among all tools, ascending.
    places: Vec<usize>,
}

impl Toolset {
    /// The tools of these toolsets.
    pub fn new(toolsets: &BTreeSet<&str>, read_only: bool) -> Self {
        let mut is_wanted = vec![false; TOOLS.len()];
        for toolset in toolsets {
            for place in PLACES_BY_TOOLSET.get(toolset).into_iter().flatten() {
                is_wanted[*place] = !read_only || TOOLS[*place].effect == Effect::Read;
            }
        }
        let places = is_wanted.iter().enumerate();
        Self {
            places: places
                .filter_map(|(place, wanted)| wanted.then_some(place))
                .collect(),
        }
    }

    /// A single tool, by any of its names.
    pub fn with_tool(name: &str) -> Option<Self> {
        let place = *PLACES_BY_NAME.get(name)?;
        Some(Self {
            places: vec![place],
        })
    }

    /// The tool of this name among all, by any of its names.
    pub fn find(name: &str) -> Option<&'static Tool> {
        TOOLS.get(*PLACES_BY_NAME.get(name)?)
    }

    pub fn iter(&self) -> impl Iterator<Item = &'static Tool> {
        self.places.iter().map(|place| &TOOLS[*place])
    }

    /// The tool of this name, by any of its names.
    pub fn get(&self, name: &str) -> Option<&'static Tool> {
        let place = PLACES_BY_NAME.get(name)?;
        self.places.binary_search(place).ok()?;
        Some(&TOOLS[*place])
    }
}

/// The names of all toolsets.
pub fn names() -> impl Iterator<Item = &'static str> {
    PLACES_BY_TOOLSET.keys().copied()
}

/// Whether there is a toolset of this name.
pub fn is_known(name: &str) -> bool {
    PLACES_BY_TOOLSET.contains_key(name)
}
