//! What HighLevel says where it refuses, whatever the shape of the answer.

use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::catalog::decoding::from_json;
use crate::upstream::failure::{Failure, FailureClass};

/// Longest message of HighLevel's that is passed on, in characters.
pub(super) const LONGEST_MESSAGE: usize = 1000;

/// An error answer, without the secrets that it repeats.
#[derive(Debug, Default)]
pub(super) struct UpstreamErrorBody {
    pub message: Option<String>,
    /// OAuth's own word for what is wrong; empty where there is none.
    pub code: String,
    pub trace_id: Option<String>,
    /// It comes from what stands before HighLevel, not from its API.
    pub html: bool,
    /// It is JSON, and so comes from HighLevel's API.
    pub json: bool,
}

impl UpstreamErrorBody {
    pub(super) fn read(body: &[u8], secrets: &[&SecretString]) -> Self {
        let Ok(json) = from_json::<Value>(body) else {
            let text = String::from_utf8_lossy(body);
            let text = text.trim();
            let html = text.starts_with('<');
            let told = if html { title(text) } else { Some(text) };
            return Self {
                message: told
                    .filter(|told| !told.is_empty())
                    .map(|told| redact(told, secrets)),
                html,
                ..Self::default()
            };
        };
        let told = ["message", "error_description", "error", "msg"]
            .iter()
            .filter_map(|key| json.get(key))
            .find(|value| !value.is_null());
        let text = |key: &str| json.get(key).and_then(Value::as_str).map(str::to_owned);
        Self {
            message: told.map(|told| redact(&sentence(told), secrets)),
            code: text("error").unwrap_or_default(),
            trace_id: text("traceId").map(|id| redact(&id, secrets)),
            html: false,
            json: true,
        }
    }

    /// Message and trace id into a failure of this status.
    pub(super) fn add_to(self, failure: &mut Failure, status: StatusCode) {
        failure.status = Some(status.as_u16());
        failure.message = self.message;
        failure.trace_id = self.trace_id;
    }
}

/// A page of HTML in place of an answer.
pub(super) fn proxy(class: FailureClass, status: StatusCode) -> Failure {
    let sentence = format!(
        "A proxy before HighLevel answered {} with a page of HTML.",
        status.as_u16()
    );
    let remedy = match status {
        StatusCode::FORBIDDEN => {
            "The address or the client is blocked there (Cloudflare 1010 names the User-Agent)."
        }
        _ => "Try again later.",
    };
    Failure::new(class, sentence).with_remedy(remedy)
}

/// Some text of HighLevel's, no longer than may be told.
pub(super) fn redact(text: &str, secrets: &[&SecretString]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().map(|secret| secret.expose_secret()) {
        if !secret.is_empty() {
            text = text.replace(secret, "[a secret]");
        }
    }
    text.chars().take(LONGEST_MESSAGE).collect()
}

/// A message is a text, a list of texts, or an object.
fn sentence(message: &Value) -> String {
    match message {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(sentence).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    }
}

fn title(html: &str) -> Option<&str> {
    let start = html.find("<title>")? + "<title>".len();
    let text = html.get(start..)?;
    text.get(..text.find('<')?).map(str::trim)
}
