//! Keeps calls within HighLevel's rate limits: one window for each location and app, if a token has proved its
//! location, and otherwise one for each token.

mod daily_quota;
mod fair_queue;
mod gate;
mod instances;
mod rate_limit_headers;
mod rate_window;
mod shared_hint;
mod shared_window;
mod valkey;
mod wait;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::SecretString;
use state::identity::Identity;

use crate::config;
use crate::upstream::Digest;
use crate::upstream::TenantId;
use crate::upstream::breaker::Breaker;
use crate::upstream::caller::Credential;
use crate::upstream::recent::RecentMap;
use crate::upstream::retry::RetryBudget;
use crate::upstream::standing::{CountedUnder, Standing};

pub use gate::{Gate, GateStatus, Permit};
pub use instances::InstanceCount;
pub use rate_limit_headers::{RateLimitHeaders, retry_after};
pub use rate_window::SlotOutcome;
pub use valkey::ValkeyStatus;
pub use wait::{Reason, Wait};

use shared_window::SharedWindow;
use valkey::Valkey;

/// Bounds on what is kept. Windows of new tokens are separate: anybody can invent tokens, and no number of them may
/// evict the window of an accepted one.
const MOST_LOCATIONS: usize = 100_000;
const MOST_CREDENTIALS: usize = 50_000;
const MOST_NEW: usize = 10_000;

/// A window without calls is dropped after this time. HighLevel's next answer restores its knowledge of the day.
const LOCATION_IDLE: Duration = Duration::from_hours(1);
const CREDENTIAL_IDLE: Duration = Duration::from_mins(10);
const NEW_IDLE: Duration = Duration::from_mins(2);

/// Every window of the process.
pub struct Limits {
    /// Makes digests of credentials until the store's identity does.
    own: Identity,
    shared: OnceLock<Identity>,
    settings: ScopeSettings,
    book: Mutex<RateScopes>,
}

/// The settings for every scope.
struct ScopeSettings {
    limits: config::LimitSettings,
    instances: Arc<InstanceCount>,
    /// The server where instances share their windows.
    valkey: OnceLock<Arc<Valkey>>,
}

struct RateScopes {
    locations: RecentMap<(RateLimitedApp, TenantId), Arc<Scope>>,
    credentials: RecentMap<Digest, Arc<Scope>>,
    /// Windows of tokens that HighLevel has not accepted.
    new: RecentMap<Digest, Arc<Scope>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum RateLimitedApp {
    /// All private integrations of a location count together, according to users' reports.
    PrivateIntegration,
    /// `sourceId` of an OAuth token.
    Client(String),
}

/// One window with its queue, retries and breaker.
pub struct Scope {
    pub gate: Arc<Gate>,
    /// The remaining retries of its calls.
    pub retries: RetryBudget,
    /// By the operations that failed.
    pub breaker: Breaker<&'static str>,
}

/// The account that a call is counted under.
pub struct RateLimitAccount {
    pub digest: Digest,
    pub scope: Arc<Scope>,
    app: Option<RateLimitedApp>,
}

impl Limits {
    /// Fails if the system gives no random numbers.
    pub fn new(settings: &config::LimitSettings) -> Result<Self, String> {
        let mut secret = [0; 32];
        let filled = SystemRandom::new().fill(&mut secret);
        filled.map_err(|_| "the system gives no random numbers".to_owned())?;
        Ok(Self {
            own: Identity::new(&secret),
            shared: OnceLock::new(),
            settings: ScopeSettings {
                limits: settings.clone(),
                instances: Arc::default(),
                valkey: OnceLock::new(),
            },
            book: Mutex::new(RateScopes {
                locations: RecentMap::new(MOST_LOCATIONS, LOCATION_IDLE).keeping(is_in_use),
                credentials: RecentMap::new(MOST_CREDENTIALS, CREDENTIAL_IDLE).keeping(is_in_use),
                new: RecentMap::new(MOST_NEW, NEW_IDLE).keeping(is_shared),
            }),
        })
    }

    /// From now on windows are shared at the Valkey or Redis at `url`, among instances with the same `upstream`. Fails
    /// if it is not such an address.
    pub fn share(&self, url: &SecretString, upstream: &str) -> Result<(), String> {
        let prefix = format!("highlevel-mcp:{upstream}");
        let instances = Arc::clone(&self.settings.instances);
        let valkey = Arc::new(Valkey::new(url, prefix, instances)?);
        // It is set once.
        let _ = self.settings.valkey.set(valkey);
        Ok(())
    }

    /// The number of instances that share the windows.
    pub fn instances(&self) -> &InstanceCount {
        &self.settings.instances
    }

    /// Connects to the shared server before the first call needs it.
    pub fn meet_valkey(&self) {
        if let Some(valkey) = self.settings.valkey.get() {
            valkey.meet();
        }
    }

    /// How long the shared server takes to answer, or the reason that it does not; `None` if windows are not shared.
    pub async fn probe_valkey(&self) -> Option<Result<Duration, String>> {
        match self.settings.valkey.get() {
            Some(valkey) => Some(valkey.probe().await),
            None => None,
        }
    }

    pub fn valkey(&self) -> Option<ValkeyStatus> {
        self.settings.valkey.get().map(|valkey| valkey.status())
    }

    /// The scope that counts a call of `credential`, which `digest` identifies.
    pub fn account(
        &self,
        credential: &Credential,
        digest: Digest,
        counted: &CountedUnder,
        standing: Standing,
    ) -> RateLimitAccount {
        let app = RateLimitedApp::new(credential);
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let scope = match (counted, &app) {
            (CountedUnder::Location(location), Some(app)) => {
                book.of_location((app.clone(), location.clone()), &self.settings)
            }
            _ if standing == Standing::New => book.of_new(digest, &self.settings),
            _ => book.of_credential((digest, credential), &self.settings),
        };
        RateLimitAccount { digest, scope, app }
    }

    /// The account's credential proved `location`, where it is counted from now on, including its earlier calls.
    pub fn join(&self, account: &RateLimitAccount, location: &TenantId) {
        let Some(app) = &account.app else {
            return;
        };
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let scope = book.of_location((app.clone(), location.clone()), &self.settings);
        // A call that was already counted there adds nothing.
        if !Arc::ptr_eq(&scope, &account.scope) {
            scope.gate.merge(&account.scope.gate);
        }
    }

    /// The most recently used windows with their locations, and the number of the others. Windows of unaccepted tokens
    /// are not shown: anybody can invent tokens.
    pub fn newest(&self, most: usize) -> (Vec<(Option<TenantId>, Arc<Scope>)>, usize) {
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let locations = book.locations.newest();
        let locations =
            locations.map(|((_, location), scope)| (Some(location.clone()), Arc::clone(scope)));
        let credentials = book.credentials.newest();
        let credentials = credentials.map(|(_, scope)| (None, Arc::clone(scope)));
        let newest: Vec<_> = locations.chain(credentials).take(most).collect();
        let all = book.locations.len() + book.credentials.len();
        let beside = all - newest.len();
        (newest, beside)
    }

    /// From now on digests of credentials are the same in every process with this identity. Call it once.
    pub fn name_by(&self, identity: Identity) {
        let _ = self.shared.set(identity);
    }

    /// The digest of `credential`.
    pub fn digest(&self, credential: &Credential) -> Digest {
        let identity = self.shared.get().unwrap_or(&self.own);
        credential.digest(|text| identity.digest(text))
    }
}

impl ScopeSettings {
    /// Makes all instances count the scope's calls together, under a digest of the result of `name`: that may be a
    /// token.
    fn share(&self, scope: &Scope, name: impl FnOnce() -> String) {
        let Some(valkey) = self.valkey.get() else {
            return;
        };
        let whole = digest::digest(&digest::SHA256, name().as_bytes());
        let mut short = [0; 16];
        short.copy_from_slice(&whole.as_ref()[..16]);
        scope
            .gate
            .share(SharedWindow::new(Arc::clone(valkey), short));
    }
}

impl RateScopes {
    fn of_location(
        &mut self,
        key: (RateLimitedApp, TenantId),
        settings: &ScopeSettings,
    ) -> Arc<Scope> {
        if let Some(scope) = self.locations.touch(&key) {
            return Arc::clone(scope);
        }
        let scope = Scope::new(settings);
        settings.share(&scope, || {
            let (app, location) = &key;
            ["location", app.name(), location.as_str()].join("\n")
        });
        self.locations.insert(key, Arc::clone(&scope));
        scope
    }

    fn of_credential(
        &mut self,
        (digest, credential): (Digest, &Credential),
        settings: &ScopeSettings,
    ) -> Arc<Scope> {
        if let Some(scope) = self.credentials.touch(&digest) {
            return Arc::clone(scope);
        }
        // It was new until now.
        let scope = self.new.remove(&digest);
        let scope = scope.unwrap_or_else(|| Scope::new(settings));
        settings.share(&scope, || ["credential", &credential.identity()].join("\n"));
        self.credentials.insert(digest, Arc::clone(&scope));
        scope
    }

    /// Not shared: anybody can invent tokens, and each would be a key for a day.
    fn of_new(&mut self, digest: Digest, settings: &ScopeSettings) -> Arc<Scope> {
        if let Some(scope) = self.new.touch(&digest) {
            return Arc::clone(scope);
        }
        let scope = Scope::new(settings);
        self.new.insert(digest, Arc::clone(&scope));
        scope
    }
}

impl Scope {
    fn new(settings: &ScopeSettings) -> Arc<Self> {
        Arc::new(Self {
            gate: Arc::new(Gate::new(&settings.limits, &settings.instances)),
            retries: RetryBudget::of_tenant(),
            breaker: Breaker::default(),
        })
    }
}

/// A scope that a call holds has another owner besides its map.
fn is_shared(scope: &Arc<Scope>) -> bool {
    Arc::strong_count(scope) > 1
}

fn is_in_use(scope: &Arc<Scope>) -> bool {
    is_shared(scope) || !scope.gate.is_idle()
}

impl RateLimitedApp {
    fn name(&self) -> &str {
        match self {
            Self::PrivateIntegration => "",
            Self::Client(id) => id,
        }
    }

    /// `None` if the token does not name its app: then it is an app of its own.
    fn new(credential: &Credential) -> Option<Self> {
        match credential {
            Credential::Company(company) => Some(Self::Client(company.client_id().to_owned())),
            Credential::Install(install) => Some(Self::Client(install.client_id().to_owned())),
            _ if credential.is_private_integration() => Some(Self::PrivateIntegration),
            _ => credential.claims()?.source_id.map(Self::Client),
        }
    }
}

#[cfg(test)]
mod tests;
