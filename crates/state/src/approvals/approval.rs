//! One approval: its row, and its state at a given time.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::preview::cut_preview;
use super::{MOST_SEALED, NewApproval, sealed_at};
use crate::calls::ALIVE;
use crate::store::{KeyRing, StoredRow, Transaction};
use crate::{StoreError, random, time};

const PREFIX: &str = "apr_";

/// Length of a handle after its prefix: 15 random bytes, which nobody guesses.
const HANDLE_LENGTH: usize = 20;

/// Stored for this long.
pub(super) const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// After this time without a sign, the process of a call is taken to be dead.
const LONGEST_SILENCE: SignedDuration = SignedDuration::from_secs(ALIVE.as_secs().cast_signed());

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
    /// The answer of its only run, for repeats.
    pub outcome: Option<String>,
    /// Whether that answer was an error.
    #[serde(default)]
    pub is_error: bool,
    /// Every location of the call.
    #[serde(default)]
    pub locations: Vec<LocationCount>,
    /// The holder of the grant may decide: no rule of the operator requires a person.
    #[serde(default)]
    pub holder_decides: bool,
    /// Its request is stored: approving it runs it, whether or not its client returns.
    #[serde(skip)]
    pub runs_alone: bool,
}

/// The number of calls in a location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocationCount {
    /// Its alias, or its id if it is none of the server's own.
    pub location: String,
    pub calls: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    Pending,
    Approved,
    Denied,
    /// Claimed, without an outcome yet.
    Running,
    Done,
    /// Not decided or run in time. Recorded once noticed, so that a clock set back does not revive it.
    Expired,
}

/// The meaning of a client's handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    Pending,
    Denied {
        note: Option<String>,
    },
    Expired,
    /// It is for another call.
    Other,
    /// It does not exist, or no longer.
    Missing,
    /// Make the call, and `finish`. Returned once, to one caller.
    Run,
    /// Another process has claimed it recently.
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
            holder_decides: new.holder_decides,
            runs_alone: new
                .request
                .as_ref()
                .is_some_and(|request| request.len() <= MOST_SEALED),
        })
    }

    pub fn insert(
        &self,
        transaction: &mut Transaction,
        request: Option<Vec<u8>>,
    ) -> Result<(), StoreError> {
        let insert = "INSERT INTO approval (id, digest, who, tool, effect, location, alias, state, created_at, expires_at,
                decided_at, decided_by, claimed_at, is_error, note, locations, shown, request, holder_decides)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)";
        let json = |error| StoreError::from(format!("an approval is not JSON: {error}"));
        let milliseconds = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
        let insert = sqlx::query(insert)
            .bind(self.handle.clone())
            .bind(self.digest.clone())
            .bind(self.who.clone())
            .bind(self.tool.clone())
            .bind(self.effect.clone())
            .bind(self.location.clone())
            .bind(self.alias.clone())
            .bind(self.state.name())
            .bind(self.created.as_millisecond())
            .bind(self.expires.as_millisecond())
            .bind(milliseconds(self.decided_at))
            .bind(self.decided_by.clone())
            .bind(milliseconds(self.claimed_at))
            .bind(i64::from(self.is_error))
            .bind(self.note.clone())
            .bind(serde_json::to_string(&self.locations).map_err(json)?)
            .bind(self.preview.to_string())
            .bind(request)
            .bind(i64::from(self.holder_decides));
        transaction.run(insert).map(drop)
    }

    pub fn put_outcome(
        &self,
        transaction: &mut Transaction,
        ring: &KeyRing,
        outcome: &str,
    ) -> Result<(), StoreError> {
        let sealed = ring.seal(sealed_at(&self.handle, "outcome"), outcome.as_bytes())?;
        let put = sqlx::query("UPDATE approval SET outcome = $2 WHERE id = $1");
        transaction
            .run(put.bind(self.handle.clone()).bind(sealed))
            .map(drop)
    }

    pub(super) fn from_row(ring: &KeyRing, row: &StoredRow) -> Result<Self, StoreError> {
        let handle = row.text("id")?;
        let broken = |what: String| {
            StoreError::from(format!("the approval {handle} is not understood: {what}"))
        };
        let state = row.text("state")?;
        let state = ApprovalState::parse(&state).ok_or_else(|| broken(state))?;
        let locations = serde_json::from_str(&row.text("locations")?);
        let preview = serde_json::from_str(&row.text("shown")?);
        let outcome = row.optional_bytes("outcome")?.map(|sealed| {
            let opened = ring.open(sealed_at(&handle, "outcome"), &sealed)?;
            Ok(String::from_utf8_lossy(&opened).into_owned())
        });
        Ok(Self {
            digest: row.text("digest")?,
            tool: row.text("tool")?,
            effect: row.text("effect")?,
            location: row.optional_text("location")?,
            alias: row.optional_text("alias")?,
            who: row.text("who")?,
            preview: preview.map_err(|error| broken(error.to_string()))?,
            created: time(row.integer("created_at")?),
            expires: time(row.integer("expires_at")?),
            state,
            decided_at: row.optional_integer("decided_at")?.map(time),
            decided_by: row.optional_text("decided_by")?,
            note: row.optional_text("note")?,
            claimed_at: row.optional_integer("claimed_at")?.map(time),
            outcome: outcome.transpose().map_err(|error: StoreError| error)?,
            is_error: row.integer("is_error")? != 0,
            locations: locations.map_err(|error: serde_json::Error| broken(error.to_string()))?,
            holder_decides: row.integer("holder_decides")? != 0,
            runs_alone: row.optional_bytes("request")?.is_some(),
            handle,
        })
    }

    /// Whether `text`, which comes from a client, has the form of a handle.
    pub fn is_handle(text: &str) -> bool {
        text.strip_prefix(PREFIX).is_some_and(|rest| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            rest.len() == HANDLE_LENGTH && rest.bytes().all(plain)
        })
    }

    /// Whether it was not decided, or not run, in time.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        let may_wait = matches!(self.state, ApprovalState::Pending | ApprovalState::Approved);
        self.state == ApprovalState::Expired || may_wait && self.expires <= now
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
                Some(claimed) if now.duration_since(claimed) < LONGEST_SILENCE => Claim::Running,
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

impl ApprovalState {
    const ALL: [Self; 6] = [
        Self::Pending,
        Self::Approved,
        Self::Denied,
        Self::Running,
        Self::Done,
        Self::Expired,
    ];

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

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
