//! The tools that a rule names: by name, by toolset or by effect.

use std::collections::BTreeSet;
use std::fmt;

use tool::{Effect, Tool};

/// The classes for caps and confirmations: an effect, or `bulk`, which is a second mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Read,
    Write,
    Send,
    Money,
    Destructive,
    Bulk,
}

/// Some tools, by a text in the file.
#[derive(Clone)]
pub(crate) struct Selector {
    text: String,
    what: What,
    /// The tools among which twins are found, sorted by name.
    tools: &'static [Tool],
}

#[derive(Clone, Debug)]
enum What {
    Toolset(String),
    Class(Class),
    /// A name or an alias.
    Name(String),
    /// The beginning of names.
    Start(String),
}

impl Class {
    pub const ALL: [Self; 6] = [
        Self::Read,
        Self::Write,
        Self::Send,
        Self::Money,
        Self::Destructive,
        Self::Bulk,
    ];

    /// Its name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => Effect::Read.name(),
            Self::Write => Effect::Write.name(),
            Self::Send => Effect::Send.name(),
            Self::Money => Effect::Money.name(),
            Self::Destructive => Effect::Destructive.name(),
            Self::Bulk => "bulk",
        }
    }

    pub fn parse(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|class| class.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name);
            format!(
                "{name} is not an effect{}",
                instead(name, names, &names.join(", "))
            )
        })
    }

    pub fn holds(self, tool: &Tool) -> bool {
        match self {
            Self::Bulk => tool.bulk,
            effect => effect.name() == tool.effect.name(),
        }
    }

    /// The effect of `tool`, and `bulk` if it has that mark.
    pub fn all_of(tool: &Tool) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|class| class.holds(tool))
    }
}

impl Selector {
    /// Parses `toolset:contacts`, `effect:send`, the name of a tool, or the beginning of names and a `*`. A selector
    /// without any tool is refused: a rule without effect is a misspelled rule.
    pub(crate) fn parse(text: &str, tools: &'static [Tool]) -> Result<Self, String> {
        let what = match text.split_once(':') {
            Some(("toolset", name)) => What::Toolset(toolset(name, tools)?),
            Some(("effect", name)) => What::Class(Class::parse(name)?),
            Some((kind, _)) => {
                return Err(format!(
                    "{text:?} begins with {kind}:, where only toolset: and effect: are known"
                ));
            }
            None => name(text, tools)?,
        };
        let text = text.to_owned();
        Ok(Self { text, what, tools })
    }

    /// Whether a rule that takes rights away applies to `tool`: the tool or one of its twins matches.
    pub(crate) fn matches(&self, tool: &Tool) -> bool {
        self.is_about(tool) || self.twins(tool).any(|twin| self.is_about(twin))
    }

    /// Whether a rule that allows something applies to `tool`: an effect must be its own, not a twin's.
    pub(crate) fn admits(&self, tool: &Tool) -> bool {
        match self.what {
            What::Class(_) => self.is_about(tool),
            _ => self.matches(tool),
        }
    }

    fn is_about(&self, tool: &Tool) -> bool {
        match &self.what {
            What::Toolset(name) => tool.toolsets.contains(&name.as_str()),
            What::Class(class) => class.holds(tool),
            What::Name(name) => tool.is_called(name),
            What::Start(start) => tool.name.starts_with(start.as_str()),
        }
    }

    /// The tools that are the same operation as `tool` by another route.
    fn twins(&self, tool: &Tool) -> impl Iterator<Item = &'static Tool> {
        let tools = self.tools;
        let find = move |name: &&str| tools.binary_search_by(|one| one.name.cmp(name)).ok();
        let places = tool.twins.iter().filter_map(find);
        places.filter_map(move |place| tools.get(place))
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

/// The known name that is most similar to `name`, if any is.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    tool::nearest(name, known.into_iter().map(|one| (one, one)))
}

/// The end of a sentence about an unknown name: the probable one, or the known ones.
pub(crate) fn instead<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    otherwise: &str,
) -> String {
    match nearest(name, known) {
        Some(near) => format!("; did you mean {near}?"),
        None => format!("; there are {otherwise}"),
    }
}

fn toolset(name: &str, tools: &[Tool]) -> Result<String, String> {
    let known: BTreeSet<&str> = tools
        .iter()
        .flat_map(|tool| tool.toolsets.iter().copied())
        .collect();
    if known.contains(name) {
        return Ok(name.to_owned());
    }
    let all = tool::first_names(known.iter().copied());
    Err(format!(
        "{name} is not a toolset{}",
        instead(name, known, &all)
    ))
}

fn name(text: &str, tools: &[Tool]) -> Result<What, String> {
    let hint = "`highlevel-mcp tools list` shows them";
    let start = match text.split_once('*') {
        None if tools.iter().any(|tool| tool.is_called(text)) => {
            return Ok(What::Name(text.to_owned()));
        }
        None => {
            let names = tools
                .iter()
                .flat_map(|tool| std::iter::once(tool.name).chain(tool.aliases.iter().copied()));
            return Err(match nearest(text, names) {
                Some(near) => format!("there is no tool {text}; did you mean {near}?"),
                None => format!("there is no tool {text}; {hint}"),
            });
        }
        Some((start, "")) => start,
        Some(_) => return Err(format!("{text:?} has a * that does not stand at the end")),
    };
    if tools.iter().any(|tool| tool.name.starts_with(start)) {
        return Ok(What::Start(start.to_owned()));
    }
    let document = start.split('_').next().unwrap_or(start);
    Err(
        match nearest(document, tools.iter().map(|tool| tool.document)) {
            Some(near) if near != document => {
                format!("no tool's name begins with {start}; did you mean {near}_*?")
            }
            _ => format!("no tool's name begins with {start}; {hint}"),
        },
    )
}
