//! Joins a repaired document with the annotations of its operations. Returns operations.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::annotations::{Confirm, DocumentAnnotations, OperationAnnotations};
use crate::document::repair::VERSION;
use crate::document::resolve::operations;
use crate::error::Problem;
use crate::model::answer::{DocumentedAnswer, answer, answer_media};
use crate::model::argument::{
    advertised_schema, arguments, check_schema, demand_nothing_nested, demanded_forms, media,
    with_choices,
};
use crate::model::inner::{dates, tenants};
use crate::model::lint::dates::{DocumentedDates, documented_dates};
use crate::model::lint::faults;
use crate::model::naming::tool_name;
use crate::model::operation::{Operation, V3Operation};
use crate::model::v3::{name_as_v3_does, names as names_of_v3, v3_operation};
use crate::v3::SourceOperation;
use crate::v3::{V3, V3_VERSION};
use tool::{Effect, TokenClass};

/// An operation of a document with all facts about it.
pub struct LoweredOperation {
    pub operation: Operation,
    /// It has a table in `openapi/tools/`.
    pub known: bool,
    /// The reason that it cannot be a tool yet.
    pub unsendable: Option<&'static str>,
    /// Paths of every text that its documented answer may hold.
    pub answer_texts: Vec<String>,
    pub(crate) answer: DocumentedAnswer,
    /// Every argument, and field inside one, that its document or v3's calls a date.
    pub(crate) documented_dates: DocumentedDates,
    /// The faults that must be repaired before it may be a tool.
    pub faults: Vec<Problem>,
}

/// The place of an operation, and the document in its tool's name.
#[derive(Clone, Copy)]
pub(crate) struct OperationOrigin<'a> {
    pub document: &'a str,
    pub source: &'a str,
}

/// The operations of `document` that are tools of their own.
pub(crate) fn lower<'a>(
    place: OperationOrigin<'_>,
    document: &Value,
    is_own: impl Fn(&str, &str) -> bool,
    variant: impl Fn(&str, &str) -> Option<SourceOperation<'a>>,
    annotations: Option<&DocumentAnnotations>,
    toolsets: &BTreeMap<&str, Vec<&str>>,
) -> Vec<LoweredOperation> {
    let mut lowered = Vec::new();
    for (method, path, _, operation) in operations(document) {
        if !is_own(method, path) {
            continue;
        }
        let operation_id = operation
            .get("operationId")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let known = annotations.and_then(|tables| tables.get(operation_id));
        lowered.push(lower_operation(
            place,
            document,
            (method, path, operation_id),
            operation,
            known,
            toolsets,
            variant(method, path),
        ));
    }
    lowered
}

fn lower_operation(
    place: OperationOrigin<'_>,
    document: &Value,
    (method, path, operation_id): (&str, &str, &str),
    operation: &Value,
    known: Option<&OperationAnnotations>,
    toolsets: &BTreeMap<&str, Vec<&str>>,
    variant: Option<SourceOperation<'_>>,
) -> LoweredOperation {
    let by_rule = tool_name(place.document, operation_id);
    let tool = known
        .and_then(|known| known.name.clone())
        .unwrap_or_else(|| by_rule.clone());
    let mut aliases = known.map(|known| known.aliases.clone()).unwrap_or_default();
    if tool != by_rule {
        aliases.push(by_rule);
    }
    let empty = BTreeMap::new();
    let known_arguments = known.map_or(&empty, |known| &known.arguments);
    let (mut arguments, body) = arguments(document, operation, known_arguments);
    if method == "patch" {
        demand_nothing_nested(&mut arguments);
    }
    let forms = demanded_forms(document, operation, &arguments);
    let inner_tenants = tenants(&arguments, known_arguments);
    let inner_dates = dates(&arguments, known_arguments);
    let (mut scopes, access) = scopes(operation);
    let mut token = token_class(&access);
    if let Some(known) = known {
        if scopes.is_empty() {
            scopes.clone_from(&known.scopes);
        }
        if token == TokenClass::Unknown {
            token = known.token.unwrap_or(token);
        }
    }
    let paging = known.map(|known| known.paging.clone()).unwrap_or_default();
    let answer = answer(document, operation, paging.rows.as_deref());
    let media = media(document, operation);
    let effect = known.map_or(Effect::Write, |known| known.effect);
    let first = known.map_or(&[][..], |known| &known.first);
    let raw = operation;
    let mut operation = Operation {
        aliases,
        title: known.map(|known| known.title.clone()).unwrap_or_default(),
        description: known
            .map(|known| known.description.clone())
            .unwrap_or_default(),
        phrases: known.map(|known| known.phrases.clone()).unwrap_or_default(),
        toolsets: toolsets
            .get(tool.as_str())
            .map(|names| names.iter().map(ToString::to_string).collect())
            .unwrap_or_default(),
        tool,
        document: place.document.to_owned(),
        source: place.source.to_owned(),
        operation_id: operation_id.to_owned(),
        method: method.to_uppercase(),
        path: path.to_owned(),
        version: operation[VERSION].as_str().unwrap_or_default().to_owned(),
        deprecated: operation["deprecated"] == true,
        effect,
        bulk: known.is_some_and(|known| known.bulk),
        additive: known.is_some_and(|known| known.additive),
        proves: known.is_some_and(|known| known.proves),
        asks_person: known.is_some_and(|known| known.confirm == Some(Confirm::Human)),
        twins: known
            .and_then(|known| known.twin.clone())
            .into_iter()
            .collect(),
        replaced_by: known.and_then(|known| known.replaced_by.clone()),
        idempotent: known
            .and_then(|known| known.idempotent)
            .unwrap_or(effect == Effect::Read),
        paging,
        summary_fields: known
            .and_then(|known| known.summary_fields.clone())
            .unwrap_or_default(),
        answers: answer.fields(),
        read_back: known.and_then(|known| known.read_back.clone()),
        token,
        scopes,
        access,
        renames: known.map(|known| known.renames.clone()).unwrap_or_default(),
        body,
        media: media.unwrap_or_default(),
        answer_media: answer_media(document, operation),
        v3: V3Operation::None,
        is_v3_variant: false,
        check_schema: with_choices(check_schema(&arguments, forms), known),
        advertised_schema: advertised_schema(&arguments, first),
        inner_tenants,
        inner_dates,
        timezone: known.and_then(|known| known.timezone.clone()),
        windows: known.map(|known| known.windows.clone()).unwrap_or_default(),
        arguments,
    };
    // Operations that only v3 has are sent as v3, whatever their document says: one document still gives an older
    // version, under which such a path is not found (measured for one path).
    if place.source.starts_with(V3) {
        V3_VERSION.clone_into(&mut operation.version);
    }
    let mut v3_names = Vec::new();
    let mut dates = documented_dates(document, raw);
    if let Some(variant) = variant {
        dates.extend(documented_dates(variant.document, variant.operation));
        operation.v3 = v3_operation(&operation, known, &variant);
        name_as_v3_does(&mut operation.arguments, path, variant.path);
        v3_names = names_of_v3(&variant);
    }
    LoweredOperation {
        answer_texts: answer.texts(),
        faults: faults(&operation, known, &answer, &v3_names, &dates),
        answer,
        documented_dates: dates,
        known: known.is_some(),
        unsendable: media
            .is_none()
            .then_some("its body is of a media type that is not encoded"),
        operation,
    }
}

/// The classes of token that the security schemes accept. HighLevel explains them in prose: `bearer` and
/// `Location-Access` are a sub-account's token, `Agency-Access` an agency's; `-Only` excludes private integrations.
pub(crate) fn token_class(access: &[String]) -> TokenClass {
    let agency = access.iter().any(|scheme| scheme.starts_with("Agency"));
    let location = access.iter().any(|scheme| !scheme.starts_with("Agency"));
    match (location, agency) {
        (true, true) => TokenClass::Either,
        (true, false) => TokenClass::Location,
        (false, true) => TokenClass::Agency,
        (false, false) => TokenClass::Unknown,
    }
}

/// Scopes and security schemes of the document. If it gives no scope, those of the scope table.
pub(crate) fn scopes(operation: &Value) -> (Vec<String>, Vec<String>) {
    let mut scopes = BTreeSet::new();
    let mut access = BTreeSet::new();
    let security = operation["security"].as_array();
    for (scheme, named) in security
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .flatten()
    {
        access.insert(scheme.clone());
        scopes.extend(texts(named));
    }
    if scopes.is_empty() {
        scopes.extend(texts(&operation["x-scopes"]));
    }
    (scopes.into_iter().collect(), access.into_iter().collect())
}

fn texts(list: &Value) -> impl Iterator<Item = String> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(|text| text.as_str().map(str::to_owned))
}
