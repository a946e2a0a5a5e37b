//! Idempotency keys, used confirm tokens and the rows of one: what was answered is answered again, and nothing happens
//! twice.
//!
//! The store knows them, for a day and over restarts; HighLevel itself has no such keys.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Answer, confirm_token};
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use state::calls::{AnswerCopy, KnownCall, MOST_OF_PRINCIPAL, OnceKey, OnceKind};

/// How long a key is remembered.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// The mark of a used token outlives the token by so much: clocks of two processes may differ.
const LONGER: SignedDuration = SignedDuration::from_mins(10);

/// Said with every answer that was given before.
const BEFORE: &str = "answered before; nothing was sent again";

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct StoredAnswer {
    text: String,
    is_error: bool,
}

/// A key that a client made up: it may use the same text for another location or operation.
pub(super) fn client_key(
    principal: [u8; 32],
    (location, operation, key): (Option<&str>, &str, &str),
    call: &str,
    now: Timestamp,
) -> OnceKey {
    OnceKey {
        kind: OnceKind::Key,
        id: id(
            principal,
            &json!(["key", location, operation, key]).to_string(),
        ),
        principal,
        call: sha256(call),
        expires_at: now.checked_add(REMEMBERED).unwrap_or(now),
    }
}

/// The one run of a confirm token.
pub(super) fn confirm_key(principal: [u8; 32], token: &str, call: &str, now: Timestamp) -> OnceKey {
    let lasts = SignedDuration::from_secs(confirm_token::LASTS_SECONDS);
    OnceKey {
        kind: OnceKind::Confirm,
        id: id(principal, &json!(["confirm", token]).to_string()),
        principal,
        call: sha256(call),
        expires_at: now.checked_add(lasts + LONGER).unwrap_or(now),
    }
}

/// A row of what was confirmed. It is remembered for longer than the confirm is good.
pub(super) fn item_key(
    principal: [u8; 32],
    (prepared, index): ([u8; 32], usize),
    call: &str,
    now: Timestamp,
) -> OnceKey {
    let scope = json!(["item", state::hex(&prepared), index]).to_string();
    OnceKey {
        kind: OnceKind::Item,
        id: id(principal, &scope),
        principal,
        call: sha256(call),
        expires_at: now.checked_add(REMEMBERED).unwrap_or(now),
    }
}

/// Of a row only what failed is kept: a thousand answers of HighLevel's take room, and nobody is told them.
pub(super) fn kept_of_item(answer: &Answer) -> AnswerCopy {
    let text = match answer.is_error {
        true => answer.text.as_str(),
        false => "{}",
    };
    let short = Answer {
        is_error: answer.is_error,
        ..Answer::text(text.to_owned())
    };
    kept(&short)
}

/// As it is kept for whoever repeats the call.
pub(super) fn kept(answer: &Answer) -> AnswerCopy {
    let bytes = |text: &str| {
        let answer = StoredAnswer {
            text: text.to_owned(),
            is_error: answer.is_error,
        };
        serde_json::to_vec(&answer).unwrap_or_default()
    };
    AnswerCopy {
        whole: bytes(&answer.text),
        short: bytes(
            "{\"done\":true,\"withheld\":\"The answer was too large to keep; read the record.\"}",
        ),
    }
}

/// What is answered to a call of which this is known.
pub(super) fn known_answer(kind: OnceKind, known: KnownCall) -> Answer {
    let name = match kind {
        OnceKind::Confirm | OnceKind::Item => "confirm",
        OnceKind::Key => "idempotencyKey",
    };
    match known {
        KnownCall::Other => {
            let what = format!("Nothing was sent: this {name} was used with other arguments.");
            let failure = Failure::new(FailureClass::Refused, what);
            Answer::never_sent(&failure.with_remedy("Use a new key for another call."))
        }
        KnownCall::Done(bytes) => match serde_json::from_slice::<StoredAnswer>(&bytes) {
            Ok(kept) => Answer {
                is_error: kept.is_error,
                ..Answer::text(mark_repeated(&kept.text))
            },
            Err(_) => known_answer(kind, KnownCall::Unknown),
        },
        KnownCall::UnderWay => {
            let what =
                format!("Nothing was sent again: the call with this {name} is still under way.");
            // Of many rows the others wait for this one.
            let class = match kind {
                OnceKind::Item => FailureClass::RateLimited,
                _ => FailureClass::Refused,
            };
            let failure = Failure::new(class, what);
            Answer::never_sent(&failure.with_retry_after(Duration::from_secs(2)))
        }
        KnownCall::Unknown => {
            let what =
                format!("The call with this {name} was cut off: it may or may not have happened.");
            let remedy = match kind {
                OnceKind::Confirm | OnceKind::Item => {
                    "Read the record first; call again without confirm for a new preview."
                }
                OnceKind::Key => "Read the record first; take a new key to call again.",
            };
            let failure = Failure::new(FailureClass::UnknownOutcome, what);
            Answer::failed(&failure.with_remedy(remedy))
        }
    }
}

/// What is answered where no more keys are remembered.
pub(super) fn too_many_keys() -> Answer {
    let what = format!(
        "Nothing was sent: {MOST_OF_PRINCIPAL} idempotency keys of this caller are remembered, for a day each, or as many \
         rows of confirmed requests as may be."
    );
    let failure = Failure::new(FailureClass::RateLimited, what)
        .with_remedy("Leave idempotencyKey out where a call may happen twice, or come back later.");
    Answer::never_sent(&failure.with_retry_after(Duration::from_hours(1)))
}

/// Two principals never share one, whatever text they send.
fn id(principal: [u8; 32], scope: &str) -> [u8; 32] {
    sha256_bytes(&[&principal[..], scope.as_bytes()].concat())
}

fn sha256(text: &str) -> [u8; 32] {
    sha256_bytes(text.as_bytes())
}

fn sha256_bytes(bytes: &[u8]) -> [u8; 32] {
    let whole = digest(&SHA256, bytes);
    whole.as_ref().first_chunk().copied().unwrap_or_default()
}

fn mark_repeated(text: &str) -> String {
    match text.strip_suffix('}') {
        Some("{") | None => text.to_owned(),
        Some(open) => format!("{open},\"_repeated\":\"{BEFORE}\"}}"),
    }
}
