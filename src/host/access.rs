//! On whose behalf a request may call HighLevel: the client's own credential, or the server's for
//! those who may use it.

mod headers;

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::call::{AccessKeyRef, CallerKind, LocationScope, Principal};
use crate::config::{self, LocationHeader, Server};
use crate::highlevel::Caller;
use crate::highlevel::accounts::{Account, Accounts};
use crate::highlevel::caller::{Credential, LocationBinding, TenantId};
use crate::host::problem::Problem;
use crate::store::keys::{Keys, Locations, Record, Refused, looks_like_key};
use headers::{bearer, foreign, not_a_token, tenant, unauthorized};

/// Who may call, and as whom.
pub struct Access {
    /// The server's own account, its location pinned.
    own: Option<Caller>,
    access_key: Option<SecretString>,
    keys: Option<Keys>,
    location_header: LocationHeader,
    /// Nobody but this machine reaches the server.
    loopback: bool,
}

/// What a request shows: a credential of its own, or the right to use the server's.
enum Shown {
    Client(Credential),
    Key(Arc<Record>),
    Server(CallerKind),
}

/// A setting of the account that is no account.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct AccessError(String);

const ACCESS_KEY: &str = "x-access-key";
const LOCATION: &str = "locationid";
const COMPANY: &str = "companyid";

/// Said of every location that a key does not scope, whether there is one or not.
const UNREACHED: &str = "The access key does not reach this location.";

/// Set by proxies: the request came from elsewhere, whatever address it seems to come from.
const FORWARDING: [&str; 6] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "via",
];

impl Access {
    /// `keys`: those that `highlevel-mcp keys` made, where the server keeps state.
    pub fn new(
        server: &Server,
        account: &config::Account,
        keys: Option<Keys>,
    ) -> Result<Self, AccessError> {
        let key = server.access_key.expose_secret();
        Ok(Self {
            own: own_account(account)?,
            keys,
            access_key: (!key.is_empty()).then(|| server.access_key.clone()),
            location_header: server.location_header,
            loopback: server.listen.ip().is_loopback(),
        })
    }

    /// Whom a request with these headers, at the endpoint of this location's alias or of none, acts for.
    pub fn principal(
        &self,
        headers: &HeaderMap,
        alias: Option<&str>,
        accounts: &Accounts,
    ) -> Result<Principal, Problem> {
        let shown = self.credential(headers, accounts)?;
        let location = tenant(headers, LOCATION)?;
        let company = tenant(headers, COMPANY)?;
        // Known only to those who may be here: names of customers are not for everybody.
        let at = match alias {
            None => None,
            Some(alias) => Some(accounts.find(alias).ok_or_else(|| match &shown {
                // A key is not told which other aliases there are.
                Shown::Key(_) => foreign(UNREACHED),
                _ => {
                    let what = "There is no location of this alias here.";
                    Problem::new(StatusCode::NOT_FOUND, "not_found", what)
                }
            })?),
        };
        if let (Some(at), Some(given)) = (at, &location)
            && at.place.location != *given
        {
            return Err(foreign(
                "This endpoint is bound to another location than the locationId header names.",
            ));
        }
        match shown {
            Shown::Client(credential) => {
                let location = at.map(|at| at.place.location.clone()).or(location);
                let pins = at.is_some() || self.location_header == LocationHeader::Pin;
                let account = Caller {
                    credential,
                    location: location.map(|id| match pins {
                        true => LocationBinding::Pin(id),
                        false => LocationBinding::Default(id),
                    }),
                    company,
                    place: at.map(|at| at.place.clone()),
                    home: None,
                };
                Ok(Principal::with_account(CallerKind::Token, account))
            }
            Shown::Key(record) => self.of_key(&record, at, location, accounts),
            Shown::Server(kind) => self.of_server(kind, at, location, company, accounts),
        }
    }

    /// What a request shows of whom it acts for.
    fn credential(&self, headers: &HeaderMap, accounts: &Accounts) -> Result<Shown, Problem> {
        if let Some(bearer) = bearer(headers)? {
            return match self.by_key(bearer)? {
                Some(shown) => Ok(shown),
                None => Credential::parse(bearer)
                    .map(Shown::Client)
                    .ok_or_else(|| not_a_token(bearer)),
            };
        }
        if let Some(key) = headers.get(ACCESS_KEY) {
            let key = key.to_str().unwrap_or_default();
            let not_ours =
                || unauthorized("invalid_token", "The X-Access-Key is not this server's.");
            return self.by_key(key)?.ok_or_else(not_ours);
        }
        let forwarded = FORWARDING.iter().any(|name| headers.contains_key(*name));
        let has_any = self.own.is_some() || !accounts.is_empty();
        if has_any && self.loopback && !forwarded {
            return Ok(Shown::Server(CallerKind::OwnAccount));
        }
        Err(unauthorized(
            "invalid_request",
            "Send a HighLevel token: `Authorization: Bearer pit-…` (Settings, Private Integrations in HighLevel) \
             and `locationId: …`.",
        ))
    }

    /// The right that an access key gives; `None` where `given` is none of ours.
    fn by_key(&self, given: &str) -> Result<Option<Shown>, Problem> {
        if self.is_access_key(given) {
            return Ok(Some(Shown::Server(CallerKind::ServerKey)));
        }
        let Some(keys) = self.keys.as_ref().filter(|_| looks_like_key(given)) else {
            return Ok(None);
        };
        match keys.find(given) {
            Ok(Some(record)) => Ok(Some(Shown::Key(record))),
            Ok(None) => Err(unauthorized(
                "invalid_token",
                "The access key is not one of this server's.",
            )),
            Err(refused @ Refused::Unreadable) => Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                format!("{refused} Its log says why."),
            )),
            Err(refused) => {
                let what = format!("{refused} Have the server's operator make another.");
                Err(unauthorized("invalid_token", &what))
            }
        }
    }

    /// The holder of an access key: in one of its locations, or free to name one.
    fn of_key(
        &self,
        record: &Record,
        at: Option<&Account>,
        location: Option<TenantId>,
        accounts: &Accounts,
    ) -> Result<Principal, Problem> {
        let scope = match &record.locations {
            Locations::All => LocationScope::All,
            Locations::Only(aliases) => LocationScope::These(aliases.clone()),
        };
        let named = match (at, location) {
            (Some(at), _) => Some(at),
            (None, Some(id)) => {
                let named = accounts.of_location(id.as_str());
                Some(named.ok_or_else(|| foreign(UNREACHED))?)
            }
            (None, None) => match &scope {
                LocationScope::These(aliases) if aliases.len() == 1 => accounts.find(&aliases[0]),
                _ => None,
            },
        };
        if let Some(named) = named
            && !scope.contains(&named.place.alias)
        {
            return Err(foreign(UNREACHED));
        }
        Ok(Principal {
            account: named.map(Account::caller),
            scope: if named.is_some() {
                LocationScope::None
            } else {
                scope
            },
            key: Some(AccessKeyRef {
                id: record.id.clone(),
                policy: record.policy.clone(),
                agency: record.agency,
            }),
            kind: CallerKind::AccessKey,
            address: None,
        })
    }

    /// Whoever may use all that the server has: its own account, and every location of its settings.
    fn of_server(
        &self,
        kind: CallerKind,
        at: Option<&Account>,
        location: Option<TenantId>,
        company: Option<TenantId>,
        accounts: &Accounts,
    ) -> Result<Principal, Problem> {
        let own = self.own.as_ref().and_then(|own| own.location.as_ref());
        let is_own = location.is_some() && own.map(LocationBinding::location) == location.as_ref();
        let by_id = location.as_ref().filter(|_| !is_own);
        let by_id = by_id.and_then(|id| accounts.of_location(id.as_str()));
        if let Some(account) = at.or(by_id) {
            return Ok(Principal::with_account(kind, account.caller()));
        }
        if self.own.is_none() && location.is_none() && !accounts.is_empty() {
            return Ok(Principal::with_scope(kind, LocationScope::All));
        }
        let account = self.own(location, company)?;
        Ok(Principal {
            scope: LocationScope::All,
            ..Principal::with_account(kind, account)
        })
    }

    fn is_access_key(&self, given: &str) -> bool {
        self.access_key.as_ref().is_some_and(|key| {
            let (key, given) = (key.expose_secret().as_bytes(), given.as_bytes());
            key.ct_eq(given).into()
        })
    }

    /// The server's account, whose location no header changes.
    fn own(
        &self,
        location: Option<TenantId>,
        company: Option<TenantId>,
    ) -> Result<Caller, Problem> {
        let Some(mut caller) = self.own.clone() else {
            return Err(unauthorized(
                "invalid_token",
                "The access key is right, but the server holds no HighLevel token; set HIGHLEVEL_TOKEN where it runs.",
            ));
        };
        match (&caller.location, location) {
            (Some(LocationBinding::Pin(own)), Some(given)) if *own != given => {
                return Err(foreign(
                    "The server's account is bound to another location than the locationId header names.",
                ));
            }
            (None, Some(given)) => caller.location = Some(LocationBinding::Pin(given)),
            _ => {}
        }
        match (&caller.company, company) {
            (Some(own), Some(given)) if *own != given => {
                return Err(foreign(
                    "The server's account is bound to another company than the companyId header names.",
                ));
            }
            (None, Some(given)) => caller.company = Some(given),
            _ => {}
        }
        Ok(caller)
    }
}

/// The account of the settings, for stdio and for `call`; `None` where there is no token.
pub fn own_account(account: &config::Account) -> Result<Option<Caller>, AccessError> {
    let id = |name: &str, text: &str| match text {
        "" => Ok(None),
        text => TenantId::parse(text).map(Some).ok_or_else(|| {
            AccessError(format!(
                "{name} is no HighLevel id: up to 64 letters, digits, hyphens or underscores"
            ))
        }),
    };
    let location = id("HIGHLEVEL_LOCATION_ID", &account.location_id)?;
    let company = id("HIGHLEVEL_COMPANY_ID", &account.company_id)?;
    let token = account.token.expose_secret();
    if token.is_empty() {
        return Ok(None);
    }
    let credential = Credential::parse(token).ok_or_else(|| {
        AccessError(
            "HIGHLEVEL_TOKEN is no HighLevel token: it is neither pit-… nor a JWT".to_owned(),
        )
    })?;
    Ok(Some(Caller {
        credential,
        home: location.clone(),
        location: location.map(LocationBinding::Pin),
        company,
        place: None,
    }))
}

#[cfg(test)]
mod tests;
