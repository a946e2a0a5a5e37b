//! Which account a call acts for: the connection's own, or one of the server's locations that it names.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::message_target::may_lift_refusal;
use super::{
    AccessRef, AgencyRight, Answer, CallContext, Facts, LOCATION, LocationScope, Options, Pipeline,
    Principal, Snapshot,
};
use crate::call::arguments::{Checker, LocalZone};
use crate::telemetry::CallWatch;
use crate::upstream::accounts::{Account, Accounts};
use crate::upstream::failure::FailureClass;
use crate::upstream::{
    Caller, ConfiguredLocation, Failure, LocationBinding, TenantId, agency_refusal,
};
use tool::{Role, TokenClass, Tool};

/// A call whose account is known, and whose tool the caller may see.
pub(super) struct Located(Facts);

/// Most aliases that an error names.
const MOST_NAMED: usize = 10;

impl Pipeline {
    /// Finds the account of a call, and whether its caller may see the tool there.
    pub(super) fn locate(
        &self,
        tool: &'static Tool,
        arguments: Map<String, Value>,
        location: Option<&str>,
        context: &CallContext,
        snapshot: &Arc<Snapshot>,
    ) -> Result<Located, Answer> {
        let facts = self.find_account(tool, arguments, location, context, snapshot)?;
        // Whoever may have made its token up hears of a location's rules when the call is judged.
        let rules = match facts.may_disclose {
            true => facts.rules(context),
            false => snapshot.rules_over(None, context.principal.access.as_ref()),
        };
        match rules.shows(tool) {
            Ok(()) => Ok(Located(facts)),
            Err(denied) => Err(self.deny(&facts, denied, context)),
        }
    }

    /// Finds the account of a call, and takes what named it out of the arguments. `location` holds where the
    /// arguments name none.
    pub(super) fn find_account(
        &self,
        tool: &'static Tool,
        mut arguments: Map<String, Value>,
        location: Option<&str>,
        context: &CallContext,
        snapshot: &Arc<Snapshot>,
    ) -> Result<Facts, Answer> {
        let principal = &context.principal;
        let found = account(tool, &mut arguments, location, snapshot, principal);
        let mut caller = match found {
            Ok(caller) => caller,
            Err(failure) => {
                // No location would help.
                let is_agencys =
                    tool.token == TokenClass::Agency && !self.may_use_agency(principal);
                let failure = match is_agencys {
                    true => agency_refusal(tool, principal.kind.is_known()),
                    false => failure,
                };
                self.write_unlocated(tool, &arguments, context, &failure);
                return Err(Answer::never_sent(&failure));
            }
        };
        let bound = caller.location.as_ref();
        let named = Checker::named_location(tool, &arguments)
            .or_else(|| bound.map(|bound| bound.location().clone()));
        if caller.location.is_none() {
            let own = self.transport().own_location(&caller);
            caller.location = own.map(LocationBinding::Default);
        }
        if caller.company.is_none() {
            caller.company = self.transport().own_company(&caller);
        }
        if let (None, Some(location)) = (&caller.configured, &caller.location) {
            let known = snapshot.locations.of_location(location.location().as_str());
            caller.configured = known.map(|account| account.configured.clone());
        }
        let (variant, version) = tool.variant(self.transport().preferred());
        let bound = caller.location.as_ref();
        let location = bound.map(|bound| bound.location().clone());
        let mut may_disclose = self.may_hear_of(principal, &caller, location.as_ref());
        // A token of one location is under that location's rules and pause where it names none, too.
        if location.is_none()
            && let Some(only) = self.transport().only_location(&caller)
        {
            let known = snapshot.locations.of_location(only.as_str());
            caller.configured = known.map(|account| account.configured.clone());
            may_disclose = true;
        }
        Ok(Facts {
            tool,
            variant,
            version,
            agency: self.may_use_agency(principal),
            may_disclose,
            location,
            named,
            caller,
            arguments,
            as_highlevel: false,
            confirm_alone: false,
            warnings: None,
            fences: None,
            names_location: false,
            once: None,
            answer_by: None,
            idempotency_key: None,
            tenant_remedy: None,
            zone: LocalZone::Unasked,
            snapshot: Arc::clone(snapshot),
        })
    }

    /// Whether the caller may hear what the server knows of a location: the server knows it, or HighLevel let its token
    /// in there.
    pub(super) fn may_hear_of(
        &self,
        principal: &Principal,
        caller: &Caller,
        location: Option<&TenantId>,
    ) -> bool {
        let is_proven = |location| self.transport().is_proven(caller, location);
        principal.kind.is_known() || location.is_some_and(is_proven)
    }

    /// Whether the caller may act with the agency's own token. Who is bound to locations never may: that token
    /// reaches all of them.
    pub fn may_use_agency(&self, principal: &Principal) -> bool {
        let account = principal.account.as_ref();
        match principal.kind.rights().agency {
            AgencyRight::Never => false,
            AgencyRight::ByKey => {
                let access = principal.access.as_ref();
                access.is_some_and(AccessRef::may_use_agency)
            }
            AgencyRight::BySetting => self.settings().access_key_agency,
            AgencyRight::Unbound => !account
                .is_some_and(|account| matches!(account.location, Some(LocationBinding::Pin(_)))),
        }
    }

    /// Whether the rules over `principal` let it see `tool` in any location that it reaches.
    pub fn is_visible(&self, tool: &Tool, principal: &Principal) -> bool {
        let snapshot = self.snapshot();
        let access = principal.access.as_ref();
        if snapshot.rules.is_empty() && access.is_none() && self.controls().sign_in.is_none() {
            return true;
        }
        let shown = |location: Option<&ConfiguredLocation>| {
            let rules = snapshot.rules_over(location, access);
            rules.shows(tool).is_ok()
        };
        let reachable = principal.scope.within(&snapshot.locations);
        // Whoever may have made a token up is not shown what the rules of a location are that it names.
        let own = principal.account.as_ref().map(|account| {
            // One that is known needs not be looked for: a person's own is found by nobody else.
            if let Some(configured) = &account.configured {
                return snapshot.locations.find(&configured.alias);
            }
            let bound = account.location.as_ref().map(LocationBinding::location);
            let location = match bound {
                Some(at) => {
                    Some(at.clone()).filter(|at| self.may_hear_of(principal, account, Some(at)))
                }
                None => self.transport().only_location(account),
            };
            location.and_then(|location| snapshot.locations.of_location(location.as_str()))
        });
        let places = own.into_iter().chain(reachable.map(Some));
        let mut locations = places
            .map(|account| account.map(|account| account.configured.as_ref()))
            .peekable();
        match locations.peek() {
            None => shown(None),
            Some(_) => locations.any(shown),
        }
    }

    /// Whether lists and searches may differ from those of others.
    pub fn hides_anything(&self) -> bool {
        self.controls().sign_in.is_some() || self.snapshot().rules.hides_anything()
    }
}

impl Located {
    /// A call that was located before, with other arguments.
    pub(super) fn from_facts(facts: Facts) -> Self {
        Self(facts)
    }

    /// The same call by what its options say.
    pub(super) fn with_options(mut self, options: &Options) -> Self {
        self.0.as_highlevel = options.as_highlevel;
        self.0.confirm_alone = options.confirm_alone;
        self.0.fences.clone_from(&options.fences);
        if options.as_highlevel {
            self.0.zone = LocalZone::Utc;
        }
        self
    }

    /// The same call as a part of one that is answered then.
    pub(super) fn with_answer_by(mut self, answer_by: Instant) -> Self {
        self.0.answer_by = Some(answer_by);
        self
    }

    /// Has the call under way stand at its location.
    pub(super) fn show_in(&self, watch: &CallWatch) {
        if let Some(location) = &self.0.location {
            watch.locate(location.as_str());
        }
    }

    /// Whether the rules may have somebody agree to the call.
    pub(super) fn needs_consent(&self, context: &CallContext) -> bool {
        let facts = &self.0;
        !facts.rules(context).asks_nobody(facts.tool) || may_lift_refusal(&facts.arguments)
    }

    pub(super) fn into_facts(self) -> Facts {
        self.0
    }
}

fn account(
    tool: &Tool,
    arguments: &mut Map<String, Value>,
    location: Option<&str>,
    snapshot: &Snapshot,
    principal: &Principal,
) -> Result<Caller, Failure> {
    let accounts = &snapshot.locations;
    let own = tool.arguments.iter().any(|one| one.name == LOCATION);
    let named = match own {
        true => None,
        false => arguments.remove(LOCATION),
    };
    let named = named.filter(|named| !named.is_null() && *named != "");
    let named = named
        .as_ref()
        .map(|named| named.as_str().unwrap_or_default());
    if let (Some(named), Some(location)) = (named, location)
        && named != location
    {
        let what = format!(
            "Nothing was sent: `location` is given twice, as {} in the arguments and as {} beside them.",
            shown(named),
            shown(location)
        );
        return Err(Failure::new(FailureClass::Location, what).with_remedy("Give it once."));
    }
    match named.or(location) {
        Some(named) => account_named(named, accounts, principal),
        None => match (&principal.account, &principal.scope) {
            (Some(account), _) => Ok(account.clone()),
            (None, LocationScope::None) => Err(Failure::new(
                FailureClass::Auth,
                "The connection has no account.",
            )),
            (None, scope) => match by_arguments(tool, arguments, accounts, scope) {
                Some(account) => Ok(account.caller()),
                None => {
                    let named = given_locations(tool, arguments).next();
                    Ok(only(accounts, scope, named.map(|(_, named)| named))?.caller())
                }
            },
        },
    }
}

/// The remedy for a client's own token, whose locations only HighLevel knows.
const BY_ID: &str = "Give the location's id, not its name: HighLevel shows it in its address bar. Leave `location` out if the token \
                     is that of one location.";

fn account_named(
    text: &str,
    accounts: &Accounts,
    principal: &Principal,
) -> Result<Caller, Failure> {
    let own = principal.account.as_ref().filter(|account| {
        let id = account
            .location
            .as_ref()
            .map(|bound| bound.location().as_str());
        let alias = account
            .configured
            .as_ref()
            .map(|configured| configured.alias.as_str());
        id == Some(text) || alias == Some(text)
    });
    if let Some(own) = own {
        return Ok(own.clone());
    }
    if let Some(account) = principal.scope.find(accounts, text) {
        return Ok(account.caller());
    }
    let bound = principal.account.as_ref().map(|account| &account.location);
    if let Some(Some(LocationBinding::Pin(pin))) = bound {
        let what = format!(
            "Nothing was sent: this connection is bound to location {}, not to {}.",
            pin.as_str(),
            shown(text)
        );
        return Err(Failure::new(FailureClass::Location, what).with_remedy("Leave `location` out."));
    }
    // A client's own token, which its connection binds to no location.
    if let (Some(account), Some(id)) = (&principal.account, TenantId::parse(text))
        && account.configured.is_none()
    {
        return Ok(Caller {
            location: Some(LocationBinding::Pin(id)),
            ..account.clone()
        });
    }
    let what = format!(
        "Nothing was sent: there is no location {} here.",
        shown(text)
    );
    let known: Vec<&Account> = principal.scope.within(accounts).collect();
    let remedy = match known.as_slice() {
        [] => BY_ID.to_owned(),
        known => listed(known),
    };
    Err(Failure::new(FailureClass::Location, what).with_remedy(remedy))
}

/// The location that an argument of the tool names; an alias or a name there is replaced by its id.
fn by_arguments<'a>(
    tool: &Tool,
    arguments: &mut Map<String, Value>,
    accounts: &'a Accounts,
    scope: &LocationScope,
) -> Option<&'a Account> {
    let mut given = given_locations(tool, arguments);
    let (name, account) =
        given.find_map(|(name, given)| Some((name, scope.find(accounts, given)?)))?;
    drop(given);
    arguments.insert(name.to_owned(), json!(account.configured.location.as_str()));
    Some(account)
}

/// Arguments that name a location, and the names there.
fn given_locations<'a>(
    tool: &Tool,
    arguments: &'a Map<String, Value>,
) -> impl Iterator<Item = (&'static str, &'a str)> {
    let of_location = |one: &&tool::Argument| matches!(one.role, Role::Location(_));
    tool.arguments.iter().filter(of_location).filter_map(|one| {
        let names = std::iter::once(&one.name).chain(one.aliases);
        let name = names.copied().find(|name| arguments.contains_key(*name))?;
        Some((name, arguments.get(name)?.as_str()?))
    })
}

/// The only location there is; several are none. `named`: a name that is none of them.
fn only<'a>(
    accounts: &'a Accounts,
    scope: &LocationScope,
    named: Option<&str>,
) -> Result<&'a Account, Failure> {
    let within: Vec<&Account> = scope.within(accounts).collect();
    match within.as_slice() {
        [one] => Ok(one),
        [] if matches!(scope, LocationScope::Grant(_)) => {
            let what = "Nothing was sent: this connection no longer reaches any location.";
            Err(Failure::new(FailureClass::Location, what).with_remedy(
                "Ask the person who connected it to connect it again, with a location.",
            ))
        }
        [] => {
            let what = "Nothing was sent: no location is open to this key.";
            Err(Failure::new(FailureClass::Location, what)
                .with_remedy("Have the server's operator give the key a location."))
        }
        several => {
            let names = match named {
                None => "the call names none".to_owned(),
                Some(named) => format!("{} is none of them", shown(named)),
            };
            let what = format!(
                "Nothing was sent: {} locations are open to this connection, and {names}.",
                several.len()
            );
            Err(Failure::new(FailureClass::Location, what).with_remedy(listed(several)))
        }
    }
}

fn listed(accounts: &[&Account]) -> String {
    let names = accounts.iter().take(MOST_NAMED);
    let names: Vec<&str> = names
        .map(|account| account.configured.alias.as_str())
        .collect();
    let more = match accounts.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("Give `location`: {}{more}.", names.join(", "))
}

fn shown(text: &str) -> String {
    let text: String = text.chars().take(64).collect();
    if text.is_empty() {
        "of that form".to_owned()
    } else {
        text
    }
}
