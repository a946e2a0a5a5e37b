//! Who asks for a call, over which connection: what every call comes with.

use crate::highlevel::Caller;
use crate::telemetry::Parent;

/// Whom a connection acts for, as the host or the command line made sure of.
#[derive(Clone, Debug, Default)]
pub struct Principal {
    /// The account of the connection, where it has one.
    pub account: Option<Caller>,
    /// Which of the server's own locations may be named beside it.
    pub reach: Reach,
    /// The access key's, by the names that the policy and the audit file know.
    pub key: Option<KeyOf>,
}

/// An access key as far as calls are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyOf {
    pub id: String,
    pub policy: Option<String>,
}

/// A set of the server's own locations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    #[default]
    None,
    All,
    /// By alias.
    These(Vec<String>),
}

/// One request to call something.
pub struct Asker {
    pub principal: Principal,
    /// The client's span.
    pub parent: Parent,
    /// Endpoint or command that it came by.
    pub surface: String,
    /// Name and version of the client program, where it says them.
    pub client: Option<String>,
    pub person: Person,
}

/// Whether a person at the client can be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Person {
    #[default]
    Unreachable,
    /// The client can show a question.
    Reachable,
    /// Said yes to the question that this token stands for.
    Agreed(String),
    /// Said no.
    Declined,
}

impl Principal {
    /// The holder of `account`, and of nothing else.
    pub fn of(account: Caller) -> Self {
        Self {
            account: Some(account),
            ..Self::default()
        }
    }
}

impl Reach {
    pub fn holds(&self, alias: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::These(aliases) => aliases.iter().any(|one| one == alias),
        }
    }
}

impl Asker {
    /// Somebody at the command line, or a test.
    pub fn of(account: Caller) -> Self {
        Self {
            principal: Principal::of(account),
            parent: Parent::default(),
            surface: String::new(),
            client: None,
            person: Person::Unreachable,
        }
    }
}
