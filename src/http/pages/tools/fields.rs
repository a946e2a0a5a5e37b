//! The arguments of a tool as fields of a form, and a person's input as arguments.

mod drawing;

use serde_json::{Map, Number, Value};

use crate::catalog::masking::is_secret_name;
use crate::http::pages::form::FormFields;
use tool::{Argument, DateForm, Tool};

/// Levels of nested objects that have fields of their own. Deeper ones are one field of JSON.
const DEEPEST: usize = 2;

/// Most fields of one form, to keep pages short. Beyond these an object is one field of JSON.
const MOST_FIELDS: usize = 70;

/// Longest list of choices. With more, the value is typed.
const MOST_CHOICES: usize = 40;

/// Longest hint, in characters.
const LONGEST_HINT: usize = 160;

/// Endings of names whose texts have several lines.
const LONG_TEXTS: [&str; 7] = [
    "body",
    "message",
    "html",
    "text",
    "description",
    "notes",
    "content",
];

/// Prefix of every argument's field. The form's other fields do not have it.
const PREFIX: &str = "a.";

pub(in crate::http) struct ToolField {
    /// The argument, or the name inside one.
    key: String,
    /// The name in the form: the path from the argument inwards.
    name: String,
    hint: Option<String>,
    kind: FieldKind,
    is_required: bool,
    value: String,
    problem: Option<String>,
}

enum FieldKind {
    Text,
    LongText,
    Number,
    Switch,
    Choice(Vec<String>),
    Day,
    /// Never shown again.
    Secret,
    /// A list of texts, one per line.
    Lines,
    /// Any other value.
    Json,
    Group(Vec<ToolField>),
}

/// The value of a field, as an argument.
enum Read {
    Nothing,
    Value(Value),
    Problem(String),
}

/// The fields of a tool, required ones first. Arguments that name a location have none: the form asks for that itself.
/// `crm`: the person's name for HighLevel.
pub(in crate::http) fn tool_fields(tool: &Tool, crm: &str) -> Vec<ToolField> {
    let schema: Value = serde_json::from_str(tool.advertised_schema).unwrap_or_default();
    let mut form = FormPlan {
        arguments: tool.arguments,
        crm,
        room: MOST_FIELDS,
    };
    form.fields(&schema, PREFIX, 0)
}

/// The settings for the fields of one form.
struct FormPlan<'a> {
    arguments: &'static [Argument],
    crm: &'a str,
    /// The number of fields that may still be added.
    room: usize,
}

impl FormPlan<'_> {
    fn fields(&mut self, schema: &Value, prefix: &str, depth: usize) -> Vec<ToolField> {
        let required = schema["required"].as_array();
        let is_required =
            |key: &str| required.is_some_and(|names| names.iter().any(|name| name == key));
        let properties = schema["properties"].as_object();
        let mut all: Vec<_> = properties.into_iter().flatten().collect();
        all.sort_by_key(|(key, _)| !is_required(key));
        let mut fields = Vec::new();
        for (key, inner) in all {
            let argument = match depth {
                0 => self.arguments.iter().find(|one| one.name == key),
                _ => None,
            };
            if argument.is_some_and(Argument::names_location) {
                continue;
            }
            self.room = self.room.saturating_sub(1);
            let name = format!("{prefix}{key}");
            let hint = inner["description"].as_str();
            fields.push(ToolField {
                kind: self.kind(inner, key, &name, depth, argument),
                key: key.clone(),
                is_required: is_required(key),
                hint: hint.map(|hint| short(&hint.replace("HighLevel", self.crm))),
                name,
                value: String::new(),
                problem: None,
            });
        }
        fields
    }

    fn kind(
        &mut self,
        schema: &Value,
        key: &str,
        name: &str,
        depth: usize,
        argument: Option<&Argument>,
    ) -> FieldKind {
        let choices = schema["enum"].as_array().map(|values| {
            let texts = values.iter().map(|value| value.as_str().map(str::to_owned));
            texts.collect::<Option<Vec<_>>>().unwrap_or_default()
        });
        if let Some(choices) = choices.filter(|all| (1..=MOST_CHOICES).contains(&all.len())) {
            return FieldKind::Choice(choices);
        }
        let date_form = argument.and_then(|argument| argument.date_form);
        match schema["type"].as_str() {
            Some("string") if is_secret_name(key) => FieldKind::Secret,
            Some("string") if date_form.is_some_and(DateForm::is_day) => FieldKind::Day,
            Some("string") => {
                let lower = key.to_lowercase();
                match LONG_TEXTS.iter().any(|end| lower.ends_with(end)) {
                    true => FieldKind::LongText,
                    false => FieldKind::Text,
                }
            }
            Some("number" | "integer") => FieldKind::Number,
            Some("boolean") => FieldKind::Switch,
            Some("array") if schema["items"]["type"] == "string" => FieldKind::Lines,
            Some("object") if depth < DEEPEST && self.room > 0 => {
                let inner = self.fields(schema, &format!("{name}."), depth + 1);
                match inner.is_empty() {
                    true => FieldKind::Json,
                    false => FieldKind::Group(inner),
                }
            }
            _ => FieldKind::Json,
        }
    }
}

fn short(text: &str) -> String {
    let mut letters = text.chars();
    let short: String = letters.by_ref().take(LONGEST_HINT).collect();
    match letters.next() {
        None => short,
        Some(_) => format!("{}…", short.trim_end()),
    }
}

/// The arguments of a form. Errors are added to the fields.
pub(in crate::http) fn read_form(
    fields: &mut [ToolField],
    form: &FormFields,
) -> Option<Map<String, Value>> {
    let arguments = read_fields(fields, form);
    let has_problem = fields.iter().any(ToolField::has_problem);
    (!has_problem).then_some(arguments)
}

fn read_fields(fields: &mut [ToolField], form: &FormFields) -> Map<String, Value> {
    let mut arguments = Map::new();
    for field in fields {
        match field.read(form) {
            Read::Value(value) => {
                arguments.insert(field.key.clone(), value);
            }
            Read::Nothing if field.is_required => {
                field.problem = Some("Please fill in this field.".to_owned())
            }
            Read::Nothing => {}
            Read::Problem(problem) => field.problem = Some(problem),
        }
    }
    arguments
}

/// Moves each of the server's problems with the arguments to its field. Returns those that belong to no field.
pub(in crate::http) fn put_problems(fields: &mut [ToolField], sentence: &str) -> Vec<String> {
    let text = sentence.strip_prefix("Nothing was sent: ");
    let text = text.unwrap_or(sentence).trim_end_matches('.');
    let mut others = Vec::new();
    for problem in text.split("; ") {
        match find_field(fields, problem) {
            Some(field) => field.problem = Some(sentence_case(problem)),
            None => others.push(sentence_case(problem)),
        }
    }
    others
}

/// The innermost field with which a problem begins.
fn find_field<'f>(fields: &'f mut [ToolField], problem: &str) -> Option<&'f mut ToolField> {
    let is_about = |field: &ToolField| {
        let path = field.name.trim_start_matches(PREFIX);
        let rest = problem.strip_prefix(path);
        rest.is_some_and(|rest| rest.starts_with([' ', '.', '[']))
    };
    let field = fields.iter_mut().find(|field| is_about(field))?;
    let is_inside = match &field.kind {
        FieldKind::Group(inner) => inner.iter().any(is_about),
        _ => false,
    };
    if !is_inside {
        return Some(field);
    }
    match &mut field.kind {
        FieldKind::Group(inner) => find_field(inner, problem),
        _ => None,
    }
}

fn sentence_case(problem: &str) -> String {
    format!("{problem}.")
}

impl ToolField {
    fn has_problem(&self) -> bool {
        let is_inside = match &self.kind {
            FieldKind::Group(inner) => inner.iter().any(Self::has_problem),
            _ => false,
        };
        is_inside || self.problem.is_some()
    }

    /// The form's value, which is shown again.
    fn read(&mut self, form: &FormFields) -> Read {
        if let FieldKind::Group(inner) = &mut self.kind {
            let values = read_fields(inner, form);
            if values.is_empty() && !self.is_required && inner.iter().all(Self::is_blank) {
                inner.iter_mut().for_each(Self::forget_problems);
                return Read::Nothing;
            }
            return Read::Value(Value::Object(values));
        }
        if matches!(self.kind, FieldKind::Secret) {
            return match form.one(&self.name) {
                "" => Read::Nothing,
                text => Read::Value(text.into()),
            };
        }
        form.one(&self.name).clone_into(&mut self.value);
        let text = self.value.as_str();
        if text.is_empty() {
            return Read::Nothing;
        }
        match &self.kind {
            FieldKind::Text | FieldKind::LongText | FieldKind::Day => Read::Value(text.into()),
            FieldKind::Number => match serde_json::from_str::<Number>(text) {
                Ok(number) => Read::Value(Value::Number(number)),
                Err(_) => Read::Problem("This must be a number, such as 20.".to_owned()),
            },
            FieldKind::Switch => match text {
                "yes" => Read::Value(true.into()),
                "no" => Read::Value(false.into()),
                _ => Read::Problem("Choose yes or no.".to_owned()),
            },
            FieldKind::Choice(values) => match values.iter().any(|value| value == text) {
                true => Read::Value(text.into()),
                false => Read::Problem("Choose one from the list.".to_owned()),
            },
            FieldKind::Lines => {
                let lines = text.lines().map(str::trim);
                Read::Value(lines.filter(|line| !line.is_empty()).collect())
            }
            FieldKind::Json => match serde_json::from_str::<Value>(text) {
                Ok(value) => Read::Value(value),
                Err(error) => Read::Problem(format!(
                    "This is not valid JSON at line {}, column {}. Texts need double quotes.",
                    error.line(),
                    error.column()
                )),
            },
            FieldKind::Group(_) | FieldKind::Secret => Read::Nothing,
        }
    }

    fn is_blank(&self) -> bool {
        match &self.kind {
            FieldKind::Group(inner) => inner.iter().all(Self::is_blank),
            _ => self.value.is_empty(),
        }
    }

    fn forget_problems(&mut self) {
        self.problem = None;
        if let FieldKind::Group(inner) = &mut self.kind {
            inner.iter_mut().for_each(Self::forget_problems);
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
