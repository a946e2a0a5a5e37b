//! A call of a tool with made-up arguments, as a line for the shell and as JSON.

use serde_json::{Map, Value, json};

use super::EndpointTool;
use crate::catalog::TOOLS;
use crate::surfaces::orchestrator::CallToolKind;
use crate::surfaces::search::{allowed_values, fields, forms, items};
use crate::surfaces::{Listing, OFFICIAL};
use tool::{Argument, Role, Rule, Tool};

/// Deepest nesting of made-up objects.
const DEEPEST: usize = 4;

/// The arguments of an example call.
pub(super) struct Example(Map<String, Value>);

impl Example {
    /// The required arguments. If there are none, one optional argument, to show the form.
    pub(super) fn new(tool: &EndpointTool) -> Result<Self, serde_json::Error> {
        let schema = tool.schema()?;
        let calls = match &tool.listing {
            Listing::Meta(meta) => meta.calls,
            Listing::Tool(_) | Listing::Legacy(_) => None,
        };
        if let Some(called) = calls.and_then(typical) {
            let schema = serde_json::from_str(called.check_schema)?;
            let arguments = Maker(Some(called)).needed(&schema);
            let call = json!({"operation": called.name, "arguments": arguments});
            return Ok(Self(call.as_object().cloned().unwrap_or_default()));
        }
        let maker = Maker(tool.operation());
        let mut arguments = maker.needed(&schema);
        if arguments.is_empty() {
            let optional = fields(&schema);
            let mut optional = optional.iter().filter(|(name, _)| !maker.is_filled(name));
            let is_short = |name: &str| matches!(name, "limit" | "query_limit");
            let short = optional.clone().find(|(name, _)| is_short(name));
            if let Some((name, schema)) = short.or_else(|| optional.next()) {
                arguments.insert((*name).to_owned(), maker.value(name, schema, 0));
            }
        }
        Ok(Self(arguments))
    }

    pub(super) fn json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// `name=value` for each, quoted for shells.
    pub(super) fn line(&self) -> String {
        let mut words = Vec::new();
        for (name, value) in &self.0 {
            add_words(name, value, &mut words);
        }
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        words.join(" ")
    }
}

/// A text as one word of a shell.
pub(super) fn quoted(word: &str) -> String {
    let is_safe = |letter: char| letter.is_ascii_alphanumeric() || "_-./:@+=,".contains(letter);
    match !word.is_empty() && word.chars().all(is_safe) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// A well-known operation for a call tool.
fn typical(kind: CallToolKind) -> Option<&'static Tool> {
    let mut fitting = TOOLS
        .iter()
        .filter(|tool| CallToolKind::of_tool(tool) == kind);
    let known = fitting
        .clone()
        .find(|tool| tool.toolsets.contains(&OFFICIAL));
    known.or_else(|| fitting.next())
}

/// Makes up arguments, of an operation if that is known.
struct Maker(Option<&'static Tool>);

impl Maker {
    fn needed(&self, schema: &Value) -> Map<String, Value> {
        let needed = required_fields(schema).into_iter();
        let needed = needed.filter(|(name, _)| !self.is_filled(name));
        needed
            .map(|(name, schema)| (name.to_owned(), self.value(name, schema, 0)))
            .collect()
    }

    /// Whether the connection fills in the argument.
    fn is_filled(&self, name: &str) -> bool {
        self.arguments_called(name).any(|argument| {
            let role = argument.role;
            let by_role = matches!(role, Role::Location(Rule::Fill) | Role::Company(Rule::Fill));
            by_role || argument.when_absent.is_some()
        })
    }

    /// A day or a time, if the argument is a date.
    fn date(&self, name: &str) -> Option<&'static str> {
        let inner = self.0.into_iter().flat_map(|tool| tool.inner_dates);
        let inner = inner.filter(|date| date.steps.last() == Some(&name));
        let own = self.arguments_called(name);
        let mut forms = own
            .filter_map(|argument| argument.date_form)
            .chain(inner.map(|date| date.form));
        forms.next().map(|form| match form.is_day() {
            true => "2026-01-31",
            false => "2026-01-31T09:00:00",
        })
    }

    fn arguments_called(&self, name: &str) -> impl Iterator<Item = &'static Argument> {
        let all = self.0.into_iter().flat_map(|tool| tool.arguments);
        all.filter(move |one| one.name == name || one.aliases.contains(&name))
    }

    fn value(&self, name: &str, schema: &Value, depth: usize) -> Value {
        if let Some(value) = allowed_values(schema).first() {
            return (*value).clone();
        }
        if let Some(date) = self.date(name) {
            return json!(date);
        }
        let inner = fields(schema);
        if let Some(items) = items(schema).filter(|_| inner.is_empty()) {
            return json!([self.value(name.trim_end_matches('s'), items, depth)]);
        }
        if !inner.is_empty() && depth < DEEPEST {
            let mut needed = required_fields(schema);
            if needed.is_empty() {
                needed.extend(inner.into_iter().take(1));
            }
            let made = needed.into_iter();
            return made
                .map(|(name, schema)| (name.to_owned(), self.value(name, schema, depth + 1)))
                .collect::<Map<_, _>>()
                .into();
        }
        match kind(schema) {
            Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
            Some("boolean") => json!(true),
            Some("object") => json!({}),
            Some("array") => json!([]),
            _ => json!(text(name, schema)),
        }
    }
}

/// The required fields; those of the first alternative if there are several.
fn required_fields(schema: &Value) -> Vec<(&str, &Value)> {
    let mut names = Vec::new();
    add_required(schema, &mut names);
    let mut known = fields(schema);
    known.retain(|(name, _)| names.contains(name));
    known
}

fn add_required<'s>(schema: &'s Value, names: &mut Vec<&'s str>) {
    let list = |key: &str| schema[key].as_array().into_iter().flatten();
    names.extend(list("required").filter_map(Value::as_str));
    for form in list("allOf").chain(list("anyOf").take(1)) {
        add_required(form, names);
    }
}

/// The first accepted type.
fn kind(schema: &Value) -> Option<&str> {
    forms(schema)
        .into_iter()
        .find_map(|form| match form.get("type")? {
            Value::Array(kinds) => {
                let mut kinds = kinds.iter().filter_map(Value::as_str);
                kinds.find(|kind| *kind != "null")
            }
            kind => kind.as_str(),
        })
}

/// A text that shows its own meaning.
fn text(name: &str, schema: &Value) -> String {
    match schema["format"].as_str() {
        Some("date-time") => return "2026-01-31T09:00:00Z".to_owned(),
        Some("date") => return "2026-01-31".to_owned(),
        _ => {}
    }
    match name {
        "operation" | "operationId" => return "contacts_get-contact".to_owned(),
        "query" | "querie" => return "send a text message".to_owned(),
        _ => {}
    }
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

fn add_words(name: &str, value: &Value, words: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.starts_with('@') => words.push(format!("{name}={text}")),
        Value::Number(_) | Value::Bool(_) => words.push(format!("{name}={value}")),
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => {
            for item in items {
                add_words(&format!("{name}[]"), item, words);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                add_words(&format!("{name}[{index}]"), item, words);
            }
        }
        Value::Object(object) if !object.is_empty() => {
            for (inner, value) in object {
                add_words(&format!("{name}.{inner}"), value, words);
            }
        }
        value => words.push(format!("{name}:={value}")),
    }
}
