//! The pipeline over the project's own `openapi/`, unchanged and with one fault.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;

use codegen::allowlist::ListingStatus;
use codegen::annotations::{self, ArgumentAnnotations};
use codegen::document::load::{Sources, load};
use codegen::document::resolve;
use codegen::generation::{generate, prove};
use serde_json::{Value, json};

fn sources() -> Sources {
    load(Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../openapi"
    )))
    .expect("openapi loads")
}

#[test]
fn every_operation_is_a_tool_or_an_edition_of_one_or_left_out_by_name() {
    let sources = sources();
    let generation = generate(&sources).expect("a generation");
    let operations = &generation.operations;
    let mut tools = 0;
    let mut left_out = 0;
    let mut others = Vec::new();
    for lowered in operations {
        match sources.allowlist.standing(lowered) {
            ListingStatus::Tool => tools += 1,
            ListingStatus::LeftOut(_) => left_out += 1,
            standing => others.push((standing, &lowered.operation.tool)),
        }
    }
    assert!(others.is_empty(), "{others:?}");
    assert_eq!(sources.allowlist.left_out.len(), left_out);
    let documents = sources.documents.values();
    let all: usize = documents.map(|one| resolve::operations(one).count()).sum();
    let variants = generation.v3_variants + generation.successors;
    assert_eq!(all, variants + tools + left_out, "no operation is lost");
    assert_eq!(
        sources.v3.successors.len(),
        generation.successors,
        "every line of v3.toml is met"
    );
    let stems: std::collections::BTreeSet<&str> = operations
        .iter()
        .map(|one| one.operation.source.as_str())
        .collect();
    for stem in stems {
        let operations = operations.iter().map(|one| &one.operation);
        let operations: Vec<_> = operations.filter(|one| one.source == stem).collect();
        prove(stem, &operations).unwrap_or_else(|problem| panic!("{problem}"));
    }
}

/// The texts that search uses to distinguish operations must differ.
#[test]
fn no_two_operations_are_described_alike() {
    let generation = generate(&sources()).expect("a generation");
    let mut descriptions = std::collections::BTreeMap::new();
    let mut phrases: std::collections::BTreeMap<String, Vec<&str>> =
        std::collections::BTreeMap::new();
    let mut alike = Vec::new();
    for operation in generation.operations.iter().map(|one| &one.operation) {
        if let Some(other) = descriptions.insert(&operation.description, &operation.tool) {
            alike.push(format!("{other} and {}: one description", operation.tool));
        }
        for phrase in &operation.phrases {
            let holders = phrases.entry(phrase.to_lowercase()).or_default();
            holders.push(&operation.tool);
        }
    }
    let mut pairs = std::collections::BTreeMap::<(&str, &str), usize>::new();
    for holders in phrases.values() {
        for (index, one) in holders.iter().enumerate() {
            for other in &holders[index + 1..] {
                *pairs.entry((one, other)).or_default() += 1;
            }
        }
    }
    let shared = pairs.into_iter().filter(|(_, count)| *count > 1);
    alike.extend(shared.map(|((one, other), count)| format!("{one} and {other}: {count} phrases")));
    assert!(alike.is_empty(), "{alike:#?}");
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let generated = || generate(&sources()).expect("a generation").rust;
    assert_eq!(generated(), generated());
}

/// Puts one fault into the sources; the errors must name it.
fn check(spoil: impl FnOnce(&mut Sources), expected: &str) {
    let mut sources = sources();
    spoil(&mut sources);
    match generate(&sources) {
        Ok(_) => panic!("generated in spite of: {expected}"),
        Err(errors) => assert!(errors.to_string().contains(expected), "{errors}"),
    }
}

/// Replaces `from` by `to` in the annotations file of `stem`.
fn rewrite(sources: &mut Sources, stem: &str, from: &str, to: &str) {
    let path = format!(
        concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi/tools/{}.toml"),
        stem
    );
    let text = std::fs::read_to_string(path).expect("a file");
    assert!(text.contains(from), "{from}");
    let tables = annotations::parse(stem, &text.replace(from, to)).expect("tables");
    sources.annotations.insert(stem.to_owned(), tables);
}

/// An overlay whose only action has a target that no document has.
fn overlay_of_a_gone_target(evidence: &str) -> Value {
    let action =
        json!({"target": "$.gone", "description": "d", "x-evidence": [evidence], "remove": true});
    json!({"overlay": "1.0.0", "actions": [action]})
}

#[test]
fn entries_that_no_longer_apply_fail_by_name() {
    check(
        |sources| {
            let toolsets = &mut sources.allowlist.toolsets;
            let official = toolsets.get_mut("official").expect("official");
            official.tools.push("contacts_gone".to_owned());
        },
        "openapi/allowlist.toml: contacts_gone is not an operation of any document",
    );
    check(
        |sources| {
            let tables = sources.annotations.get_mut("contacts").expect("contacts");
            tables.remove("create-task");
        },
        "has no title, description and effect; write a table [create-task] in openapi/tools/contacts.toml",
    );
    check(
        |sources| rewrite(sources, "contacts", "[get-task]", "[get-task-gone]"),
        "openapi/tools/contacts.toml [get-task-gone]: names an operation that the document does not have",
    );
    check(
        |sources| {
            rewrite(
                sources,
                "contacts",
                "[get-contacts.arguments.limit]",
                "[get-contacts.arguments.limits]",
            )
        },
        "limits: describes an argument that the operation does not have in openapi/tools/contacts.toml; limit has no table: \
         where that is its new name, call the table [get-contacts.arguments.limit] and give it name = \"limits\"",
    );
    check(
        |sources| {
            let tables = sources.annotations.get_mut("contacts").expect("contacts");
            let table = tables.get_mut("get-contacts").expect("a table");
            let renamed = ArgumentAnnotations {
                name: Some("limit".to_owned()),
                ..ArgumentAnnotations::default()
            };
            table.arguments.insert("startAfterId".to_owned(), renamed);
        },
        "startAfterId: has no text, but [limit] of the same name has one in openapi/tools/contacts.toml",
    );
    check(
        |sources| {
            rewrite(
                sources,
                "locations",
                "role = \"location\"\nrule = \"fill\"",
                "wide = false",
            )
        },
        "locationId: may name a tenant, but its role is not declared",
    );
    check(
        |sources| {
            let schemas = &mut sources.documents.get_mut("contacts").expect("contacts")["components"]
                ["schemas"];
            schemas["TagsDTO"]["properties"]["share"] = json!({"type": "array", "items": {"properties": {"location_id": {"type": "string"}}}});
        },
        "share[].location_id: may name a tenant, but its role is not declared",
    );
    check(
        |sources| {
            let told = "[add-tags.arguments.\"tags.gone\"]\nrole = \"none\"\n\n[remove-tags]";
            rewrite(sources, "contacts", "[remove-tags]", told);
        },
        "tags.gone: describes an argument that the operation does not have",
    );
    check(
        |sources| rewrite(sources, "contacts", "to = \"field_value\"", "to = \"gone\""),
        "renames customFields[].gone: is not a property of the body",
    );
    check(
        |sources| {
            rewrite(
                sources,
                "opportunities",
                "aliases = [\"opportunityId\"]",
                "aliases = [\"q\"]",
            )
        },
        "q: reaches two arguments",
    );
    check(
        |sources| drop(sources.documents.remove("payments")),
        "openapi/repairs/payments.yaml: repairs a document that does not exist",
    );
    check(
        |sources| {
            let overlay = overlay_of_a_gone_target("docs#1");
            sources.overlays.insert("contacts".to_owned(), overlay);
        },
        "openapi/repairs/contacts.yaml action 1 ($.gone): matches nothing",
    );
    check(
        |sources| {
            let overlay = overlay_of_a_gone_target("e");
            sources.overlays.insert("contacts".to_owned(), overlay);
        },
        "openapi/repairs/contacts.yaml action 1 ($.gone): has an x-evidence of another form",
    );
    check(
        |sources| {
            let paths = &mut sources.documents.get_mut("contacts").expect("contacts")["paths"];
            let operation = paths["/contacts/{contactId}"]["get"].clone();
            paths["/contacts/again/{contactId}"] = json!({"get": operation});
        },
        "contacts: contacts_get-contact: names two tools",
    );
}

/// The parts of an operation's review must agree with each other, and with the review of its twin.
#[test]
fn a_review_that_contradicts_itself_fails_by_name() {
    let keys = |stem: &'static str, table: &'static str, keys: &'static str| {
        move |sources: &mut Sources| {
            rewrite(
                sources,
                stem,
                &format!("[{table}]\n"),
                &format!("[{table}]\n{keys}\n"),
            );
        }
    };
    check(
        keys("contacts", "get-contact", "proves = true"),
        "GET /contacts/{contactId} proves: is given where no required argument names a location",
    );
    check(
        keys("locations", "put-location", "proves = true"),
        "PUT /locations/{locationId} proves: is given where only an agency's token is taken",
    );
    check(
        keys("contacts", "get-contact", "confirm = \"human\""),
        "GET /contacts/{contactId} confirm: is given for a read, which is never confirmed",
    );
    check(
        keys("contacts", "delete-contact", "additive = true"),
        "DELETE /contacts/{contactId} additive: is given for an effect that adds nothing, or takes away",
    );
    check(
        |sources| {
            let reason = "reason = \"reaches a person outside the account at once, cannot be called back, and may cost credits\"\n";
            rewrite(sources, "conversations", reason, "");
        },
        "POST /conversations/messages reason: is missing for an effect that the method does not show",
    );
    check(
        keys("contacts", "get-contact", "twin = \"contacts_gone\""),
        "contacts_get-contact twin: contacts_gone is not another operation",
    );
    check(
        keys("contacts", "get-contact", "twin = \"contacts_create-note\""),
        "contacts_get-contact twin: contacts_create-note differs in effect",
    );
    check(
        |sources| {
            rewrite(
                sources,
                "saas-api",
                "twin = \"saas-api_pause-location\"\n",
                "",
            );
        },
        "saas-api_pause-location-deprecated twin: is missing, although saas-api_pause-location is the same operation",
    );
}

#[test]
fn all_faults_are_reported_at_once() {
    let mut sources = sources();
    rewrite(&mut sources, "contacts", "[get-task]", "[get-task-gone]");
    let overlay = overlay_of_a_gone_target("docs#1");
    sources.overlays.insert("links".to_owned(), overlay);
    let errors = generate(&sources)
        .map(|_| ())
        .expect_err("wrong")
        .to_string();
    for part in [
        "$.gone",
        "[get-task-gone]",
        "has no title, description and effect",
    ] {
        assert!(errors.contains(part), "{part} is not in {errors}");
    }
}
