//! Asks the person at a client before a call is made, if the client supports it: by an answer that is a question (MRTR
//! of MCP 2026-07-28), or while the call waits (earlier versions).

use std::collections::BTreeMap;

use ::http::request::Parts;
use rmcp::model::{
    CallToolRequestParams, ElicitRequest, ElicitResult, ElicitationAction, InputRequest,
    InputRequiredResult, ProtocolVersion,
};
use rmcp::service::{RequestContext, RoleServer};

use super::questions::{self, abilities, elicit};
use crate::call::{ClientAbilities, ClientLine, ClientQuestion, Elicitation, Question};

/// The name of a question that is answered at the client.
const CONFIRM: &str = "confirm";

/// The name of a question that is answered at a page.
const APPROVE: &str = "approve";

/// Longest stored name of a client, in characters.
const LONGEST_NAME: usize = 80;

/// The question in the protocol's form. Its token returns as the request's state. It identifies the exact call and its
/// caller, so a manipulated state matches nothing.
pub(super) fn input_required(question: Question) -> InputRequiredResult {
    let name = match question.page {
        None => CONFIRM,
        Some(_) => APPROVE,
    };
    let asked = ClientQuestion {
        text: question.text,
        page: question.page,
    };
    let asked = ElicitRequest::new(elicit(asked, &question.token));
    let requests = BTreeMap::from([(name.to_owned(), InputRequest::Elicitation(asked))]);
    InputRequiredResult::new(Some(requests), Some(question.token))
}

/// The state of the person at the client: reachable, or with an answer.
pub(super) fn elicitation(
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Elicitation {
    answered(request, context, CONFIRM, |can| can.forms)
}

/// The same for a page that the client opens for its user.
pub(super) fn pages(
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Elicitation {
    answered(request, context, APPROVE, |can| can.pages)
}

/// Both, for a call over HTTP in a version whose client is asked during the call. The host has prepared the way,
/// because it remembers the handshake.
pub(super) fn over_http(parts: &Parts) -> (Elicitation, Elicitation) {
    let by = |can| reachable(laid(parts, can));
    (by(|can| can.forms), by(|can| can.pages))
}

/// The answer to the question of this name, which clients with the ability are asked.
fn answered(
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
    name: &str,
    can: fn(&ClientAbilities) -> bool,
) -> Elicitation {
    let recent = context
        .protocol_version()
        .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
    if !recent {
        return reachable(line(context, can));
    }
    if !declares(context, can) {
        return Elicitation::Unsupported;
    }
    let answers = request.input_responses.as_ref();
    let answer = answers.and_then(|answers| answers.get(name));
    match (answer, &request.request_state) {
        (Some(answer), Some(state)) => {
            match serde_json::from_value::<ElicitResult>(answer.clone()) {
                Ok(result) if result.action == ElicitationAction::Accept => {
                    Elicitation::Accepted(state.clone())
                }
                _ => Elicitation::Declined,
            }
        }
        _ => Elicitation::Supported,
    }
}

/// The way to the person while the call waits.
fn line(
    context: &RequestContext<RoleServer>,
    can: fn(&ClientAbilities) -> bool,
) -> Option<ClientLine> {
    match context.extensions.get::<Parts>() {
        Some(parts) => laid(parts, can),
        None => declares(context, can).then(|| questions::line(&context.peer)),
    }
}

fn reachable(line: Option<ClientLine>) -> Elicitation {
    line.map_or(Elicitation::Unsupported, Elicitation::Reachable)
}

fn laid(parts: &Parts, can: fn(&ClientAbilities) -> bool) -> Option<ClientLine> {
    let declared = parts.extensions.get::<ClientAbilities>();
    let line = parts.extensions.get::<ClientLine>();
    line.filter(|_| declared.is_some_and(can)).cloned()
}

fn declares(context: &RequestContext<RoleServer>, can: fn(&ClientAbilities) -> bool) -> bool {
    let declared = context.client_capabilities();
    declared.is_some_and(|declared| can(&abilities(&declared)))
}

/// Name and version of the client program, if it gives them.
pub(super) fn client(context: &RequestContext<RoleServer>) -> Option<String> {
    // Without sessions the library does not know older clients, and puts its own name there.
    let over_http = context.extensions.get::<Parts>().is_some();
    let info = match over_http {
        true => context.meta.client_info()?,
        false => context.client_info()?,
    };
    let named = format!("{} {}", info.name, info.version);
    let shown: String = named.chars().take(LONGEST_NAME).collect();
    let shown = shown.trim();
    (!shown.is_empty()).then(|| shown.to_owned())
}
