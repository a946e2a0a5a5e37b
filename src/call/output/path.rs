//! Follows dotted paths into answers.

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
