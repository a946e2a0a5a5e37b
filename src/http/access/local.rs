//! The proof that a program must send if there is no sign-in: none on this machine, if the settings allow that; otherwise
//! a key or a token.

use secrecy::ExposeSecret;

use crate::call::Pipeline;
use crate::config::{AccountSettings, Config, OwnAccount, ServerSettings};
use crate::upstream::accounts::Accounts;
use state::keys::Keys;

/// The settings and keys that decide whether the server's own account and locations are open.
pub(in crate::http) struct LocalAccess {
    has_account: bool,
    own_account: OwnAccount,
    has_access_key: bool,
    keys: Option<Keys>,
    /// Access keys close the own account to those without one.
    keys_close: bool,
    /// The settings let programs of this machine act as the server.
    is_open: bool,
}

/// The least proof that a program must send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum NeededProof {
    Nothing,
    /// A key that this server's operator makes; or a token.
    Key,
    /// The key of the settings; or a token.
    SettingsKey,
    /// A key would open nothing here.
    Token,
}

impl LocalAccess {
    pub(in crate::http) fn new(
        server: &ServerSettings,
        account: &AccountSettings,
        keys: Option<Keys>,
    ) -> Self {
        Self {
            has_account: !account.token.expose_secret().is_empty(),
            own_account: server.own_account,
            has_access_key: !server.access_key.expose_secret().is_empty(),
            keys,
            keys_close: true,
            is_open: server.opens_own_account(),
        }
    }

    /// The same in front of a sandbox, where keys would protect nothing: a first try needs none.
    pub(in crate::http) fn before_sandbox(self) -> Self {
        Self {
            keys_close: false,
            ..self
        }
    }

    /// For a program on this machine, or elsewhere.
    pub(in crate::http) fn needed_proof(&self, accounts: &Accounts, is_here: bool) -> NeededProof {
        let mut all = accounts.iter();
        let has_location = all.any(|account| account.configured.owner().is_none());
        match self.own_account {
            _ if is_here && self.is_open(accounts) => NeededProof::Nothing,
            _ if has_location => NeededProof::Key,
            OwnAccount::Local | OwnAccount::Key if self.has_account && self.has_access_key => {
                NeededProof::SettingsKey
            }
            _ => NeededProof::Token,
        }
    }

    /// Whether a program of this machine may act as the server without showing anything.
    pub(super) fn is_open(&self, accounts: &Accounts) -> bool {
        let has_any = self.has_account || !accounts.is_empty();
        let has_key = || self.has_access_key || self.keys.as_ref().is_some_and(Keys::has_any);
        has_any && self.is_open && !(self.keys_close && has_key())
    }
}

/// As it is for a pipeline.
pub(in crate::http) fn local_access(config: &Config, pipeline: &Pipeline) -> LocalAccess {
    let keys = pipeline.controls().keys.clone();
    let access = LocalAccess::new(&config.server, &config.account, Some(keys));
    match pipeline.is_simulated() {
        true => access.before_sandbox(),
        false => access,
    }
}
