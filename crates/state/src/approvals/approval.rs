//! One approval: what stands in its file, and what that means at a time.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::NewApproval;
use super::preview::cut_preview;
use crate::{StoreError, random};

const PREFIX: &str = "apr_";

/// Of a handle, behind the prefix: 15 random bytes, which nobody guesses.
const HANDLE_LENGTH: usize = 20;

/// After so long files go.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A call that has been running for longer is taken for one whose process died.
const LONGEST_RUN: SignedDuration = SignedDuration::from_mins(10);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    pub handle: String,
    pub digest: String,
    pub tool: String,
    pub effect: String,
    pub location: Option<String>,
    pub alias: Option<String>,
    pub who: String,
    pub preview: Value,
    pub created: Timestamp,
    pub expires: Timestamp,
    pub state: ApprovalState,
    pub decided_at: Option<Timestamp>,
    pub decided_by: Option<String>,
    pub note: Option<String>,
    pub claimed_at: Option<Timestamp>,
    /// The answer of its one run, for those who ask again.
    pub outcome: Option<String>,
    /// Whether that answer was an error.
    #[serde(default)]
    pub is_error: bool,
    /// Every location that the call touches.
    #[serde(default)]
    pub locations: Vec<LocationCount>,
}

/// How often a call touches a location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocationCount {
    /// Its alias, or its id where it is none of the server's own.
    pub location: String,
    pub calls: usize,
}

/// What decides how long an approval waits and its file is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    pub created: Timestamp,
    pub expires: Timestamp,
    pub state: ApprovalState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    Pending,
    Approved,
    Denied,
    /// Claimed, and without an outcome.
    Running,
    Done,
    /// Nobody decided, or ran it, in time. Written once that was seen: a clock that is put back revives nothing.
    Expired,
}

/// What a client's handle is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    Pending,
    Denied {
        note: Option<String>,
    },
    Expired,
    /// It was given for another call.
    Other,
    /// There is none such, or none any more.
    Missing,
    /// Make the call, and `finish`. Given once, to one.
    Run,
    /// Another has claimed it a short while ago.
    Running,
    /// It was claimed and never finished: it may or may not have happened.
    Unknown,
    /// It was made; the answer.
    Done {
        outcome: String,
        is_error: bool,
    },
}

impl Approval {
    pub(super) fn new(new: &NewApproval, now: Timestamp) -> Result<Self, StoreError> {
        let expires = now.checked_add(new.lasts).map_err(|error| {
            StoreError::from(format!(
                "the approval would last too long: {error}; set a shorter time"
            ))
        })?;
        Ok(Self {
            handle: format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random::<15>()?)),
            digest: new.digest.clone(),
            tool: new.tool.clone(),
            effect: new.effect.clone(),
            location: new.location.clone(),
            alias: new.alias.clone(),
            who: new.who.clone(),
            preview: cut_preview(&new.preview),
            created: now,
            expires,
            state: ApprovalState::Pending,
            decided_at: None,
            decided_by: None,
            note: None,
            claimed_at: None,
            outcome: None,
            is_error: false,
            locations: new.locations.clone(),
        })
    }

    /// Whether nobody decided in time, or nobody ran it in time.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.lifetime().has_expired(now)
    }

    pub(super) fn lifetime(&self) -> Lifetime {
        Lifetime {
            created: self.created,
            expires: self.expires,
            state: self.state,
        }
    }

    pub(super) fn undecidable(&self, now: Timestamp) -> Option<String> {
        if self.has_expired(now) {
            return Some(format!(
                "expired at {:.0}; its client must ask again",
                self.expires
            ));
        }
        let was = match self.state {
            ApprovalState::Pending => return None,
            ApprovalState::Denied => "denied",
            ApprovalState::Expired => "expired",
            ApprovalState::Approved | ApprovalState::Running | ApprovalState::Done => "approved",
        };
        let by = self.decided_by.as_deref().unwrap_or("somebody");
        Some(format!("was {was} already, by {by}; that stays"))
    }

    pub(super) fn claim(&self, digest: &str, now: Timestamp) -> Claim {
        if self.digest != digest {
            return Claim::Other;
        }
        if self.has_expired(now) {
            return Claim::Expired;
        }
        match self.state {
            ApprovalState::Pending => Claim::Pending,
            ApprovalState::Denied => Claim::Denied {
                note: self.note.clone(),
            },
            ApprovalState::Approved => Claim::Run,
            ApprovalState::Running => match self.claimed_at {
                Some(claimed) if now.duration_since(claimed) < LONGEST_RUN => Claim::Running,
                _ => Claim::Unknown,
            },
            ApprovalState::Done => Claim::Done {
                outcome: self.outcome.clone().unwrap_or_default(),
                is_error: self.is_error,
            },
            ApprovalState::Expired => Claim::Expired,
        }
    }
}

impl Lifetime {
    /// Whether nobody decided in time, or nobody ran it in time.
    pub fn has_expired(self, now: Timestamp) -> bool {
        self.state == ApprovalState::Expired || self.may_wait() && self.expires <= now
    }

    /// For a person, or for its client to come back.
    pub fn waits(self, now: Timestamp) -> bool {
        self.may_wait() && now < self.expires
    }

    /// Its time is up, and its file does not say so yet.
    pub fn is_to_expire(self, now: Timestamp) -> bool {
        self.may_wait() && self.expires <= now
    }

    /// Nobody will ask for it any more.
    pub fn is_over(self, now: Timestamp) -> bool {
        !self.waits(now) && now.duration_since(self.created) > KEPT
    }

    fn may_wait(self) -> bool {
        matches!(self.state, ApprovalState::Pending | ApprovalState::Approved)
    }
}

impl ApprovalState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Running => "running",
            Self::Done => "done",
            Self::Expired => "expired",
        }
    }
}

/// A handle is the name of a file, and comes from clients.
pub fn is_handle(text: &str) -> bool {
    text.strip_prefix(PREFIX).is_some_and(|rest| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        rest.len() == HANDLE_LENGTH && rest.bytes().all(plain)
    })
}
