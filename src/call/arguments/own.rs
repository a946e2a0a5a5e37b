//! Arguments of ours, under the same rules as those of operations: names, nulls, lossless conversions, and errors
//! that name the argument.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::forms::Forms;
use super::keywords::Keywords;
use super::schema::check_with;
use super::{ArgumentProblems, Rejection, coercion};
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use tool::nearest;

/// The one argument whose empty text is not absent: otherwise a call could happen twice.
const KEPT_EMPTY: &str = "idempotencyKey";

/// Names that other servers and frameworks give to arguments of ours.
const OTHER_WORDS: [(&str, &str); 10] = [
    ("args", "arguments"),
    ("params", "arguments"),
    ("parameters", "arguments"),
    ("input", "arguments"),
    ("body", "arguments"),
    ("name", "operation"),
    ("tool", "operation"),
    ("operationId", "operation"),
    ("batch", "items"),
    ("calls", "items"),
];

/// The arguments of one tool of ours, or those beside an operation's own.
pub(crate) struct OwnArguments {
    /// The owner of the arguments, as errors name it.
    owner: &'static str,
    root: Value,
    keywords: Keywords,
}

impl OwnArguments {
    /// `schema`: an object whose `properties` are the arguments. A test compiles every one.
    pub(crate) fn new(owner: &'static str, schema: Value) -> Self {
        Self {
            owner,
            keywords: serde_json::from_value(schema.clone()).unwrap_or_default(),
            root: schema,
        }
    }

    /// `given` as a `T`, or every problem of it. Arguments that clients add on their own are
    /// dropped.
    pub(crate) fn read<T: DeserializeOwned>(
        &self,
        given: Map<String, Value>,
        is_ignored: impl Fn(&str) -> bool,
    ) -> Result<T, Failure> {
        let checked = self.check(given, is_ignored).map_err(Failure::from)?;
        serde_json::from_value(Value::Object(checked)).map_err(|_| {
            let what = format!(
                "Nothing was sent: the arguments of {} are not of their form.",
                self.owner
            );
            Failure::new(FailureClass::Invalid, what)
        })
    }

    fn check(
        &self,
        mut given: Map<String, Value>,
        is_ignored: impl Fn(&str) -> bool,
    ) -> Result<Map<String, Value>, Rejection> {
        let mut problems = ArgumentProblems::default();
        let forms = Forms::new(Some(&self.root));
        given.retain(|name, _| forms.names(name) || !is_ignored(name));
        // Before and after coercion: fields inside a text are known only once it is decoded.
        self.name_fields(&forms, &mut given, "", &mut problems);
        coercion::coerce(&self.root, &mut given, &mut problems);
        self.name_fields(&forms, &mut given, "", &mut problems);
        coercion::coerce(&self.root, &mut given, &mut problems);
        let checked = check_with(&self.keywords, given, &mut problems);
        match problems.0.is_empty() {
            true => Ok(checked),
            false => Err(Rejection {
                needs_zone: false,
                problems: problems.0,
            }),
        }
    }

    /// Renames the fields of an object of ours to their own names, and removes absent ones. An operation's arguments
    /// stay as they are.
    fn name_fields(
        &self,
        forms: &Forms<'_>,
        fields: &mut Map<String, Value>,
        path: &str,
        problems: &mut ArgumentProblems,
    ) {
        let known = known_names(forms);
        if known.is_empty() && !is_closed(forms) {
            return;
        }
        let mut are_told = false;
        for (name, mut value) in std::mem::take(fields) {
            let within = |name: &str| match path {
                "" => name.to_owned(),
                path => format!("{path}.{name}"),
            };
            let Some(own) = find(&known, &name) else {
                if is_closed(forms) && !problems.is_full() {
                    let what = self.unknown(&within(&name), &name, &known, &mut are_told);
                    problems.add(what);
                } else if is_open(forms) {
                    fields.insert(name, value);
                }
                continue;
            };
            let inside = forms.field(own);
            if is_nothing(own, &inside, &value) {
                continue;
            }
            self.name_inside(&inside, &mut value, &within(own), problems);
            match fields.get(own) {
                Some(first) if *first != value => problems.add(format!(
                    "{} is given twice with different values, once as {name}",
                    within(own)
                )),
                _ => drop(fields.insert(own.to_owned(), value)),
            }
        }
    }

    fn name_inside(
        &self,
        forms: &Forms<'_>,
        value: &mut Value,
        path: &str,
        problems: &mut ArgumentProblems,
    ) {
        match value {
            Value::Object(fields) => self.name_fields(forms, fields, path, problems),
            Value::Array(items) => {
                let forms = forms.items();
                for (index, item) in items.iter_mut().enumerate() {
                    self.name_inside(&forms, item, &format!("{path}[{index}]"), problems);
                }
            }
            _ => {}
        }
    }

    fn unknown(&self, path: &str, name: &str, known: &[&str], are_told: &mut bool) -> String {
        let shown: String = path.chars().take(64).collect();
        let owner = self.owner;
        let other = OTHER_WORDS.iter().find(|(word, _)| *word == name);
        let other = other.filter(|(_, own)| known.contains(own));
        let other = other.map(|(_, own)| *own);
        match other.or_else(|| nearest(name, known.iter().map(|one| (*one, *one)))) {
            Some(near) => format!("{shown} is not an argument of {owner}, did you mean {near}?"),
            None if *are_told || known.is_empty() => {
                format!("{shown} is not an argument of {owner}")
            }
            None => {
                *are_told = true;
                let known = known.join(", ");
                format!("{shown} is not an argument of {owner}, which takes {known}")
            }
        }
    }
}

fn known_names<'s>(forms: &Forms<'s>) -> Vec<&'s str> {
    let properties = forms
        .iter()
        .filter_map(|form| form.get("properties")?.as_object());
    properties
        .flat_map(|known| known.keys().map(String::as_str))
        .collect()
}

/// Whether an object allows only described fields.
fn is_closed(forms: &Forms<'_>) -> bool {
    forms
        .iter()
        .any(|form| form.get("additionalProperties") == Some(&Value::Bool(false)))
}

/// Whether an object keeps fields that are not described.
fn is_open(forms: &Forms<'_>) -> bool {
    forms
        .iter()
        .any(|form| form.get("additionalProperties") == Some(&Value::Bool(true)))
}

/// The name that `given` means: the same, or the same in snake case.
fn find<'s>(known: &[&'s str], given: &str) -> Option<&'s str> {
    let in_camel_case = || {
        let mut words = given.split('_');
        let mut name = words.next().unwrap_or_default().to_owned();
        for word in words {
            let mut letters = word.chars();
            name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
            name.extend(letters);
        }
        name
    };
    let same = known.iter().find(|one| **one == given);
    same.or_else(|| {
        let name = in_camel_case();
        known.iter().find(|one| **one == name)
    })
    .copied()
}

/// Whether a value of ours counts as absent. Only its owner can tell for a value of unknown type.
fn is_nothing(name: &str, forms: &Forms<'_>, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty() && forms.is_typed() && name != KEPT_EMPTY,
        _ => false,
    }
}
