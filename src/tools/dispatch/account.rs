//! Which account a call acts for: the connection's own, or one of the server's locations that it names.

use serde_json::{Map, Value, json};

use super::Dispatch;
use crate::call::{CallContext, LocationScope, Principal};
use crate::highlevel::accounts::{Account, Accounts};
use crate::highlevel::failure::Class;
use crate::highlevel::{Caller, Failure, LocationBinding, TenantId};
use crate::runtime::tool::{Role, Tool};

/// A call whose account is known.
#[derive(Clone)]
pub struct Planned {
    pub tool: &'static Tool,
    pub arguments: Map<String, Value>,
    pub caller: Caller,
    /// It comes with an idempotency key.
    pub keyed: bool,
    /// The location that it is for, once its arguments were checked.
    pub location: Option<TenantId>,
}

/// The argument that names one of the server's locations, by alias or id, whatever the tool.
pub const LOCATION: &str = "location";

/// Most aliases that an error names.
const MOST_NAMED: usize = 10;

impl Dispatch {
    /// Finds the account of a call, and takes what named it out of the arguments.
    pub fn plan(
        &self,
        tool: &'static Tool,
        mut arguments: Map<String, Value>,
        asker: &CallContext,
    ) -> Result<Planned, Failure> {
        match self.account_for(tool, &mut arguments, &asker.principal) {
            Ok(caller) => Ok(Planned {
                tool,
                arguments,
                caller,
                keyed: false,
                location: None,
            }),
            Err(failure) => {
                self.write_unplanned(tool, &arguments, asker, &failure);
                Err(failure)
            }
        }
    }

    fn account_for(
        &self,
        tool: &Tool,
        arguments: &mut Map<String, Value>,
        principal: &Principal,
    ) -> Result<Caller, Failure> {
        let tenancy = self.tenancy();
        let accounts = &tenancy.accounts;
        let own = tool.arguments.iter().any(|one| one.name == LOCATION);
        let named = match own {
            true => None,
            false => arguments.remove(LOCATION).filter(|named| !named.is_null()),
        };
        let mut caller = match named {
            Some(named) => self.named(&named, accounts, principal)?,
            None => match (&principal.account, &principal.scope) {
                (Some(account), _) => account.clone(),
                (None, LocationScope::None) => {
                    return Err(Failure::new(Class::Auth, "The connection has no account."));
                }
                (None, scope) => match by_arguments(tool, arguments, accounts, scope) {
                    Some(account) => account.caller(),
                    None => only(accounts, scope)?.caller(),
                },
            },
        };
        if let (None, Some(location)) = (&caller.place, &caller.location) {
            let known = accounts.of_location(location.location().as_str());
            caller.place = known.map(|account| account.place.clone());
        }
        Ok(caller)
    }

    /// Whether the rules over `principal` let it see `tool` in any location that it reaches.
    pub fn shows(&self, tool: &Tool, principal: &Principal) -> bool {
        let tenancy = self.tenancy();
        if tenancy.policy.is_empty() {
            return true;
        }
        let policy = principal.key.as_ref().and_then(|key| key.policy.as_deref());
        let shown = |alias: Option<&str>| tenancy.policy.over(alias, policy).shows(tool).is_ok();
        let reachable = reachable(&tenancy.accounts, &principal.scope);
        let own = principal.account.as_ref().map(|account| {
            let bound = account.location.as_ref();
            bound.and_then(|bound| tenancy.accounts.of_location(bound.location().as_str()))
        });
        let places = own.into_iter().chain(reachable.into_iter().map(Some));
        let mut aliases = places
            .map(|account| account.map(|account| account.place.alias.as_str()))
            .peekable();
        match aliases.peek() {
            None => shown(None),
            Some(_) => aliases.any(shown),
        }
    }

    /// Whether lists and searches may differ from those of others.
    pub fn hides_anything(&self) -> bool {
        self.tenancy().policy.hides_anything()
    }

    fn named(
        &self,
        named: &Value,
        accounts: &Accounts,
        principal: &Principal,
    ) -> Result<Caller, Failure> {
        let text = named.as_str().unwrap_or_default();
        let own = principal.account.as_ref().filter(|account| {
            let id = account
                .location
                .as_ref()
                .map(|bound| bound.location().as_str());
            let alias = account.place.as_ref().map(|place| place.alias.as_str());
            id == Some(text) || alias == Some(text)
        });
        if let Some(own) = own {
            return Ok(own.clone());
        }
        let found = accounts.find(text).or_else(|| accounts.of_location(text));
        if let Some(account) = found.filter(|one| principal.scope.contains(&one.place.alias)) {
            return Ok(account.caller());
        }
        let bound = principal.account.as_ref().map(|account| &account.location);
        if let Some(Some(LocationBinding::Pin(pin))) = bound {
            let what = format!(
                "Nothing was sent: this connection is bound to location {}, not to {}.",
                pin.as_str(),
                shown(text)
            );
            return Err(Failure::new(Class::Location, what).with_remedy("Leave `location` out."));
        }
        // A client's own token, which its connection binds to no location.
        if let (Some(account), Some(id)) = (&principal.account, TenantId::parse(text))
            && account.place.is_none()
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
        let known = reachable(accounts, &principal.scope);
        let remedy = match known.as_slice() {
            [] => "Leave `location` out: the connection has one account only.".to_owned(),
            known => listed(known),
        };
        Err(Failure::new(Class::Location, what).with_remedy(remedy))
    }
}

/// The location that an argument of the tool names; an alias there is replaced by its id.
fn by_arguments<'a>(
    tool: &Tool,
    arguments: &mut Map<String, Value>,
    accounts: &'a Accounts,
    scope: &LocationScope,
) -> Option<&'a Account> {
    let of_location = |one: &&crate::runtime::tool::Argument| matches!(one.role, Role::Location(_));
    tool.arguments.iter().filter(of_location).find_map(|one| {
        let names = std::iter::once(&one.name).chain(one.aliases);
        let name = names.copied().find(|name| arguments.contains_key(*name))?;
        let given = arguments.get(name)?.as_str()?;
        let found = accounts.find(given).or_else(|| accounts.of_location(given));
        let account = found.filter(|account| scope.contains(&account.place.alias))?;
        arguments.insert(name.to_owned(), json!(account.place.location.as_str()));
        Some(account)
    })
}

/// The only location there is; several are none.
fn only<'a>(accounts: &'a Accounts, scope: &LocationScope) -> Result<&'a Account, Failure> {
    match reachable(accounts, scope).as_slice() {
        [one] => Ok(one),
        [] => {
            let what = "Nothing was sent: no location is open to this key.";
            Err(Failure::new(Class::Location, what)
                .with_remedy("Have the server's operator give the key a location."))
        }
        several => {
            let what = format!(
                "Nothing was sent: {} locations are open to this connection, and the call names none.",
                several.len()
            );
            Err(Failure::new(Class::Location, what).with_remedy(listed(several)))
        }
    }
}

fn reachable<'a>(accounts: &'a Accounts, scope: &LocationScope) -> Vec<&'a Account> {
    accounts
        .iter()
        .filter(|account| scope.contains(&account.place.alias))
        .collect()
}

fn listed(accounts: &[&Account]) -> String {
    let names = accounts.iter().take(MOST_NAMED);
    let names: Vec<&str> = names.map(|account| account.place.alias.as_str()).collect();
    let more = match accounts.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more; list_locations names them"),
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
