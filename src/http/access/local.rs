//! What a program has to show where nobody signs in: nothing on this machine, as far as the settings allow it; else a key
//! or a token.

use secrecy::ExposeSecret;

use crate::call::Pipeline;
use crate::config::{AccountSettings, Config, OwnAccount, ServerSettings};
use crate::upstream::accounts::Accounts;
use state::keys::Keys;

/// The settings and keys by which the server's own account and locations are open, or not.
pub(in crate::http) struct LocalAccess {
    has_account: bool,
    own_account: OwnAccount,
    has_access_key: bool,
    keys: Option<Keys>,
    /// Access keys close the own account to those without one.
    keys_close: bool,
    /// Nobody but this machine reaches the server, as far as the settings tell.
    is_local: bool,
}

/// The least that a program has to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum NeededProof {
    Nothing,
    /// A key that this server's operator makes; or a token.
    Key,
    /// The key of the settings; or a token.
    SettingsKey,
    /// There is nothing here that a key would open.
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
            is_local: server.listen.ip().is_loopback() && !server.is_behind_proxy(),
        }
    }

    /// The same before a sandbox, where there is nothing that keys would protect: a first try needs none.
    pub(in crate::http) fn before_sandbox(self) -> Self {
        Self {
            keys_close: false,
            ..self
        }
    }

    /// Of a program that comes from this machine, or from elsewhere.
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
        has_any
            && self.own_account == OwnAccount::Local
            && self.is_local
            && !(self.keys_close && has_key())
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
