//! Checks that a pasted token belongs to the location that the person named, and which reads it allows.
//!
//! HighLevel has no endpoint for that, so this tries some harmless reads. A token counts as the location's if a read
//! succeeds that HighLevel allows to no other token. Reading the location itself proves nothing, because the agency's
//! token may do so, too.

mod address;
mod problem;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};

use super::{AddressLimiter, Answer, CallContext, CallerKind, ConsentSource, Pipeline, Principal};
use crate::catalog;
use crate::upstream::caller::Credential;
use crate::upstream::failure::FailureClass;
use crate::upstream::{Caller, Failure, LocationBinding, Recheck, Reply, TenantId};
use state::vault::NewToken;
use tool::TokenClass;

pub use address::LocationAddress;
pub use problem::TokenProblem;

/// Most requests to HighLevel for one token, retries included.
const MOST_REQUESTS: u32 = 8;

/// Bad tokens from one address at once, and how long until another one: five in ten minutes.
const MOST_TRIES: u32 = 5;
const NEXT_TRY: Duration = Duration::from_secs(120);

/// Those whose address is not known have so many times more, together.
const UNKNOWN: u32 = 12;

/// Longest wait of the person.
const LONGEST: Duration = Duration::from_secs(10);

/// Has name and time zone. The agency's token may read it, too.
const LOCATION: &str = "/locations/{locationId}";

/// Reads of a location, with the name of their content for people.
const READS: [(&str, &str); 6] = [
    (LOCATION, "the location's name and time zone"),
    ("/contacts/", "contacts"),
    ("/opportunities/pipelines", "opportunities"),
    ("/calendars/", "calendars"),
    ("/conversations/search", "conversations"),
    ("/locations/{locationId}/customFields", "custom fields"),
];

/// Lists every location that the token reaches: an agency's token reaches further ones.
const OF_AGENCIES: &str = "/locations/search";

/// A pasted token.
pub struct TokenTry<'a> {
    /// An id, or the address of a page.
    pub location: &'a str,
    pub token: &'a SecretString,
    /// The person's address; an IPv6 address as its network.
    pub address: Option<IpAddr>,
}

/// A token that belongs to its location.
#[derive(Clone, Debug)]
pub struct TokenCheck {
    pub location: TenantId,
    /// Empty if the token may not read it.
    pub name: String,
    pub zone: Option<String>,
    pub company: Option<TenantId>,
    /// The reads that the token allows, and those that it does not.
    pub can: Vec<&'static str>,
    pub cannot: Vec<&'static str>,
    token: SecretString,
}

/// The number of requests that may still be sent for a token.
#[derive(Clone, Default)]
pub(super) struct RequestBudget(Arc<AtomicU32>);

/// The results of the reads so far.
#[derive(Default)]
struct Findings {
    can: Vec<&'static str>,
    cannot: Vec<&'static str>,
    is_bound: bool,
    /// HighLevel lets it into another location only.
    is_elsewhere: bool,
    /// HighLevel says that it is a token of another kind.
    is_other_kind: bool,
    location: Value,
}

/// Of bad tokens, which cost HighLevel's requests.
pub(super) fn tries() -> AddressLimiter {
    AddressLimiter::new(MOST_TRIES, NEXT_TRY).with_unknown(UNKNOWN)
}

impl Pipeline {
    /// Tries a pasted token at HighLevel. Stores nothing.
    pub async fn check_token(&self, tried: TokenTry<'_>) -> Result<TokenCheck, TokenProblem> {
        let location = LocationAddress::parse(tried.location).ok_or(TokenProblem::Location)?;
        let location = location.location;
        let token = SecretString::from(tried.token.expose_secret().trim());
        let credential = is_private_integration(token.expose_secret())
            .then(|| Credential::from_secret(&token))
            .flatten()
            .ok_or(TokenProblem::Form)?;
        let tries = &self.0.token_tries;
        tries.acquire(tried.address).map_err(TokenProblem::Tries)?;
        let findings = self.try_reads(credential, &location, tried.address).await?;
        tries.give_back(tried.address);
        let text = |name: &str| findings.location[name].as_str().map(str::to_owned);
        Ok(TokenCheck {
            name: text("name").unwrap_or_default(),
            zone: text("timezone"),
            company: text("companyId").and_then(|id| TenantId::parse(&id)),
            location,
            can: findings.can,
            cannot: findings.cannot,
            token,
        })
    }

    /// The reads that the token allows, if it is the location's.
    async fn try_reads(
        &self,
        credential: Credential,
        location: &TenantId,
        address: Option<IpAddr>,
    ) -> Result<Findings, TokenProblem> {
        let deadline = Instant::now() + LONGEST;
        let budget = RequestBudget::default();
        let context = |pin: Option<&TenantId>| {
            let account = Caller {
                credential: credential.clone(),
                location: pin.cloned().map(LocationBinding::Pin),
                company: None,
                configured: None,
                home: None,
            };
            let mut principal = Principal::with_account(CallerKind::Token, account);
            principal.address = address;
            CallContext::with_principal(principal)
        };
        let bound = context(Some(location));
        let mut findings = Findings::default();
        for (path, what) in READS {
            let arguments = [("locationId", json!(location.as_str()))];
            let asked = self.try_read(path, arguments, &bound, &budget);
            let Ok(answered) = timeout_at(deadline, asked).await else {
                break;
            };
            if !findings.take(path, what, answered)? {
                break;
            }
        }
        if findings.is_bound {
            return Ok(findings);
        }
        if findings.is_elsewhere {
            return Err(TokenProblem::Elsewhere);
        }
        if findings.is_other_kind {
            return Err(TokenProblem::Agency);
        }
        if findings.can.len() + findings.cannot.len() < READS.len() {
            return Err(TokenProblem::NoAnswer);
        }
        let unbound = context(None);
        let asked = self.try_read(OF_AGENCIES, [("limit", json!(2))], &unbound, &budget);
        let reaches_others = match timeout_at(deadline, asked).await {
            Ok(Ok(reply)) => lists_others(&reply, location),
            Ok(Err(answer)) if has_answered(&answer) => false,
            _ => return Err(TokenProblem::NoAnswer),
        };
        Err(match reaches_others {
            true => TokenProblem::Agency,
            false => TokenProblem::Scopes(READS.map(|(_, what)| what).to_vec()),
        })
    }

    /// One read, limited to one row if it is a list. No rule of a location applies to it: nobody reaches that location
    /// by this token yet.
    async fn try_read<const COUNT: usize>(
        &self,
        path: &str,
        arguments: [(&str, Value); COUNT],
        context: &CallContext,
        budget: &RequestBudget,
    ) -> Result<Reply, Answer> {
        let tool = catalog::get(path).ok_or_else(|| {
            let what = format!("This server was built without GET {path}.");
            Answer::from(Failure::new(FailureClass::Refused, what))
        })?;
        let takes_limit = tool.arguments.iter().any(|one| one.name == "limit");
        let limit = takes_limit.then(|| ("limit", json!(1)));
        let arguments = limit.into_iter().chain(arguments);
        let arguments = arguments.map(|(name, value)| (name.to_owned(), value));
        let arguments = Map::from_iter(arguments);
        let mut facts = self.find_account(tool, arguments, None, context, &self.snapshot())?;
        facts.caller.configured = None;
        // Boxed: this read is checked like any call.
        let asking = ConsentSource::TokenCheck(budget);
        Box::pin(self.read(facts, asking, context)).await
    }
}

impl Findings {
    /// Notes the result of a read, and returns whether to go on.
    fn take(
        &mut self,
        path: &str,
        what: &'static str,
        answered: Result<Reply, Answer>,
    ) -> Result<bool, TokenProblem> {
        match answered {
            Ok(reply) => {
                self.can.push(what);
                if path == LOCATION {
                    let answer: Value = serde_json::from_str(&reply.body).unwrap_or_default();
                    self.location = answer.get("location").unwrap_or(&answer).clone();
                } else {
                    self.is_bound |= catalog::get(path)
                        .is_some_and(|tool| tool.proves && tool.token == TokenClass::Location);
                }
                Ok(true)
            }
            Err(answer) => match answer.class {
                Some(FailureClass::Auth) => Err(TokenProblem::Unknown),
                Some(FailureClass::TokenClass) => {
                    self.is_other_kind = true;
                    Ok(false)
                }
                Some(FailureClass::Location) => {
                    self.is_elsewhere = true;
                    Ok(false)
                }
                // The location does not exist, or belongs to another agency.
                Some(FailureClass::NotFound | FailureClass::Invalid) if path == LOCATION => {
                    self.is_elsewhere = true;
                    Ok(false)
                }
                _ if has_answered(&answer) => {
                    self.cannot.push(what);
                    Ok(true)
                }
                _ => Ok(false),
            },
        }
    }
}

impl TokenCheck {
    /// The token in the form of the vault.
    pub fn into_new_token(self, owner: Option<String>) -> NewToken {
        NewToken {
            owner,
            location: self.location.as_str().to_owned(),
            name: self.name,
            zone: self.zone,
            company: self.company.map(|id| id.as_str().to_owned()),
            token: self.token,
        }
    }
}

impl RequestBudget {
    /// Adds the limit on attempts to `recheck`, which runs before each attempt.
    pub(super) fn limit(&self, recheck: Recheck) -> Recheck {
        let sent = Arc::clone(&self.0);
        Box::new(move || {
            recheck()?;
            match sent.fetch_add(1, Ordering::Relaxed) {
                ..MOST_REQUESTS => Ok(()),
                _ => Err(Failure::new(
                    FailureClass::Upstream,
                    "Nothing was sent: this token was tried often enough.",
                )),
            }
        })
    }
}

fn lists_others(reply: &Reply, location: &TenantId) -> bool {
    let answer: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    let rows = answer["locations"].as_array();
    let rows = rows.map_or(&[][..], Vec::as_slice);
    rows.iter().any(|row| row["id"] != location.as_str())
}

/// Whether HighLevel looked at the token and refused it.
fn has_answered(answer: &Answer) -> bool {
    !matches!(
        answer.class,
        Some(FailureClass::RateLimited | FailureClass::Upstream)
    ) && answer.status.is_some()
}

/// `pit-` and a UUID.
fn is_private_integration(token: &str) -> bool {
    let is_part = |(part, length): (&str, usize)| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let Some(uuid) = token.strip_prefix("pit-") else {
        return false;
    };
    uuid.split('-').count() == 5 && uuid.split('-').zip([8, 4, 4, 4, 12]).all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_read_is_an_operation_and_those_that_bind_prove_the_location() {
        let mut binding = Vec::new();
        for (path, _) in READS {
            let tool = catalog::get(path).expect(path);
            assert!(tool.proves, "{path}");
            if tool.token == TokenClass::Location {
                binding.push(path);
            }
        }
        assert!(
            binding.len() > 3 && !binding.contains(&LOCATION),
            "{binding:?}"
        );
        let search = catalog::get(OF_AGENCIES).expect(OF_AGENCIES);
        assert!(!search.proves);
        assert!(READS.len() < usize::try_from(MOST_REQUESTS).expect("small"));
    }

    #[test]
    fn a_private_integrations_token_is_pit_and_a_uuid() {
        for (token, expected) in [
            ("pit-11111111-aaaa-BBBB-cccc-222222222222", true),
            ("pit-11111111-aaaa-BBBB-cccc-22222222222", false),
            ("pit-11111111-aaaa-BBBB-cccc-222222222222-", false),
            ("pit-11111111aaaaBBBBcccc222222222222", false),
            ("pit-1111111g-aaaa-BBBB-cccc-222222222222", false),
            ("PIT-11111111-aaaa-BBBB-cccc-222222222222", false),
            ("11111111-aaaa-BBBB-cccc-222222222222", false),
            ("eyJhbGciOiJIUzI1NiJ9.e30.x", false),
            ("", false),
        ] {
            assert_eq!(is_private_integration(token), expected, "{token}");
        }
    }
}
