//! Who asks for a call, and what each kind of caller may spend.

use std::net::IpAddr;

use super::shares::CallPlace;
use super::{ClientLine, PrincipalId};
use crate::budget::Budget;
use crate::telemetry::Parent;
use crate::upstream::{Caller, Digest};
use state::keys::{KeyLocations, KeyRecord};

/// Whom a connection acts for, as the host or the command line made sure of.
#[derive(Clone, Debug)]
pub struct Principal {
    pub kind: CallerKind,
    /// The account of the connection, where it has one.
    pub account: Option<Caller>,
    /// Which of the server's own locations may be named beside it.
    pub scope: LocationScope,
    /// The access key's, by the names that the rules and the audit know.
    pub key: Option<AccessKeyRef>,
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
    /// The settings' `access_key`, alone or beside a HighLevel token.
    ServerKey,
    /// A HighLevel token and nothing else: anybody can make one up.
    Token,
    /// Nothing, on a listener that only this machine reaches.
    OwnAccount,
    /// stdio or a command: whoever started the process.
    Local,
}

/// An access key as far as calls are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKeyRef {
    pub id: String,
    pub policy: Option<String>,
    /// It may act with the agency's own token.
    pub agency: bool,
}

/// A set of the server's own locations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LocationScope {
    #[default]
    None,
    All,
    /// By alias.
    These(Vec<String>),
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

impl From<&KeyRecord> for AccessKeyRef {
    fn from(record: &KeyRecord) -> Self {
        Self {
            id: record.id.clone(),
            policy: record.policy.clone(),
            agency: record.agency,
        }
    }
}

impl From<&KeyLocations> for LocationScope {
    fn from(locations: &KeyLocations) -> Self {
        match locations {
            KeyLocations::All => Self::All,
            KeyLocations::Only(aliases) => Self::These(aliases.clone()),
        }
    }
}

impl CallerKind {
    pub const ALL: [Self; 5] = [
        Self::AccessKey,
        Self::ServerKey,
        Self::Token,
        Self::OwnAccount,
        Self::Local,
    ];

    pub fn rights(self) -> CallerRights {
        let (name, is_known, agency) = match self {
            Self::AccessKey => ("access key", true, AgencyRight::ByKey),
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
        if let Some(key) = &self.key {
            return PrincipalId::Key(key.id.clone());
        }
        match (&self.account, self.kind) {
            (Some(account), _) if self.brings_token => PrincipalId::Token(digest(account)),
            (_, CallerKind::OwnAccount | CallerKind::Local) => PrincipalId::Local,
            _ => PrincipalId::Server,
        }
    }

    /// The holder of `account`, and of nothing else.
    pub fn with_account(kind: CallerKind, account: Caller) -> Self {
        Self {
            kind,
            account: Some(account),
            scope: LocationScope::None,
            key: None,
            address: None,
            brings_token: kind == CallerKind::Token,
            endpoint: None,
        }
    }

    /// Somebody without an account of their own, who names one of the locations in `scope`.
    pub fn with_scope(kind: CallerKind, scope: LocationScope) -> Self {
        Self {
            kind,
            account: None,
            scope,
            key: None,
            address: None,
            brings_token: false,
            endpoint: None,
        }
    }
}

impl LocationScope {
    pub fn contains(&self, alias: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::These(aliases) => aliases.iter().any(|one| one == alias),
        }
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
            place: None,
        }
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
