//! Takes out what is given and says nothing: a null, and a text without a letter where a text is no content.
//!
//! OpenAI's strict mode sends every property that a schema has, and null for those that the model left out
//! (<https://platform.openai.com/docs/guides/structured-outputs>); other clients send nulls where a schema allows one.
//! Sent on, they would empty fields of a contact. What is to be emptied is named in `clear`.

use serde_json::{Map, Value};

use super::ArgumentProblems;
use super::excerpt::excerpt;
use super::forms::Forms;
use super::roles::{Meaning, meaning};
use tool::{Place, Role, Tool};

/// What programs write for nothing, and what is no id, email or phone.
const WORDS_FOR_NOTHING: [&str; 3] = ["null", "undefined", "None"];

/// Removes top-level arguments that say nothing. The names of those that were null and may be emptied.
pub(super) fn drop_arguments(
    tool: &Tool,
    schema: &Value,
    clearable: &[String],
    nulls_blank: bool,
    values: &mut Map<String, Value>,
) -> Vec<String> {
    let forms = Forms::new(Some(schema));
    let mut nulls = Vec::new();
    values.retain(|name, value| {
        let Some(argument) = tool.arguments.iter().find(|one| one.name == name) else {
            return true;
        };
        match value {
            Value::Null if nulls_blank => true,
            Value::Null => {
                if clearable.contains(name) {
                    nulls.push(name.clone());
                }
                false
            }
            Value::String(text) if text.is_empty() => {
                let in_url = matches!(argument.place, Place::Path | Place::Query | Place::Header);
                let is_no_text = argument.role != Role::None
                    || argument.date_form.is_some()
                    || is_no_text(name, &forms.field(name));
                !(in_url || is_no_text && !nulls_blank)
            }
            _ => true,
        }
    });
    nulls
}

/// Removes fields inside arguments that say nothing, and refuses words for nothing where an id, an email or a phone
/// stands. Items of a list stay: without one it would be another list.
pub(super) fn drop_fields(
    tool: &Tool,
    schema: &Value,
    nulls_blank: bool,
    values: &mut Map<String, Value>,
    problems: &mut ArgumentProblems,
) {
    let forms = Forms::new(Some(schema));
    for (name, value) in values.iter_mut() {
        let mut arguments = tool.arguments.iter();
        let argument = arguments.find(|one| one.name == name);
        let meaning = match argument {
            Some(argument) if argument.place == Place::Path => Meaning::Id,
            _ => meaning(name),
        };
        let mut inside = Inside {
            nulls_blank,
            problems: &mut *problems,
        };
        inside.value(&forms.field(name), meaning, value, name);
    }
}

struct Inside<'a> {
    nulls_blank: bool,
    problems: &'a mut ArgumentProblems,
}

impl Inside<'_> {
    fn value(&mut self, forms: &Forms<'_>, meaning: Meaning, value: &mut Value, path: &str) {
        match value {
            Value::String(text) => self.refuse_word(meaning, text, path),
            Value::Array(items) => {
                let forms = forms.items();
                for (index, item) in items.iter_mut().enumerate() {
                    self.value(&forms, meaning, item, &format!("{path}[{index}]"));
                }
            }
            Value::Object(fields) => {
                if !self.nulls_blank {
                    fields.retain(|name, value| {
                        !(forms.names(name) && is_nothing(forms, name, value))
                    });
                }
                for (name, value) in fields {
                    let inside = format!("{path}.{name}");
                    self.value(&forms.field(name), self::meaning(name), value, &inside);
                }
            }
            _ => {}
        }
    }

    fn refuse_word(&mut self, meaning: Meaning, text: &str, path: &str) {
        let what = match meaning {
            Meaning::Id => "an id",
            Meaning::Email => "an email",
            Meaning::Phone => "a phone number",
            Meaning::Date | Meaning::Other => return,
        };
        if WORDS_FOR_NOTHING.contains(&text) {
            self.problems.add(format!(
                "{path} must be {what}, not the word {}; leave it out where there is none",
                excerpt(&Value::from(text))
            ));
        }
    }
}

/// Whether a described field says nothing.
fn is_nothing(forms: &Forms<'_>, name: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty() && is_no_text(name, &forms.field(name)),
        _ => false,
    }
}

/// Whether an empty text is no value of a field: it holds an id, an email, a phone, one of some words, or no text.
fn is_no_text(name: &str, forms: &Forms<'_>) -> bool {
    let takes_no_text = forms.is_typed() && !forms.takes("string");
    let is_no_word = forms
        .values()
        .is_some_and(|values| !values.iter().any(|value| value == ""));
    meaning(name) != Meaning::Other || takes_no_text || is_no_word
}
