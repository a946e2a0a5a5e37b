//! Questions to the person at a client of versions before 2026-07-28, as requests of the server to its client.

use std::collections::BTreeMap;

use rmcp::model::{
    ClientCapabilities, ClientResult, ElicitRequest, ElicitRequestParams, ElicitationAction,
    ElicitationSchema, InitializeRequestParams, ServerRequest,
};
use rmcp::service::{Peer, PeerRequestOptions, RoleServer, ServiceError};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::call::{ClientAbilities, ClientAnswer, ClientLine, ClientQuestion, LONGEST_QUESTION};

/// The method by which a client is asked.
const ASK: &str = "elicitation/create";

/// A client's post that the host handles itself.
#[derive(Debug, PartialEq, Eq)]
pub enum PostedFrame {
    /// A handshake of a client whose user can be asked.
    Handshake(ClientAbilities),
    /// The answer to a question.
    Answer {
        id: String,
        word: String,
    },
    /// The end of a call that its client gave up, by its id in the client's notation.
    Withdrawal(String),
    Other,
}

/// The members of a frame that identify its kind.
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
                let hello = read.ok();
                let hello = hello.filter(|hello| hello.protocol_version.has_initialize());
                match hello.map(|hello| abilities(&hello.capabilities)) {
                    Some(can) if can != ClientAbilities::default() => Self::Handshake(can),
                    _ => Self::Other,
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
                    // Our ids are texts, so another id is none of ours.
                    id: id.unwrap_or_default(),
                    word,
                }
            }
            _ => Self::Other,
        }
    }
}

/// The ways in which the client can ask its user. A client that names neither has forms: the older way of declaring
/// them.
pub(super) fn abilities(declared: &ClientCapabilities) -> ClientAbilities {
    let elicitation = declared.elicitation.as_ref();
    elicitation.map_or(ClientAbilities::default(), |has| ClientAbilities {
        forms: has.form.is_some() || has.url.is_none(),
        pages: has.url.is_some(),
    })
}

/// The question in the protocol's form. `id` names it if it is answered at a page.
pub(super) fn elicit(question: ClientQuestion, id: &str) -> ElicitRequestParams {
    match question.page {
        None => form(question.text),
        Some(url) => ElicitRequestParams::UrlElicitationParams {
            meta: None,
            message: question.text,
            url,
            elicitation_id: id.to_owned(),
        },
    }
}

/// A form without fields: clients show its text with two buttons, yes and no.
fn form(text: String) -> ElicitRequestParams {
    ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: text,
        requested_schema: ElicitationSchema::new(BTreeMap::new()),
    }
}

/// The line to the person at a client over a connection of its own.
pub(super) fn line(peer: &Peer<RoleServer>) -> ClientLine {
    let peer = peer.clone();
    ClientLine::new(move |question| {
        let peer = peer.clone();
        Box::pin(async move { ask(&peer, question).await })
    })
}

async fn ask(peer: &Peer<RoleServer>, question: ClientQuestion) -> ClientAnswer {
    // The page is identified by its own address.
    let id = question.page.clone().unwrap_or_default();
    let request = ServerRequest::ElicitRequest(ElicitRequest::new(elicit(question, &id)));
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
pub fn question_frame(id: &str, question: &ClientQuestion) -> String {
    let text = &question.text;
    let params = match &question.page {
        None => {
            let form = json!({"type": "object", "properties": {}});
            json!({"message": text, "requestedSchema": form})
        }
        Some(page) => json!({"mode": "url", "elicitationId": id, "message": text, "url": page}),
    };
    json!({"jsonrpc": "2.0", "id": id, "method": ASK, "params": params}).to_string()
}

/// Nobody waits for the answer any more: the client may remove its question.
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
        let handshake = |forms, pages| PostedFrame::Handshake(ClientAbilities { forms, pages });
        let rows = [
            (hello("2025-06-18", forms), handshake(true, false)),
            (hello("2025-11-25", r#"{"elicitation":{"form":{},"url":{}}}"#), handshake(true, true)),
            (hello("2025-11-25", r#"{"elicitation":{"url":{}}}"#), handshake(false, true)),
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
