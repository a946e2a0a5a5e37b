//! The effects of each operation on the records; other operations answer from their document alone.

mod blogs;
mod calendars;
mod catalogue;
mod contact_check;
mod contact_fields;
mod contact_filters;
mod contact_search;
mod contact_tags;
mod contacts;
mod conversations;
mod enrolments;
mod field_test;
mod followers;
mod found_records;
mod free_slots;
mod invoices;
mod links;
mod locations;
mod medias;
mod messages;
mod oauth;
mod opportunities;
mod opportunity_filters;
mod payments;
mod records;
mod social;
mod users;

pub(crate) use contacts::complete as complete_contact;
pub(crate) use conversations::fresh as fresh_conversation;
pub(crate) use links::link_key;
pub(crate) use messages::{deliver_replies, keep as keep_message, message};

use serde_json::Value;

use super::call::SandboxCall;
use super::marketplace::{APP, Marketplace, location_made, uninstall};
use super::refusal::Refusal;
use super::state::{RecordKind, Records};
use super::tokens::KnownTokens;

/// Performs the operation. `None`: the sandbox keeps no records for it.
pub(crate) fn answer(
    state: &mut Records,
    tokens: &mut KnownTokens,
    marketplace: &mut Marketplace,
    call: &SandboxCall,
) -> Result<Option<Value>, Refusal> {
    let key = call.operation.key.as_str();
    if key.contains(" /oauth/") {
        return oauth::answer(state, tokens, marketplace, call).transpose();
    }
    if key == "DELETE /marketplace/app/{appId}/installations" && call.path("appId") == APP {
        let own = &call.token;
        let company = Some(own.company.as_str());
        let location = Some(call.location()).filter(|location| !location.is_empty());
        let gone = uninstall(state, tokens, marketplace, location, company, call.now);
        return Ok(Some(serde_json::json!({"success": gone})));
    }
    let found = match call.operation.document {
        "blogs" => blogs::answer(state, call),
        "calendars" => calendars::answer(state, call),
        "campaigns" => enrolments::answer(state, call),
        "contacts" => contacts::answer(state, call)
            .or_else(|| contact_tags::answer(state, call))
            .or_else(|| enrolments::answer(state, call)),
        "conversations" => {
            conversations::answer(state, call).or_else(|| messages::answer(state, call))
        }
        "invoices" => invoices::answer(state, call),
        "links" => links::answer(state, call),
        "locations" => locations::answer(state, call),
        "medias" => medias::answer(state, call),
        "opportunities" => opportunities::answer(state, call),
        "payments" => payments::answer(state, call),
        "products" | "forms" | "surveys" => catalogue::answer(state, call),
        "social-media-posting" => social::answer(state, call),
        "users" => users::answer(state, call),
        _ => None,
    };
    let found = found
        .or_else(|| followers::answer(state, call))
        .or_else(|| records::answer(state, call));
    match &found {
        None => known(state, call)?,
        Some(Ok(made)) if key == "POST /locations/" => {
            let id = made["id"].as_str().unwrap_or_default();
            location_made(state, marketplace, &call.token.company, id, call.now);
        }
        Some(_) => {}
    }
    found.transpose()
}

/// For an operation without records: every record of a known kind in its path must exist.
fn known(state: &Records, call: &SandboxCall) -> Result<(), Refusal> {
    const KINDS: [(&str, RecordKind); 8] = [
        ("contactId", "contact"),
        ("conversationId", "conversation"),
        ("calendarId", "calendar"),
        ("groupId", "group"),
        ("locationId", "location"),
        ("userId", "user"),
        ("productId", "product"),
        ("invoiceId", "invoice"),
    ];
    for (name, kind) in KINDS {
        let id = call.path(name);
        if !id.is_empty() {
            call.record(state, kind, id)?;
        }
    }
    Ok(())
}
