//! The flat arguments of an operation: its parameters and the top-level fields of its body.

use std::collections::BTreeSet;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::annotations::{ArgumentAnnotations, OperationAnnotations, TenantRole};
use crate::document::resolve::resolve;
use crate::model::operation::{Body, OperationArgument};
use crate::model::order::shown_order;
use crate::model::schema::{json_schema, nullable, shown, takes_file, takes_null};
use tool::{ListStyle, Media, Place, Rule};

/// Fields of an argument are shown down to this depth, deeper ones only by type: more would cost hundreds of tokens on
/// the tools with most fields.
const SHOWN_DEPTH: usize = 1;

/// The argument of ours that names the values to empty.
pub(crate) const CLEAR: &str = "clear";

/// In bytes: a longer list of arguments shows none of the fields inside them. 26 of 649 tools would take a tenth of the
/// tokens of the complete list; `search_operations` shows the fields of one.
const LONGEST_SHOWN: usize = 2_000;

/// The arguments in the order of the document, and the form of the body.
pub(crate) fn arguments(
    document: &Value,
    operation: &Value,
    known: &BTreeMap<String, ArgumentAnnotations>,
) -> (Vec<OperationArgument>, Body) {
    let mut arguments: Vec<OperationArgument> = operation
        .get("parameters")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|parameter| parameter_argument(document, parameter, known))
        .collect();
    let (fields, body) = body_arguments(document, operation, known);
    arguments.extend(fields);
    tell_apart(&mut arguments);
    (arguments, body)
}

fn parameter_argument(
    document: &Value,
    parameter: &Value,
    known: &BTreeMap<String, ArgumentAnnotations>,
) -> Option<OperationArgument> {
    let text = |key| parameter.get(key).and_then(Value::as_str);
    let place = match text("in")? {
        "path" => Place::Path,
        "query" => Place::Query,
        "header" => Place::Header,
        _ => return None,
    };
    let schema = json_schema(document, parameter.get("schema")?);
    let required = parameter.get("required") == Some(&json!(true));
    let mut argument = argument(text("name")?, place, schema, required, known);
    if argument.list.is_none() && argument.schema.get("type") == Some(&json!("array")) {
        let joined = parameter.get("explode") == Some(&json!(false));
        argument.list = Some(if joined {
            ListStyle::Comma
        } else {
            ListStyle::Repeated
        });
    }
    Some(argument)
}

/// The fields of an object body, or one argument for a body without named fields.
fn body_arguments(
    document: &Value,
    operation: &Value,
    known: &BTreeMap<String, ArgumentAnnotations>,
) -> (Vec<OperationArgument>, Body) {
    let Some(request) = operation
        .get("requestBody")
        .and_then(|body| resolve(document, body))
    else {
        return (Vec::new(), Body::None);
    };
    let required = request.get("required") == Some(&json!(true));
    let schema = request
        .get("content")
        .and_then(Value::as_object)
        .and_then(|content| content.values().next())
        .and_then(|media| media.get("schema"))
        .map_or_else(|| json!({}), |schema| json_schema(document, schema));
    let plain = !["allOf", "items"]
        .iter()
        .any(|key| schema.get(key).is_some())
        && schema.get("anyOf").is_none_or(only_demands);
    match schema.get("properties").and_then(Value::as_object) {
        Some(properties) if plain && !properties.is_empty() => {
            let needed = schema.get("required").and_then(Value::as_array);
            let fields = properties
                .iter()
                .map(|(name, property)| {
                    let needed = needed.is_some_and(|names| names.iter().any(|one| one == name));
                    argument(name, Place::Body, property.clone(), needed, known)
                })
                .collect();
            (fields, Body::Object { required })
        }
        _ => {
            let whole = argument("body", Place::WholeBody, schema, required, known);
            (vec![whole], Body::Whole { required })
        }
    }
}

/// Whether the forms of a body differ only in their required fields.
fn only_demands(forms: &Value) -> bool {
    let mut forms = forms.as_array().into_iter().flatten();
    forms.all(|form| {
        let keys = form.as_object().into_iter().flat_map(Map::keys);
        keys.eq(["required"])
    })
}

/// Alternative sets of required arguments, as forms of an `anyOf`.
pub(crate) fn demanded_forms(
    document: &Value,
    operation: &Value,
    arguments: &[OperationArgument],
) -> Option<Value> {
    let body = resolve(document, operation.get("requestBody")?)?;
    let media = body.get("content")?.as_object()?.values().next()?;
    let forms = json_schema(document, media.get("schema")?)
        .get("anyOf")?
        .clone();
    let is_flat = arguments
        .iter()
        .any(|argument| argument.place == Place::Body);
    if !is_flat || !only_demands(&forms) {
        return None;
    }
    let name = |wire_name: &Value| {
        let mut in_body = arguments
            .iter()
            .filter(|argument| argument.place == Place::Body);
        let argument = in_body.find(|argument| *wire_name == argument.wire_name)?;
        Some(json!(argument.name))
    };
    let forms = forms.as_array()?.iter().map(|form| {
        let names = form["required"].as_array()?.iter().map(name);
        Some(json!({"required": names.collect::<Option<Value>>()?}))
    });
    forms.collect()
}

fn argument(
    wire_name: &str,
    place: Place,
    schema: Value,
    required: bool,
    known: &BTreeMap<String, ArgumentAnnotations>,
) -> OperationArgument {
    let known = known.get(wire_name).cloned().unwrap_or_default();
    let schema = if known.clear {
        nullable(schema)
    } else {
        schema
    };
    OperationArgument {
        name: known.name.unwrap_or_else(|| wire_name.to_owned()),
        wire_name: wire_name.to_owned(),
        aliases: known.aliases,
        place,
        required,
        text: known.text,
        role: known.role.unwrap_or(TenantRole::None),
        rule: known.rule.unwrap_or(Rule::Fill),
        date: known.date,
        list: known.list,
        wide: known.wide,
        default_sent: known.default_sent,
        constant: known.constant,
        file: takes_file(&schema),
        schema,
    }
}

/// Distinguishes arguments of one name by their place: `path_x`, `query_x`, `body_x`. An argument of the path keeps its
/// name beside a query filter of the same name, which few calls give.
fn tell_apart(arguments: &mut [OperationArgument]) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for argument in arguments.iter() {
        *counts.entry(argument.name.clone()).or_default() += 1;
    }
    let filtered: BTreeSet<String> = arguments
        .iter()
        .filter(|argument| argument.place == Place::Query && !argument.required)
        .map(|argument| argument.name.clone())
        .collect();
    for argument in arguments {
        let keeps = argument.place == Place::Path
            && filtered.contains(&argument.name)
            && counts.get(&argument.name) == Some(&2);
        if !keeps && counts.get(&argument.name).is_some_and(|count| *count > 1) {
            argument.name = argument.place.prefixed(&argument.wire_name);
        }
    }
}

/// The schema that arguments must match once the caller's tenant and the defaults are filled in.
pub(crate) fn check_schema(arguments: &[OperationArgument], forms: Option<Value>) -> Value {
    let properties: Map<String, Value> = arguments
        .iter()
        .map(|argument| (argument.name.clone(), accepted(argument)))
        .collect();
    let required: Vec<&str> = arguments
        .iter()
        .filter(|argument| argument.required)
        .map(|argument| argument.name.as_str())
        .collect();
    let mut root = root(properties, required);
    if let Some(forms) = forms {
        root["anyOf"] = forms;
    }
    root
}

/// `check_schema` with arguments of which one must, or only one may, be given. The root of a schema for clients cannot
/// express this.
pub(crate) fn with_choices(mut check_schema: Value, known: Option<&OperationAnnotations>) -> Value {
    let Some(known) = known else {
        return check_schema;
    };
    let has = |name: &&String| check_schema["properties"].get(name.as_str()).is_some();
    let least: Vec<&String> = known.at_least_one.iter().filter(has).collect();
    let most: Vec<&String> = known.at_most_one.iter().filter(has).collect();
    let mut choices = Vec::new();
    if !least.is_empty() {
        let forms: Vec<Value> = least
            .iter()
            .map(|name| json!({"required": [name]}))
            .collect();
        choices.push(json!({"anyOf": forms}));
    }
    for (index, one) in most.iter().enumerate() {
        for other in most.iter().skip(index + 1) {
            choices.push(json!({"not": {"required": [one, other]}}));
        }
    }
    if !choices.is_empty() {
        check_schema["allOf"] = choices.into();
    }
    check_schema
}

/// The schema for clients. The optional arguments `first` precede the other optional ones.
pub(crate) fn advertised_schema(arguments: &[OperationArgument], first: &[String]) -> Value {
    let shown = arguments.iter().filter(|one| one.constant.is_none());
    let shown = shown_order(shown, must_be_given, first);
    let written = |depth: usize| -> Map<String, Value> {
        let shown = shown.iter();
        shown
            .map(|argument| (argument.name.clone(), advertised(argument, depth)))
            .collect()
    };
    let mut properties = written(SHOWN_DEPTH);
    if json!(properties).to_string().len() > LONGEST_SHOWN {
        properties = written(0);
    }
    let clearable = clearable(arguments);
    if !clearable.is_empty() {
        let name = json!({"type": "string", "enum": clearable});
        let clear = json!({"type": "array", "items": name, "description": "fields to empty"});
        properties.insert(CLEAR.to_owned(), clear);
    }
    let required: Vec<&str> = shown
        .iter()
        .filter(|argument| must_be_given(argument))
        .map(|argument| argument.name.as_str())
        .collect();
    root(properties, required)
}

/// Whether every caller must give the argument.
pub(crate) fn must_be_given(argument: &OperationArgument) -> bool {
    let filled = argument.role != TenantRole::None && argument.rule == Rule::Fill;
    argument.required && !filled && argument.default_sent.is_none()
}

fn root(properties: Map<String, Value>, required: Vec<&str>) -> Value {
    let mut root = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        root["required"] = json!(required);
    }
    root
}

/// A list that is sent as one joined text may be given in either form.
fn accepted(argument: &OperationArgument) -> Value {
    let kind = argument.schema.get("type").and_then(Value::as_str);
    let items = match (argument.list, kind) {
        (Some(ListStyle::Comma), Some("string")) => {
            let mut items = json!({"type": "string"});
            if let Some(values) = argument.schema.get("enum") {
                items["enum"] = values.clone();
            }
            items
        }
        (Some(ListStyle::Comma), Some("array")) => argument.schema["items"].clone(),
        _ => return argument.schema.clone(),
    };
    json!({"type": ["array", "string"], "items": items})
}

/// The arguments that a caller may empty: those whose documents accept null.
pub(crate) fn clearable(arguments: &[OperationArgument]) -> Vec<&str> {
    let may_be_cleared = |argument: &&OperationArgument| {
        argument.place == Place::Body && argument.constant.is_none() && takes_null(&argument.schema)
    };
    let clearable = arguments.iter().filter(may_be_cleared);
    clearable.map(|argument| argument.name.as_str()).collect()
}

/// Keeps only the body's own fields required: a partial update gives only changes, inside a field too.
pub(crate) fn demand_nothing_nested(arguments: &mut [OperationArgument]) {
    fn relax(schema: &mut Value) {
        if let Some(object) = schema.as_object_mut() {
            object.shift_remove("required");
        }
        relax_inside(schema);
    }
    fn relax_inside(schema: &mut Value) {
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for (_, property) in properties.into_iter().flatten() {
            relax(property);
        }
    }
    for argument in arguments {
        match argument.place {
            Place::Body => relax(&mut argument.schema),
            Place::WholeBody => relax_inside(&mut argument.schema),
            _ => {}
        }
    }
}

fn advertised(argument: &OperationArgument, depth: usize) -> Value {
    let text = argument.text.as_deref();
    // A text that begins with a brace shows the inside in fewer tokens: for `dndSettings` 27 instead of 68.
    let depth = match text {
        Some(text) if text.starts_with('{') => 0,
        _ => depth,
    };
    let mut schema = shown(&accepted(argument), depth);
    // A date may be given as text whatever its form at HighLevel.
    if argument.date.is_some() {
        schema["type"] = json!("string");
    }
    let file = argument
        .file
        .then_some("base64 or data URI, or {data, name, type}");
    if let Some(text) = text.or(file) {
        schema["description"] = json!(text);
    }
    schema
}

/// The form in which the body is written; `None` for a media type that is not encoded.
pub(crate) fn media(document: &Value, operation: &Value) -> Option<Media> {
    let body = operation.get("requestBody");
    let content = body
        .and_then(|body| resolve(document, body))
        .and_then(|body| body["content"].as_object());
    let Some(name) = content.and_then(|content| content.keys().next()) else {
        return Some(Media::Json);
    };
    match name.as_str() {
        "application/json" => Some(Media::Json),
        "multipart/form-data" => Some(Media::Multipart),
        "application/x-www-form-urlencoded" => Some(Media::Form),
        _ => None,
    }
}

/// Every name that means an argument: its own, HighLevel's, the prefixed one, aliases.
pub(crate) fn names(argument: &OperationArgument) -> BTreeSet<String> {
    let prefixed = argument.place.prefixed(&argument.wire_name);
    let mut names = BTreeSet::from([argument.name.clone(), prefixed.clone()]);
    // If two arguments share HighLevel's name, only the prefixed names distinguish them.
    if argument.name != prefixed {
        names.insert(argument.wire_name.clone());
    }
    names.extend(argument.aliases.iter().cloned());
    names
}
