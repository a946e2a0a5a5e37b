//! Settings from environment variables: each names a section and key, and is parsed as the type of the default.

use serde_json::Value as Json;
use toml::{Table, Value};

use super::CONFIG_VARIABLE;
use super::mistakes::MAPS;
use tool::nearest;

const PREFIX: &str = "HIGHLEVEL_MCP_";
const ACCOUNT_VARIABLES: [(&str, &str); 3] = [
    ("HIGHLEVEL_TOKEN", "token"),
    ("HIGHLEVEL_LOCATION_ID", "location_id"),
    ("HIGHLEVEL_COMPANY_ID", "company_id"),
];

/// Sections, keys and values.
type VariableSettings = Vec<(String, String, Value)>;

/// The settings of one variable; none if it is not one of this server's. Fails with the error to report.
pub(super) fn read(defaults: &Table, name: &str, value: &str) -> Result<VariableSettings, String> {
    let one =
        |section: &str, key: &str, value: Value| vec![(section.to_owned(), key.to_owned(), value)];
    let account = ACCOUNT_VARIABLES
        .iter()
        .find(|(variable, _)| *variable == name);
    if let Some((_, key)) = account {
        return Ok(one("account", key, Value::from(value)));
    }
    let Some(path) = name
        .strip_prefix(PREFIX)
        .filter(|_| name != CONFIG_VARIABLE)
    else {
        return Ok(Vec::new());
    };
    let path = path.to_lowercase();
    let known = path
        .split_once('_')
        .and_then(|(section, key)| Some((section, key, defaults.get(section)?.get(key)?)));
    let is_map = MAPS.iter().any(|(map, _)| *map == path);
    match known {
        Some((section, key, default)) => {
            let value =
                typed(default, value).ok_or_else(|| format!("must be {}", expected(default)))?;
            Ok(one(section, key, value))
        }
        // Variable names cannot separate aliases from keys, so such sections are given as a whole.
        None if is_map || defaults.contains_key(&path) => {
            let takes = "a JSON object of the section's keys";
            let keys = object(value).ok_or_else(|| format!("must be {takes}"))?;
            let values = keys.into_iter();
            Ok(values
                .map(|(key, value)| (path.clone(), key, value))
                .collect())
        }
        None => Err(unknown(defaults, name)),
    }
}

/// The error for a variable that is not a setting.
fn unknown(defaults: &Table, name: &str) -> String {
    let keys = defaults.iter().flat_map(|(section, keys)| {
        let keys = keys.as_table().into_iter().flat_map(Table::keys);
        let variables = keys.map(move |key| format!("{PREFIX}{section}_{key}").to_uppercase());
        variables.chain([format!("{PREFIX}{section}").to_uppercase()])
    });
    let maps = MAPS.iter();
    let maps = maps.map(|(map, _)| format!("{PREFIX}{map}").to_uppercase());
    let all: Vec<String> = keys
        .chain(maps)
        .chain([CONFIG_VARIABLE.to_owned()])
        .collect();
    // The common prefix would make any two names similar.
    let short = |variable: &'_ str| variable.strip_prefix(PREFIX).unwrap_or(variable).to_owned();
    let known: Vec<(String, &String)> = all.iter().map(|one| (short(one), one)).collect();
    let known = known.iter().map(|(short, whole)| (short.as_str(), *whole));
    match nearest(&short(name), known) {
        Some(near) => format!("is not a setting; did you mean {near}?"),
        None => "is not a setting; `highlevel-mcp config defaults` prints all of them".to_owned(),
    }
}

/// The accepted values of a setting with this default, in words.
fn expected(default: &Value) -> &'static str {
    match default {
        Value::Integer(_) => "a whole number",
        Value::Boolean(_) => "true or false",
        Value::Array(_) => "a list, its items joined by commas or as a JSON array",
        Value::Table(_) => "a JSON object",
        _ => "a text",
    }
}

/// `value` parsed as the type of the default; `None` if it is not of that type.
fn typed(default: &Value, value: &str) -> Option<Value> {
    let value = value.trim();
    match default {
        // A number that may be switched off, if the setting allows that.
        Value::Integer(_) if value == "off" => Some(Value::from("off")),
        Value::Integer(_) => value.parse().ok().map(Value::Integer),
        Value::Boolean(_) => boolean(value).map(Value::Boolean),
        Value::Array(_) if value.starts_with('[') => converted(serde_json::from_str(value).ok()?),
        Value::Array(_) => {
            let items = value.split(',').map(str::trim);
            let items = items.filter(|item| !item.is_empty()).map(Value::from);
            Some(Value::Array(items.collect()))
        }
        Value::Table(_) => object(value).map(Value::Table),
        _ => Some(Value::from(value)),
    }
}

/// As people and container files write it.
fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn object(value: &str) -> Option<Table> {
    match converted(serde_json::from_str(value).ok()?)? {
        Value::Table(table) => Some(table),
        _ => None,
    }
}

/// JSON as TOML, which has no null.
fn converted(value: Json) -> Option<Value> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(value) => Value::Boolean(value),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Integer(number),
            None => Value::Float(number.as_f64()?),
        },
        Json::String(text) => Value::String(text),
        Json::Array(items) => {
            Value::Array(items.into_iter().map(converted).collect::<Option<_>>()?)
        }
        Json::Object(members) => {
            let members = members.into_iter();
            let table = members.map(|(key, value)| Some((key, converted(value)?)));
            Value::Table(table.collect::<Option<_>>()?)
        }
    })
}

#[cfg(test)]
mod tests;
