//! Parses the file of rules, which is TOML, and checks it against the tools. It reports every fault at once.

use std::collections::BTreeMap;

use ::tool::Tool;
use toml::{Table, Value};

use super::caps::Cap;
use super::class_mode::ClassMode;
use super::constraint::Constraint;
use super::lockdown::Lockdown;
use super::problems::{PolicyErrors, PolicyProblems, selectors};
use super::quiet::Quiet;
use super::section::Section;
use super::selector::Class;
use super::{Mode, Policy};

impl Policy {
    /// The rules in `text` over `tools`; `place` is the file's name in errors.
    pub fn parse(text: &str, place: &str, tools: &'static [Tool]) -> Result<Self, PolicyErrors> {
        let mut problems = PolicyProblems::new(place, tools);
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
        problems.into_result(policy)
    }
}

fn sections(kind: &str, value: &Value, problems: &mut PolicyProblems) -> BTreeMap<String, Section> {
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

pub(crate) fn section(place: &str, value: &Value, problems: &mut PolicyProblems) -> Section {
    const KEYS: [&str; 10] = [
        "deny",
        "allow",
        "read_only",
        "confirm",
        "caps",
        "quiet",
        "arguments",
        "preview_above",
        "lockdown",
        "many",
    ];
    let mut section = Section::empty(place);
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
            "many" => section.many = mode(&at, value, problems),
            "lockdown" => section.lockdown = Lockdown::read(&at, value, problems, mode),
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
    problems: &mut PolicyProblems,
    read: impl Fn(&str, &Value, &mut PolicyProblems) -> Option<T>,
) -> BTreeMap<Class, T> {
    let mut values = BTreeMap::new();
    for (key, value) in problems.table(at, value).into_iter().flatten() {
        match Class::parse(key) {
            Ok(class) => {
                let value = read(&format!("{at} {key}"), value, problems);
                values.extend(value.map(|value| (class, value)));
            }
            Err(what) => problems.add(at, what),
        }
    }
    values
}

fn mode(at: &str, value: &Value, problems: &mut PolicyProblems) -> Option<ClassMode> {
    let mode = value.as_str().and_then(ClassMode::parse);
    if mode.is_none() {
        let known = Mode::ALL.map(Mode::name).join(", ");
        problems.add(
            at,
            format_args!(
                "{value} is not a confirmation; there are {known}, and for clients that cannot ask: elicit or token, \
                 elicit or human"
            ),
        );
    }
    mode
}
