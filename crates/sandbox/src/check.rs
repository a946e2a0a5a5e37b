//! Checks a request against its operation's document. The messages are class-validator's: two of them are known from
//! HighLevel, `should not exist` [E] and `should not be empty` [M: sdk#18]; the others are [I].

use serde_json::{Map, Value};

use super::documents::{DocumentedOperation, ImportedDocuments};

/// Query parameters as received, in order.
pub(crate) type QueryValues = Vec<(String, String)>;

/// Every fault of the query: unknown names, missing ones, wrong types.
pub(crate) fn query_faults(
    documents: &ImportedDocuments,
    operation: &DocumentedOperation,
    query: &QueryValues,
) -> Vec<String> {
    let mut faults = Vec::new();
    let declared = |name: &str| {
        operation
            .parameters
            .iter()
            .find(|parameter| parameter.place == "query" && parameter.name == name)
    };
    for (name, value) in query {
        let bare = name.strip_suffix("[]").unwrap_or(name);
        match declared(bare) {
            // [E] sdk#7: a locationId in the query is refused if only the path has one.
            None => faults.push(format!("property {name} should not exist")),
            Some(parameter) => {
                let schema = documents.resolved(operation.document, parameter.schema);
                faults.extend(text_fault(bare, value, schema));
            }
        }
    }
    for parameter in &operation.parameters {
        let given = |(name, value): &(String, String)| {
            name.strip_suffix("[]").unwrap_or(name) == parameter.name && !value.is_empty()
        };
        if parameter.required && parameter.place == "query" && !query.iter().any(given) {
            faults.push(format!("{} should not be empty", parameter.name));
        }
    }
    faults
}

/// Every fault of a body. Only the top level is closed: it is not known whether HighLevel refuses unknown names inside
/// [I].
pub(crate) fn body_faults(
    documents: &ImportedDocuments,
    operation: &DocumentedOperation,
    schema: &'static Value,
    body: &Value,
) -> Vec<String> {
    let mut faults = Vec::new();
    let schema = documents.resolved(operation.document, schema);
    if let (Some(properties), Value::Object(members)) =
        (schema.get("properties").and_then(Value::as_object), body)
        && schema.get("additionalProperties").is_none()
        && !properties.is_empty()
    {
        for name in members
            .keys()
            .filter(|name| !properties.contains_key(*name))
        {
            faults.push(format!("property {name} should not exist"));
        }
    }
    inside(documents, operation.document, schema, body, "", &mut faults);
    faults
}

fn inside(
    documents: &ImportedDocuments,
    document: &str,
    schema: &'static Value,
    value: &Value,
    name: &str,
    faults: &mut Vec<String>,
) {
    // The mark may be at the reference.
    let is_doubted = schema.get("x-example-type").is_some();
    let schema = documents.resolved(document, schema);
    let shown = if name.is_empty() { "body" } else { name };
    if let Some(allowed) = allowed(schema)
        && !allowed.contains(value)
        && schema.get("x-example-value") != Some(value)
    {
        let allowed: Vec<String> = allowed.iter().map(value_text).collect();
        faults.push(format!(
            "{shown} must be one of the following values: {}",
            allowed.join(", ")
        ));
        return;
    }
    // A type that the document's own example contradicts is not trusted.
    if is_doubted || schema.get("x-example-type").is_some() {
        return;
    }
    match (schema.get("type").and_then(Value::as_str), value) {
        (Some("string"), Value::String(_))
        | (Some("number" | "integer"), Value::Number(_))
        | (Some("boolean"), Value::Bool(_)) => {}
        (Some("string"), _) => faults.push(format!("{shown} must be a string")),
        (Some("number" | "integer"), _) => faults.push(format!(
            "{shown} must be a number conforming to the specified constraints"
        )),
        (Some("boolean"), _) => faults.push(format!("{shown} must be a boolean value")),
        (Some("array"), Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                let name = format!("{shown}.{index}");
                inside(documents, document, &schema["items"], item, &name, faults);
            }
        }
        (Some("array"), _) => faults.push(format!("{shown} must be an array")),
        (Some("object"), Value::Object(members)) => {
            object(documents, document, schema, members, name, faults);
        }
        (Some("object"), _) => faults.push(format!("{shown} must be an object")),
        _ => {}
    }
}

fn object(
    documents: &ImportedDocuments,
    document: &str,
    schema: &'static Value,
    members: &Map<String, Value>,
    name: &str,
    faults: &mut Vec<String>,
) {
    let path = |member: &str| {
        if name.is_empty() {
            member.to_owned()
        } else {
            format!("{name}.{member}")
        }
    };
    let required = schema.get("required").and_then(Value::as_array);
    // Fields that the document's own example leaves out are not required.
    let lacked = schema.get("x-example-lacks").and_then(Value::as_array);
    let required = required.into_iter().flatten();
    let required = required.filter(|name| lacked.is_none_or(|lacked| !lacked.contains(name)));
    for member in required.filter_map(Value::as_str) {
        if members.get(member).is_none_or(Value::is_null) {
            faults.push(format!("{} should not be empty", path(member)));
        }
    }
    for (member, value) in members {
        // class-validator's IsOptional treats null like an absent property.
        if let Some(schema) = schema["properties"].get(member)
            && !value.is_null()
        {
            inside(documents, document, schema, value, &path(member), faults);
        }
    }
}

/// The values of an enum. Three documents nest the list of them in a list.
fn allowed(schema: &Value) -> Option<&Vec<Value>> {
    let values = schema.get("enum")?.as_array()?;
    match values.as_slice() {
        [Value::Array(inner)] => Some(inner),
        _ => Some(values),
    }
}

/// The fault of a value given as text.
fn text_fault(name: &str, value: &str, schema: &Value) -> Option<String> {
    if let Some(allowed) = allowed(schema) {
        let allowed: Vec<String> = allowed.iter().map(value_text).collect();
        let shown = schema.get("x-example-value").and_then(Value::as_str);
        return (shown != Some(value) && !allowed.iter().any(|one| one == value)).then(|| {
            format!(
                "{name} must be one of the following values: {}",
                allowed.join(", ")
            )
        });
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("number" | "integer") => {
            let number = value.parse::<f64>().is_ok_and(f64::is_finite);
            (!number).then(|| format!("{name} must be a number string"))
        }
        Some("boolean") => {
            (!matches!(value, "true" | "false")).then(|| format!("{name} must be a boolean string"))
        }
        _ => None,
    }
}

fn value_text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
