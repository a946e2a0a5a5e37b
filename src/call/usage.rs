//! Counts the requests of a call to HighLevel, by caller and location.

use std::sync::atomic::AtomicU32;

use super::{AccessRef, Facts, Pipeline, Principal};
use crate::upstream::{Failure, Reply};
use state::usage::{UsageCounts, UsageEntry};

/// All callers whose token HighLevel has not accepted: anybody can invent tokens, and each would be a row.
const UNKNOWN: &str = "token";

/// The purpose of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SendPurpose {
    /// The caller asked for it.
    Call,
    /// A further page, or a read that the server needs for a call.
    Beside,
}

/// The requests of one call or page. They are counted on drop, whatever the result.
pub(super) struct SendTally<'a> {
    pipeline: &'a Pipeline,
    facts: &'a Facts,
    principal: &'a Principal,
    purpose: SendPurpose,
    requests: AtomicU32,
    has_worked: bool,
}

impl<'a> SendTally<'a> {
    pub(super) fn new(
        pipeline: &'a Pipeline,
        facts: &'a Facts,
        principal: &'a Principal,
        purpose: SendPurpose,
    ) -> Self {
        Self {
            pipeline,
            facts,
            principal,
            purpose,
            requests: AtomicU32::new(0),
            has_worked: false,
        }
    }

    pub(super) fn requests(&self) -> &AtomicU32 {
        &self.requests
    }

    pub(super) fn replied(&mut self, replied: &Result<Reply, Failure>) {
        self.has_worked = replied.is_ok();
    }
}

impl Drop for SendTally<'_> {
    fn drop(&mut self) {
        let requests = *self.requests.get_mut();
        if requests > 0 {
            let calls = i64::from(self.purpose == SendPurpose::Call);
            let failed = if self.has_worked { 0 } else { calls };
            let counts = UsageCounts {
                calls,
                failed,
                requests: requests.into(),
            };
            self.pipeline
                .count_usage(self.facts, self.principal, counts);
        }
    }
}

impl Pipeline {
    fn count_usage(&self, facts: &Facts, principal: &Principal, counts: UsageCounts) {
        let Some(usage) = &self.controls().usage else {
            return;
        };
        let credential;
        let (kind, id) = match &principal.access {
            Some(access @ AccessRef::Key(_)) => ("key", access.id()),
            Some(access @ AccessRef::Grant(_)) => ("grant", access.id()),
            Some(access @ AccessRef::Console(_)) => ("person", access.id()),
            None if self.is_accepted(principal) => {
                credential = self.credential_name(&facts.caller.credential);
                credential
                    .split_once(':')
                    .map_or(("credential", ""), |(_, id)| ("credential", id))
            }
            None => (UNKNOWN, ""),
        };
        // A caller by token may name any location. It is counted there only once HighLevel has confirmed it.
        let location = facts.location.as_ref().filter(|location| {
            principal.kind.is_known() || self.transport().is_proven(&facts.caller, location)
        });
        usage.count(&UsageEntry {
            kind,
            id,
            location: location.map_or("", |location| location.as_str()),
            effect: facts.tool.effect.name(),
            counts,
        });
    }
}
