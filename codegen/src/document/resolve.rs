//! Follows references inside one document.

use serde_json::Value;

/// The target of a `$ref`, through references to references; `None` if there is none.
pub fn resolve<'a>(document: &'a Value, mut value: &'a Value) -> Option<&'a Value> {
    // A chain longer than any document's number of components is a cycle.
    for _ in 0..64 {
        match value.get("$ref").and_then(Value::as_str) {
            None => return Some(value),
            Some(reference) => value = document.pointer(reference.strip_prefix('#')?)?,
        }
    }
    None
}

/// The operations of a document: method in lower case, path, the path's own parameters, operation.
pub fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value, &Value)> {
    const METHODS: [&str; 7] = ["get", "put", "post", "delete", "patch", "head", "options"];
    document
        .get("paths")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .flat_map(|(path, item)| {
            item.as_object()
                .into_iter()
                .flatten()
                .filter_map(move |(method, operation)| {
                    METHODS.contains(&method.as_str()).then_some((
                        method.as_str(),
                        path.as_str(),
                        item,
                        operation,
                    ))
                })
        })
}

/// Every name in braces of a path template, in order.
pub fn template_names(path: &str) -> Vec<&str> {
    path.split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .collect()
}
