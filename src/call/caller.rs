//! The caller of a call, and the limits of each kind of caller.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::access_ref::{AccessRef, GrantRef, is_named_in};
use super::shares::CallPlace;
use super::{ClientLine, Pipeline, PrincipalId};
use crate::budget::Budget;
use crate::telemetry::Parent;
use crate::upstream::accounts::{Account, Accounts};
use crate::upstream::{Caller, ConfiguredLocation, Digest};
use policy::NamedRules;
use state::keys::KeyLocations;
use state::people::Person;

/// The party that a connection acts for, as the host or the command line verified it.
#[derive(Clone, Debug)]
pub struct Principal {
    pub kind: CallerKind,
    /// The account of the connection, if it has one.
    pub account: Option<Caller>,
    /// The locations of the server that its calls may name.
    pub scope: LocationScope,
    /// The access key or grant that it showed.
    pub access: Option<AccessRef>,
    /// The address of the request, as far as the settings let the server trust it; an IPv6 address as its network of 64
    /// bits. `None` without a network, or behind a proxy that does not distinguish its clients.
    pub address: Option<IpAddr>,
    /// `account` is a HighLevel token that the client brought, not one of the server's own.
    pub brings_token: bool,
    /// The endpoint of a location that the request came to.
    pub endpoint: Option<LocationEndpoint>,
}

/// The endpoint of a location, `/mcp/l/<alias>`, as the caller named it, whether or not the location exists. The
/// account of a HighLevel token is pinned to the location. If no location has that alias, or the header names another,
/// the account is pinned to one that HighLevel does not have: trying the token there always ends in the same sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocationEndpoint {
    pub alias: String,
    /// The value of the location header.
    pub header: Option<String>,
}

/// How a caller proved who it is. The table of SECURITY.md has a row for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallerKind {
    /// An `hlk_` key that `highlevel-mcp keys create` made.
    AccessKey,
    /// A token of ours that a client got when somebody connected it.
    Grant,
    /// The session of a person who is signed in, at the console.
    Console,
    /// The settings' `access_key`, alone or beside a HighLevel token.
    ServerKey,
    /// A HighLevel token and nothing else: anybody can invent one.
    Token,
    /// No credential, on a listener that only this machine reaches.
    OwnAccount,
    /// stdio or a command: the user who started the process.
    Local,
}

/// A set of the server's own locations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LocationScope {
    #[default]
    None,
    /// The operator's locations: all but those that a person connected alone.
    All,
    /// Some of the operator's, by alias.
    These(Vec<String>),
    /// Connected locations, by id.
    Connected(Vec<String>),
    /// Those of a grant.
    Grant(Arc<GrantRef>),
}

/// The circumstances of every call.
pub struct CallContext {
    pub principal: Principal,
    /// The client's span.
    pub parent: Parent,
    /// The endpoint or command of the call.
    pub surface: String,
    /// Name and version of the client program, if it gives them.
    pub client: Option<String>,
    pub elicitation: Elicitation,
    /// The same for pages that the client opens for that person.
    pub pages: Elicitation,
    /// The request's place among the calls under way, if the host limits those.
    pub place: Option<CallPlace>,
}

/// Whether a person at the client can be asked.
#[derive(Clone, Debug, Default)]
pub enum Elicitation {
    #[default]
    Unsupported,
    /// The client can show a question, and repeats the call with the answer.
    Supported,
    /// The client can be asked while the call waits.
    Reachable(ClientLine),
    /// The person said yes to the question of this token.
    Accepted(String),
    /// Said no.
    Declined,
}

impl Elicitation {
    /// Whether the person can be asked, or was.
    pub(super) fn can_ask(&self) -> bool {
        !matches!(self, Self::Unsupported)
    }
}

/// The limits of one kind of caller. SECURITY.md has the same table in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerRights {
    /// The name in the table of SECURITY.md.
    pub name: &'static str,
    /// The server itself knows the caller. Of other callers, only HighLevel does.
    pub is_known: bool,
    pub agency: AgencyRight,
}

/// Who may use the agency's own token, which reaches all its locations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgencyRight {
    Never,
    /// Keys that were made with `--agency`.
    ByKey,
    /// Allowed if `server.access_key_agency` is set.
    BySetting,
    /// Connections that name no location.
    Unbound,
}

impl From<&KeyLocations> for LocationScope {
    fn from(locations: &KeyLocations) -> Self {
        match locations {
            KeyLocations::All => Self::All,
            KeyLocations::Only(aliases) => Self::These(aliases.clone()),
            KeyLocations::Connected(ids) => Self::Connected(ids.clone()),
        }
    }
}

impl CallerKind {
    pub const ALL: [Self; 7] = [
        Self::AccessKey,
        Self::Grant,
        Self::Console,
        Self::ServerKey,
        Self::Token,
        Self::OwnAccount,
        Self::Local,
    ];

    pub fn rights(self) -> CallerRights {
        let (name, is_known, agency) = match self {
            Self::AccessKey => ("access key", true, AgencyRight::ByKey),
            Self::Grant => ("grant", true, AgencyRight::Never),
            Self::Console => ("console", true, AgencyRight::Never),
            Self::ServerKey => ("settings' key", true, AgencyRight::BySetting),
            Self::Token => ("HighLevel token", false, AgencyRight::Unbound),
            Self::OwnAccount => ("own account", true, AgencyRight::Never),
            Self::Local => ("stdio, `call`", true, AgencyRight::Unbound),
        };
        CallerRights {
            name,
            is_known,
            agency,
        }
    }

    /// Whether the server itself knows the caller. Of other callers, only HighLevel does.
    pub fn is_known(self) -> bool {
        self.rights().is_known
    }
}

impl Principal {
    /// `digest`: the HMAC of an account's token.
    pub fn id(&self, digest: impl FnOnce(&Caller) -> Digest) -> PrincipalId {
        match &self.access {
            Some(AccessRef::Key(key)) => return PrincipalId::Key(key.id.clone()),
            Some(AccessRef::Grant(grant)) => return PrincipalId::Grant(grant.id.clone()),
            Some(AccessRef::Console(grant)) => return PrincipalId::Person(grant.id.clone()),
            None => {}
        }
        match (&self.account, self.kind) {
            (Some(account), _) if self.brings_token => PrincipalId::Token(digest(account)),
            (_, CallerKind::OwnAccount | CallerKind::Local) => PrincipalId::Local,
            _ => PrincipalId::Server,
        }
    }

    /// The name in the audit. Tokens that clients brought are one name here.
    pub fn who(&self) -> String {
        match &self.access {
            Some(access) => access.who(),
            None if self.brings_token => "token".to_owned(),
            None => "operator".to_owned(),
        }
    }

    /// The holder of `account` only.
    pub fn with_account(kind: CallerKind, account: Caller) -> Self {
        Self {
            kind,
            account: Some(account),
            scope: LocationScope::None,
            access: None,
            address: None,
            brings_token: kind == CallerKind::Token,
            endpoint: None,
        }
    }

    /// A person at the console, under these rules and the person's own.
    pub fn at_console(person: Arc<Person>, rules: &NamedRules) -> Self {
        let grant = Arc::new(GrantRef::at_console(person, rules));
        Self {
            access: Some(AccessRef::Console(Arc::clone(&grant))),
            ..Self::with_scope(CallerKind::Console, LocationScope::Grant(grant))
        }
    }

    /// A caller without an account, who names one of the locations in `scope`.
    pub fn with_scope(kind: CallerKind, scope: LocationScope) -> Self {
        Self {
            kind,
            account: None,
            scope,
            access: None,
            address: None,
            brings_token: false,
            endpoint: None,
        }
    }
}

impl Pipeline {
    /// The key of counters and records for the caller.
    pub fn principal_id(&self, principal: &Principal) -> PrincipalId {
        principal.id(|account| self.0.transport.digest(account))
    }

    /// The key of rows for the caller: the same in every process on the store.
    pub fn principal_digest(&self, principal: &Principal) -> [u8; 32] {
        let account = principal.account.as_ref();
        let name = match self.principal_id(principal) {
            PrincipalId::Key(id) => format!("key {id}"),
            PrincipalId::Grant(id) => format!("grant {id}"),
            PrincipalId::Person(id) => format!("person {id}"),
            PrincipalId::Server => "server".to_owned(),
            PrincipalId::Local => "local".to_owned(),
            PrincipalId::Token(_) => {
                let credential = account.map(|account| account.credential.identity());
                format!("token {}", credential.unwrap_or_default())
            }
        };
        self.0.controls.store.identity().digest(&name)
    }
}

impl LocationScope {
    pub fn contains(&self, location: &ConfiguredLocation) -> bool {
        let is_shared = location.owner().is_none();
        match self {
            Self::None => false,
            Self::All => is_shared,
            Self::These(aliases) => is_shared && is_named_in(aliases, location),
            Self::Connected(ids) => location
                .stored
                .as_ref()
                .is_some_and(|stored| ids.contains(&stored.id)),
            Self::Grant(grant) => grant.reach.contains(location),
        }
    }

    /// The locations of `accounts` that are in scope.
    pub fn within<'a>(&self, accounts: &'a Accounts) -> impl Iterator<Item = &'a Account> {
        accounts
            .iter()
            .filter(|account| self.contains(&account.configured))
    }

    /// The location in scope of this alias, or of this id of HighLevel.
    pub fn find<'a>(&self, accounts: &'a Accounts, text: &str) -> Option<&'a Account> {
        let called = accounts.find(text);
        let called = called.filter(|account| self.contains(&account.configured));
        called
            .or_else(|| {
                let mut all = self.within(accounts);
                all.find(|account| account.configured.location.as_str() == text)
            })
            .or_else(|| {
                let is_named = |account: &&Account| {
                    let name = account.configured.name.trim().to_lowercase();
                    !name.is_empty() && name == text.trim().to_lowercase()
                };
                let mut named = self.within(accounts).filter(is_named);
                named.next().filter(|_| named.next().is_none())
            })
    }
}

impl CallContext {
    /// A caller at no particular surface.
    pub fn with_principal(principal: Principal) -> Self {
        Self {
            principal,
            parent: Parent::default(),
            surface: String::new(),
            client: None,
            elicitation: Elicitation::Unsupported,
            pages: Elicitation::Unsupported,
            place: None,
        }
    }

    /// The grant of a call: a call that changes something is not made after its grant has ended, however recently.
    pub(super) fn grant_id(&self) -> Option<String> {
        let access = self.principal.access.as_ref();
        access
            .and_then(AccessRef::grant)
            .map(|grant| grant.id.clone())
    }

    /// The caller's share of the bytes in flight.
    pub fn budget(&self) -> Budget {
        let place = self.place.as_ref();
        place.map(CallPlace::budget).unwrap_or_default()
    }

    /// The user at the command line.
    pub fn local(account: Caller) -> Self {
        Self::with_principal(Principal::with_account(CallerKind::Local, account))
    }
}
