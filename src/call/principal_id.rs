//! A caller as counters of this process know it.

use crate::upstream::Digest;

/// A caller as counters know it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalId {
    /// The id of an access key.
    Key(String),
    /// The id of a grant.
    Grant(String),
    /// The id of a person, at the console.
    Person(String),
    /// Whoever has the settings' access key, and no token beside it.
    Server,
    /// A HighLevel token, by its HMAC.
    Token(Digest),
    /// Programs of this machine without a credential, stdio and commands.
    Local,
}
