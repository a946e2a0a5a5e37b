//! HighLevel's verdicts on the tokens of connected locations: they tell a person which token to repair, and
//! where.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{Facts, Pipeline};
use crate::upstream::caller::Credential;
use crate::upstream::failure::FailureClass;
use crate::upstream::{Failure, Reply};
use state::vault::CredentialStatus;

/// Refusals within this time count together.
const WITHIN: Duration = Duration::from_secs(60);

/// HighLevel's status for a token that it does not know.
const UNAUTHORIZED: u16 = 401;

/// Credentials that HighLevel refused once recently.
#[derive(Default)]
pub(super) struct RefusedCredentials(Mutex<HashMap<String, Instant>>);

impl RefusedCredentials {
    /// Whether it was refused before, within a minute. A single refusal may be HighLevel's own
    /// mistake.
    fn is_second(&self, credential: &str, now: Instant) -> bool {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refused.retain(|_, before| now.duration_since(*before) <= WITHIN);
        refused.insert(credential.to_owned(), now).is_some()
    }
}

impl Pipeline {
    /// Records the status of a connected token, and adds to a refusal where to paste a new one. The caller is never
    /// sent to sign in again for it: the connection itself is still good.
    pub(super) fn note_connected(&self, facts: &Facts, replied: &mut Result<Reply, Failure>) {
        let (Some(sign_in), Some(configured)) = (&self.controls().sign_in, facts.configured())
        else {
            return;
        };
        let Some(stored) = &configured.stored else {
            return;
        };
        // The pair of an install is renewed, and judged by that.
        let is_pasted = matches!(facts.caller.credential, Credential::Token(_));
        let status = match replied {
            Ok(_) if stored.is_refused => CredentialStatus::Good,
            Err(failure)
                if failure.class == FailureClass::Auth && failure.status == Some(UNAUTHORIZED) =>
            {
                let page = sign_in.location(&stored.id);
                let again = match is_pasted {
                    true => "paste a new token",
                    false => "connect it again",
                };
                let remedy = format!(
                    "Have the person who connected {} {again} at {page}.",
                    configured.name
                );
                failure.remedy = Some(remedy.into_boxed_str());
                let is_second = || {
                    let refused = &self.0.refused_credentials;
                    refused.is_second(&stored.credential, Instant::now())
                };
                if stored.is_refused || !is_second() {
                    return;
                }
                CredentialStatus::Refused
            }
            _ => return,
        };
        if is_pasted {
            let set = sign_in.vault.set_status(&stored.credential, status);
            tokio::spawn(async move {
                if let Err(error) = set.await {
                    tracing::warn!(%error, "the status of a connected location was not written");
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_credential_is_refused_by_two_refusals_within_a_minute() {
        let refused = RefusedCredentials::default();
        let rows = [
            ("a", 0, false),
            ("b", 10, false),
            ("a", 20, true),
            ("b", 100, false),
            ("b", 159, true),
            ("a", 230, false),
        ];
        let start = Instant::now();
        for (credential, second, expected) in rows {
            let now = start + Duration::from_secs(second);
            assert_eq!(
                refused.is_second(credential, now),
                expected,
                "{credential} {second}"
            );
        }
        let held = refused.0.lock().expect("a lock");
        assert_eq!(held.len(), 1);
    }
}
