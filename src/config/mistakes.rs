//! Describes a mistake in a setting, with the likely meaning and its line.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::{Table, Value};
use toml_edit::{Document, Item};

use super::misfit::describe_misfit;
use super::{CompanySettings, Config, Location, WebhookSettings};
use tool::nearest;

/// Sections whose keys are aliases, with the members of an entry.
pub(super) const MAPS: [(&str, &[&str]); 2] = [
    (
        "locations",
        &["name", "location_id", "token", "company", "timezone"],
    ),
    (
        "companies",
        &["company_id", "client_id", "client_secret", "pair_file"],
    ),
];

/// Settings without a default.
const WITHOUT_DEFAULT: [(&str, &str); 1] = [("marketplace", "client_secret")];

/// Settings that give the place of a secret, and never hold one.
const SOURCES: [(&str, &str); 4] = [
    ("locations", "token"),
    ("companies", "client_secret"),
    ("marketplace", "client_secret"),
    ("state", "keys"),
];

/// The setting that is a list of sections, with the members of each.
const WEBHOOKS: (&str, &str) = ("approvals", "webhooks");
const WEBHOOK_MEMBERS: [&str; 3] = ["url", "shape", "secret"];

/// Percentages of it are far below the limits of an `i64`.
const MOST_CALLS: i64 = 1_000_000_000_000;

/// The least and the greatest sensible value of numbers. The others may be 0.
const BOUNDS: [(&str, &str, i64, i64); 21] = [
    ("server", "header_timeout_ms", 1, i64::MAX),
    ("server", "body_timeout_ms", 1, i64::MAX),
    ("server", "idle_timeout_ms", 1, i64::MAX),
    ("server", "max_connections", 1, i64::MAX),
    ("server", "max_connections_per_address", 1, i64::MAX),
    ("server", "max_body_bytes", 1, i64::MAX),
    ("server", "max_calls", 1, i64::MAX),
    ("server", "max_calls_per_caller", 1, i64::MAX),
    ("server", "max_bytes_in_flight", 1, i64::MAX),
    ("server", "max_bytes_per_caller", 1, i64::MAX),
    ("upstream", "connect_timeout_ms", 1, i64::MAX),
    ("upstream", "total_timeout_ms", 1, i64::MAX),
    ("upstream", "max_response_bytes", 1, i64::MAX),
    ("limits", "calls_per_interval", 1, MOST_CALLS),
    ("limits", "interval_ms", 1, i64::MAX),
    ("limits", "percent", 1, 100),
    ("limits", "calls_per_day", 1, MOST_CALLS),
    ("tools", "max_answer_bytes", 1, i64::MAX),
    ("audit", "keep_days", 1, i64::MAX),
    // A week: records of approvals are kept no longer.
    ("approvals", "expire_minutes", 1, 10_080),
    ("approvals", "max_pending_per_caller", 1, i64::MAX),
];

/// The mistake in one setting.
pub(super) struct Mistake {
    /// The way to the wrong member within the setting, if it has several: numbers count in lists, from 0.
    pub members: Vec<String>,
    pub what: String,
}

/// A file's text, with the line of each key.
pub(super) struct KeyLines<'a> {
    text: &'a str,
    document: Document<&'a str>,
}

impl<'a> KeyLines<'a> {
    /// Fails with a sentence that repeats no line, because it may contain a secret.
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        match Document::parse(text) {
            Ok(document) => Ok(Self { text, document }),
            Err(error) => {
                let start = error.span().map_or(0, |span| span.start);
                let line = line(text, start);
                let what = error.message().trim().replace('\n', ", ");
                Err(format!("line {line}: {what}"))
            }
        }
    }

    /// The line of the key at this path of sections, keys and numbers in lists.
    pub(super) fn line_of(&self, path: &[&str]) -> Option<usize> {
        let mut item: &Item = self.document.as_item();
        let mut start = None;
        for step in path {
            let begins = |span: Option<Range<usize>>| span.map(|span| span.start);
            let next = match step.parse() {
                Ok(number) if !item.is_table_like() => item
                    .get::<usize>(number)
                    .map(|one| (begins(one.span()), one)),
                _ => item
                    .as_table_like()
                    .and_then(|table| table.get_key_value(step))
                    .map(|(key, one)| (begins(key.span()), one)),
            };
            // What is inside an inline value has no place of its own.
            let Some((place, next)) = next else {
                break;
            };
            start = place.or(start);
            item = next;
        }
        Some(line(self.text, start?))
    }
}

fn line(text: &str, start: usize) -> usize {
    let before = text.get(..start).unwrap_or_default();
    before.matches('\n').count() + 1
}

/// The mistake in a section of this name.
pub(super) fn section(defaults: &Table, name: &str, value: &Value) -> Option<String> {
    if defaults.contains_key(name) || MAPS.iter().any(|(map, _)| *map == name) {
        return match value {
            Value::Table(_) => None,
            _ => Some(format!("{name} must be a section: [{name}]")),
        };
    }
    if !value.is_table()
        && let Some(home) = home(defaults, name)
    {
        return Some(format!("{name} is in no section. Put it under [{home}]"));
    }
    let maps = MAPS.iter().map(|(map, _)| *map);
    let known = defaults.keys().map(String::as_str).chain(maps);
    let remedy = match nearest(name, known.map(|one| (one, one))) {
        Some(near) => format!("did you mean [{near}]?"),
        None => "`highlevel-mcp config defaults` prints all sections".to_owned(),
    };
    Some(format!(
        "[{name}] is not a section of the settings; {remedy}"
    ))
}

/// The mistake in `value` for this section and key.
pub(super) fn value(
    defaults: &Table,
    (section, key): (&str, &str),
    value: &Value,
) -> Option<Mistake> {
    let map = MAPS.iter().find(|(map, _)| *map == section);
    if let Some((_, members)) = map {
        return one_of_map((section, key), value, members);
    }
    let wrong = |what: String| {
        let members = Vec::new();
        Some(Mistake { members, what })
    };
    let known = defaults.get(section).and_then(Value::as_table);
    let is_known = known.is_some_and(|known| known.contains_key(key))
        || WITHOUT_DEFAULT.contains(&(section, key));
    if !is_known {
        let names = known.into_iter().flat_map(Table::keys).map(String::as_str);
        let further = WITHOUT_DEFAULT.iter().filter(|(of, _)| *of == section);
        let names = names.chain(further.map(|(_, key)| *key));
        let near = nearest(key, names.map(|one| (one, one)));
        let remedy = match (near, home(defaults, key)) {
            (Some(near), _) => format!("did you mean {near}?"),
            (None, Some(home)) => format!("it belongs under [{home}]"),
            (None, None) => "`highlevel-mcp config defaults` prints all settings".to_owned(),
        };
        return wrong(format!("[{section}] {key} is not a setting; {remedy}"));
    }
    if holds_secret((section, key), value) {
        return wrong(as_source(&format!("{section}.{key}")));
    }
    let bounds = BOUNDS.iter().find(|one| (one.0, one.1) == (section, key));
    if let (Some((_, _, least, most)), Some(number)) = (bounds, value.as_integer())
        && !(least..=most).contains(&&number)
    {
        let range = match *most {
            i64::MAX => format!("the smallest that works is {least}"),
            most => format!("it goes from {least} to {most}"),
        };
        return wrong(format!("{section}.{key} is {number}; {range}"));
    }
    if let (WEBHOOKS, Value::Array(webhooks)) = ((section, key), value) {
        return webhooks
            .iter()
            .enumerate()
            .find_map(|(index, one)| webhook(index, one));
    }
    let mut table = defaults.clone();
    if let Some(Value::Table(present)) = table.get_mut(section) {
        present.insert(key.to_owned(), value.clone());
    }
    wrong(format!(
        "{section}.{key} {}",
        misfit::<Config>(Value::Table(table))?
    ))
}

/// The same for one of the webhooks. Its address may be a secret, so that no error repeats it.
fn webhook(index: usize, value: &Value) -> Option<Mistake> {
    let name = "[[approvals.webhooks]]";
    let wrong = |member: Option<&str>, what: String| {
        let members = [index.to_string()].into_iter();
        let members = members.chain(member.map(str::to_owned)).collect();
        Some(Mistake { members, what })
    };
    let Value::Table(given) = value else {
        return wrong(None, format!("approvals.webhooks must be sections: {name}"));
    };
    for (member, value) in given {
        if !WEBHOOK_MEMBERS.contains(&member.as_str()) {
            let what = unknown_member(name, member, &WEBHOOK_MEMBERS);
            return wrong(Some(member), what);
        }
        if member == "secret" && value.is_str() {
            return wrong(Some(member), as_source(&format!("{name} secret")));
        }
        let mut alone = Table::from_iter([("url".to_owned(), Value::from(""))]);
        alone.insert(member.clone(), value.clone());
        if let Some(misfit) = misfit::<WebhookSettings>(Value::Table(alone)) {
            return wrong(Some(member), format!("{name} {member} {misfit}"));
        }
    }
    let misfit = misfit::<WebhookSettings>(value.clone())?;
    wrong(None, format!("{name} {misfit}"))
}

fn unknown_member(name: &str, member: &str, members: &[&str]) -> String {
    let remedy = match nearest(member, members.iter().map(|one| (*one, *one))) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("it takes {}", members.join(", ")),
    };
    format!("{name} {member} is not a setting; {remedy}")
}

/// The same for a location or a company; `key` is its alias.
fn one_of_map((section, key): (&str, &str), value: &Value, members: &[&str]) -> Option<Mistake> {
    let name = format!("[{section}.{key}]");
    let wrong = |member: Option<&str>, what: String| {
        let members = member.map(str::to_owned).into_iter().collect();
        Some(Mistake { members, what })
    };
    let Value::Table(given) = value else {
        return wrong(None, format!("{name} must be a section of its own"));
    };
    for (member, value) in given {
        if !members.contains(&member.as_str()) {
            return wrong(Some(member), unknown_member(&name, member, members));
        }
        if holds_secret((section, member), value) {
            return wrong(Some(member), as_source(&format!("{name} {member}")));
        }
    }
    let misfit = match section {
        "locations" => misfit::<Location>(value.clone()),
        _ => misfit::<CompanySettings>(value.clone()),
    };
    wrong(None, format!("{name} {}", misfit?))
}

/// A text in a setting that expects the place of a secret may be the secret itself, so no error may repeat it.
fn holds_secret(setting: (&str, &str), value: &Value) -> bool {
    let is_text = |value: &Value| value.is_str();
    let holds = match value {
        Value::Array(items) => items.iter().any(is_text),
        value => is_text(value),
    };
    SOURCES.contains(&setting) && holds
}

fn as_source(name: &str) -> String {
    format!(
        "{name} names the place of the secret, never the secret itself: {{ file = \"PATH\" }}, {{ env = \"NAME\" }} or \
         {{ keyring = \"USER\" }}"
    )
}

/// The section with a setting of this name, if only one has it.
fn home<'a>(defaults: &'a Table, key: &str) -> Option<&'a str> {
    let mut homes = defaults.iter().filter(|(_, keys)| {
        let keys = keys.as_table();
        keys.is_some_and(|keys| keys.contains_key(key))
    });
    let (home, _) = homes.next()?;
    homes.next().is_none().then_some(home.as_str())
}

/// The error of parsing `value`.
fn misfit<T: DeserializeOwned>(value: Value) -> Option<String> {
    let read: Result<T, toml::de::Error> = value.try_into();
    let error = read.err()?;
    Some(describe_misfit(error.message()))
}

#[cfg(test)]
mod tests;
