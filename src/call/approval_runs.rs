//! Runs approved calls: the request was stored sealed, and every server on the store looks for approvals.
//!
//! Nothing is stored of a HighLevel token that a client brought: such a client repeats the call
//! itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep};

use super::caller::Elicitation;
use super::{
    AccessRef, CallContext, CallerKind, LocationScope, OnError, Options, Pipeline, Principal,
    Request, Subject,
};
use crate::catalog::TOOLS;
use crate::telemetry::Parent;
use crate::upstream::Caller;
use policy::NamedRules;
use state::approvals::ApprovedCall;

/// The interval at which approved calls are looked up.
const LOOK: Duration = Duration::from_millis(500);

/// The wait before a call that could not be made is tried again. It doubles each time, for as long as the approval
/// lasts.
const AGAIN: Duration = Duration::from_secs(30);

/// An approved request of many rows stops after this time. Its client continues it.
const LONGEST_RUN: Duration = Duration::from_hours(1);

/// Calls that could not be made are forgotten after this time. An approval lasts at most a week (`approvals.expire_minutes`).
const FORGOTTEN: Duration = Duration::from_hours(8 * 24);

/// Everything that is needed to make a call without its client.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredRequest {
    tool: String,
    arguments: Map<String, Value>,
    /// Alias or id of the location.
    location: Option<String>,
    items: Option<Vec<Map<String, Value>>>,
    goes_on: bool,
    idempotency_key: Option<String>,
    /// Absent in rows of an earlier version, which stored no calls of this kind.
    #[serde(default)]
    as_highlevel: bool,
    /// The rows or items are stored under the approval's own handle.
    #[serde(default)]
    is_prepared: bool,
    caller: StoredCaller,
    surface: String,
    client: Option<String>,
}

/// The caller, by names that give no access.
#[derive(Serialize, Deserialize)]
struct StoredCaller {
    /// Never `Token`: nothing is stored of a token.
    kind: CallerKind,
    /// Set for an access key.
    key: Option<String>,
    /// Set for a grant.
    #[serde(default)]
    grant: Option<String>,
    #[serde(default)]
    console: Option<StoredSeat>,
    /// Alias of the location that the connection acts in.
    alias: Option<String>,
    /// The connection acts for the server's own account.
    is_own: bool,
}

/// A person at the console, and the rules chosen there.
#[derive(Serialize, Deserialize)]
struct StoredSeat {
    person: String,
    rules: String,
}

/// The number of failed attempts to make a call, and the time of the last.
struct ApprovalTries {
    count: u32,
    last: Instant,
}

impl Default for ApprovalTries {
    fn default() -> Self {
        Self {
            count: 0,
            last: Instant::now(),
        }
    }
}

impl ApprovalTries {
    fn rests(&self) -> bool {
        let doubled = 2_u32.saturating_pow(self.count.saturating_sub(1));
        self.last.elapsed() < AGAIN.saturating_mul(doubled)
    }
}

impl StoredRequest {
    /// `None` for a caller that brought its own token.
    pub(super) fn new(subject: &Subject, context: &CallContext) -> Option<Self> {
        let principal = &context.principal;
        let kind = principal.kind;
        if principal.brings_token || kind == CallerKind::Token {
            return None;
        }
        let account = principal.account.as_ref();
        let alias = account.and_then(|account| account.configured.as_ref());
        let (key, grant, console) = match &principal.access {
            Some(AccessRef::Key(key)) => (Some(key.id.clone()), None, None),
            Some(AccessRef::Grant(grant)) => (None, Some(grant.id.clone()), None),
            Some(AccessRef::Console(seat)) => {
                let (person, rules) = (seat.id.clone(), seat.chosen_rules()?);
                (None, None, Some(StoredSeat { person, rules }))
            }
            None => (None, None, None),
        };
        let facts = subject.facts();
        let (arguments, items, location, on_error, idempotency_key) = match subject.batch() {
            Some(batch) => (
                batch.arguments.clone(),
                Some(batch.items.clone()),
                batch.location.clone(),
                batch.on_error,
                batch.idempotency_key.clone(),
            ),
            None => {
                let configured = facts.configured().filter(|_| account.is_none());
                let location = configured.map(|configured| configured.alias.clone());
                let key = facts.idempotency_key.clone();
                (facts.arguments.clone(), None, location, OnError::Stop, key)
            }
        };
        Some(Self {
            tool: facts.tool.name.to_owned(),
            arguments,
            location,
            items,
            goes_on: on_error == OnError::Continue,
            idempotency_key,
            as_highlevel: match subject.batch() {
                Some(batch) => batch.as_highlevel,
                None => facts.as_highlevel,
            },
            is_prepared: subject.chosen().is_some(),
            caller: StoredCaller {
                kind,
                key,
                grant,
                console,
                alias: alias.map(|configured| configured.alias.clone()),
                is_own: account.is_some() && alias.is_none(),
            },
            surface: context.surface.clone(),
            client: context.client.clone(),
        })
    }

    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(self).ok()
    }
}

impl Pipeline {
    /// Runs approved calls until the process ends. `own`: the server's own account.
    pub async fn run_approvals(self, own: Option<Caller>) {
        let Some(approvals) = self.controls().approvals.clone() else {
            return;
        };
        let mut tried: HashMap<String, ApprovalTries> = HashMap::new();
        let mut is_failing = false;
        loop {
            sleep(LOOK).await;
            tried.retain(|_, tries| tries.last.elapsed() < FORGOTTEN);
            let resting = tried.iter().filter(|(_, tries)| tries.rests());
            let resting = resting.map(|(handle, _)| handle.clone()).collect();
            let approved = match approvals.approved(resting).await {
                Ok(approved) => {
                    is_failing = false;
                    approved
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::warn!(%error, "approved calls cannot be read");
                    }
                    Vec::new()
                }
            };
            for call in approved {
                let tries = tried.entry(call.handle.clone()).or_default();
                tries.last = Instant::now();
                tries.count += 1;
                let (pipeline, own) = (self.clone(), own.clone());
                tokio::spawn(async move { pipeline.run_approved(call, own.as_ref()).await });
            }
        }
    }

    /// Goes the same way as a client's call: rules, caps and the approval itself are judged again.
    async fn run_approved(&self, call: ApprovedCall, own: Option<&Caller>) {
        let handle = call.handle;
        let stored: Option<StoredRequest> = serde_json::from_slice(&call.request).ok();
        let found = async {
            let stored = stored?;
            let tool = TOOLS.iter().find(|tool| tool.name == stored.tool)?;
            let principal = self.principal_again(&stored.caller, own).await?;
            Some((stored, tool, principal))
        };
        let Some((stored, tool, principal)) = found.await else {
            tracing::warn!(
                handle,
                "an approved call cannot be made: its key, connection, location or tool is no more"
            );
            return;
        };
        let context = CallContext {
            surface: stored.surface,
            client: stored.client,
            elicitation: Elicitation::Unsupported,
            parent: Parent::default(),
            ..CallContext::with_principal(principal)
        };
        let progress = &|_, _| {};
        if stored.is_prepared {
            // No client waits for it, so it runs to its end.
            let answer = match self.find_prepared(&handle, &context).await {
                Ok(prepared) => {
                    let run =
                        self.run_prepared_within(prepared, None, LONGEST_RUN, (&context, progress));
                    Box::pin(run).await
                }
                Err(answer) => answer,
            };
            let outcome = answer.outcome();
            tracing::info!(handle, outcome, "an approved request was tried");
            return;
        }
        let request = Request {
            tool,
            arguments: stored.arguments,
            options: Options {
                location: stored.location,
                items: stored.items,
                confirm: Some(handle.clone()),
                idempotency_key: stored.idempotency_key,
                as_highlevel: stored.as_highlevel,
                on_error: OnError::new(stored.goes_on),
                ..Options::default()
            },
            context: &context,
            progress,
        };
        let answer = self.execute(request).await;
        tracing::info!(
            handle,
            outcome = answer.outcome(),
            "an approved call was tried"
        );
    }

    fn seat_again(&self, stored: &StoredSeat) -> Option<Principal> {
        let people = &self.controls().sign_in.as_ref()?.people;
        let person = people.find(&stored.person).ok()??;
        Some(Principal::at_console(
            person,
            &NamedRules::parse(&stored.rules)?,
        ))
    }

    /// The caller as it is now; `None` if it no longer exists.
    async fn principal_again(
        &self,
        stored: &StoredCaller,
        own: Option<&Caller>,
    ) -> Option<Principal> {
        let kind = match stored.kind {
            CallerKind::Console => return self.seat_again(stored.console.as_ref()?),
            CallerKind::Token => return None,
            kind => kind,
        };
        let snapshot = self.snapshot();
        let account = match (&stored.alias, stored.is_own) {
            (Some(alias), _) => Some(snapshot.locations.find(alias)?.caller()),
            (None, true) => Some(own?.clone()),
            (None, false) => None,
        };
        let (scope, access) = match (&stored.key, &stored.grant) {
            (None, None) => (LocationScope::All, None),
            (Some(id), _) => {
                let record = self.controls().keys.valid(id)?;
                let scope = LocationScope::from(&record.locations);
                (scope, Some(AccessRef::Key(record.as_ref().into())))
            }
            (None, Some(id)) => {
                let grant = Arc::new(self.controls().grant_again(id).await?);
                let scope = LocationScope::Grant(Arc::clone(&grant));
                (scope, Some(AccessRef::Grant(grant)))
            }
        };
        let configured = account.as_ref().and_then(|one| one.configured.as_ref());
        if access.is_some() && configured.is_some_and(|there| !scope.contains(there)) {
            return None;
        }
        Some(Principal {
            access,
            scope: match (&account, kind) {
                (Some(_), CallerKind::AccessKey | CallerKind::Grant | CallerKind::Local) => {
                    LocationScope::None
                }
                (Some(_), _) if !stored.is_own => LocationScope::None,
                _ => scope,
            },
            account,
            ..Principal::with_scope(kind, LocationScope::None)
        })
    }
}
