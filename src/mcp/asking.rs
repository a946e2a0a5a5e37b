//! Asks the person at a client before a call is made, where the client can ask: by an answer that is a question (MRTR of
//! MCP 2026-07-28), or while the call waits (the versions before).

use std::collections::BTreeMap;

use rmcp::model::{
    CallToolRequestParams, ElicitRequest, ElicitResult, ElicitationAction, InputRequest,
    InputRequiredResult, ProtocolVersion,
};
use rmcp::service::{RequestContext, RoleServer};

use super::questions::{self, form, has_forms};
use crate::call::{ClientLine, Elicitation, Question};

/// The name of the one question.
const CONFIRM: &str = "confirm";

/// Longest name of a client that is kept, in characters.
const LONGEST_NAME: usize = 80;

/// The question as the protocol puts it. Its token comes back as the request's state; it stands for the
/// exact call and its caller, so a state that was tampered with fits nothing.
pub(super) fn input_required(question: Question) -> InputRequiredResult {
    let asked = InputRequest::Elicitation(ElicitRequest::new(form(question.text)));
    let requests = BTreeMap::from([(CONFIRM.to_owned(), asked)]);
    InputRequiredResult::new(Some(requests), Some(question.token))
}

/// What is known of the person at the client: reachable, or what they answered.
pub(super) fn elicitation(
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Elicitation {
    let recent = context
        .protocol_version()
        .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
    if !recent {
        return line(context).map_or(Elicitation::Unsupported, Elicitation::Reachable);
    }
    if !shows_forms(context) {
        return Elicitation::Unsupported;
    }
    let answers = request.input_responses.as_ref();
    let answer = answers.and_then(|answers| answers.get(CONFIRM));
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

/// The way to the person while the call waits. Over HTTP the host has laid it, for it remembers the handshake.
fn line(context: &RequestContext<RoleServer>) -> Option<ClientLine> {
    match context.extensions.get::<http::request::Parts>() {
        Some(parts) => parts.extensions.get::<ClientLine>().cloned(),
        None => shows_forms(context).then(|| questions::line(&context.peer)),
    }
}

fn shows_forms(context: &RequestContext<RoleServer>) -> bool {
    let declared = context.client_capabilities();
    declared.is_some_and(|declared| has_forms(&declared))
}

/// Name and version of the client program, where it says them.
pub(super) fn client(context: &RequestContext<RoleServer>) -> Option<String> {
    // Without a session the library knows no older client, and stands in for it itself.
    let over_http = context.extensions.get::<http::request::Parts>().is_some();
    let info = match over_http {
        true => context.meta.client_info()?,
        false => context.client_info()?,
    };
    let named = format!("{} {}", info.name, info.version);
    let shown: String = named.chars().take(LONGEST_NAME).collect();
    let shown = shown.trim();
    (!shown.is_empty()).then(|| shown.to_owned())
}
