//! The facts about one call on its way: gathered stage by stage, never changed back.

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{CallContext, Fences, Snapshot};
use crate::call::arguments::LocalZone;
use crate::upstream::ConfiguredLocation;
use crate::upstream::{Caller, TenantId};
use policy::EffectiveRules;
use state::calls::OnceKey;
use tool::{Effect, Tool};

/// The facts of one call.
#[derive(Clone)]
pub(super) struct Facts {
    pub tool: &'static Tool,
    /// The operation that is called for the tool, and its version.
    pub variant: &'static Tool,
    pub version: &'static str,
    /// The account that the call acts for. Its configured location is that of `location`, if the server knows that.
    pub caller: Caller,
    /// The agency's own token may be used.
    pub agency: bool,
    /// As given, without what named the location. Empty for a read once they are checked.
    pub arguments: Map<String, Value>,
    /// The arguments are read as HighLevel's own servers read them.
    pub as_highlevel: bool,
    /// The surface accepts a confirm token without arguments.
    pub confirm_alone: bool,
    /// Added to HighLevel's answer.
    pub warnings: Option<Box<CallWarnings>>,
    /// Surround other people's words in the answer.
    pub fences: Option<Arc<Fences>>,
    /// The location of the call, if the arguments or the connection name one.
    pub location: Option<TenantId>,
    /// The location that the call or its connection names. Unlike `location`, it is not affected by what the server learns
    /// about the token meanwhile, so the same call always has the same idempotency key and confirmation.
    pub named: Option<TenantId>,
    /// The request itself names that location, so HighLevel checks it.
    pub names_location: bool,
    /// Set if the call has an idempotency key, under which it happens once.
    pub once: Option<OnceKey>,
    /// That key as the client sent it.
    pub idempotency_key: Option<String>,
    /// The time of the answer that this one is a part of.
    pub answer_by: Option<Instant>,
    /// The caller may be told what the server knows about the location: its alias, name and rules. Anybody can name a
    /// location, but only callers that HighLevel let in there are told more than they sent.
    pub may_disclose: bool,
    /// The remedy if HighLevel needs a location or company that neither call nor connection names.
    pub tenant_remedy: Option<Box<str>>,
    /// The zone of times without an offset.
    pub zone: LocalZone,
    /// The locations and rules that decide about the call.
    pub snapshot: Arc<Snapshot>,
}

/// Boxed in `Facts`: few calls have any, and every layer moves the facts.
#[derive(Clone, Default)]
pub(super) struct CallWarnings(Vec<String>);

impl Facts {
    /// Sentences for the caller.
    pub(super) fn warnings(&self) -> &[String] {
        self.warnings.as_ref().map_or(&[], |warnings| &warnings.0)
    }

    pub(super) fn warn(&mut self, warnings: Vec<String>) {
        if !warnings.is_empty() {
            self.warnings.get_or_insert_default().0.extend(warnings);
        }
    }

    pub(super) fn is_read(&self) -> bool {
        self.tool.effect == Effect::Read
    }

    /// A sentence if the zone of a read is not known.
    pub(super) fn zone_warning(&self) -> Option<String> {
        let LocalZone::Unknown(why) = &self.zone else {
            return None;
        };
        self.is_read().then(|| {
            format!(
                "Times without an offset were taken as UTC: the location's time zone is not known ({why}). Give an \
                 offset such as -08:00, or a zone such as [America/Los_Angeles]."
            )
        })
    }

    /// The configured location that the call is for, as far as the caller may hear of it.
    pub(super) fn disclosed_location(&self) -> Option<&Arc<ConfiguredLocation>> {
        self.configured().filter(|_| self.may_disclose)
    }

    /// The configured location that the call is for.
    pub(super) fn configured(&self) -> Option<&Arc<ConfiguredLocation>> {
        self.caller.configured.as_ref()
    }

    /// The rules over the call.
    pub(super) fn rules<'a>(&'a self, context: &'a CallContext) -> EffectiveRules<'a> {
        let access = context.principal.access.as_ref();
        let location = self.configured().map(Arc::as_ref);
        self.snapshot.rules_over(location, access)
    }

    /// The same call with other arguments, such as those of the next page.
    pub(super) fn with_arguments(&self, arguments: Map<String, Value>) -> Self {
        Self {
            arguments,
            ..self.clone()
        }
    }
}
