//! Sign-in: what its routes share. They exist at the host of `oauth.url` alone.

mod attempts;
mod authorize;
mod client_post;
mod customers;
pub(super) mod front_page;
mod highlevel_key;
pub(super) mod hosts;
pub(super) mod marketplace;
pub(super) mod metadata;
pub(super) mod pasted_token;
mod register;
mod revoke;
mod token;
pub(super) mod visitor;
mod webhooks;

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use oauth::{DocumentFetcher, Issuer};

use crate::call::Pipeline;
use crate::config::{Config, OauthSettings};
use crate::http::client_address::ClientAddresses;
use crate::http::console::ToolTries;
use crate::http::pages::Pages;
use attempts::Attempts;
pub(in crate::http) use authorize::rules_row;
use marketplace::MarketplaceApp;
use state::clients::Clients;
use state::customers::Customers;
use state::events::Events;
use state::forms::SealedForms;
use state::grants::Grants;
use state::links::Links;
use state::people::People;
use state::sessions::Sessions;
use state::vault::Vault;

/// Everything by which people and their clients sign in. One for the whole process.
pub struct SignIn {
    pub(in crate::http) issuer: Issuer,
    pub(in crate::http) settings: OauthSettings,
    pub(in crate::http) pages: Pages,
    pub(in crate::http) people: People,
    pub(in crate::http) links: Links,
    pub(in crate::http) sessions: Sessions,
    pub(in crate::http) forms: SealedForms,
    pub(in crate::http) clients: Clients,
    pub(in crate::http) grants: Grants,
    pub(in crate::http) vault: Vault,
    pub(in crate::http) customers: Customers,
    pub(in crate::http) events: Events,
    pub(in crate::http) fetcher: DocumentFetcher,
    pub(in crate::http) addresses: ClientAddresses,
    pub(in crate::http) pipeline: Pipeline,
    /// None where the settings name no app of HighLevel's Marketplace.
    pub(in crate::http) marketplace: Option<MarketplaceApp>,
    pub(in crate::http) attempts: Attempts,
    pub(in crate::http) tries: ToolTries,
}

impl SignIn {
    /// `None` where the settings have nobody sign in. Fails with a sentence where they cannot be used.
    pub fn open(config: &Config, pipeline: &Pipeline) -> Result<Option<Arc<Self>>, String> {
        let controls = pipeline.controls();
        let Some(sign_in) = controls.sign_in.clone() else {
            return Ok(None);
        };
        let (settings, store) = (&config.oauth, &controls.store);
        let issuer = Issuer::parse(&settings.url);
        let issuer =
            issuer.ok_or_else(|| format!("oauth.url {:?} is no bare address", settings.url))?;
        let pinned: Option<&Path> = Some(settings.pinned_documents.as_path());
        let pinned = pinned.filter(|folder| !folder.as_os_str().is_empty());
        let marketplace = MarketplaceApp::new(config, pipeline, &sign_in)?;
        Ok(Some(Arc::new(Self {
            marketplace,
            issuer,
            settings: settings.clone(),
            pages: Pages::new(config)?,
            people: sign_in.people,
            links: Links::new(store),
            sessions: Sessions::new(store),
            forms: SealedForms::new(store).map_err(|error| error.to_string())?,
            clients: Clients::new(store),
            grants: sign_in.grants,
            vault: sign_in.vault,
            customers: Customers::new(store),
            events: Events::new(store),
            fetcher: DocumentFetcher::new(pinned).map_err(|error| error.to_string())?,
            addresses: ClientAddresses::new(&config.server),
            pipeline: pipeline.clone(),
            attempts: Attempts::default(),
            tries: ToolTries::default(),
        })))
    }

    /// Connects locations in which the operator's app was installed while no server ran.
    pub async fn catch_up(self: Arc<Self>) {
        if let Some(marketplace) = &self.marketplace {
            marketplace.sync.catch_up().await;
        }
    }
}

/// The routes of clients, and of people whom clients send.
pub(super) fn routes() -> Router<Arc<SignIn>> {
    Router::new()
        .merge(authorize::routes())
        .merge(marketplace::routes())
        .merge(webhooks::routes())
        .merge(register::routes())
        .merge(token::routes())
        .merge(revoke::routes())
        .merge(customers::routes())
}
