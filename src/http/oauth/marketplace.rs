//! Signing in at HighLevel: the person chooses there where the operator's app is installed, and comes back with a code.
//!
//! HighLevel refuses addresses to come back to that have its own name in them, hence `crm`.

pub(super) mod arrival;
mod callback_query;
mod sync;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};

use super::SignIn;
use super::customers::sign_in as customer;
use super::highlevel_key::HighLevelKey;
use super::visitor::{Visitor, flow, own_form, unavailable};
use crate::call::{AddressLimiter, GrantControls, Pipeline};
use crate::config::{Config, MARKETPLACE_CALLBACK, MarketplaceSettings};
use crate::http::client_address::Peer;
use crate::http::pages::PageKind;
use crate::http::pages::come_back::ComeBackPage;
use crate::http::pages::form::LARGEST_FORM;
use crate::http::pages::notice::PageProblem;
use crate::upstream::company::{Installs, MarketplaceInstall, consent_page};
use crate::upstream::failure::Failure;
use callback_query::CallbackQuery;
use state::StoreError;
use state::flows::{FlowProblem, Flows, LONGEST_FLOW, SignInFlow};
use sync::InstallSync;

const BEGIN: &str = "/connect/crm";
const CONFIRM: &str = "/connect/crm/confirm";

/// What its flows are kept as.
const STEP: &str = "crm";

/// Where somebody goes on who began nowhere else.
const CONSOLE: &str = "/console/locations";

/// Longest address to go on at, in bytes: a client's request may be part of it.
const LONGEST_NEXT: usize = 8 << 10;

/// HighLevel's codes are good for some minutes.
const CODE_LASTS: SignedDuration = SignedDuration::from_mins(10);

/// Sign-ins that are begun from one address at once, and how long until another one: twenty in ten minutes.
const MOST_BEGUN: u32 = 20;
const NEXT_BEGUN: Duration = Duration::from_secs(30);

/// Those whose address is not known have so many times more, together.
const UNKNOWN: u32 = 12;

/// The operator's app, and who is on the way to it.
pub(in crate::http) struct MarketplaceApp {
    settings: MarketplaceSettings,
    /// Where HighLevel sends people back to.
    redirect: String,
    pub(super) installs: Installs,
    flows: Flows,
    pub(super) sync: InstallSync,
    pub(super) webhook_key: HighLevelKey,
    begun: AddressLimiter,
}

/// Where a person signs in at the CRM, and comes back to `next`; `None` where there is no app.
pub(in crate::http) fn sign_in_address(sign_in: &SignIn, next: &str) -> Option<String> {
    sign_in.marketplace.as_ref()?;
    let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    Some(format!("{BEGIN}?next={next}"))
}

pub(super) fn routes() -> Router<Arc<SignIn>> {
    Router::new()
        .route(BEGIN, get(begin))
        .route(MARKETPLACE_CALLBACK, get(come_back))
        .route(CONFIRM, post(confirm))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
}

impl MarketplaceApp {
    /// `None` where the settings name no app. Fails with a sentence.
    pub(super) fn new(
        config: &Config,
        pipeline: &Pipeline,
        sign_in: &GrantControls,
    ) -> Result<Option<Self>, String> {
        let Some(installs) = &sign_in.installs else {
            return Ok(None);
        };
        let settings = config.marketplace.clone();
        let webhook_key = HighLevelKey::parse(&settings.webhook_key).ok_or(
            "marketplace.webhook_key is no Ed25519 key as HighLevel publishes it: SubjectPublicKeyInfo in base64; leave it out",
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

    /// On to HighLevel's page. `text` is kept for this browser's way back, under the name `step`.
    pub(super) async fn lead(
        &self,
        sign_in: &SignIn,
        visitor: &Visitor,
        address: Option<IpAddr>,
        (step, text): (&str, &SecretString),
    ) -> Result<Response, PageProblem> {
        self.begun.acquire(address).map_err(|_| {
            PageProblem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "Too many sign-ins were begun from here",
                "Try again in a minute.",
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

    /// What HighLevel gives for the code with which a browser came back. Where it gives nothing, the log says why.
    pub(super) async fn redeem(&self, code: &SecretString) -> Option<MarketplaceInstall> {
        let redeemed = self.installs.redeem(code, &self.redirect).await;
        redeemed.inspect_err(log_failure).ok()
    }

    /// What was asked for with the state with which a browser came back; `None` where it is not under way here.
    async fn take(
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

/// On to HighLevel's page.
async fn begin(
    State(sign_in): State<Arc<SignIn>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    peer: Option<Extension<Peer>>,
) -> Response {
    let peer = peer.map(|Extension(Peer(address))| address);
    let begun = async {
        let marketplace = app(&sign_in)?;
        let address = sign_in.addresses.client(peer, &headers);
        let visitor = Visitor::find(&sign_in, &headers).await?;
        let next = next(query.as_deref().unwrap_or_default()).into();
        let asked = (STEP, &next);
        marketplace.lead(&sign_in, &visitor, address, asked).await
    };
    let begun = begun.await;
    sign_in.pages.respond(begun, PageKind::Entry)
}

/// Back from HighLevel's page.
async fn come_back(
    State(sign_in): State<Arc<SignIn>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let came = async {
        let marketplace = app(&sign_in)?;
        let callback = CallbackQuery::parse(query.as_deref().unwrap_or_default())?;
        let visitor = Visitor::find(&sign_in, &headers).await?;
        if callback.is_refused {
            return show_refusal(&sign_in, marketplace, visitor, callback.state).await;
        }
        let code = callback.code.ok_or_else(unreadable)?;
        let browser = visitor.browser.flow.clone();
        let browser = browser.ok_or_else(|| over(FlowProblem::Foreign))?;
        match callback.state {
            Some(state) => {
                let taken = marketplace.take(&visitor, &state).await?;
                let flow = taken.map_err(over)?;
                arrive(&sign_in, marketplace, visitor, &headers, (code, flow)).await
            }
            // HighLevel gives back what it was given. Without it this may have been begun there, or by somebody else's
            // page: a person has to say so.
            None => {
                let sealed = sign_in
                    .forms
                    .seal(code.expose_secret(), bytes(&browser), CODE_LASTS)
                    .map_err(unavailable)?;
                let page = ComeBackPage { sealed: &sealed }.page(&sign_in.pages.brand);
                Ok(sign_in.pages.show(&page))
            }
        }
    };
    let came = came.await;
    sign_in.pages.respond(came, PageKind::Entry)
}

/// The person chose nothing there: a customer is back at the page of the link.
async fn show_refusal(
    sign_in: &SignIn,
    marketplace: &MarketplaceApp,
    visitor: Visitor,
    state: Option<SecretString>,
) -> Result<Response, PageProblem> {
    if let Some(state) = state
        && let Ok(flow) = marketplace.take(&visitor, &state).await?
        && flow.step == customer::STEP
    {
        return customer::show_again(sign_in, visitor, flow.text).await;
    }
    Err(PageProblem::new(
        StatusCode::BAD_REQUEST,
        "Nothing was connected",
        "You did not choose a sub-account. Close this page, or begin again.",
    )
    .with_link(BEGIN, "Begin again"))
}

/// On with what was asked for before the person went to HighLevel's page.
async fn arrive(
    sign_in: &SignIn,
    marketplace: &MarketplaceApp,
    visitor: Visitor,
    headers: &HeaderMap,
    (code, flow): (SecretString, SignInFlow),
) -> Result<Response, PageProblem> {
    match flow.step.as_str() {
        customer::STEP => customer::arrive(sign_in, marketplace, visitor, (code, flow.text)).await,
        _ => arrival::arrive(sign_in, marketplace, &visitor, headers, (code, flow)).await,
    }
}

/// The person says that it was begun here.
async fn confirm(State(sign_in): State<Arc<SignIn>>, headers: HeaderMap, body: Bytes) -> Response {
    let confirmed = async {
        let marketplace = app(&sign_in)?;
        let fields = own_form(&sign_in, &headers, &body)?;
        let visitor = Visitor::find(&sign_in, &headers).await?;
        let browser = flow(&visitor.browser)?;
        let code = sign_in
            .forms
            .open(fields.token(), bytes(&browser))
            .map_err(|problem| {
                PageProblem::new(StatusCode::BAD_REQUEST, "This is over", problem.to_string())
                    .with_link(BEGIN, "Begin again")
            })?;
        let only = marketplace.flows.only_one(bytes(&browser)).await;
        let flow = only.map_err(unavailable)?.map_err(over)?;
        let code = SecretString::from(code);
        arrive(&sign_in, marketplace, visitor, &headers, (code, flow)).await
    };
    let confirmed = confirmed.await;
    sign_in.pages.respond(confirmed, PageKind::Entry)
}

fn app(sign_in: &SignIn) -> Result<&MarketplaceApp, PageProblem> {
    sign_in.marketplace.as_ref().ok_or_else(not_set_up)
}

fn not_set_up() -> PageProblem {
    PageProblem::new(
        StatusCode::NOT_FOUND,
        "There is no such sign-in here",
        "Whoever runs this server has not set it up. Use an invitation, or ask them.",
    )
}

fn unreadable() -> PageProblem {
    PageProblem::new(
        StatusCode::BAD_REQUEST,
        "This page was opened without what it needs",
        "Nothing was connected. Begin again.",
    )
    .with_link(BEGIN, "Begin again")
}

fn over(problem: FlowProblem) -> PageProblem {
    PageProblem::new(
        StatusCode::BAD_REQUEST,
        "This sign-in is not under way here",
        problem.to_string(),
    )
    .with_sentence(
        "Nothing was connected. If somebody sent you a link to connect your account, open that link again.",
    )
    .with_link(BEGIN, "Begin again")
}

/// Where to go on after a sign-in at HighLevel.
fn next(query: &str) -> String {
    own_page(query).unwrap_or_else(|| CONSOLE.to_owned())
}

/// The page that `next` of a query names: only pages of ours, and only those from which a sign-in is begun.
pub(in crate::http) fn own_page(query: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let next = pairs.find(|(name, _)| name == "next").map(|(_, next)| next);
    let is_ours = |next: &str| {
        let path = next.split(['?', '#']).next().unwrap_or_default();
        let is_page = path == "/authorize" || path == "/console" || path.starts_with("/console/");
        is_page && next.len() <= LONGEST_NEXT && next.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let next = next.filter(|next| is_ours(next));
    next.map(Cow::into_owned)
}

/// Why HighLevel gives no tokens is the operator's to know.
pub(super) fn log_failure(failure: &Failure) {
    let remedy = failure.remedy.as_deref().unwrap_or_default();
    tracing::warn!(message = failure.message, "{} {remedy}", failure.sentence);
}

fn bytes(browser: &SecretString) -> &[u8] {
    browser.expose_secret().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_goes_on_at_pages_of_ours_alone() {
        for (query, expected) in [
            ("", CONSOLE),
            (
                "next=%2Fauthorize%3Fclient_id%3Da%26state%3Db",
                "/authorize?client_id=a&state=b",
            ),
            ("next=/console", "/console"),
            ("next=/console/approvals/x", "/console/approvals/x"),
            ("next=https://evil.example/console", CONSOLE),
            ("next=//evil.example/console", CONSOLE),
            ("next=/consolex", CONSOLE),
            ("next=/authorize/decide", CONSOLE),
            ("next=/mcp", CONSOLE),
            ("next=/console/%0d%0aset-cookie:a", CONSOLE),
        ] {
            assert_eq!(next(query), expected, "{query}");
        }
    }
}
