//! Lists in the query: an empty one is not a filter. A text that is a list of known words is split, so that each word
//! is checked.

use serde_json::{Map, Value};

use super::forms::Forms;
use tool::{ListStyle, Place, Tool};

/// Removes empty lists, and splits comma-separated words into lists. Any other text stays as it is: the meaning of
/// its commas is unknown.
pub(super) fn settle(tool: &Tool, schema: &Value, values: &mut Map<String, Value>) {
    let forms = Forms::new(Some(schema));
    for argument in tool
        .arguments
        .iter()
        .filter(|one| one.place == Place::Query)
    {
        let words = match values.get(argument.name) {
            Some(Value::Array(items)) if items.is_empty() => None,
            Some(Value::String(text)) if argument.list_style == Some(ListStyle::Comma) => {
                if forms.field(argument.name).items().values().is_none() {
                    continue;
                }
                Some(text.split(',').map(str::trim).collect::<Value>())
            }
            _ => continue,
        };
        match words {
            Some(words) => drop(values.insert(argument.name.to_owned(), words)),
            None => drop(values.shift_remove(argument.name)),
        }
    }
}
