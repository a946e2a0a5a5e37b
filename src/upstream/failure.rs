//! The reason that a call failed, in words that a model can act on.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

/// The end of a sentence about a write that may have happened.
pub(super) const UNKNOWN: &str = "is not known whether this happened";

/// What to do then.
pub(super) const READ_FIRST: &str =
    "Read the record to see whether the change is there before you repeat the call.";

/// A failed call. Its JSON is the client's answer, with the sentence first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    #[serde(rename = "error")]
    pub sentence: String,
    pub class: FailureClass,
    /// HighLevel's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(flatten)]
    pub details: Option<Box<ErrorDetails>>,
    /// HTTP status of HighLevel's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// HighLevel's own id of the call, for its support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Attempts beyond the first.
    #[serde(skip)]
    pub retries: u8,
    /// The request was sent, and HighLevel may have executed it.
    #[serde(skip)]
    pub sent: bool,
}

/// HighLevel's details of an error beside its message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorDetails {
    /// HighLevel's own error code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Facts, such as the existing record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Map<String, Value>>,
}

/// The kind of cause, which decides who can fix it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The token is not valid.
    Auth,
    /// The token lacks a scope.
    Scope,
    /// The token is of another class than the operation accepts.
    TokenClass,
    /// Another location than the caller's.
    Location,
    NotFound,
    /// Invalid arguments.
    Invalid,
    Duplicate,
    /// The contact asked not to be disturbed.
    Dnd,
    RateLimited,
    /// HighLevel, or the connection to it.
    Upstream,
    /// It may or may not have happened.
    UnknownOutcome,
    /// Somebody has to agree first.
    NeedsConfirmation,
    /// Not allowed for any caller.
    Refused,
}

impl Failure {
    pub fn new(class: FailureClass, sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            class,
            message: None,
            details: None,
            status: None,
            trace_id: None,
            remedy: None,
            retry_after_ms: None,
            retries: 0,
            sent: false,
        }
    }

    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into().into_boxed_str());
        self
    }

    /// Rounded up: a client that comes back a moment too early waits again. `None` if unknown.
    pub fn with_retry_after(mut self, wait: impl Into<Option<Duration>>) -> Self {
        let wait = wait.into();
        self.retry_after_ms = wait.and_then(|wait| wait.as_micros().div_ceil(1000).try_into().ok());
        self
    }

    /// Whether provably nothing happened: the request was never sent, or HighLevel refused it because of the token or
    /// the limit.
    pub fn not_executed(&self) -> bool {
        !self.sent && self.class != FailureClass::UnknownOutcome
    }

    /// One compact JSON object.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| self.sentence.clone())
    }
}

impl FailureClass {
    /// Its name in JSON and in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Scope => "scope",
            Self::TokenClass => "token_class",
            Self::Location => "location",
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::Duplicate => "duplicate",
            Self::Dnd => "dnd",
            Self::RateLimited => "rate_limited",
            Self::Upstream => "upstream",
            Self::UnknownOutcome => "unknown_outcome",
            Self::NeedsConfirmation => "needs_confirmation",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Failure {}
