//! Identifies the party that a request calls for: the client's own credential, or the server's for those who may use
//! it.

mod forwarding;
mod headers;
mod local;
mod sign_in;

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::call::{AccessRef, CallerKind, GrantRef, LocationEndpoint, LocationScope, Principal};
use crate::config::{self, LocationHeader, OwnAccount, ServerSettings};
use crate::http::client_address::ClientAddresses;
use crate::http::origin::is_loopback;
use crate::http::problem::HttpProblem;
use crate::upstream::Caller;
use crate::upstream::TenantId;
use crate::upstream::accounts::{Account, Accounts};
use crate::upstream::caller::{Credential, LocationBinding};
pub(in crate::http) use forwarding::was_forwarded;
pub(in crate::http) use headers::key_refused;
use headers::{access_key, bearer, foreign, not_a_token, tenant, unauthorized};
pub(in crate::http) use local::{LocalAccess, NeededProof, local_access};
pub(in crate::http) use sign_in::{AskedCall, shown_token};
use sign_in::{SignInAddress, UNCONNECTED, not_for_calls, of_grant};
use state::grants::is_access_token;
use state::keys::{KeyRecord, Keys, looks_like_key};

/// Decides who may call, and as whom.
pub struct Access {
    /// The server's own account, with its location pinned.
    own: Option<Caller>,
    access_key: Option<SecretString>,
    keys: Option<Keys>,
    location_header: LocationHeader,
    own_account: OwnAccount,
    local: LocalAccess,
    addresses: ClientAddresses,
    sign_in: Option<SignInAddress>,
}

/// The parts of a request that identify caller and place.
pub struct Visit<'a> {
    pub headers: &'a HeaderMap,
    /// The host, parsed once for all.
    pub host: &'a Authority,
    /// The host is the sign-in address.
    pub is_sign_in: bool,
    /// The other end of the connection.
    pub peer: Option<IpAddr>,
    /// The alias of the location's endpoint.
    pub alias: Option<&'a str>,
    /// The grant of the access token that it shows at the sign-in address.
    pub grant: Option<Arc<GrantRef>>,
}

/// What a request shows: a credential of its own, or the right to use the server's.
enum Shown {
    /// `CallerKind::ServerKey` if the settings' access key came with it.
    Client(CallerKind, Credential),
    Key(Arc<KeyRecord>),
    Grant(Arc<GrantRef>),
    Server(CallerKind),
}

/// A faulty setting of the account.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct AccessError(String);

const LOCATION: &str = "locationid";
const COMPANY: &str = "companyid";

/// The error for every location outside a key, whether or not it exists.
const UNREACHED: &str = "The access key does not reach this location.";

impl Access {
    /// `keys`: those of `highlevel-mcp keys`, if the server keeps state.
    pub fn new(
        server: &ServerSettings,
        account: &config::AccountSettings,
        keys: Option<Keys>,
    ) -> Result<Self, AccessError> {
        let key = server.access_key.expose_secret();
        Ok(Self {
            own: own_account(account)?,
            local: LocalAccess::new(server, account, keys.clone()),
            keys,
            access_key: (!key.is_empty()).then(|| server.access_key.clone()),
            location_header: server.location_header,
            own_account: server.own_account,
            addresses: ClientAddresses::new(server),
            sign_in: None,
        })
    }

    /// The same for a sandbox, which has nothing that keys would protect: a first try needs none.
    pub fn before_sandbox(self) -> Self {
        Self {
            local: self.local.before_sandbox(),
            ..self
        }
    }

    /// The caller of a request.
    pub fn principal(
        &self,
        visit: &Visit<'_>,
        accounts: &Accounts,
    ) -> Result<Principal, HttpProblem> {
        let shown = match &visit.grant {
            Some(grant) => Shown::Grant(Arc::clone(grant)),
            None => self.credential(visit, accounts)?,
        };
        let location = tenant(visit.headers, LOCATION)?;
        let company = tenant(visit.headers, COMPANY)?;
        let found = visit.alias.and_then(|alias| accounts.find(alias));
        // A location that a person connected alone is only in that person's grants.
        let found = found.filter(|at| match &shown {
            Shown::Grant(grant) => grant.reach.contains(&at.configured),
            _ => at.configured.owner().is_none(),
        });
        let named = location.as_ref();
        let differs = |at: &Account| named.is_some_and(|given| at.configured.location != *given);
        let address = self.addresses.client(visit.peer, visit.headers);
        let endpoint = visit.alias.map(|alias| LocationEndpoint {
            alias: alias.to_owned(),
            header: named.map(|location| location.as_str().to_owned()),
        });
        let with_address = |principal: Principal| Principal {
            address,
            endpoint,
            ..principal
        };
        let at = match (&shown, visit.alias, found) {
            (_, None, _) => None,
            // Anybody can invent a token, and must not see the names of customers.
            (Shown::Client(CallerKind::Token, credential), Some(_), at)
                if at.is_none_or(differs) =>
            {
                let principal = nowhere(credential.clone(), company);
                return Ok(with_address(principal));
            }
            (_, _, Some(at)) if differs(at) => {
                return Err(foreign(
                    "This endpoint belongs to another location than the locationId header names.",
                ));
            }
            (_, _, Some(at)) => Some(at),
            // A key must not learn which other aliases exist.
            (Shown::Key(_), _, None) => return Err(foreign(UNREACHED)),
            (Shown::Grant(_), _, None) => return Err(foreign(UNCONNECTED)),
            (_, _, None) => {
                let what = "This server has no location with this alias.";
                return Err(HttpProblem::new(StatusCode::NOT_FOUND, "not_found", what));
            }
        };
        let principal = match shown {
            Shown::Client(kind, credential) => {
                let location = at.map(|at| at.configured.location.clone()).or(location);
                let pins = at.is_some() || self.location_header == LocationHeader::Pin;
                let account = Caller {
                    credential,
                    location: location.map(|id| match pins {
                        true => LocationBinding::Pin(id),
                        false => LocationBinding::Default(id),
                    }),
                    company,
                    configured: at.map(|at| at.configured.clone()),
                    home: None,
                };
                Principal {
                    brings_token: true,
                    ..Principal::with_account(kind, account)
                }
            }
            Shown::Key(record) => self.of_key(&record, at, location, accounts)?,
            Shown::Grant(grant) => of_grant(grant, at, location, accounts)?,
            Shown::Server(kind) => self.of_server(kind, at, location, company, accounts)?,
        };
        Ok(with_address(principal))
    }

    /// The credential that a request shows.
    fn credential(&self, visit: &Visit<'_>, accounts: &Accounts) -> Result<Shown, HttpProblem> {
        let access_key = match access_key(visit.headers)? {
            None => None,
            Some(key) => {
                let not_ours = || {
                    unauthorized(
                        "invalid_token",
                        "The X-Access-Key is not a key of this server.",
                    )
                };
                Some(self.by_key(key)?.ok_or_else(not_ours)?)
            }
        };
        let Some(bearer) = bearer(visit.headers)? else {
            return match access_key {
                Some(shown) => self.unless_off(shown),
                None if self.serves_without_credential(visit, accounts) => {
                    Ok(Shown::Server(CallerKind::OwnAccount))
                }
                None => Err(match self.sign_in_at(visit) {
                    Some(sign_in) => sign_in.nothing_shown(),
                    None => self.nothing_shown(),
                }),
            };
        };
        if let Some(shown) = self.by_key(bearer)? {
            return self.unless_off(shown);
        }
        if let Some(sign_in) = &self.sign_in
            && let Some(problem) = not_for_calls(bearer).or_else(|| {
                let is_elsewhere = is_access_token(bearer) && !visit.is_sign_in;
                is_elsewhere.then(|| sign_in.elsewhere())
            })
        {
            return Err(problem);
        }
        let credential = Credential::parse(bearer).ok_or_else(|| not_a_token(bearer))?;
        if let Some(sign_in) = self.sign_in_at(visit)
            && let Some(problem) = sign_in.refuses_highlevel()
        {
            return Err(problem);
        }
        match access_key {
            None => Ok(Shown::Client(CallerKind::Token, credential)),
            Some(Shown::Server(kind)) => Ok(Shown::Client(kind, credential)),
            Some(_) => Err(unauthorized(
                "invalid_request",
                "An hlk_ key opens locations of the server. Send it without a HighLevel token.",
            )),
        }
    }

    /// The own account may be switched off over HTTP. Keys of single locations do not reach it.
    fn unless_off(&self, shown: Shown) -> Result<Shown, HttpProblem> {
        match shown {
            Shown::Server(_) if self.own_account == OwnAccount::Off => Err(unauthorized(
                "invalid_request",
                "The access key is valid, but this server's own account is not served over HTTP (server.own_account = \
                 \"off\"). Send a HighLevel token as `Authorization: Bearer pit-…` too.",
            )),
            shown => Ok(shown),
        }
    }

    /// Whether a request without a credential comes from a program of this machine, and may act as the server. Any sign
    /// that it came from elsewhere is enough to refuse.
    fn serves_without_credential(&self, visit: &Visit<'_>, accounts: &Accounts) -> bool {
        let from_here = visit
            .peer
            .is_some_and(|peer| peer.to_canonical().is_loopback());
        self.sign_in_at(visit).is_none()
            && from_here
            && is_loopback(visit.host)
            && !was_forwarded(visit.headers)
            && self.local.is_open(accounts)
    }

    fn nothing_shown(&self) -> HttpProblem {
        let own = match self.own_account {
            OwnAccount::Off => "",
            _ => {
                "; or, for this server's own account or one of its locations, an access key of this server as \
                 `X-Access-Key: …`"
            }
        };
        let what = format!(
            "Send a HighLevel token: `Authorization: Bearer pit-…` (Settings, Private Integrations in HighLevel) and \
             `locationId: …`{own}."
        );
        unauthorized("invalid_request", &what)
    }

    /// The right of an access key; `None` if `given` is none of ours.
    fn by_key(&self, given: &str) -> Result<Option<Shown>, HttpProblem> {
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
                "This is not an access key of this server.",
            )),
            Err(refusal) => Err(key_refused(&refusal)),
        }
    }

    /// The holder of an access key: in one of its locations, or free to name one.
    fn of_key(
        &self,
        record: &KeyRecord,
        at: Option<&Account>,
        location: Option<TenantId>,
        accounts: &Accounts,
    ) -> Result<Principal, HttpProblem> {
        let scope = LocationScope::from(&record.locations);
        let named = match (at, location) {
            (Some(at), _) => Some(at),
            (None, Some(id)) => {
                let named = match &scope {
                    LocationScope::Connected(_) => {
                        let mut own = scope.within(accounts);
                        own.find(|account| account.configured.location == id)
                    }
                    _ => accounts.of_location(id.as_str()),
                };
                Some(named.ok_or_else(|| foreign(UNREACHED))?)
            }
            (None, None) => match &scope {
                LocationScope::These(aliases) => match aliases.as_slice() {
                    [one] => accounts.find(one),
                    _ => None,
                },
                LocationScope::Connected(_) => scope.within(accounts).next(),
                _ => None,
            },
        };
        if let Some(named) = named
            && !scope.contains(&named.configured)
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
            access: Some(AccessRef::Key(record.into())),
            ..Principal::with_scope(CallerKind::AccessKey, LocationScope::None)
        })
    }

    /// A caller that may use everything of the server: its own account, and every location of its settings.
    fn of_server(
        &self,
        kind: CallerKind,
        at: Option<&Account>,
        location: Option<TenantId>,
        company: Option<TenantId>,
        accounts: &Accounts,
    ) -> Result<Principal, HttpProblem> {
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
    ) -> Result<Caller, HttpProblem> {
        let Some(mut caller) = self.own.clone() else {
            return Err(unauthorized(
                "invalid_token",
                "The access key is valid, but the server has no HighLevel token. Set HIGHLEVEL_TOKEN where the server \
                 runs.",
            ));
        };
        match (&caller.location, location) {
            (Some(LocationBinding::Pin(own)), Some(given)) if *own != given => {
                return Err(foreign(
                    "The server's account belongs to another location than the locationId header names.",
                ));
            }
            (None, Some(given)) => caller.location = Some(LocationBinding::Pin(given)),
            _ => {}
        }
        match (&caller.company, company) {
            (Some(own), Some(given)) if *own != given => {
                return Err(foreign(
                    "The server's account belongs to another company than the companyId header names.",
                ));
            }
            (None, Some(given)) => caller.company = Some(given),
            _ => {}
        }
        Ok(caller)
    }
}

/// A HighLevel token, bound to a location where it can do nothing.
fn nowhere(credential: Credential, company: Option<TenantId>) -> Principal {
    let account = Caller {
        credential,
        location: Some(LocationBinding::Pin(TenantId::of_none())),
        company,
        configured: None,
        home: None,
    };
    Principal::with_account(CallerKind::Token, account)
}

/// The account of the settings, for stdio and `call`; `None` without a token.
pub fn own_account(account: &config::AccountSettings) -> Result<Option<Caller>, AccessError> {
    let id = |key: &str, variable: &str, text: &str| match text {
        "" => Ok(None),
        text => TenantId::parse(text).map(Some).ok_or_else(|| {
            AccessError(format!(
                "{} is not a HighLevel id: up to 64 letters, digits, hyphens or underscores",
                account.place_of(key, variable)
            ))
        }),
    };
    let location = id("location_id", "HIGHLEVEL_LOCATION_ID", &account.location_id)?;
    let company = id("company_id", "HIGHLEVEL_COMPANY_ID", &account.company_id)?;
    let token = account.token.expose_secret();
    if token.is_empty() {
        return Ok(None);
    }
    let credential = Credential::parse(token).ok_or_else(|| {
        let why = Credential::problem(token);
        let place = account.place_of("token", "HIGHLEVEL_TOKEN");
        AccessError(format!("{place} is not a HighLevel token: {why}"))
    })?;
    Ok(Some(Caller {
        credential,
        home: location.clone(),
        location: location.map(LocationBinding::Pin),
        company,
        configured: None,
    }))
}

#[cfg(test)]
mod tests;
