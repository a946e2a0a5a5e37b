//! Signing in at HighLevel: the person chooses there where to install the operator's app, and returns with a code.
//!
//! HighLevel refuses redirect addresses that contain its own name, hence `crm`.

pub(super) mod app;
pub(super) mod arrival;
mod callback_query;
mod sync;

use std::borrow::Cow;
use std::sync::Arc;

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
use super::visitor::{Visitor, flow, own_form, unavailable};
use crate::config::MARKETPLACE_CALLBACK;
use crate::http::client_address::Peer;
use crate::http::pages::PageKind;
use crate::http::pages::come_back::ComeBackPage;
use crate::http::pages::form::LARGEST_FORM;
use crate::http::pages::notice::PageProblem;
use app::{MarketplaceApp, bytes, not_set_up};
use callback_query::CallbackQuery;
use state::flows::{FlowProblem, SignInFlow};

const BEGIN: &str = "/connect/crm";
const CONFIRM: &str = "/connect/crm/confirm";

/// The kind of its stored flows.
const STEP: &str = "crm";

/// The page after a sign-in that began nowhere else.
const CONSOLE: &str = "/console/locations";

/// Longest address to go on to, in bytes: it may contain a client's request.
const LONGEST_NEXT: usize = 8 << 10;

/// HighLevel's codes are valid for some minutes.
const CODE_LASTS: SignedDuration = SignedDuration::from_mins(10);

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

/// Handles the return from HighLevel's page.
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
            // HighLevel returns the state that it was given. Without it, the sign-in may have begun there, or on
            // another site's page, so a person must confirm it.
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
        "You did not choose a sub-account. Close this page, or start again.",
    )
    .with_link(BEGIN, "Start again"))
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
                PageProblem::new(
                    StatusCode::BAD_REQUEST,
                    "This sign-in has ended",
                    problem.to_string(),
                )
                .with_link(BEGIN, "Start again")
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

fn unreadable() -> PageProblem {
    PageProblem::new(
        StatusCode::BAD_REQUEST,
        "The link to this page is incomplete",
        "Nothing was connected. Start again.",
    )
    .with_link(BEGIN, "Start again")
}

fn over(problem: FlowProblem) -> PageProblem {
    PageProblem::new(
        StatusCode::BAD_REQUEST,
        "This sign-in cannot continue",
        problem.to_string(),
    )
    .with_sentence(
        "Nothing was connected. If somebody sent you a link to connect your account, open that link again.",
    )
    .with_link(BEGIN, "Start again")
}

/// The page after a sign-in at HighLevel.
fn next(query: &str) -> String {
    own_page(query).unwrap_or_else(|| CONSOLE.to_owned())
}

/// The page in `next` of a query: only pages of ours, and only those that begin a sign-in.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_continues_only_at_own_pages() {
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
