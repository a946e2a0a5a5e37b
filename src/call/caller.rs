//! The caller of a call, and the limits of each kind of caller.

use std::net::IpAddr;
use std::sync::Arc;

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

/// Whom a connection acts for, as the host or the command line made sure of.
#[derive(Clone, Debug)]
pub struct Principal {
    pub kind: CallerKind,
    /// The account of the connection, where it has one.
    pub account: Option<Caller>,
    /// Which of the server's own locations may be named beside it.
    pub scope: LocationScope,
    /// The access key or grant that was shown.
    pub access: Option<AccessRef>,
    /// Where the request came from, as far as the settings let the server believe it, an IPv6 address as its network of
    /// 64 bits; `None` without a network, and where a proxy tells its clients apart by nothing.
    pub address: Option<IpAddr>,
    /// `account` is a HighLevel token that the client brought, not one of the server's own.
    pub brings_token: bool,
    /// The endpoint of a location that the request came to.
    pub endpoint: Option<LocationEndpoint>,
}

/// The endpoint of a location, `/mcp/l/<alias>`, as a caller named it: whether there is such a location or not. The
/// account of a HighLevel token is pinned to the location, or to one that HighLevel does not have where there is none of
/// that alias, or the header names another: trying the token there ends in one and the same sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocationEndpoint {
    pub alias: String,
    /// What the location header names.
    pub header: Option<String>,
}

/// How a caller showed who it is. The table of SECURITY.md has a row for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallerKind {
    /// An `hlk_` key that `highlevel-mcp keys create` made.
    AccessKey,
    /// A token of ours that a client got when somebody connected it.
    Grant,
    /// The session of a person who is signed in, at the console.
    Console,
    /// The settings' `access_key`, alone or beside a HighLevel token.
    ServerKey,
    /// A HighLevel token and nothing else: anybody can make one up.
    Token,
    /// Nothing, on a listener that only this machine reaches.
    OwnAccount,
    /// stdio or a command: whoever started the process.
    Local,
}

/// A set of the server's own locations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LocationScope {
    #[default]
    None,
    /// The operator's: none that a person connected alone.
    All,
    /// Of the operator's, by alias.
    These(Vec<String>),
    /// Locations that were connected, by their ids.
    Connected(Vec<String>),
    /// Those of a grant.
    Grant(Arc<GrantRef>),
}

/// What every call comes with.
pub struct CallContext {
    pub principal: Principal,
    /// The client's span.
    pub parent: Parent,
    /// Endpoint or command that it came by.
    pub surface: String,
    /// Name and version of the client program, where it says them.
    pub client: Option<String>,
    pub elicitation: Elicitation,
    /// The same of pages that are opened for that person.
    pub pages: Elicitation,
    /// The place among the calls under way that the request holds, where a host hands them out.
    pub place: Option<CallPlace>,
}

/// Whether a person at the client can be asked.
#[derive(Clone, Debug, Default)]
pub enum Elicitation {
    #[default]
    Unsupported,
    /// The client can show a question, and comes back with the answer.
    Supported,
    /// The client can be asked while the call waits.
    Reachable(ClientLine),
    /// Said yes to the question that this token stands for.
    Accepted(String),
    /// Said no.
    Declined,
}

impl Elicitation {
    /// Whether there is, or was, a way to the person.
    pub(super) fn can_ask(&self) -> bool {
        !matches!(self, Self::Unsupported)
    }
}

/// What one kind of caller may spend. SECURITY.md has the same table in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerRights {
    /// As the table of SECURITY.md names it.
    pub name: &'static str,
    /// The server itself knows the caller; of the others HighLevel has the word.
    pub is_known: bool,
    pub agency: AgencyRight,
}

/// Who may act with the agency's own token, which reaches all its locations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgencyRight {
    Never,
    /// Where the key was made with `--agency`.
    ByKey,
    /// Where `server.access_key_agency` says so.
    BySetting,
    /// Where the connection names no location.
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

    /// Whether the server itself knows the caller. Of the others HighLevel has the word.
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

    /// As the audit names it, but for tokens that clients brought, which are one here.
    pub fn who(&self) -> String {
        match &self.access {
            Some(access) => access.who(),
            None if self.brings_token => "token".to_owned(),
            None => "operator".to_owned(),
        }
    }

    /// The holder of `account`, and of nothing else.
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

    /// A person at the console, under these rules and those that hold for the person anyway.
    pub fn at_console(person: Arc<Person>, rules: &NamedRules) -> Self {
        let grant = Arc::new(GrantRef::at_console(person, rules));
        Self {
            access: Some(AccessRef::Console(Arc::clone(&grant))),
            ..Self::with_scope(CallerKind::Console, LocationScope::Grant(grant))
        }
    }

    /// Somebody without an account of their own, who names one of the locations in `scope`.
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
    /// What counters and records keep the caller under.
    pub fn principal_id(&self, principal: &Principal) -> PrincipalId {
        principal.id(|account| self.0.transport.digest(account))
    }

    /// What rows keep the caller under: the same in every process on the store.
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

    /// Of `accounts`, what is within.
    pub fn within<'a>(&self, accounts: &'a Accounts) -> impl Iterator<Item = &'a Account> {
        accounts
            .iter()
            .filter(|account| self.contains(&account.configured))
    }

    /// Of these the one of this alias, or of the id that HighLevel has for it.
    pub fn find<'a>(&self, accounts: &'a Accounts, text: &str) -> Option<&'a Account> {
        let called = accounts.find(text);
        let called = called.filter(|account| self.contains(&account.configured));
        called.or_else(|| {
            let mut all = self.within(accounts);
            all.find(|account| account.configured.location.as_str() == text)
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

    /// Of the grant that a call comes with: one that changes something is not made after that has ended, however lately.
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

    /// Whoever is at the command line.
    pub fn local(account: Caller) -> Self {
        Self::with_principal(Principal::with_account(CallerKind::Local, account))
    }
}
