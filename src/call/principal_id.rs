//! A caller as counters and records know it.

use state::hex;

use crate::upstream::Digest;

/// A caller as counters know it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalId {
    /// The id of an access key.
    Key(String),
    /// Whoever has the settings' access key, and no token beside it.
    Server,
    /// A HighLevel token, by its HMAC.
    Token(Digest),
    /// Programs of this machine without a credential, stdio and commands.
    Local,
}

impl PrincipalId {
    /// Tells it from every other caller's; for digests only.
    pub fn text(&self) -> String {
        match self {
            Self::Key(id) => format!("key {id}"),
            Self::Server => "server".to_owned(),
            Self::Token(digest) => format!("token {}", hex(digest)),
            Self::Local => "local".to_owned(),
        }
    }
}
