//! Holds calls to HighLevel's rate limits: one window for each location and app, where a token has proved its
//! location, and one for each token where it has not.

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

/// Bounds of what is kept. Windows of new tokens are apart: anybody can make up tokens, and no number of them may push
/// out the window of one that HighLevel accepted.
const MOST_LOCATIONS: usize = 100_000;
const MOST_CREDENTIALS: usize = 50_000;
const MOST_NEW: usize = 10_000;

/// A window without calls is forgotten after so long. What it knew of the day HighLevel's next answer tells again.
const LOCATION_IDLE: Duration = Duration::from_hours(1);
const CREDENTIAL_IDLE: Duration = Duration::from_mins(10);
const NEW_IDLE: Duration = Duration::from_mins(2);

/// Every window of the process.
pub struct Limits {
    /// Names credentials until the store's does.
    own: Identity,
    shared: OnceLock<Identity>,
    settings: ScopeSettings,
    book: Mutex<RateScopes>,
}

/// What every scope is made with.
struct ScopeSettings {
    limits: config::LimitSettings,
    instances: Arc<InstanceCount>,
    /// Where instances share their windows.
    valkey: OnceLock<Arc<Valkey>>,
}

struct RateScopes {
    locations: RecentMap<(RateLimitedApp, TenantId), Arc<Scope>>,
    credentials: RecentMap<Digest, Arc<Scope>>,
    /// Of tokens that HighLevel has not accepted.
    new: RecentMap<Digest, Arc<Scope>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum RateLimitedApp {
    /// All private integrations of a location count together, as users report.
    PrivateIntegration,
    /// `sourceId` of an OAuth token.
    Client(String),
}

/// One window with what belongs to it.
pub struct Scope {
    pub gate: Arc<Gate>,
    /// Retries that are left to its calls.
    pub retries: RetryBudget,
    /// By the operations that failed.
    pub breaker: Breaker<&'static str>,
}

/// On whose behalf a call is counted.
pub struct RateLimitAccount {
    pub digest: Digest,
    pub scope: Arc<Scope>,
    app: Option<RateLimitedApp>,
}

impl Limits {
    /// Fails where the system gives no random numbers.
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

    /// From now on windows are shared at the Valkey or Redis at `url`, those of `upstream` among themselves. Fails where
    /// that is no such address.
    pub fn share(&self, url: &SecretString, upstream: &str) -> Result<(), String> {
        let prefix = format!("highlevel-mcp:{upstream}");
        let instances = Arc::clone(&self.settings.instances);
        let valkey = Arc::new(Valkey::new(url, prefix, instances)?);
        // It is told once.
        let _ = self.settings.valkey.set(valkey);
        Ok(())
    }

    /// How many instances share the windows.
    pub fn instances(&self) -> &InstanceCount {
        &self.settings.instances
    }

    /// Connects to where windows are shared, before the first call needs it.
    pub fn meet_valkey(&self) {
        if let Some(valkey) = self.settings.valkey.get() {
            valkey.meet();
        }
    }

    /// How long that takes to answer, or why it does not; `None` where windows are not shared.
    pub async fn probe_valkey(&self) -> Option<Result<Duration, String>> {
        match self.settings.valkey.get() {
            Some(valkey) => Some(valkey.probe().await),
            None => None,
        }
    }

    pub fn valkey(&self) -> Option<ValkeyStatus> {
        self.settings.valkey.get().map(|valkey| valkey.status())
    }

    /// The scope that a call of `credential`, for which `digest` stands, is counted in.
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

    /// The account's credential proved `location`, where it is counted from now on: its calls so far count there too.
    pub fn join(&self, account: &RateLimitAccount, location: &TenantId) {
        let Some(app) = &account.app else {
            return;
        };
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let scope = book.of_location((app.clone(), location.clone()), &self.settings);
        // A call that was counted there already has nothing to bring along.
        if !Arc::ptr_eq(&scope, &account.scope) {
            scope.gate.merge(&account.scope.gate);
        }
    }

    /// The windows that were used last, with the locations that they are for, and how many there are beside them. Those of
    /// tokens that HighLevel has not accepted are nobody's to look at: anybody can make up tokens.
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

    /// From now on what stands for a credential is the same in every process that has this identity. Once.
    pub fn name_by(&self, identity: Identity) {
        let _ = self.shared.set(identity);
    }

    /// What stands for `credential`.
    pub fn digest(&self, credential: &Credential) -> Digest {
        let identity = self.shared.get().unwrap_or(&self.own);
        credential.digest(|text| identity.digest(text))
    }
}

impl ScopeSettings {
    /// Has all instances count the scope's calls together, under a digest of what `name` gives: that may be a token.
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

    /// Not shared: anybody can make up tokens, and each would be a key for a day.
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

/// A scope that a call holds has another owner than its map.
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

    /// `None` where the token does not say: then it is an app of its own.
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
