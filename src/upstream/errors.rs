//! Derives the cause from HighLevel's error answers: one row per known error, then one per status.

mod existing;
mod known;
mod phrase;

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION};
use secrecy::SecretString;

use crate::upstream::error_body::{UpstreamErrorBody, proxy, redact};
use crate::upstream::failure::{Failure, FailureClass, READ_FIRST, UNKNOWN};
use crate::upstream::rate_limit::{RateLimitHeaders, retry_after};
use known::{KnownError, UNKNOWN_TOKEN};
use tool::{Effect, TokenClass, Tool};

/// Wait if a 429 gives none: HighLevel counts in intervals of 10 seconds.
const USUAL_INTERVAL: Duration = Duration::from_secs(10);

/// A person's remedy if a token does not reach a location's data. A model can do nothing.
pub const CONNECT_LOCATION: &str = "An agency's token reaches no location's data, whatever its scopes. A person has to connect each location's own token: one made in that location under Settings, Private Integrations, by `highlevel-mcp locations add`; or the agency's installation of a Marketplace app, whose token is exchanged for those of its locations.";

/// What HighLevel's answer shows about the token that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenVerdict {
    /// HighLevel knows it, whether or not it may do this.
    Accepted,
    /// HighLevel does not know it.
    Unknown,
    /// Refused in unknown words, or before HighLevel looked at it: it does not count as accepted, but as an attempt.
    Doubtful,
    /// Nothing: HighLevel failed, or did not answer.
    Silent,
}

/// Operations that HighLevel answers whatever the token: their documents name none.
const PUBLIC: &[&str] = &["/chat-widget/public/config/{id}"];

impl TokenVerdict {
    /// By an answer's status, its message, and whether it is JSON.
    pub fn new(status: StatusCode, message: Option<&str>, is_json: bool) -> Self {
        let known = KnownError::find(status.as_u16(), None, message.as_slice());
        Self::with_known(status, known, is_json)
    }

    fn with_known(status: StatusCode, known: Option<&KnownError>, is_json: bool) -> Self {
        match status.as_u16() {
            401 if is_json => match known {
                Some(known) if known.class == FailureClass::Auth => Self::Unknown,
                Some(_) => Self::Accepted,
                None => Self::Doubtful,
            },
            // Too many calls of a location: HighLevel did not check the token, and it is not a failed attempt if the
            // token is valid.
            408 | 429 => Self::Silent,
            200..=299 | 400..=499 if is_json => Self::Accepted,
            400..=499 => Self::Doubtful,
            _ => Self::Silent,
        }
    }

    /// What an answer of `tool` can show: an answer that needs no token shows nothing about it.
    pub fn for_operation(self, tool: &Tool) -> Self {
        match self {
            Self::Accepted | Self::Unknown if PUBLIC.contains(&tool.path) => Self::Doubtful,
            verdict => verdict,
        }
    }
}

/// Interprets an answer other than 2xx.
pub fn judge(
    tool: &Tool,
    token: &SecretString,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> (Failure, TokenVerdict) {
    let said = UpstreamErrorBody::read(body, &[token]);
    let is_json = said.json;
    let known = KnownError::find(status.as_u16(), said.code.as_deref(), &said.sentences);
    let verdict = TokenVerdict::with_known(status, known, is_json);
    let mut failure = explain(tool, token, (status, headers), known, said);
    // A refusal because of the token or the limit comes before anything is done.
    failure.sent = match status.as_u16() {
        429 => false,
        401 | 403 => !is_json,
        _ => true,
    };
    (failure, verdict)
}

/// The failure of an answer other than 2xx.
pub fn classify_error(
    tool: &Tool,
    token: &SecretString,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Failure {
    judge(tool, token, status, headers, body).0
}

fn explain(
    tool: &Tool,
    token: &SecretString,
    (status, headers): (StatusCode, &HeaderMap),
    known: Option<&KnownError>,
    said: UpstreamErrorBody,
) -> Failure {
    let mut failure = match known {
        _ if said.html => proxy(lost(tool, status), status),
        // The cause of a failure at HighLevel does not show whether a write happened.
        Some(known) if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
            Failure::new(known.class, filled(known.sentence, tool))
                .with_remedy(filled(known.remedy, tool))
                .with_retry_after(known.wait_ms.map(Duration::from_millis))
        }
        _ if status == StatusCode::UNAUTHORIZED => {
            Failure::new(FailureClass::Auth, UNKNOWN_TOKEN.0).with_remedy(UNKNOWN_TOKEN.1)
        }
        _ => by_status(tool, token, status, headers),
    };
    if status == StatusCode::UNPROCESSABLE_ENTITY && !tool.idempotent && tool.effect != Effect::Read
    {
        let remedy = failure.remedy.take().unwrap_or_default();
        // A contact was created in spite of a 422 (highlevel-api-docs issue 64).
        let remedy =
            format!("{remedy} Look whether it was created all the same before you repeat it.");
        failure.remedy = Some(remedy.trim_start().into());
    }
    said.add_to(&mut failure, status);
    existing::name_existing(&mut failure, tool);
    failure.trace_id = failure.trace_id.or_else(|| trace_id(headers, token));
    failure
}

/// HighLevel's own id of a call, if a header has it.
pub fn trace_id(headers: &HeaderMap, token: &SecretString) -> Option<String> {
    header(headers, "x-trace-id", token)
}

fn filled(text: &str, tool: &Tool) -> String {
    let named = |names: &[&str], none: &str| match names {
        [] => none.to_owned(),
        names => names.join(" or "),
    };
    text.replace(
        "{scopes}",
        &named(tool.scopes, "that HighLevel names for it"),
    )
    .replace("{access}", &kinds(tool.access))
    .replace("{connect}", connect(tool.token))
    .replace(" {agency}", &agency(tool.token))
}

/// What else may be wrong with a token that lacks a scope.
fn agency(takes: TokenClass) -> String {
    match takes {
        TokenClass::Location => format!(" {CONNECT_LOCATION}"),
        _ => String::new(),
    }
}

/// How to get a token of the class `takes`.
fn connect(takes: TokenClass) -> &'static str {
    match takes {
        TokenClass::Location => CONNECT_LOCATION,
        TokenClass::Agency => {
            "A person has to connect a token of the agency, made in the agency's own Settings, Private Integrations."
        }
        TokenClass::Either | TokenClass::Unknown => {
            "A person has to connect another token: one made in the location itself, or one of the agency."
        }
    }
}

/// The kinds of token that HighLevel's security schemes mean.
fn kinds(access: &[&str]) -> String {
    let mut kinds: Vec<&str> = access
        .iter()
        .map(|scheme| match *scheme {
            "Agency-Access" => "a token of the agency",
            "Agency-Access-Only" => "an OAuth token of the agency",
            "Location-Access-Only" => "an OAuth token of the location",
            _ => "a token of the location",
        })
        .collect();
    kinds.dedup();
    if kinds.is_empty() {
        kinds.push("a token of another kind");
    }
    kinds.join(" or ")
}

/// What proxies answer if the server behind them took too long, or the client did not wait: the request may have arrived.
const GIVEN_UP: [u16; 2] = [408, 499];

/// After a 5xx, a redirect or an invalid answer, it is unknown whether a write happened: a redirect often leads to what
/// was made.
fn lost(tool: &Tool, status: StatusCode) -> FailureClass {
    // Who is told to send the same elsewhere did nothing here.
    let is_kept = matches!(
        status,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
    );
    let is_refusal = status.is_client_error() && !GIVEN_UP.contains(&status.as_u16());
    let is_answered = status.is_success() || is_refusal || is_kept;
    if !is_answered && tool.effect != Effect::Read {
        FailureClass::UnknownOutcome
    } else {
        FailureClass::Upstream
    }
}

fn by_status(
    tool: &Tool,
    token: &SecretString,
    status: StatusCode,
    headers: &HeaderMap,
) -> Failure {
    match status.as_u16() {
        400 | 422 => Failure::new(
            FailureClass::Invalid,
            "HighLevel does not accept these arguments.",
        )
        .with_remedy("Correct what the message names."),
        403 => Failure::new(
            FailureClass::Refused,
            "HighLevel refuses this to the token.",
        )
        .with_remedy("Check the token's scopes and its location."),
        404 => Failure::new(FailureClass::NotFound, "HighLevel has nothing there.")
            .with_remedy("Check the id, and that it belongs to this location."),
        409 => Failure::new(
            FailureClass::Duplicate,
            "This conflicts with what is there.",
        )
        .with_remedy("Read the record and decide anew."),
        429 => rate_limited(headers),
        300..400 => {
            let target = header(headers, LOCATION.as_str(), token);
            let host = target
                .and_then(|target| {
                    reqwest::Url::parse(&target)
                        .ok()?
                        .host_str()
                        .map(str::to_owned)
                })
                .map_or_else(String::new, |host| format!(" to {host}"));
            let what = format!("HighLevel redirects this call{host}, which is not followed");
            match lost(tool, status) {
                class @ FailureClass::UnknownOutcome => {
                    Failure::new(class, format!("{what}, and it {UNKNOWN}."))
                        .with_remedy(READ_FIRST)
                }
                class => {
                    Failure::new(class, format!("{what}.")).with_remedy("Check upstream.base_url.")
                }
            }
        }
        408 | 499 | ..200 | 500.. => match lost(tool, status) {
            FailureClass::UnknownOutcome => Failure::new(
                FailureClass::UnknownOutcome,
                "HighLevel failed, and it is not known whether this happened.",
            )
            .with_remedy(READ_FIRST),
            class => Failure::new(class, "HighLevel failed.")
                .with_remedy("This call only reads, it may be repeated."),
        },
        _ => Failure::new(
            FailureClass::Invalid,
            "HighLevel does not accept this call.",
        )
        .with_remedy("See the message."),
    }
}

fn rate_limited(headers: &HeaderMap) -> Failure {
    let reported = RateLimitHeaders::parse(headers);
    let asked = retry_after(headers);
    if reported.daily_remaining == Some(0) {
        let failure = Failure::new(
            FailureClass::RateLimited,
            "The calls of this day are used up for this location.",
        )
        .with_remedy("Go on tomorrow.");
        return failure.with_retry_after(asked);
    }
    let wait = asked.or(reported.interval).unwrap_or(USUAL_INTERVAL);
    Failure::new(
        FailureClass::RateLimited,
        "Too many calls at once for this location; nothing was done.",
    )
    .with_remedy(format!(
        "Wait {} seconds, then repeat the call.",
        wait.as_millis().div_ceil(1000)
    ))
    .with_retry_after(wait)
}

fn header(headers: &HeaderMap, name: &str, token: &SecretString) -> Option<String> {
    Some(redact(headers.get(name)?.to_str().ok()?, &[token]))
}

#[cfg(test)]
mod tests;
