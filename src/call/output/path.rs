//! Follows dotted paths into answers.

use std::borrow::Cow;

use serde_json::Value;

/// Where a row is not an object, its one column, and the field by which it is filtered.
pub(super) const PLAIN: &str = "value";

/// Members by which a list of values, such as custom fields, names each of them, and those that hold it.
const KEYS: [&str; 2] = ["id", "key"];
const VALUES: [&str; 6] = [
    "value",
    "fieldValue",
    "field_value",
    "fieldValueString",
    "fieldValueNumber",
    "fieldValueArray",
];

/// What stands at `steps`: keys of objects, places in lists (`-1` is the last).
pub fn value_at<'a>(value: &'a Value, steps: &[&str]) -> Option<&'a Value> {
    steps.iter().try_fold(value, |value, step| match value {
        Value::Array(items) => {
            let place: i64 = step.parse().ok()?;
            let place = match usize::try_from(place) {
                Ok(place) => place,
                Err(_) => items
                    .len()
                    .checked_sub(usize::try_from(place.unsigned_abs()).ok()?)?,
            };
            items.get(place)
        }
        _ => value.get(step),
    })
}

/// What a row has at a dotted path. A name may have a dot in it; `customFields.<id>` is the value of that field; a row
/// that is not an object is its own field.
pub(in crate::call) fn field_at<'v>(row: &'v Value, field: &str) -> Option<&'v Value> {
    if !row.is_object() && field == PLAIN {
        return Some(row);
    }
    if let Some(found) = row.get(field) {
        return Some(found);
    }
    let mut steps = field.split('.');
    let (mut value, mut last) = (row, None);
    for step in &mut steps {
        last = None;
        value = match value_at(value, &[step]) {
            Some(found) => found,
            None => {
                let mut items = value.as_array()?.iter();
                let has_key = |item: &Value| KEYS.iter().any(|key| item[*key] == *step);
                let found = items.find(|item| has_key(item))?;
                last = Some(found);
                found
            }
        };
    }
    let held = last.and_then(|item| VALUES.iter().find_map(|name| item.get(*name)));
    Some(held.unwrap_or(value))
}

/// The same; and if the path leads through a list of objects, such as `stages.name`, the list of what they have there.
pub(super) fn find_at<'v>(row: &'v Value, field: &str) -> Option<Cow<'v, Value>> {
    field_at(row, field)
        .map(Cow::Borrowed)
        .or_else(|| through_list(row, field).map(Cow::Owned))
}

fn through_list(row: &Value, field: &str) -> Option<Value> {
    let (mut value, mut rest) = (row, field);
    while !value.is_array() {
        let (step, after) = rest.split_once('.')?;
        (value, rest) = (value.get(step)?, after);
    }
    let found = value.as_array()?.iter().filter_map(|item| {
        let is_object = item.is_object();
        is_object.then(|| find_at(item, rest))?
    });
    // A list in each is one list.
    let found: Vec<Value> = found
        .flat_map(|value| match value.into_owned() {
            Value::Array(inner) => inner,
            one => vec![one],
        })
        .collect();
    (!found.is_empty()).then_some(Value::Array(found))
}

/// The last part of a dotted path.
pub(super) fn last_step(field: &str) -> &str {
    field.rsplit('.').next().unwrap_or(field)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_leads_through_lists_of_objects() {
        let row = json!({
            "name": "Sales",
            "stages": [{"name": "New", "tags": ["a", "b"]}, {"name": "Won", "tags": ["c"]}, {"id": 3}],
            "in": {"stages": [{"lead": {"name": "Ada"}}]},
            "plain": ["x"],
            "none": [],
        });
        for (field, expected) in [
            ("name", json!("Sales")),
            ("stages.name", json!(["New", "Won"])),
            ("stages.tags", json!(["a", "b", "c"])),
            ("stages.1.name", json!("Won")),
            ("in.stages.lead.name", json!(["Ada"])),
            ("stages.colour", json!(null)),
            ("plain.name", json!(null)),
            ("none.name", json!(null)),
            ("name.first", json!(null)),
            ("stages.", json!(null)),
        ] {
            let found = find_at(&row, field).map(Cow::into_owned);
            assert_eq!(found.unwrap_or_default(), expected, "{field}");
        }
    }
}
