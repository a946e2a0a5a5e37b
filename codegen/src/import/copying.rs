//! Copies the named members of JSON.

use serde_json::{Map, Value};

pub(super) fn copy(from: &Value, to: &mut Map<String, Value>, keys: &[&str]) {
    for key in keys {
        if let Some(value) = from.get(key) {
            to.insert((*key).to_owned(), value.clone());
        }
    }
}

pub(super) fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

pub(super) fn mapped(map: &Value, mut one: impl FnMut(&Value) -> Value) -> Value {
    mapped_with_names(map, |_, value| Some(one(value)))
}

pub(super) fn mapped_with_names(
    map: &Value,
    mut one: impl FnMut(&str, &Value) -> Option<Value>,
) -> Value {
    let entries = map.as_object().into_iter().flatten();
    let mapped: Map<String, Value> = entries
        .filter_map(|(name, value)| Some((name.clone(), one(name, value)?)))
        .collect();
    Value::Object(mapped)
}
