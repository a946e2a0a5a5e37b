//! Writes the document that the client generator takes: of the chosen operations, what it needs.
//!
//! Responses are relayed, bodies are checked JSON, enums are checked before: so the generator
//! sees paths, parameters of plain types and one body of any JSON. Typed bodies and responses
//! lose data on these documents, and its generator panics on much else that they hold.

use serde_json::{Map, Value, json};

use crate::model::operation::{Body, Operation, OperationArgument};
use tool::Place;

/// The document of `operations` (all of one stem) as the client generator takes it.
pub(crate) fn client_document(stem: &str, operations: &[&Operation]) -> Value {
    let mut paths = Map::new();
    for operation in operations {
        let parameters = operation.arguments.iter();
        let parameters = parameters.filter_map(|argument| parameter(operation, argument));
        let parameters: Vec<Value> = parameters.collect();
        let mut entry = json!({
            "operationId": operation.operation_id,
            "parameters": parameters,
            "responses": {"default": {"description": "any"}},
        });
        if operation.body != Body::None {
            entry["requestBody"] = json!({
                "required": true,
                "content": {"application/json": {"schema": {}}},
            });
        }
        let item = paths
            .entry(client_path(operation))
            .or_insert_with(|| json!({}));
        item[operation.method.to_lowercase()] = entry;
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": stem, "version": "1"},
        "paths": paths,
    })
}

/// The name that the client generator knows a parameter by. Names of the path are on no wire, so that one which a filter
/// of the query has too takes another: the generator has one set of names.
pub(crate) fn client_name(operation: &Operation, argument: &OperationArgument) -> String {
    let is_shared = |other: &OperationArgument| {
        other.place != argument.place && other.wire_name == argument.wire_name
    };
    match argument.place {
        Place::Path if operation.arguments.iter().any(is_shared) => {
            format!("path_{}", argument.wire_name)
        }
        _ => argument.wire_name.clone(),
    }
}

fn client_path(operation: &Operation) -> String {
    let in_path = operation.arguments.iter();
    let in_path = in_path.filter(|argument| argument.place == Place::Path);
    in_path.fold(operation.path.clone(), |path, argument| {
        let name = client_name(operation, argument);
        path.replace(
            &format!("{{{}}}", argument.wire_name),
            &format!("{{{name}}}"),
        )
    })
}

fn parameter(operation: &Operation, argument: &OperationArgument) -> Option<Value> {
    let place = match argument.place {
        Place::Path => "path",
        Place::Query => "query",
        Place::Header => "header",
        Place::Body | Place::WholeBody => return None,
    };
    Some(json!({
        "name": client_name(operation, argument),
        "in": place,
        "required": argument.required,
        "schema": plain_type(argument),
    }))
}

/// The type that travels in a URL: text unless it is plainly a whole number, a number, a
/// boolean or a list that repeats its key.
fn plain_type(argument: &OperationArgument) -> Value {
    if argument.list == Some(::tool::ListStyle::Repeated) {
        return json!({"type": "array", "items": {"type": "string"}});
    }
    match argument.schema.get("type").and_then(Value::as_str) {
        Some("integer") => json!({"type": "integer", "format": "int64"}),
        Some("number") => json!({"type": "number", "format": "double"}),
        Some("boolean") => json!({"type": "boolean"}),
        _ => json!({"type": "string"}),
    }
}
