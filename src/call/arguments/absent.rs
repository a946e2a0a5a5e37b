//! Removes values that count as absent: nulls, and blank texts where a text is not content.
//!
//! OpenAI's strict mode sends every property of a schema, with null for those that the model left out
//! (<https://platform.openai.com/docs/guides/structured-outputs>). Other clients send nulls where a schema allows one.
//! If these were sent on, they would empty fields of a contact. `clear` names what is to be emptied.

use serde_json::{Map, Value};

use super::ArgumentProblems;
use super::excerpt::excerpt;
use super::forms::Forms;
use super::keywords::Way;
use super::records::{NamedRecord, is_name};
use super::roles::{Meaning, meaning};
use tool::{Place, Role, Tool};

/// Words that programs and people write for an absent value, in small letters. None is an id, email or phone.
const WORDS_FOR_NOTHING: [&str; 6] = ["null", "undefined", "none", "nil", "n/a", "nan"];

/// Removes top-level arguments that count as absent. Returns the names of nulls whose arguments may be
/// emptied.
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

/// Removes fields inside arguments that count as absent. Refuses words for an absent value in place of an id, an email
/// or a phone, and names in place of ids, which HighLevel stores or finds nothing by. Items of a list stay: without one it would be another list.
pub(super) fn drop_fields(
    tool: &Tool,
    schema: &Value,
    nulls_blank: bool,
    values: &mut Map<String, Value>,
    problems: &mut ArgumentProblems,
) {
    let forms = Forms::new(Some(schema));
    let mut inside = Inside {
        nulls_blank,
        problems,
    };
    for (name, value) in values.iter_mut() {
        let mut arguments = tool.arguments.iter();
        let argument = arguments.find(|one| one.name == name);
        let holder = FieldHolder {
            name,
            in_path: argument.is_some_and(|argument| argument.place == Place::Path),
        };
        let way = Way::Field(&Way::Whole, name);
        inside.value(&forms.field(name), holder, value, way);
    }
}

struct Inside<'a> {
    nulls_blank: bool,
    problems: &'a mut ArgumentProblems,
}

/// The name that a value belongs to, directly or through its list.
#[derive(Clone, Copy)]
struct FieldHolder<'a> {
    name: &'a str,
    in_path: bool,
}

impl Inside<'_> {
    fn value(
        &mut self,
        forms: &Forms<'_>,
        holder: FieldHolder<'_>,
        value: &mut Value,
        way: Way<'_>,
    ) {
        match value {
            Value::String(text) => self.check_text(holder, text, way),
            Value::Array(items) => {
                let forms = forms.items();
                for (index, item) in items.iter_mut().enumerate() {
                    if holder.name == "tags"
                        && item.as_str().is_some_and(|tag| tag.trim().is_empty())
                    {
                        let way = Way::Item(&way, index);
                        self.problems.add(format!("{way} is empty; leave it out"));
                    }
                    self.value(&forms, holder, item, Way::Item(&way, index));
                }
            }
            Value::Object(fields) => {
                if !self.nulls_blank {
                    fields.retain(|name, value| !is_nothing(forms, name, value));
                }
                for (name, value) in fields {
                    let holder = FieldHolder {
                        name,
                        in_path: false,
                    };
                    self.value(&forms.field(name), holder, value, Way::Field(&way, name));
                }
            }
            _ => {}
        }
    }

    fn check_text(&mut self, holder: FieldHolder<'_>, text: &str, way: Way<'_>) {
        let record =
            NamedRecord::in_field(holder.name).filter(|_| !holder.in_path && is_name(text));
        if let Some(record) = record {
            let shown = excerpt(&Value::from(text));
            self.problems
                .add(format!("{way} {}", record.instead_of(&shown)));
            return;
        }
        if !WORDS_FOR_NOTHING.contains(&text.trim().to_lowercase().as_str()) {
            return;
        }
        let what = match meaning(holder.name) {
            _ if holder.in_path => "an id",
            Meaning::Id => "an id",
            Meaning::Email => "an email",
            Meaning::Phone => "a phone number",
            Meaning::Date | Meaning::Other => return,
        };
        self.problems.add(format!(
            "{way} must be {what}, not the word {}; leave it out where there is none",
            excerpt(&Value::from(text))
        ));
    }
}

/// Whether a described field counts as absent.
fn is_nothing(forms: &Forms<'_>, name: &str, value: &Value) -> bool {
    match value {
        Value::Null => forms.names(name),
        Value::String(text) => {
            text.is_empty() && forms.names(name) && is_no_text(name, &forms.field(name))
        }
        _ => false,
    }
}

/// Whether an empty text is not a value of the field: the field takes an id, an email, a phone, one of some words, or
/// no text at all.
fn is_no_text(name: &str, forms: &Forms<'_>) -> bool {
    let takes_no_text = forms.is_typed() && !forms.takes("string");
    let is_no_word = forms
        .values()
        .is_some_and(|values| !values.iter().any(|value| value == ""));
    meaning(name) != Meaning::Other || takes_no_text || is_no_word
}
