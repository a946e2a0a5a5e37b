//! A customer who signs in at the CRM: one location is connected, and it belongs to the link.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};

use super::super::SignIn;
use super::super::marketplace::app::{MarketplaceApp, log_failure};
use super::super::marketplace::arrival::describe;
use super::super::visitor::{Visitor, flow, own_form, unavailable};
use super::visit::{CustomerVisit, PageTrouble, host, not_good};
use crate::http::client_address::Peer;
use crate::http::pages::PageKind;
use crate::http::pages::clean::one_line;
use crate::http::pages::customers::{CONNECTED, ConnectedPage};
use crate::http::pages::notice::PageProblem;
use state::StoreError;

/// What the page at the end is sealed as.
const SEALED: &str = "connected ";

/// As long as the builder's code is good.
const CODE_LASTS: SignedDuration = SignedDuration::from_mins(10);

/// What the flows of customers are kept as; the text of one is that of the link.
pub(in crate::http::oauth) const STEP: &str = "customer";

/// Sends the browser to the CRM, if the link is still valid.
pub(super) async fn begin(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    peer: Option<Extension<Peer>>,
    body: Bytes,
) -> Response {
    let peer = peer.map(|Extension(Peer(address))| address);
    let begun = async {
        let fields = own_form(&sign_in, &headers, &body)?;
        let visit = CustomerVisit::open(&sign_in, &headers, &fields).await?;
        let marketplace = sign_in.marketplace.as_ref().ok_or_else(not_good)?;
        let address = sign_in.addresses.client(peer, &headers);
        let asked = (STEP, &visit.text);
        marketplace
            .lead(&sign_in, &visit.visitor, address, asked)
            .await
    };
    let begun = begun.await;
    sign_in.pages.respond(begun, PageKind::Consent)
}

/// The customer has chosen nothing at the CRM.
pub(in crate::http::oauth) async fn show_again(
    sign_in: &SignIn,
    visitor: Visitor,
    text: SecretString,
) -> Result<Response, PageProblem> {
    let visit = CustomerVisit::of_text(sign_in, visitor, text).await?;
    visit.show(Some(PageTrouble::SignIn(
        "Nothing was connected, because you did not choose a sub-account.",
    )))
}

/// The customer is back from the CRM. If the link is no longer valid, no code is used and the CRM is not asked.
pub(in crate::http::oauth) async fn arrive(
    sign_in: &SignIn,
    marketplace: &MarketplaceApp,
    visitor: Visitor,
    (code, text): (SecretString, SecretString),
) -> Result<Response, PageProblem> {
    let visit = CustomerVisit::of_text(sign_in, visitor, text).await?;
    let crm_name = &sign_in.pages.brand.crm_name;
    let failed =
        format!("Nothing was connected, because {crm_name} gave no access. Try again in a minute.");
    let Some(install) = marketplace.redeem(&code).await else {
        return visit.show(Some(PageTrouble::SignIn(&failed)));
    };
    let installs = &marketplace.installs;
    let install = match installs.of_one_location(install).await {
        Ok(install) => install,
        Err(failure) => {
            log_failure(&failure);
            return visit.show(Some(PageTrouble::SignIn(&failed)));
        }
    };
    let Some((install, location)) = install.and_then(|install| {
        let location = install.location()?.clone();
        Some((install, location))
    }) else {
        let bulk = format!(
            "Nothing was connected. {crm_name} gave access to a whole agency or to several sub-accounts, but this link \
             connects one. Sign in again and choose one sub-account. If {crm_name} does not ask you again, uninstall \
             the app there first."
        );
        return visit.show(Some(PageTrouble::SignIn(&bulk)));
    };
    let is_new = visit.is_new(location.as_str()).await?;
    // As one that an operator connects, it is the server's own; the key that the builder fetches reaches it alone.
    let kept = installs.keep(&install, None).await;
    let credential = kept.map_err(unavailable)?;
    let found = describe(sign_in, marketplace, &credential, &location).await;
    let put = sign_in.vault.put_only_location(&credential, None, found);
    let location = put.await.map_err(|error| visit.full(error))?;
    let way_back = visit.connect(&location.id, is_new).await?;
    let page = ConnectedPage {
        builder: visit.builder(),
        location: one_line(&location.name, 80),
        goes_to: host(&visit.link.return_url),
        way_back: way_back.into(),
    };
    lead_to(sign_in, &visit.visitor, &page)
}

/// Redirects to the page at its own address, where it can be loaded again: the present address works once.
fn lead_to(
    sign_in: &SignIn,
    visitor: &Visitor,
    page: &ConnectedPage,
) -> Result<Response, PageProblem> {
    let browser = flow(&visitor.browser)?;
    let text = serde_json::to_string(page).map_err(|error| StoreError::from(error.to_string()));
    let text = format!("{SEALED}{}", text.map_err(unavailable)?);
    let key = browser.expose_secret().as_bytes();
    let sealed = sign_in.forms.seal(&text, key, CODE_LASTS);
    let sealed = sealed.map_err(unavailable)?;
    let address = format!("{CONNECTED}?page={sealed}");
    Ok(sign_in.pages.redirect(&address))
}

/// Shows it to the browser that connected the location, as long as the builder's code is good.
pub(super) async fn show_connected(
    State(sign_in): State<Arc<SignIn>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let shown = async {
        let visitor = Visitor::find(&sign_in, &headers).await?;
        let browser = flow(&visitor.browser)?;
        let query = query.unwrap_or_default();
        let sealed = query.strip_prefix("page=").unwrap_or_default();
        let opened = sign_in
            .forms
            .open(sealed, browser.expose_secret().as_bytes());
        let text = opened.ok();
        let text = text.as_deref().and_then(|text| text.strip_prefix(SEALED));
        let page = text.and_then(|text| serde_json::from_str::<ConnectedPage>(text).ok());
        let page = page.ok_or_else(|| {
            PageProblem::new(
                StatusCode::BAD_REQUEST,
                "There is nothing left to do here",
                "This page was open for too long, or belongs to another browser. What you connected stays connected. \
                 Go back to the website that you came from.",
            )
        })?;
        Ok(sign_in.pages.show(&page.page(&sign_in.pages.brand)))
    };
    let shown = shown.await;
    sign_in.pages.respond(shown, PageKind::Consent)
}
