//! A caller as counters of this process know it.

use super::{Pipeline, Principal};
use crate::upstream::Digest;

/// A caller as counters know it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalId {
    /// The id of an access key.
    Key(String),
    /// The id of a grant.
    Grant(String),
    /// Whoever has the settings' access key, and no token beside it.
    Server,
    /// A HighLevel token, by its HMAC.
    Token(Digest),
    /// Programs of this machine without a credential, stdio and commands.
    Local,
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
