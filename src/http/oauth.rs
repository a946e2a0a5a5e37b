//! Sign-in: the state that its routes share. They exist only at the host of `oauth.url`; without it, the console's
//! pages exist on this machine.

mod attempts;
mod authorize;
mod client_post;
mod customers;
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
use axum::http::HeaderMap;
use axum::http::header::HOST;
use oauth::{DocumentFetcher, Issuer};

use crate::call::{GrantControls, Pipeline, open_grants};
use crate::config::{Config, OauthSettings, Tls};
use crate::http::access::{LocalAccess, local_access};
use crate::http::client_address::ClientAddresses;
use crate::http::console::ToolTries;
use crate::http::pages::Pages;
use crate::http::pages::client_steps::StepsFor;
use crate::http::passkeys::RelyingParty;
use attempts::Attempts;
pub(in crate::http) use authorize::rules_row;
use marketplace::app::MarketplaceApp;
use state::clients::Clients;
use state::customers::Customers;
use state::events::Events;
use state::forms::SealedForms;
use state::grants::Grants;
use state::links::Links;
use state::passkeys::Passkeys;
use state::people::People;
use state::sessions::Sessions;
use state::vault::Vault;

/// Everything for the sign-in of people and, if `oauth.url` is set, of their clients. The process has one.
pub struct SignIn {
    /// Only people sign in, at a loopback address: OAuth's routes do not exist, and calls know nothing of sign-in.
    pub(in crate::http) is_local: bool,
    /// Where people alone sign in: what their programs show.
    local: Option<LocalAccess>,
    pub(in crate::http) issuer: Issuer,
    pub(in crate::http) settings: OauthSettings,
    pub(in crate::http) pages: Arc<Pages>,
    pub(in crate::http) people: People,
    pub(in crate::http) links: Links,
    pub(in crate::http) sessions: Sessions,
    pub(in crate::http) forms: SealedForms,
    pub(in crate::http) clients: Clients,
    pub(in crate::http) grants: Grants,
    pub(in crate::http) vault: Vault,
    pub(in crate::http) customers: Customers,
    pub(in crate::http) events: Events,
    /// `None` if they are not built in, or the address has no host name.
    pub(in crate::http) passkeys: Option<RelyingParty>,
    pub(in crate::http) passkey_records: Passkeys,
    pub(in crate::http) fetcher: DocumentFetcher,
    pub(in crate::http) addresses: ClientAddresses,
    pub(in crate::http) pipeline: Pipeline,
    /// `None` if the settings name no app of HighLevel's Marketplace.
    pub(in crate::http) marketplace: Option<MarketplaceApp>,
    pub(in crate::http) attempts: Attempts,
    pub(in crate::http) tries: ToolTries,
}

impl SignIn {
    /// `None` if nobody can sign in: other machines reach the server and `oauth.url` is not set, or nothing outlives
    /// the process. Fails with a sentence if the settings cannot be used.
    pub fn open(config: &Config, pipeline: &Pipeline) -> Result<Option<Arc<Self>>, String> {
        let pages = Arc::new(Pages::new(config)?);
        let controls = pipeline.controls();
        if let Some(sign_in) = controls.sign_in.clone() {
            return Self::make(config, pipeline, pages, sign_in).map(Some);
        }
        let is_local = config.server.listen.ip().is_loopback() && config.server.tls != Tls::Proxy;
        if !is_local || !controls.store.is_durable() {
            return Ok(None);
        }
        let mut config = config.clone();
        // Never compared: pages use the host at which they are opened.
        config.oauth.url = "http://localhost".to_owned();
        // Calls would not know of locations connected here.
        config.oauth.vault = false;
        let local = GrantControls {
            url: config.oauth.url.as_str().into(),
            grants: open_grants(&config.oauth, &controls.store),
            people: People::new(&controls.store),
            vault: Vault::new(&controls.store),
            installs: None,
        };
        Self::make(&config, pipeline, pages, local).map(Some)
    }

    /// Fails as `open` does for settings of pages and of clients' documents.
    pub fn check(config: &Config) -> Result<(), String> {
        Pages::new(config)?;
        documents(config).map(drop)
    }

    fn make(
        config: &Config,
        pipeline: &Pipeline,
        pages: Arc<Pages>,
        sign_in: GrantControls,
    ) -> Result<Arc<Self>, String> {
        let controls = pipeline.controls();
        let (settings, store) = (&config.oauth, &controls.store);
        let issuer = Issuer::parse(&settings.url);
        let issuer = issuer
            .ok_or_else(|| format!("oauth.url {:?} has more than scheme and host", settings.url))?;
        let marketplace = MarketplaceApp::new(config, pipeline, &sign_in)?;
        Ok(Arc::new(Self {
            is_local: controls.sign_in.is_none(),
            local: match controls.sign_in {
                Some(_) => None,
                None => Some(local_access(config, pipeline)),
            },
            marketplace,
            issuer,
            settings: settings.clone(),
            pages,
            people: sign_in.people,
            links: Links::new(store),
            sessions: Sessions::new(store),
            forms: SealedForms::new(store).map_err(|error| error.to_string())?,
            clients: Clients::new(store),
            grants: sign_in.grants,
            vault: sign_in.vault,
            customers: Customers::new(store),
            events: Events::new(store),
            passkeys: match controls.sign_in {
                Some(_) => RelyingParty::new(&settings.url, &config.brand.name),
                // A loopback address has no host name, and its port may change.
                None => None,
            },
            passkey_records: Passkeys::new(store),
            fetcher: documents(config)?,
            addresses: ClientAddresses::new(&config.server),
            pipeline: pipeline.clone(),
            attempts: Attempts::default(),
            tries: ToolTries::default(),
        }))
    }

    /// The origin of our pages for the browser of a request. On this machine that is the request's host, already
    /// checked to be a loopback address: the system may have chosen the port.
    pub(in crate::http) fn origin(&self, headers: &HeaderMap) -> String {
        let host = headers.get(HOST).filter(|_| self.is_local);
        let host = host.and_then(|host| host.to_str().ok());
        match host {
            Some(host) => format!("http://{host}"),
            None => self.issuer.as_str().to_owned(),
        }
    }

    /// How a client of somebody who is signed in gets in.
    pub(in crate::http) fn steps_for(&self) -> StepsFor {
        let Some(local) = &self.local else {
            return StepsFor::SignIn;
        };
        let snapshot = self.pipeline.snapshot();
        local.needed_proof(&snapshot.locations, true).into()
    }

    /// Connects locations in which the operator's app was installed while no server ran.
    pub async fn catch_up(self: Arc<Self>) {
        if let Some(marketplace) = &self.marketplace {
            marketplace.sync.catch_up().await;
        }
    }
}

fn documents(config: &Config) -> Result<DocumentFetcher, String> {
    let pinned: Option<&Path> = Some(config.oauth.pinned_documents.as_path());
    let pinned = pinned.filter(|folder| !folder.as_os_str().is_empty());
    DocumentFetcher::new(pinned).map_err(|error| format!("oauth.pinned_documents: {error}"))
}

/// The routes for clients, and for people whom clients send.
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
