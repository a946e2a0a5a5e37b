//! Distinguishes nulls that clear a field from those that fill a place, if nulls clear as on HighLevel's own servers.
//! In a call that gives every argument, as OpenAI's strict mode does, nulls clear nothing.

use serde_json::{Map, Value};

/// Removes nulls that mean "not given": all nulls of properties that take none, and, in a call that
/// gives every argument, those of optional nullable properties too.
pub(super) fn drop_unused(schema: &Value, gives_all: bool, values: &mut Map<String, Value>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    values.retain(|name, value| {
        !value.is_null()
            || properties.get(name).is_none_or(|property| {
                takes_null(property) && (!gives_all || is_required(schema, name))
            })
    });
    for (name, value) in values.iter_mut() {
        if let Some(property) = properties.get(name) {
            descend(property, gives_all, value);
        }
    }
}

fn descend(schema: &Value, gives_all: bool, value: &mut Value) {
    match value {
        Value::Object(object) => drop_unused(schema, gives_all, object),
        Value::Array(items) => {
            if let Some(item_schema) = schema.get("items") {
                for item in items {
                    descend(item_schema, gives_all, item);
                }
            }
        }
        _ => {}
    }
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema
        .get("required")
        .and_then(Value::as_array)
        .is_some_and(|required| required.iter().any(|one| one == name))
}

/// Whether null is a value of its own for `schema`.
fn takes_null(schema: &Value) -> bool {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.contains(&Value::Null);
    }
    match (
        schema.get("type"),
        schema.get("anyOf").and_then(Value::as_array),
    ) {
        (Some(Value::Array(types)), _) => types.iter().any(|one| one == "null"),
        (Some(_), _) => false,
        (None, Some(branches)) => branches.iter().any(takes_null),
        (None, None) => true,
    }
}
