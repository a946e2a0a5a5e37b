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
    /// What is called for the tool, and under which version.
    pub variant: &'static Tool,
    pub version: &'static str,
    /// The account that it acts for; its configured location is that of the location it is for, where that is one of the server's.
    pub caller: Caller,
    /// It may go out with the agency's own token.
    pub agency: bool,
    /// As they were given, but for what named the location; of a read only until they are checked.
    pub arguments: Map<String, Value>,
    /// They are read as HighLevel's own servers read them.
    pub as_highlevel: bool,
    /// Where it came from takes a confirm without the rest.
    pub confirm_alone: bool,
    /// What its answer says beside what HighLevel answered.
    pub warnings: Option<Box<CallWarnings>>,
    /// Stand in its answer around what other people wrote.
    pub fences: Option<Arc<Fences>>,
    /// The location that it is for, as far as arguments or connection say.
    pub location: Option<TenantId>,
    /// The request itself names that location, so that HighLevel holds it to it.
    pub names_location: bool,
    /// It comes with an idempotency key, under which it happens once.
    pub once: Option<OnceKey>,
    /// That key, as the client made it up.
    pub idempotency_key: Option<String>,
    /// Its answer is part of another, which is given then.
    pub answer_by: Option<Instant>,
    /// The caller may hear what the server knows of the location: its alias, its name, the rules over it. Anybody can
    /// name a location; only who is let in there is told more than what it sent.
    pub may_disclose: bool,
    /// What to do where HighLevel needs a location or company that neither call nor connection names.
    pub tenant_remedy: Option<Box<str>>,
    /// The zone of its times without an offset.
    pub zone: LocalZone,
    /// The locations and rules that it is judged by.
    pub snapshot: Arc<Snapshot>,
}

/// Behind a pointer, for few calls have any and every layer moves the facts of a call.
#[derive(Clone, Default)]
pub(super) struct CallWarnings(Vec<String>);

impl Facts {
    /// What whoever asked should know.
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

    /// What a read whose zone cannot be learnt has to say.
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
