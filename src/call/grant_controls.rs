//! Sign-in, as calls know it: the grants of the store, the people who hold them, and their connected locations.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Pipeline;
use crate::config::{Config, OauthSettings};
use crate::upstream::company::{App, Installs, Oauth};
use crate::upstream::connected;
use state::Store;
use state::grants::{GrantTimes, Grants};
use state::people::People;
use state::vault::Vault;

/// From one look at what was connected to the next.
const LOOK: Duration = Duration::from_millis(50);

/// Where people sign in. Cheap to clone.
#[derive(Clone)]
pub struct GrantControls {
    /// Of the server, as people and clients know it.
    pub url: Arc<str>,
    pub grants: Grants,
    pub people: People,
    pub vault: Vault,
    /// None where the settings name no Marketplace app.
    pub installs: Option<Installs>,
}

impl GrantControls {
    /// `None` where the settings have nobody sign in. Fails with a sentence where they name a secret that is not there.
    pub(super) fn open(
        config: &Config,
        oauth: &Oauth,
        store: &Store,
    ) -> Result<Option<Self>, String> {
        let settings = &config.oauth;
        if !settings.is_on() {
            return Ok(None);
        }
        let vault = Vault::new(store).reserving(config.locations.keys().cloned());
        let installs = match config.marketplace.is_on() {
            true => Some(Installs::new(oauth, &vault, App::from_settings(config)?)),
            false => None,
        };
        Ok(Some(Self {
            url: settings.url.as_str().into(),
            grants: open_grants(settings, store),
            people: People::new(store),
            vault,
            installs,
        }))
    }

    /// Where a person sees, and changes, what is connected.
    pub fn connections(&self) -> String {
        format!("{}/console/connections", self.url)
    }

    /// Where a person decides about a call.
    pub fn approval(&self, handle: &str) -> String {
        format!("{}/console/approvals/{handle}", self.url)
    }

    /// Where a person gives a connected location another token.
    pub fn location(&self, id: &str) -> String {
        format!("{}/console/locations/{id}", self.url)
    }
}

/// The grants of a store, which last as long as the settings say.
pub fn open_grants(settings: &OauthSettings, store: &Store) -> Grants {
    let times = GrantTimes {
        access_for: settings.access_for,
        refresh_idle: settings.refresh_idle,
        refresh_for: settings.refresh_for,
        refresh_grace: settings.refresh_grace,
    };
    Grants::new(store, times)
}

impl Pipeline {
    /// Has calls know which locations people connect, for as long as the process lives: what any process changes is known
    /// within 0.2 seconds.
    pub async fn follow_connected(self) {
        let Some(sign_in) = self.controls().sign_in.clone() else {
            return;
        };
        let mut known = None;
        loop {
            // Settings that were read anew came with what was connected at that moment.
            let rules = Arc::as_ptr(&self.snapshot().rules) as usize;
            let changes = sign_in.vault.changes().ok();
            if let Some(changes) = changes
                && known != Some((changes, rules))
            {
                match sign_in.vault.read().await {
                    Ok(rows) => {
                        let accounts = connected::accounts(rows, sign_in.installs.as_ref());
                        self.controls().replace_connected(accounts);
                        known = Some((changes, rules));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the connected locations stay as they were")
                    }
                }
            }
            sleep(LOOK).await;
        }
    }
}
