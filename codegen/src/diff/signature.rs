//! The interface of each operation for a caller, older and of v3, under the names of its tool.

use std::collections::{BTreeMap, BTreeSet};

use super::fields::{Fields, collect};
use crate::document::load::Sources;
use crate::document::repair::VERSION;
use crate::model::answer::{Documentation, DocumentedAnswer, answer};
use crate::model::argument::media;
use crate::model::argument::must_be_given;
use crate::model::lower::{LoweredOperation, scopes, token_class};
use crate::model::operation::{Operation, V3Operation, key};
use crate::pipeline::DescribedDocuments;
use crate::v3::{SourceOperation, V3, V3_VERSION, every_operation};
use tool::{Media, TokenClass};

/// One operation of one document.
pub(super) struct OperationSignature {
    pub source: String,
    pub operation_id: String,
    pub method: String,
    pub path: String,
    /// Method and path with parameter names erased.
    pub key: String,
    /// The document in the tool's name.
    pub document: String,
    pub tool: String,
    /// It is in the allowlist.
    pub listed: bool,
    /// It has a table.
    pub known: bool,
    /// It is the v3 variant of an older operation.
    pub is_v3_variant: bool,
    pub arguments: Fields,
    /// Arguments with a text in our table.
    pub texts: BTreeSet<String>,
    pub version: String,
    pub scopes: Vec<String>,
    pub token: TokenClass,
    /// `None` where it is not encoded.
    pub media: Option<Media>,
    pub deprecated: bool,
    /// The documented fields of a row, or of the answer.
    pub row: BTreeSet<String>,
    /// Paths of the answer in our table, by the table's key and path, and whether they are documented.
    pub named: BTreeMap<(&'static str, String), Documentation>,
}

impl OperationSignature {
    pub(super) fn is_v3(&self) -> bool {
        self.source.starts_with(V3)
    }

    /// `METHOD /path`.
    pub(super) fn place(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// Every operation of every document of `sources`.
pub(super) fn faces(sources: &Sources, described: &DescribedDocuments) -> Vec<OperationSignature> {
    let documents = &described.documents;
    let catalogue = sources.v3.catalogue(documents, &mut Vec::new());
    let mut own: BTreeMap<(&str, String), &LoweredOperation> = BTreeMap::new();
    let mut older: BTreeMap<String, &LoweredOperation> = BTreeMap::new();
    for lowered in &described.operations {
        let operation = &lowered.operation;
        let key = key(&operation.method, &operation.path);
        if !operation.source.starts_with(V3) {
            older.insert(key.clone(), lowered);
        }
        own.insert((&operation.source, key), lowered);
    }
    let mut faces = Vec::new();
    for one in every_operation(documents) {
        let key = one.key();
        let before = || older.get(catalogue.older_of(&key)?);
        if let Some(lowered) = own.get(&(one.source, key.clone())) {
            faces.push(face(&one, key, lowered, &lowered.operation, false));
        } else if let Some(lowered) = before() {
            let shape = match &lowered.operation.v3 {
                V3Operation::Other(v3) => v3,
                _ => &lowered.operation,
            };
            faces.push(face(&one, key, lowered, shape, true));
        }
    }
    faces
}

/// `shape` has the arguments under the tool's names; the rest is in the document itself.
fn face(
    at: &SourceOperation<'_>,
    key: String,
    lowered: &LoweredOperation,
    shape: &Operation,
    is_v3_variant: bool,
) -> OperationSignature {
    let tool = &lowered.operation;
    let answer = answer(at.document, at.operation, shape.paging.rows.as_deref());
    let (mut scopes, access) = scopes(at.operation);
    let mut token = token_class(&access);
    if !is_v3_variant {
        scopes.clone_from(&tool.scopes);
        token = tool.token;
    }
    OperationSignature {
        source: at.source.to_owned(),
        operation_id: at.operation["operationId"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        method: at.method.to_uppercase(),
        path: at.path.to_owned(),
        key,
        document: tool.document.clone(),
        tool: tool.tool.clone(),
        listed: !tool.toolsets.is_empty(),
        known: lowered.known,
        is_v3_variant,
        arguments: arguments(shape),
        texts: {
            let texts = shape.arguments.iter().filter(|one| one.text.is_some());
            texts.map(|one| one.name.clone()).collect()
        },
        version: version(at, is_v3_variant),
        scopes,
        token,
        media: media(at.document, at.operation),
        deprecated: at.operation["deprecated"] == true,
        row: answer.properties().map(|(name, _)| name.clone()).collect(),
        named: fields_by_name(shape, &answer),
    }
}

/// Operations that only v3 has are sent as v3, whatever their document says.
fn version(at: &SourceOperation<'_>, is_v3_variant: bool) -> String {
    let declared = at.operation[VERSION].as_str().unwrap_or_default();
    let is_only_v3 = at.source.starts_with(V3) && !is_v3_variant;
    if is_only_v3 { V3_VERSION } else { declared }.to_owned()
}

fn arguments(shape: &Operation) -> Fields {
    let mut fields = Fields::new();
    for argument in &shape.arguments {
        let schema = &shape.check_schema["properties"][&argument.name];
        let required = argument.constant.is_none() && must_be_given(argument);
        collect(schema, &argument.name, required, &mut fields);
    }
    fields
}

fn fields_by_name(
    shape: &Operation,
    answer: &DocumentedAnswer,
) -> BTreeMap<(&'static str, String), Documentation> {
    let paging = &shape.paging;
    let whole = [
        ("paging.rows", paging.rows.iter().collect::<Vec<_>>()),
        ("paging.next", paging.next.values().collect()),
        ("paging.more", paging.more.iter().collect()),
        ("paging.total", paging.total.iter().collect()),
        (
            "read_back",
            shape.read_back.iter().map(|back| &back.found).collect(),
        ),
    ];
    let whole = whole
        .into_iter()
        .flat_map(|(key, paths)| paths.into_iter().map(move |path| (key, path)));
    let mut named: BTreeMap<_, _> = whole
        .map(|(key, path)| ((key, path.clone()), answer.holds(path)))
        .collect();
    let fields = shape.summary_fields.iter();
    named.extend(fields.map(|path| (("summary_fields", path.clone()), answer.row_holds(path))));
    let members = paging.deep.iter().flat_map(|deep| &deep.members);
    named.extend(members.map(|path| (("paging.deep", path.clone()), answer.row_holds(path))));
    named
}
