//! Requests as they were previewed: kept sealed, so that a confirm alone runs exactly those.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::{Answer, CallContext, OnError, Pipeline, Request, Subject, confirm_token};
use crate::catalog::TOOLS;
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use policy::Mode;
use state::prepared::{MOST_PREPARED_BYTES, NewPreparation};
use tool::Tool;

/// How long a preview waits until it is kept.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Longest request of one call, or of items, that is kept: whoever has a longer one sends it again.
const MOST_REQUEST_BYTES: usize = 64 << 10;

/// A previewed request that was found again by its confirm.
pub struct PreparedRequest {
    pub tool: &'static Tool,
    pub(super) id: [u8; 32],
    pub(super) confirm: String,
    pub(super) stored: StoredPreparation,
    /// How it was confirmed, and by whom, where its run has begun.
    pub(super) confirmed: Option<(Mode, String)>,
}

/// What of a previewed request is kept.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredPreparation {
    tool: String,
    pub arguments: Map<String, Value>,
    /// Alias or id.
    pub location: Option<String>,
    pub goes_on: bool,
    pub work: StoredWork,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StoredWork {
    /// One call, or one for each item.
    Calls {
        items: Option<Vec<Map<String, Value>>>,
        idempotency_key: Option<String>,
    },
    /// One call for each row that a read chose.
    Rows(StoredRows),
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredRows {
    pub rows: Vec<SelectedRow>,
    /// How they must be confirmed, as it was when they were shown.
    pub mode: StoredMode,
    /// Stands for all of them.
    pub digest: String,
    /// There may be further rows: how to go on with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
}

/// A row that a write is made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SelectedRow {
    /// What of its arguments is the row's.
    pub item: Map<String, Value>,
    pub name: Option<String>,
    /// Stands for the request that was shown.
    pub digest: String,
}

/// Ways of confirming what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StoredMode {
    Elicit,
    Token,
    Human,
}

impl StoredMode {
    /// The way in which it is asked; what needs no confirmation is shown first all the same.
    pub(super) fn new(mode: Mode) -> Self {
        match mode {
            Mode::Elicit => Self::Elicit,
            Mode::Off | Mode::Token => Self::Token,
            Mode::Human | Mode::Refuse => Self::Human,
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Elicit, Self::Token, Self::Human]
            .into_iter()
            .find(|one| Mode::from(*one).name() == name)
    }
}

impl From<StoredMode> for Mode {
    fn from(mode: StoredMode) -> Self {
        match mode {
            StoredMode::Elicit => Self::Elicit,
            StoredMode::Token => Self::Token,
            StoredMode::Human => Self::Human,
        }
    }
}

impl StoredPreparation {
    pub(super) fn new(request: &Request<'_>, work: StoredWork) -> Self {
        Self {
            tool: request.tool.name.to_owned(),
            arguments: request.arguments.clone(),
            location: request.options.location.clone(),
            goes_on: request.options.on_error == OnError::Continue,
            work,
        }
    }

    /// Of one call, or of the items of a batch, that are about to be asked about.
    fn in_subject(subject: &Subject) -> Option<Self> {
        let facts = subject.facts();
        if facts.as_highlevel {
            return None;
        }
        let tool = facts.tool.name.to_owned();
        Some(match subject.batch() {
            Some(batch) => Self {
                tool,
                arguments: batch.arguments.clone(),
                location: batch.location.clone(),
                goes_on: batch.on_error == OnError::Continue,
                work: StoredWork::Calls {
                    items: Some(batch.items.clone()),
                    idempotency_key: batch.idempotency_key.clone(),
                },
            },
            None if subject.calls() == 1 => Self {
                tool,
                arguments: facts.arguments.clone(),
                location: facts
                    .caller
                    .location
                    .as_ref()
                    .map(|bound| bound.location().as_str().to_owned()),
                goes_on: false,
                work: StoredWork::Calls {
                    items: None,
                    idempotency_key: facts.idempotency_key.clone(),
                },
            },
            None => return None,
        })
    }

    /// `None` where it is too long to be kept.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        let most = match self.work {
            StoredWork::Calls { .. } => MOST_REQUEST_BYTES,
            StoredWork::Rows(_) => MOST_PREPARED_BYTES,
        };
        let bytes = serde_json::to_vec(self).ok()?;
        (bytes.len() <= most).then_some(bytes)
    }
}

impl Pipeline {
    /// Keeps what `subject` asks about under its confirm, as long as that is good; whether a confirm alone runs it.
    pub(super) async fn keep_prepared(
        &self,
        subject: &Subject,
        confirm: &str,
        lasts: SignedDuration,
    ) -> bool {
        let own = || StoredPreparation::in_subject(subject)?.bytes();
        let Some(request) = subject.preparation().map(<[u8]>::to_vec).or_else(own) else {
            return false;
        };
        let new = NewPreparation {
            id: prepared_id(subject.principal(), confirm),
            principal: subject.principal(),
            request,
            expires_at: self.now().checked_add(lasts).unwrap_or(Timestamp::MAX),
        };
        match timeout(LONGEST_WAIT, self.controls().store.prepare(new)).await {
            Ok(Ok(kept)) => kept,
            Ok(Err(error)) => {
                tracing::error!(%error, "a previewed request is not kept");
                false
            }
            // Whoever has the store stuck holds up no preview.
            Err(_) => false,
        }
    }

    /// The request that was previewed under this confirm for this caller.
    pub async fn find_prepared(
        &self,
        confirm: &str,
        context: &CallContext,
    ) -> Result<PreparedRequest, Answer> {
        let id = prepared_id(self.principal_digest(&context.principal), confirm);
        let found = self.controls().store.prepared(id).await;
        let found = found.map_err(|error| self.unwritable(&error))?;
        let prepared = found.and_then(|found| {
            let stored: StoredPreparation = serde_json::from_slice(&found.request).ok()?;
            let confirmed = found.confirmed.and_then(|(mode, by)| {
                let mode = StoredMode::parse(&mode)?;
                Some((mode.into(), by))
            });
            Some(PreparedRequest {
                tool: TOOLS.iter().find(|tool| tool.name == stored.tool)?,
                id,
                confirm: confirm.to_owned(),
                stored,
                confirmed,
            })
        });
        prepared.ok_or_else(|| {
            let what = "Nothing was sent: no preview is kept for this confirm, or none any more.";
            let failure = Failure::new(FailureClass::Refused, what)
                .with_remedy("Call again with operation and arguments for a new preview.");
            Answer::never_sent(&failure)
        })
    }
}

/// How long a preview is kept that a confirm token runs.
pub(super) fn lasts_as_token() -> SignedDuration {
    SignedDuration::from_secs(confirm_token::LASTS_SECONDS)
}

/// Nobody finds what another was shown, whatever text they send.
fn prepared_id(principal: [u8; 32], confirm: &str) -> [u8; 32] {
    let whole = digest(
        &SHA256,
        &[&principal[..], b"prepared ", confirm.as_bytes()].concat(),
    );
    whole.as_ref().first_chunk().copied().unwrap_or_default()
}
