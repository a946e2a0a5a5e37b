//! Holds calls to HighLevel's rate limits: one window for each location and app, where a token has proved its
//! location, and one for each token where it has not.

mod day;
mod gate;
mod line;
mod reported;
mod window;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use ring::hmac;
use ring::rand::SystemRandom;

use crate::config;
use crate::highlevel::TenantId;
use crate::highlevel::caller::Credential;
use crate::highlevel::retry::Budget;

pub use gate::{Gate, Permit, Reason, Wait};
pub use reported::{Reported, retry_after};
pub use window::Ended;

/// Stands for a credential: its HMAC under a key of this process.
pub type Digest = [u8; 32];

/// More scopes than this, and those of unproven tokens without calls are forgotten: anybody can make up tokens.
const MANY: usize = 10_000;

/// Every window of the process.
pub struct Limits {
    key: hmac::Key,
    settings: config::Limits,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// Tokens that HighLevel let into a location.
    proven: HashMap<Digest, HashSet<TenantId>>,
    scopes: HashMap<Key, Arc<Scope>>,
    /// As many scopes as make the next round of forgetting worth it.
    sweep_at: usize,
}

/// What HighLevel counts together, as far as it is known.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Location(App, TenantId),
    Credential(Digest),
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum App {
    /// All private integrations of a location count together, as users report.
    PrivateIntegration,
    /// `sourceId` of an OAuth token.
    Client(String),
}

/// One window with what belongs to it.
pub struct Scope {
    pub gate: Arc<Gate>,
    /// Retries that are left to its calls.
    pub retries: Budget,
}

/// On whose behalf a call is counted.
pub struct Account {
    pub digest: Digest,
    pub scope: Arc<Scope>,
    app: Option<App>,
    proven: bool,
}

impl Limits {
    /// Fails where the system gives no random numbers.
    pub fn new(settings: &config::Limits) -> Result<Self, String> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| "the system gives no random numbers".to_owned())?;
        Ok(Self {
            key,
            settings: settings.clone(),
            book: Mutex::default(),
        })
    }

    /// The scope that a call of `credential` for `location` is counted in.
    pub fn account(&self, credential: &Credential, location: Option<&TenantId>) -> Account {
        let digest = self.digest(credential);
        let app = App::of(credential);
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let own = book.proven.get(&digest);
        let proven = location
            .zip(own)
            .is_some_and(|(location, own)| own.contains(location));
        let key = match (location, &app) {
            (Some(location), Some(app)) if proven => Key::Location(app.clone(), location.clone()),
            _ => Key::Credential(digest),
        };
        let scope = book.scope(key, &self.settings);
        Account {
            digest,
            scope,
            app,
            proven,
        }
    }

    /// HighLevel let the account's credential into `location`: from now on it is counted there.
    pub fn prove(&self, account: &Account, location: &TenantId) {
        let (false, Some(app)) = (account.proven, &account.app) else {
            return;
        };
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let own = book.proven.entry(account.digest).or_default();
        if !own.insert(location.clone()) {
            return;
        }
        let key = Key::Location(app.clone(), location.clone());
        let scope = book.scope(key, &self.settings);
        scope.gate.absorb(&account.scope.gate);
    }

    /// HighLevel takes the credential no longer: what it proved does not hold.
    pub fn disprove(&self, account: &Account) {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.proven.remove(&account.digest);
    }

    /// What stands for `credential` in this process.
    pub fn digest(&self, credential: &Credential) -> Digest {
        let tag = hmac::sign(&self.key, credential.identity().as_bytes());
        let mut digest = Digest::default();
        let length = digest.len().min(tag.as_ref().len());
        digest[..length].copy_from_slice(&tag.as_ref()[..length]);
        digest
    }
}

impl Book {
    fn scope(&mut self, key: Key, settings: &config::Limits) -> Arc<Scope> {
        if let Some(scope) = self.scopes.get(&key) {
            return Arc::clone(scope);
        }
        if self.scopes.len() >= self.sweep_at.max(MANY) {
            // A scope that a call holds has another owner than this map.
            self.scopes.retain(|key, scope| {
                matches!(key, Key::Location(..))
                    || Arc::strong_count(scope) > 1
                    || !scope.gate.is_idle()
            });
            self.sweep_at = self.scopes.len() * 2;
        }
        let scope = Arc::new(Scope {
            gate: Arc::new(Gate::new(settings)),
            retries: Budget::of_tenant(),
        });
        self.scopes.insert(key, Arc::clone(&scope));
        scope
    }
}

impl App {
    /// `None` where the token does not say: then it is an app of its own.
    fn of(credential: &Credential) -> Option<Self> {
        match credential {
            Credential::Company(company) => Some(Self::Client(company.client_id().to_owned())),
            _ if credential.is_private_integration() => Some(Self::PrivateIntegration),
            _ => credential.claims()?.source_id.map(Self::Client),
        }
    }
}

#[cfg(test)]
mod tests;
