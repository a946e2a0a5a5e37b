//! The imported documents for the sandbox: every operation, and the routing of requests to them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::Read;
use std::sync::LazyLock;

use flate2::read::GzDecoder;
use serde_json::Value;

use super::exceptions::EXCEPTIONS;

/// Prefix of the stems of v3 documents.
const V3: &str = "v3/";

/// All documents by stem, as packed by the build.
const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/documents.json.gz"));

/// One operation of HighLevel's API, from its document.
pub(crate) struct DocumentedOperation {
    /// Stem of the document, such as `contacts`, or `v3/contacts` for operations that only v3 has.
    pub document: &'static str,
    /// Upper-case method and path template: `GET /contacts/{contactId}`.
    pub key: String,
    pub path: &'static str,
    pub parameters: Vec<Parameter>,
    pub body: Option<DocumentedBody>,
    /// Status of the documented success; 200 if none is.
    pub status: u16,
    /// Media type of the documented success; `None` without a body.
    pub media: Option<&'static str>,
    /// Schema of the documented success.
    pub answer: Option<&'static Value>,
    pub scopes: Vec<&'static str>,
    /// Security schemes, such as `Location-Access`; empty if the document gives none.
    pub access: Vec<&'static str>,
}

pub(crate) struct Parameter {
    pub name: &'static str,
    /// `path` or `query`.
    pub place: &'static str,
    pub required: bool,
    pub schema: &'static Value,
}

pub(crate) struct DocumentedBody {
    pub required: bool,
    pub media: &'static str,
    pub schema: &'static Value,
}

/// All documents, with the exceptions applied, and their operations by path.
pub(crate) struct ImportedDocuments {
    texts: &'static BTreeMap<String, Value>,
    pub operations: Vec<DocumentedOperation>,
    tree: Node,
}

/// The target of a request: the operation and the values of its path.
pub(crate) struct Route {
    pub operation: &'static DocumentedOperation,
    pub path: BTreeMap<String, String>,
}

#[derive(Default)]
struct Node {
    literal: BTreeMap<&'static str, Node>,
    any: Option<Box<Node>>,
    /// Operations of this path, by method.
    operations: BTreeMap<&'static str, usize>,
}

static TEXTS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let mut text = Vec::new();
    // The build has parsed them, and a test shows that none is missing.
    let _ = GzDecoder::new(PACKED).read_to_end(&mut text);
    let mut texts: BTreeMap<String, Value> = serde_json::from_slice(&text).unwrap_or_default();
    for exception in EXCEPTIONS {
        if let Some(text) = texts.get_mut(exception.document) {
            exception.apply(text);
        }
    }
    texts
});

static DOCUMENTS: LazyLock<ImportedDocuments> = LazyLock::new(|| ImportedDocuments::new(&TEXTS));

/// The documents of this program, unpacked at the first call.
pub(crate) fn documents() -> &'static ImportedDocuments {
    &DOCUMENTS
}

impl DocumentedOperation {
    /// Whether the older versions lack it.
    pub(crate) fn is_of_v3(&self) -> bool {
        self.document.starts_with(V3)
    }
}

impl ImportedDocuments {
    fn new(texts: &'static BTreeMap<String, Value>) -> Self {
        let mut operations = Vec::new();
        let mut tree = Node::default();
        // Operations that v3 only renames or moves are in the older document.
        let (newer, older): (Vec<_>, Vec<_>) =
            texts.iter().partition(|(stem, _)| stem.starts_with(V3));
        for (stem, text) in older.into_iter().chain(newer) {
            for (path, item) in text["paths"].as_object().into_iter().flatten() {
                for method in ["get", "post", "put", "patch", "delete"] {
                    let Some(operation) = item.get(method) else {
                        continue;
                    };
                    if tree.add(path, method, operations.len()) {
                        operations.push(operation_of(text, stem, path, method, operation));
                    }
                }
            }
        }
        Self {
            texts,
            operations,
            tree,
        }
    }

    /// The operation at `path` (percent-encoded, slash at the end significant), literal segments first.
    pub(crate) fn route(&'static self, method: &str, path: &str) -> Option<Route> {
        let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let method = method.to_ascii_lowercase();
        let index = self.tree.find(&segments, &method)?;
        let operation = self.operations.get(index)?;
        let template = operation.path.trim_start_matches('/').split('/');
        let path = template
            .zip(segments)
            .filter_map(|(name, value)| {
                let name = name.strip_prefix('{')?.strip_suffix('}')?;
                let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
                Some((name.to_owned(), value.into_owned()))
            })
            .collect();
        Some(Route { operation, path })
    }

    /// `schema` of `operation` without its outermost references and single-branch `allOf`s.
    pub(crate) fn resolved(&self, document: &str, schema: &'static Value) -> &'static Value {
        let Some(text) = self.texts.get(document) else {
            return schema;
        };
        resolve(text, schema)
    }
}

impl Node {
    /// Whether the place was free.
    fn add(&mut self, path: &'static str, method: &'static str, index: usize) -> bool {
        let mut node = self;
        for segment in path.trim_start_matches('/').split('/') {
            node = if segment.starts_with('{') {
                node.any.get_or_insert_default()
            } else {
                node.literal.entry(segment).or_default()
            };
        }
        let place = node.operations.entry(method);
        let is_new = matches!(place, Entry::Vacant(_));
        place.or_insert(index);
        is_new
    }

    fn find(&self, segments: &[&str], method: &str) -> Option<usize> {
        let Some((first, rest)) = segments.split_first() else {
            return self.operations.get(method).copied();
        };
        let literal = self.literal.get(first);
        literal
            .and_then(|node| node.find(rest, method))
            .or_else(|| {
                let any = self.any.as_ref().filter(|_| !first.is_empty())?;
                any.find(rest, method)
            })
    }
}

fn operation_of(
    text: &'static Value,
    stem: &'static str,
    path: &'static str,
    method: &str,
    operation: &'static Value,
) -> DocumentedOperation {
    let shared = text["paths"][path]["parameters"].as_array();
    let own = operation["parameters"].as_array();
    let parameters = shared.into_iter().chain(own).flatten();
    let parameters = parameters.filter_map(|parameter| {
        let parameter = resolve(text, parameter);
        Some(Parameter {
            name: parameter["name"].as_str()?,
            place: parameter["in"]
                .as_str()
                .filter(|place| *place != "header")?,
            required: parameter["required"] == true,
            schema: &parameter["schema"],
        })
    });
    let body = operation.get("requestBody").and_then(|body| {
        let body = resolve(text, body);
        let (media, content) = body["content"].as_object()?.iter().next()?;
        Some(DocumentedBody {
            required: body["required"] == true,
            media,
            schema: &content["schema"],
        })
    });
    let success = operation["responses"]
        .as_object()
        .into_iter()
        .flatten()
        .find(|(status, _)| status.starts_with('2'));
    let content = success.and_then(|(_, answer)| {
        let content = resolve(text, answer)["content"].as_object()?;
        content.iter().next()
    });
    let answer = content.and_then(|(_, content)| content.get("schema"));
    let texts = |value: &'static Value| {
        let list: Vec<&'static str> = value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        list
    };
    let security = operation["security"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .flatten();
    let mut scopes = texts(&operation["x-scopes"]);
    let mut access = Vec::new();
    for (scheme, named) in security {
        access.push(scheme.as_str());
        scopes.extend(texts(named));
    }
    scopes.sort_unstable();
    scopes.dedup();
    DocumentedOperation {
        document: stem,
        key: format!("{} {path}", method.to_ascii_uppercase()),
        path,
        parameters: parameters.collect(),
        body,
        status: success
            .and_then(|(status, _)| status.parse().ok())
            .unwrap_or(200),
        media: content.map(|(media, _)| media.as_str()),
        answer,
        scopes,
        access,
    }
}

fn resolve(text: &'static Value, mut schema: &'static Value) -> &'static Value {
    loop {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            match text.pointer(reference.trim_start_matches('#')) {
                Some(target) => schema = target,
                None => return &Value::Null,
            }
        } else if let Some([only]) = schema
            .get("allOf")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
        {
            schema = only;
        } else {
            return schema;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number of HighLevel's documents, which an import changes: `codegen refresh` writes it.
    fn documented(name: &str) -> usize {
        let counts = include_str!("../../../tests/snapshots/counts.toml");
        let mut counts = counts.lines().filter_map(|line| line.split_once(" = "));
        let (_, count) = counts.find(|(one, _)| *one == name).expect(name);
        count.parse().expect("a number")
    }

    #[test]
    fn every_operation_is_found_by_its_own_path() {
        let documents = documents();
        let all = documented("operations") + documented("operations_of_v3_alone");
        assert_eq!(documents.operations.len(), all);
        let empty = documents
            .operations
            .iter()
            .filter(|one| one.media.is_none());
        assert_eq!(empty.count(), documented("answers_without_content"));
        for operation in &documents.operations {
            let (method, template) = operation.key.split_once(' ').expect("a key");
            let path: Vec<&str> = template
                .split('/')
                .map(|segment| {
                    if segment.starts_with('{') {
                        "x1"
                    } else {
                        segment
                    }
                })
                .collect();
            let found = documents.route(method, &path.join("/"));
            let found = found.map(|route| route.operation.key.clone());
            assert_eq!(found.as_deref(), Some(operation.key.as_str()));
        }
        assert!(documents.route("GET", "/contacts//tasks").is_none());
        assert!(documents.route("GET", "/contacts").is_none());
        assert!(documents.route("PATCH", "/contacts/x").is_none());
    }
}
