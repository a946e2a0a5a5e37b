//! Tries a token that HighLevel has not answered yet by a harmless read, before anything is written or asked for it.

use std::sync::LazyLock;

use serde_json::{Map, json};

use super::{Answer, CallContext, CallerKind, ConsentSource, Located, Pipeline, Principal};
use crate::generated::TOOLS;
use crate::highlevel::failure::Class;
use crate::highlevel::{Failure, Standing};
use crate::runtime::tool::Tool;

/// Reads by which a token is tried, from the one that fits most: whatever HighLevel answers but "this token is
/// unknown" accepts it, a refusal for scope or class too.
const LADDER: [&str; 2] = ["/locations/{locationId}", "/locations/search"];

static PROBES: LazyLock<Vec<&'static Tool>> = LazyLock::new(|| {
    let find = |path: &&str| {
        TOOLS
            .iter()
            .find(|tool| tool.method == "GET" && tool.path == *path)
    };
    LADDER.iter().filter_map(find).collect()
});

impl Pipeline {
    /// Whether the server or HighLevel knows the caller.
    pub fn is_accepted(&self, principal: &Principal) -> bool {
        if principal.kind != CallerKind::Token {
            return true;
        }
        let account = principal.account.as_ref();
        account
            .is_some_and(|account| self.transport().standing(account, false) == Standing::Accepted)
    }

    /// Has HighLevel answer a new token before a call that writes, confirms or is kept. Fails with HighLevel's own
    /// refusal where it does not know the token.
    pub(super) async fn ensure_accepted(&self, context: &CallContext) -> Result<(), Answer> {
        let principal = &context.principal;
        if self.is_accepted(principal) {
            return Ok(());
        }
        let Some(account) = &principal.account else {
            return Err(Failure::new(Class::Auth, "The connection has no account.").into());
        };
        let mut last = None;
        for probe in PROBES.iter().copied() {
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
            let answer = self.probe(probe, arguments, context).await;
            if self.is_accepted(principal) {
                return Ok(());
            }
            let unknown = answer.class == Some(Class::Auth);
            last = Some(answer);
            if unknown {
                break;
            }
        }
        Err(match last {
            Some(answer) if answer.class == Some(Class::Auth) => answer,
            last => not_answered(last),
        })
    }

    /// One read by the usual way, without its answer's content.
    async fn probe(
        &self,
        tool: &'static Tool,
        arguments: Map<String, serde_json::Value>,
        context: &CallContext,
    ) -> Answer {
        let facts = self.find_account(tool, arguments, None, context, &self.snapshot());
        let asked = async {
            let validated = self.validate(Located::from_facts(facts?), context)?;
            let authorized = self
                .authorize(validated, ConsentSource::ServerProbe, context)
                .await?;
            let metered = self.meter(authorized, context).await?;
            let (_, _, replied) = self.send(metered).await.into_parts();
            replied.map(|_| Answer::default()).map_err(Answer::from)
        };
        asked.await.unwrap_or_else(|answer: Answer| answer)
    }
}

/// Why a call was not made whose token HighLevel has yet to answer.
fn not_answered(tried: Option<Answer>) -> Answer {
    let why = tried.as_ref().map(Answer::sentence).unwrap_or_default();
    let what = format!(
        "Nothing was sent: HighLevel has not answered this token yet, and the read by which it was tried failed. {why}"
    );
    let class = tried.as_ref().and_then(|tried| tried.class);
    let mut failure = Failure::new(class.unwrap_or(Class::Upstream), what.trim_end())
        .with_remedy("Repeat the call; nothing was changed.");
    if let Some(wait) = tried.and_then(|tried| tried.retry_after) {
        failure = failure.with_retry_after(wait);
    }
    failure.into()
}
