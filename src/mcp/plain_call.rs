//! Reads the plain form of a call and writes its answer, without the protocol library's service for one request.
//!
//! For each request that service tries one kind of message after another until one fits, and starts three tasks with
//! their channels: a third of the instructions of a call. Only calls with more than a name and arguments need it.

use ::http::Method;
use ::http::header::CONTENT_TYPE;
use ::http::request::Parts;
use rmcp::ErrorData;
use rmcp::model::{
    CallToolResponse, JsonObject, JsonRpcMessage, ProtocolVersion, RequestId, ServerJsonRpcMessage,
    ServerResult,
};
use serde::Deserialize;

const PROTOCOL_VERSION: &str = "mcp-protocol-version";

/// A request with a tool and its arguments, and nothing else: no answered question, no progress token, and no version
/// in which headers repeat parts of the body.
#[derive(Debug)]
pub struct PlainCall {
    pub(super) id: RequestId,
    pub(super) tool: String,
    pub(super) arguments: Option<JsonObject>,
}

/// A frame with exactly these members. A frame with others, or with one of these twice, is not plain.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainFrame<'a> {
    jsonrpc: &'a str,
    id: RequestId,
    method: &'a str,
    params: PlainParams,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainParams {
    name: String,
    #[serde(default)]
    arguments: Option<JsonObject>,
}

impl PlainCall {
    /// `None` for every other request: the library reads it, and reports its faults.
    pub fn read(parts: &Parts, body: &[u8]) -> Option<Self> {
        let header = |name: &str| parts.headers.get(name).map(|value| value.to_str().ok());
        let is_json = header(CONTENT_TYPE.as_str())?.is_some_and(|media| {
            let essence = media.split(';').next().unwrap_or_default();
            essence.trim().eq_ignore_ascii_case("application/json")
        });
        let is_before_meta = match header(PROTOCOL_VERSION) {
            None => true,
            Some(version) => ProtocolVersion::KNOWN_VERSIONS.iter().any(|known| {
                version == Some(known.as_str()) && *known < ProtocolVersion::STANDARD_HEADERS
            }),
        };
        if parts.method != Method::POST || !is_json || !is_before_meta {
            return None;
        }
        let frame: PlainFrame = serde_json::from_slice(body).ok()?;
        let PlainParams { name, arguments } = frame.params;
        (frame.jsonrpc == "2.0" && frame.method == "tools/call").then_some(Self {
            id: frame.id,
            tool: name,
            arguments,
        })
    }
}

/// The frame with the answer to the request of this id, as the library writes it for clients of these versions.
pub(super) fn answer_frame(
    id: RequestId,
    answer: Result<CallToolResponse, ErrorData>,
) -> serde_json::Result<Vec<u8>> {
    let frame: ServerJsonRpcMessage = match answer {
        Ok(response) => {
            let mut result = ServerResult::from(response);
            result.strip_result_type_for_legacy_peer();
            JsonRpcMessage::response(result, id)
        }
        Err(error) => JsonRpcMessage::error(error, Some(id)),
    };
    serde_json::to_vec(&frame)
}
