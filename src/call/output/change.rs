//! The short answer of a write: the record's id and the sent fields, as HighLevel has them now.

use serde_json::{Map, Value};

use super::project::{IDS, clipped};
use super::{LONGEST_TEXT, value_at};
use tool::{Place, Tool};

/// In bytes: an answer that is no longer is shown as it is.
const SHORT: usize = 200;

/// A single value beside the record, such as `success`, is shown up to so many characters.
const LONGEST_BESIDE: usize = 100;

/// What a write came to beyond what was sent, under the names that HighLevel gives it.
const TELLING: [&str; 6] = [
    "status",
    "appointmentStatus",
    "invoiceNumber",
    "total",
    "amountDue",
    "picklistOptions",
];

/// Members of ours, which stay.
const OURS: char = '_';

/// Of HighLevel's answer to a write the part that says what it came to, at the same paths; `None` where that is all of it.
pub fn change(tool: &Tool, sent: &Map<String, Value>, answer: &str) -> Option<String> {
    if answer.len() <= SHORT {
        return None;
    }
    let answer: Value = serde_json::from_str(answer).ok()?;
    let names = body_names(tool, sent);
    let (member, record) = record(&answer, &names)?;
    let mut part = Map::new();
    let id = IDS
        .iter()
        .find_map(|name| Some((*name, record.get(*name)?)));
    part.extend(id.map(|(name, id)| (name.to_owned(), id.clone())));
    let ids = part.len();
    for (name, sent) in &names {
        if let Some(now) = record.get(*name) {
            let now = match_items(sent, now);
            part.insert((*name).to_owned(), shortened(&now));
        }
    }
    for name in TELLING {
        if let Some(now) = record.get(name).filter(|_| !part.contains_key(name)) {
            part.insert(name.to_owned(), now.clone());
        }
    }
    if part.len() == ids {
        add_summary(tool, member, record, &mut part);
    }
    if part.is_empty() {
        return None;
    }
    let mut shown = match member {
        None => part,
        Some(member) => {
            let mut shown = Map::from_iter([(member.to_owned(), Value::Object(part))]);
            shown.extend(beside(&answer, member));
            shown
        }
    };
    let ours = answer.as_object().into_iter().flatten();
    let ours = ours.filter(|(name, _)| name.starts_with(OURS) && *name != "_id");
    shown.extend(ours.map(|(name, value)| (name.clone(), value.clone())));
    Some(Value::Object(shown).to_string())
}

/// What was sent in the body, by HighLevel's names and by ours.
fn body_names<'a>(tool: &'a Tool, sent: &'a Map<String, Value>) -> Vec<(&'a str, &'a Value)> {
    let mut names: Vec<(&str, &Value)> = Vec::new();
    for argument in tool.arguments {
        let Some(value) = sent.get(argument.name) else {
            continue;
        };
        match (argument.place, value) {
            (Place::Body, value) => {
                names.push((argument.wire_name, value));
                if argument.wire_name != argument.name {
                    names.push((argument.name, value));
                }
            }
            (Place::WholeBody, Value::Object(fields)) => {
                names.extend(fields.iter().map(|(name, value)| (name.as_str(), value)));
            }
            _ => {}
        }
    }
    names
}

/// The record in an answer: the answer itself, or the member of it that has most of what was sent, then an id.
fn record<'a>(
    answer: &'a Value,
    names: &[(&str, &Value)],
) -> Option<(Option<&'a str>, &'a Map<String, Value>)> {
    let whole = answer.as_object()?;
    let members = whole
        .iter()
        .filter_map(|(name, value)| Some((Some(name.as_str()), value.as_object()?)));
    let fitness = |record: &Map<String, Value>| {
        let known = names.iter().filter(|(name, _)| record.contains_key(*name));
        (known.count(), IDS.iter().any(|id| record.contains_key(*id)))
    };
    let mut best = (None, whole);
    for member in members {
        if fitness(member.1) > fitness(best.1) {
            best = member;
        }
    }
    Some(best)
}

/// Of a list of records those that were sent, where each names itself by an id.
fn match_items(sent: &Value, now: &Value) -> Value {
    let id = |item: &Value| {
        IDS.iter()
            .find_map(|name| item.get(name)?.as_str().map(str::to_owned))
    };
    let (Some(sent), Some(items)) = (sent.as_array(), now.as_array()) else {
        return now.clone();
    };
    let ids: Option<Vec<String>> = sent.iter().map(id).collect();
    match ids.filter(|ids| !ids.is_empty()) {
        Some(ids) => {
            let items = items.iter();
            let kept = items.filter(|item| id(item).is_none_or(|id| ids.contains(&id)));
            kept.cloned().collect()
        }
        None => now.clone(),
    }
}

/// Where nothing of what was sent is in the answer: what the operation's table says is telling of it.
fn add_summary(
    tool: &Tool,
    member: Option<&str>,
    record: &Map<String, Value>,
    part: &mut Map<String, Value>,
) {
    let prefix = member.map(|member| format!("{member}."));
    for field in tool.summary_fields {
        let own = prefix
            .as_deref()
            .and_then(|prefix| field.strip_prefix(prefix));
        let own = own.unwrap_or(field);
        let found = match own.split_once('.') {
            None => record.get(own).cloned(),
            Some((first, rest)) => {
                let steps: Vec<&str> = rest.split('.').collect();
                record
                    .get(first)
                    .and_then(|inner| value_at(inner, &steps))
                    .cloned()
            }
        };
        if let Some(value) = found.filter(|value| !value.is_null()) {
            part.insert(own.to_owned(), shortened(&value));
        }
    }
}

/// Single values beside the record.
fn beside<'a>(
    answer: &'a Value,
    member: &'a str,
) -> impl Iterator<Item = (String, Value)> + use<'a> {
    let members = answer.as_object().into_iter().flatten();
    let members = members.filter(move |(name, _)| *name != member && !name.starts_with(OURS));
    members
        .filter(|(_, value)| match value {
            Value::String(text) => text.chars().count() <= LONGEST_BESIDE,
            Value::Bool(_) | Value::Number(_) => true,
            _ => false,
        })
        .map(|(name, value)| (name.clone(), value.clone()))
}

fn shortened(value: &Value) -> Value {
    clipped(value, LONGEST_TEXT, "", &mut Vec::new())
}
