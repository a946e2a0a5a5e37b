//! Tries a token by harmless reads: a token that HighLevel has not answered yet before it writes or asks anything, and
//! a token at the endpoint of a location before that endpoint answers.

use std::time::Duration;

use serde_json::{Map, json};

use super::{Answer, CallContext, CallerKind, ConsentSource, Pipeline, Principal};
use crate::catalog;
use crate::upstream::failure::FailureClass;
use crate::upstream::{Caller, Failure, Standing, TenantId};
use tool::Tool;

/// Reads that try a token, the most suitable first. Any answer of HighLevel but "this token is unknown"
/// accepts the token, even a refusal for its scope or class.
const ACCEPTING: [&str; 2] = ["/locations/{locationId}", "/locations/search"];

/// Reads that HighLevel answers only to tokens of the location. Each needs another scope.
const PROVING: [&str; 6] = [
    "/locations/{locationId}",
    "/contacts/",
    "/conversations/search",
    "/opportunities/pipelines",
    "/calendars/",
    "/workflows/",
];

impl Pipeline {
    /// Whether the server or HighLevel knows the caller.
    pub fn is_accepted(&self, principal: &Principal) -> bool {
        if principal.kind != CallerKind::Token {
            return true;
        }
        let account = principal.account.as_ref();
        account.is_some_and(|account| self.transport().standing(account) == Standing::Accepted)
    }

    /// Makes HighLevel answer a new token before a call that writes, confirms or is stored. Fails with HighLevel's
    /// own refusal if HighLevel does not know the token.
    pub(super) async fn ensure_accepted(&self, context: &CallContext) -> Result<(), Answer> {
        let principal = &context.principal;
        if self.is_accepted(principal) {
            return Ok(());
        }
        let Some(account) = &principal.account else {
            return Err(Failure::new(FailureClass::Auth, "The connection has no account.").into());
        };
        let mut last = None;
        for probe in ACCEPTING.iter().filter_map(|path| catalog::get(path)) {
            let mut arguments = Map::new();
            match &account.location {
                Some(location) if probe.path.contains("{locationId}") => {
                    let id = location.location().as_str();
                    arguments.insert("locationId".to_owned(), json!(id));
                }
                None if probe.path.contains("{locationId}") => continue,
                _ => {
                    arguments.insert("limit".to_owned(), json!(1));
                }
            }
            let answer = Box::pin(self.probe(probe, arguments, context)).await;
            if self.is_accepted(principal) {
                return Ok(());
            }
            let unknown = answer.class == Some(FailureClass::Auth);
            last = Some(answer);
            if unknown {
                break;
            }
        }
        Err(match last {
            Some(answer) if answer.class == Some(FailureClass::Auth) => answer,
            last => not_answered(last),
        })
    }

    /// Makes HighLevel accept a token for the location of its endpoint, before anything is answered there. Every
    /// failure reads the same: an alias stands for a customer, and nobody may learn which ones exist. Facts that only
    /// a later answer of HighLevel could distinguish are withheld, and so are its words.
    pub(super) async fn ensure_let_in(&self, context: &CallContext) -> Result<(), Answer> {
        let principal = &context.principal;
        let endpoint = principal.endpoint.as_ref();
        let Some(endpoint) = endpoint.filter(|_| principal.kind == CallerKind::Token) else {
            return Ok(());
        };
        let account = principal.account.as_ref();
        let location = account.and_then(|account| Some((account, account.location.as_ref()?)));
        let Some((account, location)) = location else {
            return Err(not_let_in());
        };
        let location = location.location();
        let transport = self.transport();
        let endpoint = format!(
            "{} {}",
            endpoint.alias,
            endpoint.header.as_deref().unwrap_or_default()
        );
        if transport.is_proven(account, location) {
            return Ok(());
        }
        if transport.is_kept_out(account, &endpoint) {
            return Err(not_let_in());
        }
        let Err(refusals) = self.prove(account, location, context).await else {
            return Ok(());
        };
        if let Some(last) = refusals.last()
            && let Some(
                class @ (FailureClass::Auth | FailureClass::RateLimited | FailureClass::Upstream),
            ) = last.class
        {
            return Err(not_tried(class, last.retry_after));
        }
        transport.keep_out(account, endpoint);
        Err(not_let_in())
    }

    /// Makes HighLevel let a token into a location. Fails with HighLevel's own refusal, as a call there would.
    pub(super) async fn ensure_proven(
        &self,
        caller: &Caller,
        location: &TenantId,
        context: &CallContext,
    ) -> Result<(), Answer> {
        let proven = self.prove(caller, location, context).await;
        proven.map_err(|refusals| {
            let mut refusals = refusals.into_iter().filter(|answer| answer.is_error);
            refusals.next().unwrap_or_else(not_let_in)
        })
    }

    /// Tries a token by the reads of a location until one proves that it belongs there, or HighLevel says that it does
    /// not. Fails with the answers.
    async fn prove(
        &self,
        caller: &Caller,
        location: &TenantId,
        context: &CallContext,
    ) -> Result<(), Vec<Answer>> {
        let mut answers = Vec::new();
        for probe in PROVING.iter().filter_map(|path| catalog::get(path)) {
            let arguments = [("locationId".to_owned(), json!(location.as_str()))];
            let arguments = Map::from_iter(arguments);
            let answer = Box::pin(self.probe(probe, arguments, context)).await;
            if self.transport().is_proven(caller, location) {
                return Ok(());
            }
            // Another read may be within the token's scopes, or pass rules that were reloaded meanwhile.
            let is_final = !matches!(
                answer.class,
                None | Some(FailureClass::Scope | FailureClass::TokenClass | FailureClass::Refused)
            );
            answers.push(answer);
            if is_final {
                break;
            }
        }
        Err(answers)
    }

    /// One read through the pipeline, without the content of its answer. No rule or cap of a location applies to it:
    /// they would show that the server has the location.
    async fn probe(
        &self,
        tool: &'static Tool,
        arguments: Map<String, serde_json::Value>,
        context: &CallContext,
    ) -> Answer {
        let facts = self.find_account(tool, arguments, None, context, &self.snapshot());
        let asked = async {
            let mut facts = facts?;
            facts.caller.configured = None;
            self.read(facts, ConsentSource::ServerProbe, context).await
        };
        let answered = asked.await.map(|_| Answer::default());
        answered.unwrap_or_else(|answer| answer)
    }
}

fn not_let_in() -> Answer {
    let what =
        "Nothing was sent: HighLevel does not let this token into the location of this endpoint.";
    let remedy = "Use a token of that location with a scope to read in it, such as locations.readonly, or an access key.";
    Failure::new(FailureClass::Location, what)
        .with_remedy(remedy)
        .into()
}

fn not_tried(class: FailureClass, wait: Option<Duration>) -> Answer {
    let (what, remedy) = match class {
        FailureClass::Auth => (
            "Nothing was sent: HighLevel does not accept this token.",
            "Use a token that is valid.",
        ),
        _ => (
            "Nothing was sent: HighLevel could not be asked whether it lets this token in.",
            "Repeat the call.",
        ),
    };
    Failure::new(class, what)
        .with_remedy(remedy)
        .with_retry_after(wait)
        .into()
}

/// The reason that a call was not made: HighLevel has not answered its token yet.
fn not_answered(tried: Option<Answer>) -> Answer {
    let why = tried.as_ref().map(Answer::sentence).unwrap_or_default();
    let what = format!(
        "Nothing was sent: HighLevel has not answered this token yet, and the read by which it was tried failed. {why}"
    );
    let class = tried.as_ref().and_then(|tried| tried.class);
    Failure::new(class.unwrap_or(FailureClass::Upstream), what.trim_end())
        .with_remedy("Repeat the call; nothing was changed.")
        .with_retry_after(tried.and_then(|tried| tried.retry_after))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trial_is_an_operation_and_proves_its_location() {
        for path in ACCEPTING.iter().chain(&PROVING) {
            assert!(catalog::get(path).is_some(), "{path} is not an operation");
        }
        for path in PROVING {
            assert!(catalog::get(path).is_some_and(|tool| tool.proves), "{path}");
        }
    }
}
