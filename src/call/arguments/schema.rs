//! The compiled check schema of one tool, with its errors as sentences.

use serde_json::{Map, Value};

use super::ArgumentProblems;
use super::excerpt::excerpt;
use super::filters::SearchFilters;
use super::forms::Forms;
use super::keywords::{Broken, Fault, Keywords, Kind};
use tool::{Place, Tool, first_names};

/// More faults than this help nobody.
const MOST_REPORTED: usize = 20;

/// The schema that arguments are checked against.
pub(super) struct Schema {
    pub root: Value,
    /// Arguments that clients see.
    pub shown: Vec<String>,
    /// Arguments whose value may be emptied.
    pub clearable: Vec<String>,
    keywords: Keywords,
}

impl Schema {
    /// Compiles the schema; an error is a fault of the generator, which tests rule out.
    pub(super) fn new(tool: &Tool) -> Result<Self, String> {
        let root: Value = serde_json::from_str(tool.check_schema).map_err(|e| e.to_string())?;
        let shown: Value =
            serde_json::from_str(tool.advertised_schema).map_err(|e| e.to_string())?;
        let shown = shown["properties"].as_object();
        let forms = Forms::new(Some(&root));
        let arguments = tool.arguments.iter();
        let clearable = arguments.filter(|argument| {
            argument.place == Place::Body && forms.field(argument.name).takes_null()
        });
        Ok(Self {
            shown: shown
                .into_iter()
                .flat_map(Map::keys)
                .filter(|name| tool.arguments.iter().any(|argument| argument.name == *name))
                .cloned()
                .collect(),
            clearable: clearable.map(|argument| argument.name.to_owned()).collect(),
            keywords: serde_json::from_str(tool.check_schema).map_err(|e| e.to_string())?,
            root,
        })
    }

    /// Returns `values`, and adds a problem for every fault.
    pub(super) fn check(
        &self,
        values: Map<String, Value>,
        problems: &mut ArgumentProblems,
    ) -> Map<String, Value> {
        check_with(&self.keywords, values, problems)
    }

    /// The filters that the argument `name` takes, if it is a search's list of them.
    pub(super) fn search_filters(&self, name: &str) -> Option<&SearchFilters> {
        self.keywords.search_filters(name)
    }

    /// Whether any argument is a list of filters, which may hold dates.
    pub(super) fn has_search_filters(&self) -> bool {
        self.keywords.has_search_filters()
    }

    /// Whether HighLevel needs the argument.
    pub(super) fn requires(&self, name: &str) -> bool {
        let required = self.root["required"].as_array();
        required.is_some_and(|names| names.iter().any(|one| one == name))
    }
}

/// Returns `values`, and adds a problem for every fault by `keywords`.
pub(super) fn check_with(
    keywords: &Keywords,
    values: Map<String, Value>,
    problems: &mut ArgumentProblems,
) -> Map<String, Value> {
    let instance = Value::Object(values);
    // A value with a problem has one already: the schema would name its form once more, in other words.
    let told = Vec::from_iter(problems.0.iter().map(|problem| problem.what.clone()));
    let is_told = |path: &str| {
        let mut told = told.iter().filter_map(|what| what.strip_prefix(path));
        !path.is_empty() && told.any(|rest| rest.starts_with(' '))
    };
    for broken in keywords.broken(&instance, MOST_REPORTED) {
        match broken.fault {
            Fault::Missing(name) => {
                let holder = broken.path;
                let separator = if holder.is_empty() { "" } else { "." };
                problems.add_missing(&format!("{holder}{separator}{name}"), "");
            }
            _ if is_told(&broken.path) => {}
            _ => problems.add(sentence(&broken)),
        }
    }
    match instance {
        Value::Object(values) => values,
        _ => Map::new(),
    }
}

/// One fault as a sentence that opens with its argument.
fn sentence(broken: &Broken<'_>) -> String {
    let about = match broken.path.as_str() {
        "" => "the call",
        path => path,
    };
    let given = excerpt(broken.given);
    match &broken.fault {
        Fault::Kind(kinds) => format!("{about} must be {}, not {given}", kind_names(kinds)),
        Fault::Value(values) => format!("{about} must be one of {}, not {given}", list(values)),
        Fault::Missing(name) => format!("{about} needs {name}"),
        Fault::Unknown(names, known) if known.is_empty() => {
            format!(
                "{about} has no field {}",
                first_names(names.iter().copied())
            )
        }
        Fault::Unknown(names, known) => format!(
            "{about} has no field {}, it takes {}",
            first_names(names.iter().copied()),
            first_names(known.iter().copied())
        ),
        Fault::Together(names) => {
            format!("{about} takes {}, not both", names.join(" or "))
        }
        Fault::Empty => format!("{about} is empty"),
        Fault::Pattern(pattern) => format!("{about} must match {pattern}, not {given}"),
        Fault::AnyOf(forms) => any_of(about, &given, forms),
        Fault::Bound(bound) => format!("{about} must {bound}, it is {given}"),
        Fault::Filter(what) => format!("{about} {what}"),
    }
}

/// If every form lacks only a field, the error says that one of those fields is missing.
fn any_of(about: &str, given: &str, forms: &[Vec<Broken<'_>>]) -> String {
    let missing: Option<Vec<&str>> = forms
        .iter()
        .map(|broken| match broken.as_slice() {
            [
                Broken {
                    fault: Fault::Missing(name),
                    ..
                },
            ] => Some(*name),
            _ => None,
        })
        .collect();
    match missing {
        Some(names) => format!("{about} needs {}", names.join(" or ")),
        None => format!("{about} fits none of the forms it may take, it is {given}"),
    }
}

fn kind_names(kinds: &[Kind]) -> String {
    let names = kinds.iter().map(|kind| match kind {
        Kind::String => "a string",
        Kind::Integer => "an integer",
        Kind::Number => "a number",
        Kind::Boolean => "true or false",
        Kind::Object => "an object",
        Kind::Array => "a list",
        Kind::Null => "null",
    });
    Vec::from_iter(names).join(" or ")
}

fn list(values: &[Value]) -> String {
    let texts: Vec<String> = values.iter().map(Value::to_string).collect();
    texts.join(", ")
}
