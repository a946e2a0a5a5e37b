//! Values of custom fields of contacts and opportunities, as HighLevel stores them and as it silently drops them.

use serde_json::{Value, json};

use super::records::of_location;
use crate::state::Records;

/// The values by id, merged over the earlier ones.
pub(super) fn custom_fields(
    state: &Records,
    location: &str,
    before: &Value,
    given: &Value,
) -> Value {
    let mut fields = before.as_array().cloned().unwrap_or_default();
    for (id, value) in given_fields(state, location, "contact", given) {
        fields.retain(|present| present["id"] != id);
        fields.push(json!({"id": id, "value": value}));
    }
    Value::Array(fields)
}

/// The id and the value of each field of `model` that is given. [E] the id or the key names a field, the value is
/// `field_value`, `fieldValue` or `value`; [M] one that a picklist does not offer is silently dropped.
pub(super) fn given_fields(
    state: &Records,
    location: &str,
    model: &str,
    given: &Value,
) -> Vec<(Value, Value)> {
    let given = given.as_array().into_iter().flatten();
    let fields = given.filter_map(|one| {
        let key = one["key"].as_str().map(|key| match key.split_once('.') {
            Some(_) => key.to_owned(),
            None => format!("{model}.{key}"),
        });
        let field = of_location(state, "customField", location).find(|field| {
            field["id"] == one["id"] || key.as_ref().is_some_and(|key| field["fieldKey"] == **key)
        })?;
        let names = ["field_value", "fieldValue", "value"];
        let value = names.iter().find_map(|name| one.get(*name))?;
        Some((field["id"].clone(), kept(field, value)?))
    });
    fields.collect()
}

/// The part of a value that a field stores; `None` if nothing.
fn kept(field: &Value, value: &Value) -> Option<Value> {
    let offered = field["picklistOptions"].as_array();
    if let Some(offered) = offered.filter(|offered| !offered.is_empty()) {
        // [I] of several values, those that are offered.
        return match value.as_array() {
            Some(values) => {
                let fit = values.iter().filter(|one| offered.contains(one));
                let fit: Vec<Value> = fit.cloned().collect();
                (!fit.is_empty() || values.is_empty()).then_some(json!(fit))
            }
            None => offered.contains(value).then(|| value.clone()),
        };
    }
    // [I] a date has no time of day.
    match (field["dataType"].as_str(), value.as_str()) {
        (Some("DATE"), Some(text)) => Some(json!(text.chars().take(10).collect::<String>())),
        _ => Some(value.clone()),
    }
}
