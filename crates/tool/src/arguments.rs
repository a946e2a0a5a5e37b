//! Arguments that passed every check, under their wire names, as the generated handlers use them.

use serde_json::{Map, Value};

/// The contents of one request: path, query and header values by wire name, and the JSON body.
#[derive(Debug, Default)]
pub struct Arguments {
    pub path: Values,
    pub query: Values,
    pub header: Values,
    pub body: Option<Value>,
}

/// Values of one place, each of the type in its check schema.
#[derive(Debug, Default)]
pub struct Values(pub Map<String, Value>);

/// A checked value that does not fit the request: a fault of this program.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UnusableArgument(String);

impl Arguments {
    /// The JSON body; an operation with a body always gets one, at least `{}`.
    pub fn body(&self) -> Result<&Value, UnusableArgument> {
        self.body
            .as_ref()
            .ok_or_else(|| UnusableArgument("there is no body".to_owned()))
    }
}

/// A pair of accessors: for a value that must be there, and for one that may be absent.
macro_rules! accessors {
    ($required:ident, $optional:ident, $type:ty, $convert:expr) => {
        pub fn $required(&self, name: &str) -> Result<$type, UnusableArgument> {
            self.$optional(name)?
                .ok_or_else(|| UnusableArgument(format!("{name} is absent")))
        }

        pub fn $optional(&self, name: &str) -> Result<Option<$type>, UnusableArgument> {
            let convert: fn(&Value) -> Option<$type> = $convert;
            self.0
                .get(name)
                .map(|value| convert(value).ok_or_else(|| wrong(name, stringify!($required))))
                .transpose()
        }
    };
}

impl Values {
    accessors!(integer, optional_integer, i64, Value::as_i64);
    accessors!(number, optional_number, f64, Value::as_f64);
    accessors!(boolean, optional_boolean, bool, Value::as_bool);
    accessors!(list, optional_list, Vec<String>, texts);

    pub fn text(&self, name: &str) -> Result<&str, UnusableArgument> {
        self.optional_text(name)?
            .ok_or_else(|| UnusableArgument(format!("{name} is absent")))
    }

    pub fn optional_text(&self, name: &str) -> Result<Option<&str>, UnusableArgument> {
        self.0
            .get(name)
            .map(|value| value.as_str().ok_or_else(|| wrong(name, "text")))
            .transpose()
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(query_text).collect()
}

/// A list item in a query.
fn query_text(item: &Value) -> Option<String> {
    match item {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(item.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn wrong(name: &str, kind: &str) -> UnusableArgument {
    UnusableArgument(format!("{name} is no {kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_come_out_as_their_type_or_not_at_all() {
        let values = Values(
            json!({"text": "a", "integer": 20, "list": ["a", 1, true], "nested": [[]]})
                .as_object()
                .cloned()
                .unwrap_or_default(),
        );
        assert_eq!(values.text("text").ok(), Some("a"));
        assert_eq!(values.integer("integer").ok(), Some(20));
        assert_eq!(
            values.list("list").ok(),
            Some(["a", "1", "true"].map(str::to_owned).to_vec())
        );
        assert!(matches!(values.optional_text("gone"), Ok(None)));
        assert!(values.text("gone").is_err());
        assert!(values.integer("text").is_err());
        assert!(values.list("nested").is_err());
    }
}
