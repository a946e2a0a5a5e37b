//! OAuth credentials of companies, and of locations that installed the app: their tokens, renewed in time, and the
//! tokens of a company's locations.
//!
//! HighLevel renews a token pair by issuing a new one and revoking the old one. If the new one is lost, the app must be
//! installed again. So the store has it before anybody uses it, and one process at a time renews.

mod consent_page;
mod file;
mod holder;
mod install;
mod location_token_cache;
mod login;
mod minter;
mod oauth;
mod pair;
mod renewal;
mod single_flight;
mod state;
mod token_error;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use secrecy::{ExposeSecret, SecretString};

use self::state::RenewalState;
use crate::upstream::TenantId;
use crate::upstream::failure::{Failure, FailureClass};
use ::state::Store;
use ::state::token_pairs::TokenPairs;
pub use consent_page::consent_page;
use file::PairFile;
use holder::PairHolder;
pub use install::{InstallCredential, Installs, LocationInstall, MarketplaceInstall};
use location_token_cache::LocationTokenCache;
pub use login::HighLevelLogin;
pub use minter::Minter;
pub use oauth::{App, Oauth};
use renewal::{PairSource, Renewal};

/// Most location tokens that are kept for a company.
const MOST: usize = 2000;

/// An operator's settings for a company.
#[derive(Clone, Debug)]
pub struct CompanyAppSettings {
    pub company_id: TenantId,
    /// The client id of the app that is installed for the company.
    pub client_id: String,
    pub client_secret: SecretString,
    /// The answer of `POST /oauth/token` at the installation. The store takes it over.
    pub pair_file: PathBuf,
}

/// A company that installed this server's app. Cheap to clone.
#[derive(Clone)]
pub struct Company {
    renewal: Arc<Renewal>,
    minted: Arc<LocationTokenCache<TenantId>>,
}

impl Company {
    /// Fails if a setting cannot be right.
    pub fn new(oauth: &Oauth, store: &Store, settings: CompanyAppSettings) -> Result<Self, String> {
        let of = settings.company_id.as_str();
        if settings.client_id.is_empty() {
            return Err(format!("the company {of} has no client_id"));
        }
        if settings.client_secret.expose_secret().is_empty() {
            return Err(format!("the company {of} has no client_secret"));
        }
        let file = PairFile::new(&settings.pair_file)
            .map_err(|error| format!("the company {of} has no pair_file: {error}"))?;
        Ok(Self::with_renewal(Renewal {
            tokens: TokenPairs::new(store, settings.company_id.as_str()),
            holder: PairHolder::Company(settings.company_id),
            app: App {
                client_id: settings.client_id,
                client_secret: settings.client_secret,
            },
            oauth: oauth.clone(),
            source: PairSource::File(file),
            state: Mutex::new(RenewalState::default()),
        }))
    }

    /// A value that both have but must not share.
    pub fn clash(&self, other: &Self) -> Option<&'static str> {
        if self.id() == other.id() {
            return Some("company_id");
        }
        match (&self.renewal.source, &other.renewal.source) {
            (PairSource::File(own), PairSource::File(file)) if own.path() == file.path() => {
                Some("pair_file")
            }
            _ => None,
        }
    }

    fn with_renewal(renewal: Renewal) -> Self {
        Self {
            renewal: Arc::new(renewal),
            minted: Arc::new(LocationTokenCache::new(MOST)),
        }
    }

    pub fn id(&self) -> &TenantId {
        self.renewal.holder.id()
    }

    /// The client id of the app that is installed for it.
    pub fn client_id(&self) -> &str {
        &self.renewal.app.client_id
    }

    /// The id of that app in HighLevel's lists.
    pub fn app_id(&self) -> &str {
        app_id(self.client_id())
    }

    /// The company's own token, valid for at least five minutes unless HighLevel gives no other.
    pub async fn token(&self) -> Result<SecretString, Failure> {
        self.renewal.token().await
    }

    /// Notes that HighLevel refused `token`, which [`Self::token`] returned. Returns whether another request gives a
    /// different one.
    pub fn refused(&self, token: &SecretString) -> bool {
        self.renewal.refused(token)
    }

    /// A token of `location`.
    pub async fn location_token(&self, location: &TenantId) -> Result<SecretString, Failure> {
        let (company, asked) = (self.clone(), location.clone());
        let mint = async move {
            let oauth = &company.renewal.oauth;
            let token = company.token().await?;
            match oauth.location_token(&token, company.id(), &asked).await {
                Err(failure) if failure.class == FailureClass::Auth && company.refused(&token) => {
                    let token = company.token().await?;
                    oauth.location_token(&token, company.id(), &asked).await
                }
                outcome => outcome,
            }
        };
        self.minted.token(location.clone(), mint).await
    }

    /// Notes that HighLevel refused `token`, which [`Self::location_token`] returned. Returns whether another request
    /// gives a different one.
    pub fn forget(&self, location: &TenantId, token: &SecretString) -> bool {
        self.minted.forget(location, token)
    }
}

/// The app's id: a client id seems to consist of that and, after a hyphen, a part that distinguishes the app's keys
/// (never checked against HighLevel).
fn app_id(client_id: &str) -> &str {
    client_id.split_once('-').map_or(client_id, |(app, _)| app)
}

impl fmt::Debug for Company {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Company").field(&self.id().as_str()).finish()
    }
}
