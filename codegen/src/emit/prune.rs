//! Writes the document for the client generator: the chosen operations, and what they need.
//!
//! Responses are relayed, bodies are checked JSON, and enums are checked earlier. So the generator sees only paths,
//! parameters of plain types and one body of any JSON. Typed bodies and responses lose data on these documents, and its
//! generator panics on much else in them.

use serde_json::{Map, Value, json};

use crate::model::operation::{Body, Operation, OperationArgument};
use tool::Place;

/// The document of `operations` (all of one stem) in the form for the client generator.
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

/// The client generator's name of a parameter. Names in the path are never sent, so if a query parameter has the same
/// name, the path's name changes: the generator has one set of names.
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

/// The type in a URL: text unless it is clearly an integer, a number, a boolean or a list that repeats its key.
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
