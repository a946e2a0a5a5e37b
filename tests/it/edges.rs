//! The allowed dependencies between modules: the table of ARCHITECTURE.md against every path in the code, and no cycle
//! between files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, ItemMod, ItemUse, UseTree, Visibility};

/// Names from the root of a crate inwards.
type ModulePath = Vec<String>;

/// One file.
#[derive(Default)]
struct Module {
    /// Paths as written.
    paths: Vec<Vec<String>>,
    /// Names that `use` imports.
    brought: BTreeSet<String>,
    /// Re-exports by `pub use`, by their name here.
    handed_on: BTreeMap<String, Vec<String>>,
}

/// The modules of one crate.
struct Crate(BTreeMap<ModulePath, Module>);

/// The target of a path.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    File(ModulePath),
    Crate(String),
}

/// Our crates except the generator, which only the build uses.
const CRATES: [&str; 6] = ["oauth", "policy", "sandbox", "search", "state", "tool"];

impl<'ast> Visit<'ast> for Module {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        // Tests may use everything.
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_handed_on = !matches!(item.vis, Visibility::Inherited);
        let mut leaves = Vec::new();
        collect_leaves(&item.tree, Vec::new(), &mut leaves);
        for (path, name) in leaves {
            if is_handed_on {
                self.handed_on.insert(name.clone(), path.clone());
            }
            // A crate's own name is imported as itself.
            if path.len() > 1 {
                self.brought.insert(name);
            }
            self.paths.push(path);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        // A single name is a variable, or was imported.
        if path.segments.len() > 1 {
            let names = path.segments.iter().map(|one| one.ident.to_string());
            self.paths.push(names.collect());
        }
        visit::visit_path(self, path);
    }
}

impl Crate {
    fn read(folder: &Path) -> Self {
        let mut modules = BTreeMap::new();
        let mut open = vec![folder.to_owned()];
        while let Some(next) = open.pop() {
            for entry in fs::read_dir(&next).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    open.push(path);
                } else if path.extension().is_some_and(|ending| ending == "rs") {
                    let name = module_path(path.strip_prefix(folder).expect("inside"));
                    if !name.iter().any(|step| step == "tests") {
                        let text = fs::read_to_string(&path).expect("a file");
                        let mut module = Module::default();
                        module.visit_file(&syn::parse_file(&text).expect("Rust"));
                        modules.insert(name, module);
                    }
                }
            }
        }
        Self(modules)
    }

    /// Every file with the targets of its paths.
    fn edges(&self) -> impl Iterator<Item = (&ModulePath, BTreeSet<Target>)> {
        self.0.iter().map(|(from, module)| {
            let targets = module
                .paths
                .iter()
                .filter_map(|path| self.target(from, path));
            (from, targets.collect())
        })
    }

    fn target(&self, from: &ModulePath, path: &[String]) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let below = |base: &[String], rest: &[String]| {
            let whole = [base, rest].concat();
            Some(Target::File(self.file(&whole, 0)))
        };
        let supers = path.iter().take_while(|step| *step == "super").count();
        match first.as_str() {
            "crate" => below(&[], rest),
            "self" => below(from, rest),
            "super" => below(&from[..from.len().checked_sub(supers)?], &path[supers..]),
            name if self
                .0
                .contains_key(&[from.as_slice(), &[name.to_owned()]].concat()) =>
            {
                below(from, path)
            }
            name if CRATES.contains(&name) && !self.0[from].brought.contains(name) => {
                Some(Target::Crate(name.to_owned()))
            }
            _ => None,
        }
    }

    /// The file that defines the last name of a path, resolved through re-exports.
    fn file(&self, path: &[String], depth: usize) -> ModulePath {
        assert!(depth < 20, "{path:?} leads nowhere");
        let mut file = ModulePath::new();
        for (index, step) in path.iter().enumerate() {
            let inner = [file.as_slice(), std::slice::from_ref(step)].concat();
            if self.0.contains_key(&inner) {
                file = inner;
                continue;
            }
            let handed_on = self
                .0
                .get(&file)
                .and_then(|module| module.handed_on.get(step));
            let onward = handed_on.and_then(|onward| match self.target(&file, onward)? {
                Target::File(target) if target != file => Some(target),
                _ => None,
            });
            return match onward {
                Some(target) => {
                    let whole = [target.as_slice(), &path[index + 1..]].concat();
                    self.file(&whole, depth + 1)
                }
                None => file,
            };
        }
        file
    }

    /// Pairs of files that depend on each other, directly or not, except a file and the files of its folder.
    fn circles(&self) -> BTreeSet<String> {
        let mut reached: BTreeMap<&ModulePath, BTreeSet<ModulePath>> = self
            .edges()
            .map(|(from, targets)| {
                let files = targets.into_iter().filter_map(|target| match target {
                    Target::File(file) => Some(file),
                    Target::Crate(_) => None,
                });
                let others = files.filter(|to| !to.starts_with(from) && !from.starts_with(to));
                (from, others.collect())
            })
            .collect();
        loop {
            let mut grown = reached.clone();
            for to in grown.values_mut() {
                let next = to.iter().filter_map(|to| reached.get(to));
                let next: BTreeSet<ModulePath> = next.flatten().cloned().collect();
                to.extend(next);
            }
            if grown == reached {
                break;
            }
            reached = grown;
        }
        let pairs = reached
            .iter()
            .flat_map(|(from, to)| to.iter().map(move |to| (*from, to)));
        pairs
            .filter(|(from, to)| {
                *from < to && reached.get(to).is_some_and(|back| back.contains(*from))
            })
            .map(|(from, to)| format!("{} and {}", from.join("/"), to.join("/")))
            .collect()
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|one| {
        let list = one.meta.require_list();
        one.path().is_ident("cfg") && list.is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

fn collect_leaves(tree: &UseTree, path: Vec<String>, leaves: &mut Vec<(Vec<String>, String)>) {
    let with = |name: &syn::Ident| [path.as_slice(), &[name.to_string()]].concat();
    match tree {
        UseTree::Path(step) => collect_leaves(&step.tree, with(&step.ident), leaves),
        UseTree::Group(group) => {
            for tree in &group.items {
                collect_leaves(tree, path.clone(), leaves);
            }
        }
        UseTree::Name(name) if name.ident == "self" => {
            let own = path.last().cloned().unwrap_or_default();
            leaves.push((path, own));
        }
        UseTree::Name(name) => leaves.push((with(&name.ident), name.ident.to_string())),
        UseTree::Rename(name) => leaves.push((with(&name.ident), name.rename.to_string())),
        UseTree::Glob(_) => leaves.push((path, "*".to_owned())),
    }
}

/// `call/answer.rs` is `call::answer`, `lib.rs` the root.
fn module_path(file: &Path) -> ModulePath {
    let path = file.with_extension("");
    let steps = path.iter().map(|step| step.to_string_lossy().into_owned());
    steps
        .filter(|step| step != "lib" && step != "main")
        .collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The rows of the table of ARCHITECTURE.md, sorted.
fn written_rows() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("a file");
    let table = text.split("| Module | uses |").nth(1).expect("a table");
    let rows = table.lines().skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(str::to_owned).collect()
}

#[test]
fn modules_use_only_the_modules_of_the_table() {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let server = Crate::read(&root().join("src"));
    for (from, targets) in server.edges() {
        let Some(module) = from.first() else {
            continue;
        };
        let used = found.entry(module.clone()).or_default();
        used.extend(targets.into_iter().filter_map(|target| match target {
            Target::Crate(name) => Some(name),
            Target::File(file) => file.into_iter().next().filter(|name| name != module),
        }));
    }
    for name in CRATES {
        let own = Crate::read(&root().join(format!("crates/{name}/src")));
        let used = own.edges().flat_map(|(_, targets)| targets);
        let others = used.filter_map(|target| match target {
            Target::Crate(other) => Some(other),
            Target::File(_) => None,
        });
        found.insert(name.to_owned(), others.collect());
    }
    let rows = found.iter().map(|(module, used)| {
        let used: Vec<String> = used.iter().map(|name| format!("`{name}`")).collect();
        let used = match used.is_empty() {
            true => "nothing".to_owned(),
            false => used.join(", "),
        };
        format!("| `{module}` | {used} |")
    });
    assert_eq!(rows.collect::<BTreeSet<_>>(), written_rows());
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let mut folders = CRATES.map(|name| format!("crates/{name}/src")).to_vec();
    folders.extend(["src", "codegen/src"].map(str::to_owned));
    let circles: BTreeSet<String> = folders
        .iter()
        .flat_map(|folder| Crate::read(&root().join(folder)).circles())
        .collect();
    assert_eq!(circles, BTreeSet::new());
}
