//! Installs of the operator's Marketplace app: in one location, or in a company and its locations.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::holder::PairHolder;
use super::oauth::{App, Oauth, unusable};
use super::pair::{Pair, now};
use super::renewal::{PairSource, Renewal};
use super::state::RenewalState;
use super::{Company, app_id};
use crate::upstream::TenantId;
use crate::upstream::failure::Failure;
use state::StoreError;
use state::vault::{CredentialKind, MOST_LOCATIONS, NewInstall, Vault, VaultLocation};

/// The installs of one app. The process renews each once. Cheap to clone.
#[derive(Clone)]
pub struct Installs {
    oauth: Oauth,
    vault: Vault,
    app: App,
    /// By the credential's id in the store.
    credentials: Arc<Mutex<HashMap<String, InstallCredential>>>,
}

/// The credential of an install for its locations.
#[derive(Clone, Debug)]
pub enum InstallCredential {
    Company(Company),
    Location(LocationInstall),
}

/// The app in one location. Cheap to clone.
#[derive(Clone)]
pub struct LocationInstall(pub(super) Arc<Renewal>);

/// HighLevel's answer to a sign-in. It is stored before it is used.
pub struct MarketplaceInstall {
    pub(super) holder: PairHolder,
    company: Option<TenantId>,
    /// HighLevel's id of the installing user.
    pub user: Option<String>,
    /// For a company: the locations where the app may act, as far as HighLevel lists them here.
    pub approved: Vec<TenantId>,
    pub(super) pair: Pair,
}

impl Installs {
    pub fn new(oauth: &Oauth, vault: &Vault, app: App) -> Self {
        Self {
            oauth: oauth.clone(),
            vault: vault.clone(),
            app,
            credentials: Arc::default(),
        }
    }

    pub fn client_id(&self) -> &str {
        &self.app.client_id
    }

    /// The app's id in HighLevel's lists and webhooks.
    pub fn app_id(&self) -> &str {
        app_id(&self.app.client_id)
    }

    /// HighLevel's answer for the code with which a person returned to `redirect`.
    pub async fn redeem(
        &self,
        code: &SecretString,
        redirect: &str,
    ) -> Result<MarketplaceInstall, Failure> {
        let asked = now();
        let answer = self.oauth.redeem(&self.app, code, redirect).await?;
        MarketplaceInstall::read(answer, asked).map_err(unusable)
    }

    /// The same for the only location that was chosen: HighLevel may give a company's tokens for that, which are exchanged
    /// for the location's and dropped. `None` where another number was chosen, or the location's tokens cannot be renewed.
    pub async fn of_one_location(
        &self,
        install: MarketplaceInstall,
    ) -> Result<Option<MarketplaceInstall>, Failure> {
        let PairHolder::Company(company) = &install.holder else {
            return Ok(Some(install));
        };
        let [location] = install.approved.as_slice() else {
            return Ok(None);
        };
        let asked = now();
        let token = &install.pair.access;
        let mut answer = self.oauth.location_tokens(token, company, location).await?;
        answer.insert("userType".to_owned(), "Location".into());
        answer.insert("locationId".to_owned(), location.as_str().into());
        answer.insert("companyId".to_owned(), company.as_str().into());
        Ok(MarketplaceInstall::read(answer, asked).ok())
    }

    /// Keeps the pair, sealed; the credential's id. Its locations are to follow.
    pub async fn keep(
        &self,
        install: &MarketplaceInstall,
        owner: Option<&str>,
    ) -> Result<String, StoreError> {
        let kind = match install.holder {
            PairHolder::Company(_) => CredentialKind::Company,
            PairHolder::Location(_) => CredentialKind::Location,
        };
        let new = NewInstall {
            client: self.app.client_id.clone(),
            kind,
            holder: install.holder.id().as_str().to_owned(),
            company: install.company.as_ref().map(|id| id.as_str().to_owned()),
            owner: owner.map(str::to_owned),
            pair: install.pair.json(),
        };
        let id = self.vault.put_install(new).await?;
        // Data of an earlier install is obsolete.
        self.credentials().remove(&id);
        Ok(id)
    }

    /// The credential of an installed location; `None` for another kind of location.
    pub fn credential(&self, location: &VaultLocation) -> Option<InstallCredential> {
        let holder = match location.kind {
            CredentialKind::Pit => return None,
            CredentialKind::Location => PairHolder::Location(TenantId::parse(&location.location)?),
            CredentialKind::Company => {
                PairHolder::Company(TenantId::parse(location.company.as_deref()?)?)
            }
        };
        Some(self.known(&location.credential, holder))
    }

    /// An install that was just stored, or that is to be synchronised.
    pub fn of_company(&self, credential: &str, company: &TenantId) -> Option<Company> {
        match self.known(credential, PairHolder::Company(company.clone())) {
            InstallCredential::Company(company) => Some(company),
            _ => None,
        }
    }

    /// The same for a location.
    pub fn of_location(&self, credential: &str, location: &TenantId) -> InstallCredential {
        self.known(credential, PairHolder::Location(location.clone()))
    }

    fn known(&self, id: &str, holder: PairHolder) -> InstallCredential {
        let mut known = self.credentials();
        if let Some(credential) = known.get(id) {
            return credential.clone();
        }
        // Removed ones stay until then. Those still in use are read from the store again.
        if known.len() >= usize::try_from(MOST_LOCATIONS).unwrap_or(usize::MAX) {
            known.clear();
        }
        let is_company = matches!(holder, PairHolder::Company(_));
        let renewal = Renewal {
            holder,
            app: self.app.clone(),
            oauth: self.oauth.clone(),
            tokens: self.vault.pair(id),
            source: PairSource::Install {
                vault: self.vault.clone(),
                credential: id.to_owned(),
            },
            state: Mutex::new(RenewalState::default()),
        };
        let credential = match is_company {
            true => InstallCredential::Company(Company::with_renewal(renewal)),
            false => InstallCredential::Location(LocationInstall(Arc::new(renewal))),
        };
        known.insert(id.to_owned(), credential.clone());
        credential
    }

    fn credentials(&self) -> std::sync::MutexGuard<'_, HashMap<String, InstallCredential>> {
        self.credentials
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl LocationInstall {
    /// HighLevel's id of the location.
    pub fn id(&self) -> &TenantId {
        self.0.holder.id()
    }

    /// The client id of the app.
    pub fn client_id(&self) -> &str {
        &self.0.app.client_id
    }

    /// Its token, valid for at least five minutes unless HighLevel gives no other.
    pub async fn token(&self) -> Result<SecretString, Failure> {
        self.0.token().await
    }

    /// Notes that HighLevel refused `token`, which [`Self::token`] returned. Returns whether another request gives a
    /// different one.
    pub fn refused(&self, token: &SecretString) -> bool {
        self.0.refused(token)
    }
}

impl fmt::Debug for LocationInstall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocationInstall")
            .field(&self.id().as_str())
            .finish()
    }
}

impl MarketplaceInstall {
    /// Who picks a single location may get a company's tokens all the same, with an empty locationId.
    pub(super) fn read(answer: Map<String, Value>, asked: i64) -> Result<Self, &'static str> {
        let id = |name: &str| answer.get(name)?.as_str().and_then(TenantId::parse);
        let (company, location) = (id("companyId"), id("locationId"));
        let kind = answer.get("userType").and_then(Value::as_str);
        let holder = match (kind, location, &company) {
            (Some("Location") | None, Some(location), _) => PairHolder::Location(location),
            (Some("Company") | None, _, Some(company)) => PairHolder::Company(company.clone()),
            _ => return Err("says neither a location nor a company"),
        };
        let user = id("userId").map(|user| user.as_str().to_owned());
        let approved = answer.get("approvedLocations").and_then(Value::as_array);
        let approved = approved.into_iter().flatten();
        let approved = approved.filter_map(|id| TenantId::parse(id.as_str()?));
        let approved = approved.collect();
        Ok(Self {
            holder,
            company,
            user,
            approved,
            pair: Pair::given(answer, asked)?,
        })
    }

    /// The location, if the app is installed for a single one.
    pub fn location(&self) -> Option<&TenantId> {
        match &self.holder {
            PairHolder::Location(location) => Some(location),
            PairHolder::Company(_) => None,
        }
    }

    pub fn company(&self) -> Option<&TenantId> {
        self.company.as_ref()
    }
}
