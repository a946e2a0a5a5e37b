//! Reads the file of rules: TOML, checked against the tools that there are, every fault at once.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use toml::{Table, Value};

use super::caps::Cap;
use super::constraint::Constraint;
use super::quiet::Quiet;
use super::section::Section;
use super::selector::{Class, Selector, nearest};
use super::{Mode, Policy};

/// All that is wrong with a file, a sentence each.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct PolicyErrors(pub Vec<String>);

/// Collects what is wrong with a file.
pub struct Problems {
    file: String,
    found: Vec<String>,
}

impl Policy {
    pub fn read(path: &Path) -> Result<Self, PolicyErrors> {
        let place = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => match Self::parse(&text, &place)? {
                // A file that was cut short, or not written yet, must not open everything.
                policy if policy.has_no_rule() => Err(PolicyErrors(vec![format!(
                    "{place} holds no rule; write some into it, or leave policy.file empty where none are wanted"
                )])),
                policy => Ok(policy),
            },
            Err(error) => Err(PolicyErrors(vec![format!(
                "{place} cannot be read: {error}; correct the path or the file's permissions"
            )])),
        }
    }

    /// The rules in `text`; `place` is what errors call it.
    pub fn parse(text: &str, place: &str) -> Result<Self, PolicyErrors> {
        let mut problems = Problems {
            file: place.to_owned(),
            found: Vec::new(),
        };
        let table = text.parse::<Table>().unwrap_or_else(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            let what = error.message().replace('\n', " ");
            problems.add(&format!("line {line}"), format_args!("no TOML: {what}"));
            Table::new()
        });
        let mut policy = Self::default();
        for (key, value) in &table {
            match key.as_str() {
                "server" => policy.server = section("[server]", value, &mut problems),
                "locations" => policy.locations = sections(key, value, &mut problems),
                "policies" => policy.named = sections(key, value, &mut problems),
                _ => problems.unknown("", key, &["server", "locations", "policies"]),
            }
        }
        if problems.found.is_empty() {
            Ok(policy)
        } else {
            Err(PolicyErrors(problems.found))
        }
    }
}

impl Problems {
    /// `at` is the place in the file, such as `[server] deny`.
    pub fn add(&mut self, at: &str, what: impl Display) {
        let place = format!("{} {at}", self.file);
        self.found.push(format!("{}: {what}", place.trim_end()));
    }

    pub fn count(&self) -> usize {
        self.found.len()
    }

    /// A key that `at` does not have.
    pub fn unknown(&mut self, at: &str, key: &str, known: &[&str]) {
        let hint = match nearest(key, known.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("there are {}", known.join(", ")),
        };
        self.add(at, format_args!("{key} is no key; {hint}"));
    }

    pub fn table<'a>(&mut self, at: &str, value: &'a Value) -> Option<&'a Table> {
        let table = value.as_table();
        if table.is_none() {
            self.add(at, "must be a table");
        }
        table
    }

    pub fn list<'a>(&mut self, at: &str, value: &'a Value) -> &'a [Value] {
        match value.as_array() {
            Some(list) => list,
            None => {
                self.add(at, "must be a list, in [ ]");
                &[]
            }
        }
    }

    pub fn texts<'a>(&mut self, at: &str, value: &'a Value) -> Vec<&'a str> {
        let mut texts = Vec::new();
        for value in self.list(at, value) {
            match value.as_str() {
                Some(text) => texts.push(text),
                None => self.add(at, format_args!("{value} must be a text, in quotes")),
            }
        }
        texts
    }

    pub fn flag(&mut self, at: &str, value: &Value) -> bool {
        let flag = value.as_bool();
        if flag.is_none() {
            self.add(at, "must be true or false");
        }
        flag.unwrap_or_default()
    }

    pub fn whole_number(&mut self, at: &str, value: &Value) -> Option<u32> {
        let number = value.as_integer().and_then(|one| u32::try_from(one).ok());
        if number.is_none() {
            self.add(
                at,
                format_args!("must be a whole number from 0 to {}", u32::MAX),
            );
        }
        number
    }
}

/// Tools by their selectors; what selects none is a problem.
pub fn selectors(at: &str, value: &Value, problems: &mut Problems) -> Vec<Selector> {
    let mut selectors = Vec::new();
    for text in problems.texts(at, value) {
        match Selector::parse(text) {
            Ok(selector) => selectors.push(selector),
            Err(what) => problems.add(at, what),
        }
    }
    selectors
}

fn sections(kind: &str, value: &Value, problems: &mut Problems) -> BTreeMap<String, Section> {
    let Some(table) = problems.table(&format!("[{kind}]"), value) else {
        return BTreeMap::new();
    };
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    table
        .iter()
        .map(|(name, value)| {
            let place = if name.bytes().all(bare) {
                format!("[{kind}.{name}]")
            } else {
                format!("[{kind}.{name:?}]")
            };
            (name.clone(), section(&place, value, problems))
        })
        .collect()
}

fn section(place: &str, value: &Value, problems: &mut Problems) -> Section {
    const KEYS: [&str; 8] = [
        "deny",
        "allow",
        "read_only",
        "confirm",
        "caps",
        "quiet",
        "arguments",
        "preview_above",
    ];
    let mut section = Section::at(place);
    for (key, value) in problems.table(place, value).into_iter().flatten() {
        let at = format!("{place} {key}");
        match key.as_str() {
            "deny" => section.deny = selectors(&at, value, problems),
            "allow" => section.allow = Some(selectors(&at, value, problems)),
            "read_only" => section.read_only = problems.flag(&at, value),
            "confirm" => section.confirm = by_class(&at, value, problems, mode),
            "caps" => section.caps = by_class(&at, value, problems, Cap::read),
            "quiet" => section.quiet = Quiet::read(&at, value, problems),
            "preview_above" => {
                section.preview_above = match value.as_str() {
                    Some("off") => Some(0),
                    _ => problems.whole_number(&at, value),
                };
            }
            "arguments" => {
                for (index, value) in problems.list(&at, value).iter().enumerate() {
                    let at = format!("{at}[{index}]");
                    let constraint = Constraint::read(place, &at, value, problems);
                    section.constraints.extend(constraint);
                }
            }
            _ => problems.unknown(place, key, &KEYS),
        }
    }
    section
}

fn by_class<T>(
    at: &str,
    value: &Value,
    problems: &mut Problems,
    read: impl Fn(&str, &Value, &mut Problems) -> Option<T>,
) -> BTreeMap<Class, T> {
    let mut values = BTreeMap::new();
    for (key, value) in problems.table(at, value).into_iter().flatten() {
        match Class::named(key) {
            Ok(class) => {
                let value = read(&format!("{at} {key}"), value, problems);
                values.extend(value.map(|value| (class, value)));
            }
            Err(what) => problems.add(at, what),
        }
    }
    values
}

fn mode(at: &str, value: &Value, problems: &mut Problems) -> Option<Mode> {
    let mode = Mode::ALL
        .into_iter()
        .find(|mode| value.as_str() == Some(mode.name()));
    if mode.is_none() {
        let known = Mode::ALL.map(Mode::name).join(", ");
        problems.add(
            at,
            format_args!("{value} is no confirmation; there are {known}"),
        );
    }
    mode
}

#[cfg(test)]
mod tests;
