//! The operator's app, and the browsers on their way to HighLevel's page and back.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use secrecy::{ExposeSecret, SecretString};

use super::sync::InstallSync;
use crate::call::{AddressLimiter, GrantControls, Pipeline};
use crate::config::{Config, MARKETPLACE_CALLBACK, MarketplaceSettings};
use crate::http::oauth::SignIn;
use crate::http::oauth::highlevel_key::HighLevelKey;
use crate::http::oauth::visitor::{Visitor, unavailable};
use crate::http::pages::notice::PageProblem;
use crate::upstream::company::{Installs, MarketplaceInstall, consent_page};
use crate::upstream::failure::Failure;
use state::StoreError;
use state::flows::{FlowProblem, Flows, LONGEST_FLOW, SignInFlow};

/// The most sign-ins that one address may begin at once, and the time until the next: twenty in ten minutes.
const MOST_BEGUN: u32 = 20;
const NEXT_BEGUN: Duration = Duration::from_secs(30);

/// All visitors of unknown address share one limit, which is this many times larger.
const UNKNOWN: u32 = 12;

/// The operator's app, and the sign-ins under way at it.
pub(in crate::http) struct MarketplaceApp {
    settings: MarketplaceSettings,
    /// The address to which HighLevel sends people back.
    redirect: String,
    pub(in crate::http::oauth) installs: Installs,
    pub(super) flows: Flows,
    pub(in crate::http::oauth) sync: InstallSync,
    pub(in crate::http::oauth) webhook_key: HighLevelKey,
    begun: AddressLimiter,
}

impl MarketplaceApp {
    /// `None` if the settings name no app. Fails with a sentence.
    pub(in crate::http::oauth) fn new(
        config: &Config,
        pipeline: &Pipeline,
        sign_in: &GrantControls,
    ) -> Result<Option<Self>, String> {
        let Some(installs) = &sign_in.installs else {
            return Ok(None);
        };
        let settings = config.marketplace.clone();
        let webhook_key = HighLevelKey::parse(&settings.webhook_key).ok_or(
            "marketplace.webhook_key is not an Ed25519 key in HighLevel's form (SubjectPublicKeyInfo in base64). Leave \
             the setting out",
        )?;
        Ok(Some(Self {
            settings,
            redirect: format!("{}{MARKETPLACE_CALLBACK}", config.oauth.url),
            installs: installs.clone(),
            flows: Flows::new(&pipeline.controls().store),
            sync: InstallSync::new(pipeline, installs, &sign_in.vault),
            webhook_key,
            begun: AddressLimiter::new(MOST_BEGUN, NEXT_BEGUN).with_unknown(UNKNOWN),
        }))
    }

    /// Sends the browser to HighLevel's page. `text` is kept for its return, under the name `step`.
    pub(in crate::http::oauth) async fn lead(
        &self,
        sign_in: &SignIn,
        visitor: &Visitor,
        address: Option<IpAddr>,
        (step, text): (&str, &SecretString),
    ) -> Result<Response, PageProblem> {
        self.begun.acquire(address).map_err(|_| {
            PageProblem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "Too many sign-ins",
                "Too many sign-ins were started from your address. Try again in a minute.",
            )
        })?;
        let browser = visitor.browser.flow_or_new().ok_or_else(|| {
            unavailable(StoreError::from(
                "the system gives no random numbers".to_owned(),
            ))
        })?;
        let begun = self.flows.begin(bytes(&browser), step, text, LONGEST_FLOW);
        let token = begun.await.map_err(unavailable)?;
        let page = consent_page(&self.settings, &self.redirect, token.expose_secret());
        let page = page.map_err(|_| {
            tracing::error!("marketplace.url is not an address");
            not_set_up()
        })?;
        let mut response = sign_in.pages.redirect(page.as_str());
        visitor.browser.keep_flow(&mut response, &browser);
        Ok(response)
    }

    /// Exchanges the code with which a browser came back. If HighLevel gives nothing, the log has the reason.
    pub(in crate::http::oauth) async fn redeem(
        &self,
        code: &SecretString,
    ) -> Option<MarketplaceInstall> {
        let redeemed = self.installs.redeem(code, &self.redirect).await;
        redeemed.inspect_err(log_failure).ok()
    }

    /// The sign-in that began with the state with which a browser came back.
    pub(super) async fn take(
        &self,
        visitor: &Visitor,
        state: &SecretString,
    ) -> Result<Result<SignInFlow, FlowProblem>, PageProblem> {
        let Some(browser) = &visitor.browser.flow else {
            return Ok(Err(FlowProblem::Foreign));
        };
        let taken = self.flows.take(state, bytes(browser)).await;
        taken.map_err(unavailable)
    }
}

pub(super) fn not_set_up() -> PageProblem {
    PageProblem::new(
        StatusCode::NOT_FOUND,
        "This sign-in is not available",
        "The operator of this server has not set it up. Use an invitation, or ask the operator.",
    )
}

/// The reason for which HighLevel gives no tokens is for the operator.
pub(in crate::http::oauth) fn log_failure(failure: &Failure) {
    let remedy = failure.remedy.as_deref().unwrap_or_default();
    tracing::warn!(message = failure.message, "{} {remedy}", failure.sentence);
}

pub(super) fn bytes(browser: &SecretString) -> &[u8] {
    browser.expose_secret().as_bytes()
}
