//! Settings from variables of the environment: each by its section and key, in the type that the defaults give it.

use serde_json::Value as Json;
use toml::{Table, Value};

use super::{CONFIG_VARIABLE, Config, ConfigError, set};

const PREFIX: &str = "HIGHLEVEL_MCP_";
const ACCOUNT_VARIABLES: [(&str, &str); 3] = [
    ("HIGHLEVEL_TOKEN", "token"),
    ("HIGHLEVEL_LOCATION_ID", "location_id"),
    ("HIGHLEVEL_COMPANY_ID", "company_id"),
];

/// Sections whose keys are aliases, which the names of variables cannot tell from keys: they are given whole.
const MAPS: [&str; 2] = ["locations", "companies"];

/// Lays one variable over `table`. Those that are no settings of this server are passed over.
pub(super) fn merge(
    table: &mut Table,
    defaults: &Table,
    name: &str,
    value: &str,
) -> Result<(), ConfigError> {
    let account = ACCOUNT_VARIABLES
        .iter()
        .find(|(variable, _)| *variable == name);
    if let Some((_, key)) = account {
        set(table, "account", key, Value::from(value));
        return Ok(());
    }
    let Some(path) = name
        .strip_prefix(PREFIX)
        .filter(|_| name != CONFIG_VARIABLE)
    else {
        return Ok(());
    };
    let path = path.to_lowercase();
    let wrong = |what: String| ConfigError(format!("the environment variable {name} {what}"));
    let known = path
        .split_once('_')
        .and_then(|(section, key)| Some((section, key, defaults.get(section)?.get(key)?)));
    let takes = match known {
        Some((section, key, default)) => {
            let takes = expected(default);
            let typed = typed(default, value).ok_or_else(|| wrong(format!("must be {takes}")))?;
            set(table, section, key, typed);
            takes
        }
        None if MAPS.contains(&path.as_str()) || defaults.contains_key(&path) => {
            let takes = "a JSON object of the section's keys";
            let section = object(value).ok_or_else(|| wrong(format!("must be {takes}")))?;
            match table.get_mut(&path) {
                Some(Value::Table(present)) => present.extend(section),
                _ => drop(table.insert(path, Value::Table(section))),
            }
            takes
        }
        None => {
            return Err(wrong(
                "is no setting; `highlevel-mcp config` prints all of them".to_owned(),
            ));
        }
    };
    // What came before was tried, so that whatever does not fit now is this variable's.
    let tried: Result<Config, _> = table.clone().try_into();
    tried.map(drop).map_err(|error| {
        let what = error.to_string().trim().replace('\n', " ");
        wrong(format!("does not fit, it takes {takes}: {what}"))
    })
}

/// What a setting with this default takes.
fn expected(default: &Value) -> &'static str {
    match default {
        Value::Integer(_) => "a whole number",
        Value::Boolean(_) => "true or false",
        Value::Array(_) => "a list, its items joined by commas or as a JSON array",
        Value::Table(_) => "a JSON object",
        _ => "a text",
    }
}

/// `value` in the type of the default; `None` where it is not of that.
fn typed(default: &Value, value: &str) -> Option<Value> {
    let value = value.trim();
    match default {
        // A number that may be switched off, where the setting takes that.
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

/// As people and the files of containers write it.
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
