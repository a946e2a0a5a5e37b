//! The sign-in at HighLevel of the person who runs this program: its pair is kept in the store and renewed like an install's.

use std::sync::{Arc, Mutex};

use secrecy::{ExposeSecret, SecretString};

use super::Company;
use super::install::{LocationInstall, MarketplaceInstall};
use super::oauth::{App, Oauth, unusable};
use super::pair::now;
use super::renewal::{PairSource, Renewal};
use super::state::RenewalState;
use crate::upstream::caller::{Caller, Credential, LocationBinding};
use crate::upstream::failure::{Failure, FailureClass};
use crate::upstream::tenant_id::TenantId;
use state::token_pairs::TokenPairs;
use state::{Store, StoreError};

/// The key of the pair in the store. No company and no install has such an id.
const KEPT_AS: &str = "highlevel-login";

/// The one sign-in of a store. Cheap to clone.
#[derive(Clone)]
pub struct HighLevelLogin {
    tokens: TokenPairs,
}

impl HighLevelLogin {
    pub fn new(store: &Store) -> Self {
        Self {
            tokens: TokenPairs::new(store, KEPT_AS),
        }
    }

    /// Exchanges the code with which the person came back to `redirect`, and keeps the pair in place of an earlier sign-in.
    pub async fn begin(
        &self,
        oauth: &Oauth,
        app: &App,
        (code, redirect): (&SecretString, &str),
    ) -> Result<MarketplaceInstall, Failure> {
        let asked = now();
        let answer = oauth.redeem(app, code, redirect).await?;
        let install = MarketplaceInstall::read(answer, asked).map_err(unusable)?;
        let kept = self.tokens.keep(install.pair.json()).await;
        kept.map_err(unreadable)?;
        Ok(install)
    }

    /// Forgets the sign-in. Returns whether there was one. Blocks.
    pub fn forget(&self) -> Result<bool, StoreError> {
        self.tokens.forget().wait()
    }

    /// Whether somebody is signed in. Blocks.
    pub fn is_kept(&self) -> Result<bool, StoreError> {
        Ok(self.tokens.read().wait()?.is_some())
    }

    /// The caller of the sign-in, bound to `location` or to its only location; `None` if nobody is signed in. Blocks.
    pub fn caller(
        &self,
        oauth: &Oauth,
        app: App,
        location: Option<TenantId>,
    ) -> Result<Option<Caller>, Failure> {
        let Some(kept) = self.tokens.read().wait().map_err(unreadable)? else {
            return Ok(None);
        };
        let members = serde_json::from_str(kept.text.expose_secret());
        let members = members.map_err(|_| unusable("was kept by another version"))?;
        // Only what it says of itself is used here: the pair is read again at each renewal.
        let install = MarketplaceInstall::read(members, 0).map_err(unusable)?;
        let own = match (install.location(), install.approved.as_slice()) {
            (Some(own), _) | (None, [own]) => Some(own.clone()),
            (None, _) => None,
        };
        if let (Some(named), Some(own)) = (&location, install.location())
            && named != own
        {
            let (named, own) = (named.as_str(), own.as_str());
            let what = format!(
                "HIGHLEVEL_LOCATION_ID is {named}, and the sign-in at HighLevel is for {own}."
            );
            return Err(Failure::new(FailureClass::Location, what).with_remedy(
                "Leave the variable out, or run `highlevel-mcp login --highlevel` for that location.",
            ));
        }
        let company = install.company().cloned();
        let is_company = install.location().is_none();
        let renewal = Renewal {
            holder: install.holder,
            app,
            oauth: oauth.clone(),
            tokens: self.tokens.clone(),
            source: PairSource::Login,
            state: Mutex::new(RenewalState::default()),
        };
        let credential = match is_company {
            true => Credential::Company(Company::with_renewal(renewal)),
            false => Credential::Install(LocationInstall(Arc::new(renewal))),
        };
        let home = location.or(own);
        Ok(Some(Caller {
            credential,
            location: home.clone().map(LocationBinding::Pin),
            company,
            configured: None,
            home,
        }))
    }
}

fn unreadable(error: StoreError) -> Failure {
    let what = format!("The store does not work: {error}.");
    Failure::new(FailureClass::Auth, what).with_remedy("Correct that, then start again.")
}
