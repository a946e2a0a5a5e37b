//! Follows dotted paths into answers.

use serde_json::Value;

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
