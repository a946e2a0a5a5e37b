//! The compiled check schema of one tool, and its errors as sentences.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value};

use super::Problems;
use super::placement::excerpt;
use crate::runtime::tool::Tool;

/// More faults than this help nobody.
const MOST_REPORTED: usize = 20;

/// What arguments are checked against.
pub struct Schema {
    pub root: Value,
    /// Arguments that clients see.
    pub shown: Vec<String>,
    validator: Validator,
}

impl Schema {
    /// Compiles the schema; an error is a fault of the generator, which tests rule out.
    pub fn new(tool: &Tool) -> Result<Self, String> {
        let root: Value = serde_json::from_str(tool.check_schema).map_err(|e| e.to_string())?;
        let shown: Value =
            serde_json::from_str(tool.advertised_schema).map_err(|e| e.to_string())?;
        let shown = shown["properties"].as_object();
        Ok(Self {
            shown: shown.into_iter().flat_map(Map::keys).cloned().collect(),
            validator: jsonschema::draft202012::new(&root).map_err(|e| e.to_string())?,
            root,
        })
    }

    /// Adds a problem for everything that `values` gets wrong.
    pub fn check(&self, values: &Map<String, Value>, problems: &mut Problems) {
        let instance = Value::Object(values.clone());
        if self.validator.is_valid(&instance) {
            return;
        }
        for error in self.validator.iter_errors(&instance).take(MOST_REPORTED) {
            match error.kind() {
                ValidationErrorKind::Required { property } => {
                    let name = property.as_str().unwrap_or_default();
                    let holder = path(error.instance_path().as_str());
                    let separator = if holder.is_empty() { "" } else { "." };
                    problems.add_missing(&format!("{holder}{separator}{name}"), "");
                }
                _ => problems.add(sentence(&error)),
            }
        }
    }

    /// Whether HighLevel needs the argument.
    pub fn requires(&self, name: &str) -> bool {
        let required = self.root["required"].as_array();
        required.is_some_and(|names| names.iter().any(|one| one == name))
    }
}

/// One fault, opening with the argument it is about.
fn sentence(error: &ValidationError<'_>) -> String {
    use ValidationErrorKind as Kind;
    let path = path(error.instance_path().as_str());
    let about = if path.is_empty() {
        "the call"
    } else {
        path.as_str()
    };
    let given = excerpt(error.instance());
    match error.kind() {
        Kind::Type { kind } => format!("{about} must be {}, not {given}", types(kind)),
        Kind::Enum { options } => format!("{about} must be one of {}, not {given}", list(options)),
        Kind::AnyOf { context } => any_of(about, &given, context),
        Kind::AdditionalProperties { unexpected } => {
            format!("{about} has no field {}", unexpected.join(", "))
        }
        Kind::MinLength { limit: 1 } | Kind::MinItems { limit: 1 } => format!("{about} is empty"),
        Kind::Pattern { pattern } => format!("{about} must match {pattern}, not {given}"),
        _ => format!("{about}: {error}"),
    }
}

/// Where every branch only misses a field, one of those fields is what is missing.
fn any_of(about: &str, given: &str, branches: &[Vec<ValidationError<'_>>]) -> String {
    let missing: Option<Vec<&str>> = branches
        .iter()
        .map(|errors| match errors.as_slice() {
            [error] => match error.kind() {
                ValidationErrorKind::Required { property } => property.as_str(),
                _ => None,
            },
            _ => None,
        })
        .collect();
    match missing {
        Some(names) => format!("{about} needs {}", names.join(" or ")),
        None => format!("{about} fits none of the forms it may take, it is {given}"),
    }
}

fn types(kind: &TypeKind) -> String {
    let names: Vec<String> = match kind {
        TypeKind::Single(one) => vec![one.to_string()],
        TypeKind::Multiple(several) => several.iter().map(|one| one.to_string()).collect(),
    };
    let named: Vec<&str> = names.iter().map(String::as_str).map(with_article).collect();
    named.join(" or ")
}

fn with_article(kind: &str) -> &str {
    match kind {
        "string" => "a string",
        "integer" => "an integer",
        "number" => "a number",
        "boolean" => "true or false",
        "object" => "an object",
        "array" => "a list",
        other => other,
    }
}

fn list(options: &Value) -> String {
    let options = options.as_array().into_iter().flatten();
    let texts: Vec<String> = options.map(Value::to_string).collect();
    texts.join(", ")
}

/// `/customFields/0/id` as `customFields[0].id`.
fn path(pointer: &str) -> String {
    let mut path = String::new();
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        if step.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push_str(&format!("[{step}]"));
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&step);
        }
    }
    path
}
