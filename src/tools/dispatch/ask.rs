//! Has somebody agree to calls before they are made: the caller, the person at the client, or one elsewhere.

use serde_json::{Map, Value, json};

use super::answer::{Answer, Question};
use super::{Dispatch, Permit, Planned};
use crate::call::{CallContext, Elicitation};
use crate::highlevel::Failure;
use crate::highlevel::failure::Class;
use crate::policy::Mode;
use crate::store::approvals::{self, Approvals, LocationCount, NewApproval};
use crate::store::{StoreError, sha256};

/// When an agent may ask again after a call that waits for a person.
const ASK_AGAIN: std::time::Duration = std::time::Duration::from_secs(15);

/// Calls for which somebody has to agree.
pub struct Asked<'a> {
    dispatch: &'a Dispatch,
    calls: &'a [Planned],
    first: &'a Planned,
    asker: &'a CallContext,
}

impl<'a> Asked<'a> {
    /// `None` where there are no calls.
    pub fn new(
        dispatch: &'a Dispatch,
        calls: &'a [Planned],
        asker: &'a CallContext,
    ) -> Option<Self> {
        let first = calls.first()?;
        Some(Self {
            dispatch,
            calls,
            first,
            asker,
        })
    }

    pub fn first(&self) -> &'a Planned {
        self.first
    }

    /// The person at the client, asked by the client itself.
    pub fn person(&self) -> Result<Permit, Answer> {
        let first = self.first;
        match &self.asker.elicitation {
            Elicitation::Accepted(token) if self.fits(token) => {
                self.permit(token, Mode::Elicit, "the person at the client")
            }
            Elicitation::Accepted(_) => Err(self.stale(first)),
            Elicitation::Declined => {
                let what = format!("Nothing was sent: the user said no to {}.", first.tool.name);
                let failure = Failure::new(Class::Refused, what);
                Err(self.dispatch.refused(first, &failure, None, self.asker))
            }
            Elicitation::Supported => {
                let text = self.sentence("Run it?")?;
                let token = self.dispatch.confirmation(self.calls);
                let question = Some(Box::new(Question { text, token }));
                Err(Answer {
                    question,
                    was_never_sent: true,
                    ..self.preview(
                        None,
                        "The client asks the user; repeat the call with the answer.",
                    )?
                })
            }
            Elicitation::Unsupported => {
                let what = format!(
                    "Nothing was sent: {} runs only once the user has agreed, and this client cannot ask.",
                    first.tool.name
                );
                let failure = Failure::new(Class::Refused, what).with_remedy(
                    "Use a client that supports elicitation, or have the operator set confirm to token or human.",
                );
                Err(self.dispatch.refused(first, &failure, None, self.asker))
            }
        }
    }

    /// Whoever calls, by repeating the call with the token of its preview.
    pub fn token(&self, confirm: Option<&str>) -> Result<Permit, Answer> {
        match confirm {
            None => {
                let token = self.dispatch.confirmation(self.calls);
                let remedy = "If it is what the user wants, repeat the call with the same arguments and this confirm.";
                Err(self.preview(Some(&token), remedy)?)
            }
            Some(token) if self.fits(token) => self.permit(token, Mode::Token, "the caller"),
            Some(_) => Err(self.stale(self.first)),
        }
    }

    /// Somebody else, at the server, in their own time.
    pub async fn human(&self, confirm: Option<&str>) -> Result<Permit, Answer> {
        let first = self.first;
        let Some(approvals) = self.dispatch.approvals() else {
            let what = format!(
                "Nothing was sent: {} waits for a person, and this server keeps no approvals.",
                first.tool.name
            );
            let failure = Failure::new(Class::Refused, what);
            return Err(self.dispatch.refused(first, &failure, None, self.asker));
        };
        let kept = match confirm {
            None => self.wait(approvals).await,
            Some(handle) => self.decided(approvals, handle).await,
        };
        kept.unwrap_or_else(|error| {
            let what = format!("Nothing was sent: the approval cannot be kept: {error}.");
            let failure = Failure::new(Class::Refused, what);
            Err(self.dispatch.refused(first, &failure, None, self.asker))
        })
    }

    async fn wait(&self, approvals: &Approvals) -> Result<Result<Permit, Answer>, StoreError> {
        let first = self.first;
        let preview = match self.requests() {
            Ok(preview) => preview,
            Err(answer) => return Ok(Err(answer)),
        };
        let (digest, who) = (self.digest(), self.dispatch.who(first, self.asker));
        let new = NewApproval {
            digest,
            tool: first.tool.name.to_owned(),
            effect: first.tool.effect.name().to_owned(),
            location: first.location.as_ref().map(|id| id.as_str().to_owned()),
            alias: first.caller.place.as_ref().map(|place| place.alias.clone()),
            locations: self.locations(),
            who,
            preview,
            lasts: self.dispatch.approvals_last(),
        };
        let (approval, is_new) = approvals.request(new).await?;
        if is_new {
            self.dispatch.tell_of(&approval);
        }
        let remedy = "A person decides; repeat the call with the same arguments and this confirm to see what they said.";
        let answer = self.preview(Some(&approval.handle), remedy);
        Ok(answer.and_then(Err))
    }

    async fn decided(
        &self,
        approvals: &Approvals,
        handle: &str,
    ) -> Result<Result<Permit, Answer>, StoreError> {
        let first = self.first;
        let claimed = approvals.claim(handle, &self.digest()).await?;
        let failure = match claimed {
            approvals::Claim::Run => {
                return Ok(Ok(Permit::approved(handle)));
            }
            approvals::Claim::Done { outcome, is_error } => {
                return Ok(Err(Answer {
                    is_error,
                    ..Answer::text(outcome)
                }));
            }
            approvals::Claim::Pending | approvals::Claim::Running => {
                let what = match claimed {
                    approvals::Claim::Running => "The approved call is still under way.",
                    _ => "Nothing was sent: nobody has decided yet.",
                };
                let failure = Failure::new(Class::NeedsConfirmation, what)
                    .with_remedy("Ask again later with the same arguments and confirm.");
                return Ok(Err(Answer {
                    was_never_sent: true,
                    ..Answer::failed(&failure.with_retry_after(ASK_AGAIN))
                }));
            }
            approvals::Claim::Denied { note } => {
                let note = note.map_or_else(String::new, |note| format!(": {note}"));
                Failure::new(
                    Class::Refused,
                    format!("Nothing was sent: a person said no{note}."),
                )
            }
            approvals::Claim::Expired => {
                Failure::new(Class::Refused, "Nothing was sent: nobody decided in time.")
                    .with_remedy("Call again without confirm to ask anew.")
            }
            approvals::Claim::Other => Failure::new(
                Class::Refused,
                "Nothing was sent: this confirm is for another call.",
            )
            .with_remedy("Call again without confirm to ask for this one."),
            approvals::Claim::Missing => Failure::new(
                Class::Refused,
                "Nothing was sent: there is no such approval.",
            )
            .with_remedy("Call again without confirm to ask for one."),
            approvals::Claim::Unknown => Failure::new(
                Class::UnknownOutcome,
                "The approved call was cut off: it may or may not have happened.",
            )
            .with_remedy("Read the record first; call again without confirm to ask anew."),
        };
        Ok(Err(self
            .dispatch
            .refused(first, &failure, None, self.asker)))
    }

    /// Every location of the calls.
    fn locations(&self) -> Vec<LocationCount> {
        let mut counts: Vec<LocationCount> = Vec::new();
        for call in self.calls {
            let alias = call.caller.place.as_ref().map(|place| place.alias.as_str());
            let id = call.location.as_ref().map(|id| id.as_str());
            let Some(location) = alias.or(id) else {
                continue;
            };
            match counts.iter_mut().find(|one| one.location == location) {
                Some(count) => count.calls += 1,
                None => counts.push(LocationCount {
                    location: location.to_owned(),
                    calls: 1,
                }),
            }
        }
        counts
    }

    fn fits(&self, token: &str) -> bool {
        self.dispatch.is_confirmed(token, self.calls)
    }

    /// A token is good for one run; what came of it is answered again.
    fn permit(&self, token: &str, mode: Mode, by: &str) -> Result<Permit, Answer> {
        let first = self.first;
        let claim = self.dispatch.once().claim(
            &format!("confirm {token}"),
            first.tool,
            &Map::new(),
            self.dispatch.digest(&first.caller),
            &first.caller,
        )?;
        Ok(Permit::claimed((mode, by.to_owned()), claim))
    }

    fn stale(&self, first: &Planned) -> Answer {
        let what = "Nothing was sent: the confirm token is not that of this operation with these arguments, or is older than five minutes.";
        let failure = Failure::new(Class::Refused, what)
            .with_remedy("Call again without confirm for a new preview.");
        self.dispatch.refused(first, &failure, None, self.asker)
    }

    /// What, where, how many.
    fn sentence(&self, end: &str) -> Result<String, Answer> {
        let first = self.first;
        let many = match self.calls.len() {
            1 => String::new(),
            many => format!(", {many} times"),
        };
        let place = match (&first.caller.place, &first.location) {
            (Some(place), _) => format!(" in {} ({})", place.name, place.alias),
            (None, Some(id)) => format!(" in location {}", id.as_str()),
            (None, None) => String::new(),
        };
        let requests = self.requests()?;
        Ok(format!(
            "{}: {}{place}{many}. {} {end}",
            first.tool.name, first.tool.description, requests
        ))
    }

    fn requests(&self) -> Result<Value, Answer> {
        let dry = |call: &Planned| {
            let dry = self.dispatch.dry_run(call);
            dry.map_err(|failure| self.dispatch.refused(call, &failure, None, self.asker))
        };
        let mut requests = self.calls.iter().map(dry).collect::<Result<Vec<_>, _>>()?;
        Ok(match requests.len() {
            1 => requests.remove(0),
            _ => Value::Array(requests),
        })
    }

    fn preview(&self, confirm: Option<&str>, remedy: &str) -> Result<Answer, Answer> {
        let first = self.first;
        let tool = first.tool;
        let bulk = if tool.bulk { " of many records" } else { "" };
        let what = format!(
            "Nothing was sent: {} ({}{bulk}) runs only once it is confirmed.",
            tool.name,
            tool.effect.name()
        );
        let mut asked = json!({
            "error": what,
            "class": Class::NeedsConfirmation.name(),
            "does": tool.description,
            "calls": self.calls.len(),
            "request": self.requests()?,
            "remedy": remedy,
        });
        if let Some(place) = &first.caller.place {
            asked["location"] =
                json!({"alias": place.alias, "name": place.name, "id": place.location.as_str()});
        }
        if let Some(confirm) = confirm {
            asked["confirm"] = json!(confirm);
        }
        Ok(Answer {
            class: Some(Class::NeedsConfirmation),
            was_never_sent: true,
            ..Answer::error(asked.to_string())
        })
    }

    /// What an approval is for; the same in every process.
    fn digest(&self) -> String {
        let calls: Vec<Value> = self
            .calls
            .iter()
            .map(|call| json!([call.arguments, call.location.as_ref().map(|id| id.as_str())]))
            .collect();
        let who = self.dispatch.who(self.first, self.asker);
        let said = json!([self.first.tool.name, calls, who]).to_string();
        sha256(&said)
    }
}
