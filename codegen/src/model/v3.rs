//! The v3 variant of an operation of the older documents: the same tool and argument names, with v3's own version, path
//! and names in requests.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::annotations::{ArgumentAnnotations, OperationAnnotations, RenameAnnotation};
use crate::document::repair::VERSION;
use crate::document::resolve::template_names;
use crate::model::answer::answer_media;
use crate::model::argument::{
    advertised_schema, arguments, check_schema, demand_nothing_nested, demanded_forms, media,
    names as names_of_argument, with_choices,
};
use crate::model::inner::{dates, inner_fields, tenants};
use crate::model::operation::{Operation, OperationArgument, V3Operation};
use crate::v3::SourceOperation;
use tool::Place;

/// The v3 variant of `older`, as its differences.
pub(crate) fn v3_operation(
    older: &Operation,
    known: Option<&OperationAnnotations>,
    variant: &SourceOperation<'_>,
) -> V3Operation {
    let empty = BTreeMap::new();
    let known_arguments = known.map_or(&empty, |known| &known.arguments);
    let told = renamed(variant, known_arguments);
    let (mut own, body) = arguments(variant.document, variant.operation, &told);
    if variant.method == "patch" {
        demand_nothing_nested(&mut own);
    }
    for argument in &mut own {
        let before = older
            .arguments
            .iter()
            .find(|before| is_same(before, argument))
            .or_else(|| in_same_place(older, variant.path, argument));
        if let Some(before) = before {
            argument.name.clone_from(&before.name);
            argument.aliases.clone_from(&before.aliases);
            argument.aliases.push(before.wire_name.clone());
        }
    }
    let version = variant.operation[VERSION].as_str().unwrap_or_default();
    let inner_tenants = tenants(&own, &told);
    let inner_dates = dates(&own, &told);
    let forms = demanded_forms(variant.document, variant.operation, &own);
    let check_schema = with_choices(check_schema(&own, forms), known);
    let v3 = Operation {
        source: variant.source.to_owned(),
        operation_id: variant.operation["operationId"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        method: variant.method.to_uppercase(),
        path: variant.path.to_owned(),
        version: version.to_owned(),
        renames: turned(older, &check_schema),
        body,
        media: media(variant.document, variant.operation).unwrap_or_default(),
        answer_media: answer_media(variant.document, variant.operation),
        advertised_schema: advertised_schema(&own, known.map_or(&[], |known| &known.first)),
        check_schema,
        inner_tenants,
        inner_dates,
        arguments: own,
        v3: V3Operation::None,
        is_v3_variant: true,
        ..older.clone()
    };
    if is_like(older, &v3) {
        V3Operation::Same(version.to_owned())
    } else {
        V3Operation::Other(Box::new(v3))
    }
}

/// Whether one request serves both, apart from the version. Names of path parameters do not matter.
fn is_like(older: &Operation, v3: &Operation) -> bool {
    let wire = |argument: &OperationArgument| match argument.place {
        Place::Path => String::new(),
        _ => argument.wire_name.clone(),
    };
    let erased =
        |operation: &Operation| crate::model::operation::key(&operation.method, &operation.path);
    let face = |operation: &Operation| -> Vec<(String, String, Place, bool)> {
        let mut face: Vec<_> = operation
            .arguments
            .iter()
            .map(|one| (one.name.clone(), wire(one), one.place, one.required))
            .collect();
        face.sort();
        face
    };
    erased(older) == erased(v3)
        && face(older) == face(v3)
        && older.check_schema == v3.check_schema
        && older.media == v3.media
        && older.body == v3.body
}

/// Annotations of arguments, under v3's names.
fn renamed(
    variant: &SourceOperation<'_>,
    known: &BTreeMap<String, ArgumentAnnotations>,
) -> BTreeMap<String, ArgumentAnnotations> {
    let names = names(variant);
    let mut told = BTreeMap::new();
    for (name, annotations) in known {
        let same = names.iter().find(|own| *own == name);
        let alike = || names.iter().find(|own| without_v3(own) == without_v3(name));
        if let Some(own) = same.or_else(alike) {
            told.insert(own.clone(), annotations.clone());
        }
    }
    told
}

fn is_same(before: &OperationArgument, argument: &OperationArgument) -> bool {
    before.place == argument.place
        && (before.wire_name == argument.wire_name
            || without_v3(&before.wire_name) == without_v3(&argument.wire_name))
}

/// The parameter of the older path at the place of v3's: the names of path parameters are arbitrary, and callers know
/// one.
fn in_same_place<'a>(
    older: &'a Operation,
    path: &str,
    argument: &OperationArgument,
) -> Option<&'a OperationArgument> {
    let (before, now) = (template_names(&older.path), template_names(path));
    let place = now.iter().position(|name| *name == argument.wire_name)?;
    let name = before.get(place)?;
    if argument.place != Place::Path || before.len() != now.len() || now.contains(name) {
        return None;
    }
    let mut arguments = older.arguments.iter();
    arguments.find(|one| one.place == Place::Path && one.wire_name == *name)
}

/// Adds v3's names of path parameters as aliases: callers know one or the other.
pub(crate) fn name_as_v3_does(arguments: &mut [OperationArgument], path: &str, newer_path: &str) {
    let (before, now) = (template_names(path), template_names(newer_path));
    if before.len() != now.len() {
        return;
    }
    for (name, v3) in before.into_iter().zip(now) {
        let is_taken = |one: &OperationArgument| names_of_argument(one).contains(v3);
        if arguments.iter().any(is_taken) {
            continue;
        }
        let mut in_path = arguments.iter_mut().filter(|one| one.place == Place::Path);
        if let Some(argument) = in_path.find(|one| one.wire_name == name) {
            argument.aliases.push(v3.to_owned());
        }
    }
}

/// The older operation's renames in the form for v3: names that only v3 has become the targets, and the older names
/// lead there too.
fn turned(older: &Operation, check_schema: &Value) -> Vec<RenameAnnotation> {
    let mut turned = Vec::new();
    for rename in &older.renames {
        let Some(properties) = properties_of(check_schema, &rename.within) else {
            continue;
        };
        let has = |name: &str| properties.contains_key(name);
        let before = properties_of(&older.check_schema, &rename.within);
        let had = |name: &str| before.is_some_and(|before| before.contains_key(name));
        let is_new = |one: &&RenameAnnotation| {
            one.within == rename.within && one.to == rename.to && has(&one.from) && !had(&one.from)
        };
        let new_name = older.renames.iter().find(is_new).map(|one| &one.from);
        let (from, to) = match new_name {
            Some(new) if *new == rename.from => (&rename.to, new),
            Some(new) => (&rename.from, new),
            None if has(&rename.to) => (&rename.from, &rename.to),
            None => continue,
        };
        turned.push(RenameAnnotation {
            within: rename.within.clone(),
            from: from.clone(),
            to: to.clone(),
        });
    }
    turned
}

/// The properties of the object at `within`, such as `customFields[]`.
fn properties_of<'a>(schema: &'a Value, within: &str) -> Option<&'a Map<String, Value>> {
    let mut holder = schema;
    for step in within.split('.') {
        let (property, items) = match step.strip_suffix("[]") {
            Some(property) => (property, true),
            None => (step, false),
        };
        holder = holder.get("properties")?.get(property)?;
        if items {
            holder = holder.get("items")?;
        }
    }
    holder.get("properties")?.as_object()
}

/// Letters and digits in lower case, so that `location_id` is `locationId`. Dots and brackets of paths stay.
fn without_v3(name: &str) -> String {
    name.chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '[' | ']'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Names of a v3 variant that annotations may use.
pub(crate) fn names(variant: &SourceOperation<'_>) -> Vec<String> {
    let (own, _) = arguments(variant.document, variant.operation, &BTreeMap::new());
    let inner = inner_fields(&own).into_iter().map(|field| field.path);
    let names = own.iter().map(|argument| argument.wire_name.clone());
    names.chain(inner).collect()
}
