//! HighLevel's message in a refusal, for any shape of the answer.

use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::catalog::decoding::from_json;
use crate::catalog::masking::mask_secrets;
use crate::upstream::failure::{ErrorDetails, Failure, FailureClass, READ_FIRST, UNKNOWN};

/// Longest message of HighLevel's that is passed on, in characters.
pub(super) const LONGEST_MESSAGE: usize = 1000;

/// Largest `meta` that is passed on, in bytes of JSON.
pub(super) const LARGEST_META: usize = 1024;

/// Longest `code` that is passed on, in characters.
const LONGEST_CODE: usize = 100;

/// Most sentences of a list that are passed on.
const MOST_SENTENCES: usize = 20;

/// Lists of faults may be nested; nobody nests them deeper than this.
const DEEPEST: usize = 6;

/// The members with a sentence, the most informative first.
const SENTENCES: [&str; 6] = [
    "message",
    "error_description",
    "error",
    "msg",
    "description",
    "detail",
];

/// The members with lists of faults, beside the sentence.
const LISTS: [&str; 5] = ["errors", "details", "validationErrors", "issues", "data"];

/// The members that name the subject of a fault.
const SUBJECTS: [&str; 4] = ["property", "field", "path", "param"];

/// An error answer, without the secrets that it repeats.
#[derive(Debug, Default)]
pub(super) struct UpstreamErrorBody {
    pub message: Option<String>,
    /// The complete sentences of the message. The meaning of an error is derived from these.
    pub sentences: Vec<String>,
    /// OAuth's own error code; empty if there is none.
    pub oauth_code: String,
    /// HighLevel's own error code, such as `OPPORTUNITY_NO_DUPLICATE`.
    pub code: Option<String>,
    /// Facts about the error, such as the existing record.
    pub meta: Option<Map<String, Value>>,
    pub trace_id: Option<String>,
    /// It comes from a proxy in front of HighLevel, not from its API.
    pub html: bool,
    /// It is JSON, and so comes from HighLevel's API.
    pub json: bool,
}

impl UpstreamErrorBody {
    pub(super) fn read(body: &[u8], secrets: &[&SecretString]) -> Self {
        let Ok(json) = from_json::<Value>(body) else {
            return Self::of_text(&String::from_utf8_lossy(body), secrets);
        };
        let text = |key: &str| json.get(key).and_then(Value::as_str).map(str::to_owned);
        let mut sentences = Vec::new();
        collect_sentences(&json, 0, &mut sentences);
        let message = match sentences.is_empty() {
            true => SENTENCES
                .iter()
                .find_map(|key| json.get(key))
                .filter(|value| !value.is_null())
                .map(|value| match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                }),
            false => Some(sentences.join("; ")),
        };
        let nested = ["error", "message"]
            .iter()
            .find_map(|key| json.get(key).filter(|value| value.is_object()));
        let found = |key: &str| {
            json.get(key)
                .or_else(|| nested.and_then(|one| one.get(key)))
        };
        Self {
            message: message.map(|message| redact(&message, secrets)),
            sentences,
            oauth_code: text("error").unwrap_or_default(),
            code: ["canonicalCode", "code"]
                .iter()
                .find_map(|key| found(key).and_then(Value::as_str))
                .filter(|code| !code.is_empty())
                .map(|code| without(code, secrets).chars().take(LONGEST_CODE).collect()),
            meta: found("meta").and_then(|meta| bounded(meta, secrets)),
            trace_id: text("traceId").map(|id| redact(&id, secrets)),
            html: false,
            json: true,
        }
    }

    fn of_text(text: &str, secrets: &[&SecretString]) -> Self {
        let text = text.trim();
        let html = text.starts_with('<');
        let sentence = if html { title(text) } else { Some(text) };
        let sentence = sentence.filter(|sentence| !sentence.is_empty());
        Self {
            message: sentence.map(|sentence| redact(sentence, secrets)),
            sentences: sentence.map(str::to_owned).into_iter().collect(),
            html,
            ..Self::default()
        }
    }

    /// Adds message, code, facts and trace id to a failure of this status.
    pub(super) fn add_to(self, failure: &mut Failure, status: StatusCode) {
        failure.status = Some(status.as_u16());
        failure.message = self.message;
        let details = ErrorDetails {
            code: self.code,
            meta: self.meta,
        };
        let is_empty = details.code.is_none() && details.meta.is_none();
        failure.details = (!is_empty).then(|| Box::new(details));
        failure.trace_id = self.trace_id;
    }
}

/// An HTML page in place of an answer.
pub(super) fn proxy(class: FailureClass, status: StatusCode) -> Failure {
    let unknown = match class {
        FailureClass::UnknownOutcome => format!(", and it {UNKNOWN}"),
        _ => String::new(),
    };
    let sentence = format!(
        "A proxy before HighLevel answered {} with a page of HTML{unknown}.",
        status.as_u16()
    );
    let remedy = match status {
        _ if class == FailureClass::UnknownOutcome => READ_FIRST,
        StatusCode::FORBIDDEN => {
            "The address or the client is blocked there (Cloudflare 1010 names the User-Agent)."
        }
        _ => "Try again later.",
    };
    Failure::new(class, sentence).with_remedy(remedy)
}

/// A text of HighLevel's, up to the maximum length.
pub(super) fn redact(text: &str, secrets: &[&SecretString]) -> String {
    without(text, secrets)
        .chars()
        .take(LONGEST_MESSAGE)
        .collect()
}

fn without(text: &str, secrets: &[&SecretString]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().map(|secret| secret.expose_secret()) {
        if !secret.is_empty() {
            text = text.replace(secret, "[a secret]");
        }
    }
    text
}

/// The sentences of an error: a text, a list of texts, or an object with a text under a usual name, and its lists of
/// faults.
fn collect_sentences(value: &Value, depth: usize, sentences: &mut Vec<String>) {
    if depth > DEEPEST || sentences.len() >= MOST_SENTENCES {
        return;
    }
    match value {
        Value::String(text) => {
            let text = text.trim();
            if !text.is_empty() && !sentences.iter().any(|one| one == text) {
                sentences.push(text.to_owned());
            }
        }
        Value::Array(items) => {
            for item in items {
                collect_sentences(item, depth + 1, sentences);
            }
        }
        Value::Object(fields) => collect_fault(fields, depth, sentences),
        _ => {}
    }
}

fn collect_fault(fields: &Map<String, Value>, depth: usize, sentences: &mut Vec<String>) {
    let start = sentences.len();
    // One of them is enough: `error` beside a message is only the status in words.
    for value in SENTENCES.iter().filter_map(|key| fields.get(*key)) {
        collect_sentences(value, depth + 1, sentences);
        if sentences.len() > start {
            break;
        }
    }
    // The form of class-validator: the faults of one property, by kind.
    if let Some(Value::Object(constraints)) = fields.get("constraints") {
        for constraint in constraints.values() {
            collect_sentences(constraint, depth + 1, sentences);
        }
    } else if let Some(subject) = SUBJECTS.iter().find_map(|key| fields.get(*key))
        && let Some(subject) = subject_text(subject)
        && let [one] = sentences.get_mut(start..).unwrap_or_default()
        && !one.contains(&subject)
    {
        *one = format!("{subject}: {one}");
    }
    for value in LISTS
        .iter()
        .chain(&["children"])
        .filter_map(|key| fields.get(*key))
    {
        // A single text may be anything, such as a stack trace.
        if value.is_array() || (value.is_object() && sentences.len() == start) {
            collect_sentences(value, depth + 1, sentences);
        }
    }
}

/// A name, or the path of a field as a list of names and indexes.
fn subject_text(subject: &Value) -> Option<String> {
    match subject {
        Value::String(name) if !name.is_empty() => Some(name.clone()),
        Value::Array(steps) if !steps.is_empty() => {
            let steps = steps.iter().map(|step| match step {
                Value::String(step) => step.clone(),
                other => other.to_string(),
            });
            Some(Vec::from_iter(steps).join("."))
        }
        _ => None,
    }
}

/// `meta` without secrets, up to the maximum size.
fn bounded(meta: &Value, secrets: &[&SecretString]) -> Option<Map<String, Value>> {
    let fields = meta.as_object()?;
    let mut size = 2;
    let mut kept = Map::new();
    for (name, value) in fields {
        // With its name, because names show what is a secret.
        let text = mask_secrets(serde_json::json!({ name: value }).to_string());
        let text = without(&text, secrets);
        if size + text.len() > LARGEST_META {
            continue;
        }
        if let Ok(Value::Object(field)) = serde_json::from_str(&text) {
            size += text.len();
            kept.extend(field);
        }
    }
    (!kept.is_empty()).then_some(kept)
}

fn title(html: &str) -> Option<&str> {
    let start = html.find("<title>")? + "<title>".len();
    let text = html.get(start..)?;
    text.get(..text.find('<')?).map(str::trim)
}

#[cfg(test)]
mod tests;
