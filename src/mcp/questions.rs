//! Questions to the person at a client of the versions before 2026-07-28, as requests of the server to its client.

use std::collections::BTreeMap;

use rmcp::model::{
    ClientCapabilities, ClientResult, ElicitRequest, ElicitRequestParams, ElicitationAction,
    ElicitationSchema, InitializeRequestParams, ServerRequest,
};
use rmcp::service::{Peer, PeerRequestOptions, RoleServer, ServiceError};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::call::{ClientAnswer, ClientLine, LONGEST_QUESTION};

/// The one method by which a client is asked.
const ASK: &str = "elicitation/create";

/// What a client posts that is more to the host than a request to hand on.
#[derive(Debug, PartialEq, Eq)]
pub enum PostedFrame {
    /// A handshake of a client whose user can be asked by forms.
    Handshake,
    /// What came of a question.
    Answer {
        id: String,
        word: String,
    },
    /// That a call is given up, by its id as the client writes it.
    Withdrawal(String),
    Other,
}

/// The members of a frame, as far as they tell what it is.
#[derive(Deserialize)]
struct FrameMembers<'a> {
    method: Option<String>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WithdrawalMembers<'a> {
    #[serde(borrow)]
    request_id: &'a RawValue,
}

#[derive(Deserialize)]
struct AnswerMembers {
    action: String,
}

impl PostedFrame {
    pub fn read(body: &[u8]) -> Self {
        let Ok(frame) = serde_json::from_slice::<FrameMembers>(body) else {
            return Self::Other;
        };
        match (frame.method.as_deref(), frame.params) {
            (Some("initialize"), Some(params)) => {
                let read = serde_json::from_str::<InitializeRequestParams>(params.get());
                let can_ask = |hello: InitializeRequestParams| {
                    hello.protocol_version.has_initialize() && has_forms(&hello.capabilities)
                };
                match read.is_ok_and(can_ask) {
                    true => Self::Handshake,
                    false => Self::Other,
                }
            }
            (Some("notifications/cancelled"), Some(params)) => {
                match serde_json::from_str::<WithdrawalMembers>(params.get()) {
                    Ok(withdrawn) => Self::Withdrawal(withdrawn.request_id.get().to_owned()),
                    Err(_) => Self::Other,
                }
            }
            (None, _) if frame.result.is_some() || frame.error.is_some() => {
                let id = frame.id.and_then(|id| serde_json::from_str(id.get()).ok());
                let answer = frame
                    .result
                    .map(|result| serde_json::from_str(result.get()));
                let word = match answer {
                    Some(Ok(AnswerMembers { action })) => action,
                    // An error: the client did not ask.
                    _ => "error".to_owned(),
                };
                Self::Answer {
                    // An id that is no text is none of ours.
                    id: id.unwrap_or_default(),
                    word,
                }
            }
            _ => Self::Other,
        }
    }
}

/// Whether the client shows forms to its user. One that names neither form has forms: the older way of declaring them.
pub(super) fn has_forms(declared: &ClientCapabilities) -> bool {
    let elicitation = declared.elicitation.as_ref();
    elicitation.is_some_and(|has| has.form.is_some() || has.url.is_none())
}

/// A form without fields: clients show its text and two buttons, yes and no.
pub(super) fn form(text: String) -> ElicitRequestParams {
    ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: text,
        requested_schema: ElicitationSchema::new(BTreeMap::new()),
    }
}

/// The way to the person at a client over a connection of its own.
pub(super) fn line(peer: &Peer<RoleServer>) -> ClientLine {
    let peer = peer.clone();
    ClientLine::new(move |text| {
        let peer = peer.clone();
        Box::pin(async move { ask(&peer, text).await })
    })
}

async fn ask(peer: &Peer<RoleServer>, text: String) -> ClientAnswer {
    let request = ServerRequest::ElicitRequest(ElicitRequest::new(form(text)));
    let options = PeerRequestOptions::with_timeout(LONGEST_QUESTION);
    let asked = async {
        let handle = peer.send_request_with_option(request, options).await?;
        handle.await_response().await
    };
    match asked.await {
        Ok(ClientResult::ElicitResult(result)) => ClientAnswer::parse(match result.action {
            ElicitationAction::Accept => "accept",
            ElicitationAction::Decline => "decline",
            ElicitationAction::Cancel => "cancel",
            _ => "error",
        }),
        Err(ServiceError::Timeout { .. }) => ClientAnswer::LATE,
        Err(ServiceError::TransportClosed) => ClientAnswer::GONE,
        Ok(_) | Err(_) => ClientAnswer::parse("error"),
    }
}

/// The same question as a frame, under an id of the host's.
pub fn question_frame(id: &str, text: &str) -> String {
    let form = json!({"type": "object", "properties": {}});
    let params = json!({"message": text, "requestedSchema": form});
    json!({"jsonrpc": "2.0", "id": id, "method": ASK, "params": params}).to_string()
}

/// Nobody waits for the answer any more: the client may take its question away.
pub fn withdrawal_frame(id: &str) -> String {
    let params = json!({"requestId": id, "reason": "The call has ended."});
    json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_a_handshake_an_answer_or_none_of_ours() {
        let answer = |id: &str, word: &str| PostedFrame::Answer {
            id: id.to_owned(),
            word: word.to_owned(),
        };
        let hello = |version: &str, capabilities: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"{version}","capabilities":{capabilities},"clientInfo":{{"name":"c","version":"1"}}}}}}"#
            )
        };
        let forms = r#"{"elicitation":{}}"#;
        let rows = [
            (hello("2025-06-18", forms), PostedFrame::Handshake),
            (hello("2025-11-25", r#"{"elicitation":{"form":{},"url":{}}}"#), PostedFrame::Handshake),
            (hello("2025-11-25", r#"{"elicitation":{"url":{}}}"#), PostedFrame::Other),
            (hello("2025-11-25", r#"{"roots":{}}"#), PostedFrame::Other),
            (hello("2026-07-28", forms), PostedFrame::Other),
            (r#"{"jsonrpc":"2.0","id":"a","result":{"action":"accept","content":{}}}"#.to_owned(), answer("a", "accept")),
            (r#"{"result":{"action":"cancel"},"id":"a","jsonrpc":"2.0"}"#.to_owned(), answer("a", "cancel")),
            (r#"{"jsonrpc":"2.0","id":"a","result":{}}"#.to_owned(), answer("a", "error")),
            (r#"{"jsonrpc":"2.0","id":"a","error":{"code":-32601,"message":"no"}}"#.to_owned(), answer("a", "error")),
            (r#"{"jsonrpc":"2.0","id":7,"result":{"action":"accept"}}"#.to_owned(), answer("", "accept")),
            (r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"result":{"action":"accept"}}}"#.to_owned(), PostedFrame::Other),
            (r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7,"reason":"late"}}"#.to_owned(), PostedFrame::Withdrawal("7".to_owned())),
            (r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}"#.to_owned(), PostedFrame::Withdrawal("\"a\"".to_owned())),
            (r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{}}"#.to_owned(), PostedFrame::Other),
            ("{".to_owned(), PostedFrame::Other),
            ("[]".to_owned(), PostedFrame::Other),
        ];
        for (frame, expected) in rows {
            assert_eq!(PostedFrame::read(frame.as_bytes()), expected, "{frame}");
        }
    }
}
