//! Lists in the query: an empty one is not a filter, and a text that is a list of known words is taken apart, so that each is
//! held to the words there are.

use serde_json::{Map, Value};

use super::forms::Forms;
use tool::{ListStyle, Place, Tool};

/// Takes out empty lists, and makes every comma list of words the list that it is. A list of anything else stays the
/// text that it was: what its commas mean nobody knows.
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
