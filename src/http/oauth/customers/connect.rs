//! The customer's page: the name of the builder, and a form for the token of the location.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use secrecy::SecretString;

use super::super::SignIn;
use super::super::visitor::{Visitor, own_form, unavailable};
use super::visit::{CustomerVisit, NOT_GOOD, PageTrouble, not_good};
use crate::call::TokenTry;
use crate::http::client_address::Peer;
use crate::http::pages::PageKind;
use crate::http::pages::customers::open_page;
use crate::http::pages::links::secret_in;

pub(super) async fn show(State(sign_in): State<Arc<SignIn>>) -> Response {
    sign_in.pages.show(&open_page(&sign_in.pages.brand, None))
}

/// Shows the builder to the customer. The page comes before the button, and uses nothing up.
pub(super) async fn open(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let opened = async {
        let fields = own_form(&sign_in, &headers, &body)?;
        let refuse = |what: &str| {
            let page = open_page(&sign_in.pages.brand, Some(what));
            Ok(sign_in
                .pages
                .show(&page.with_status(StatusCode::BAD_REQUEST)))
        };
        let Some(text) = secret_in(fields.one("link")).map(SecretString::from) else {
            return refuse(
                "This is not a link of this server. Copy the whole link, including everything after the #.",
            );
        };
        match sign_in.customers.look(&text).await.map_err(unavailable)? {
            None => refuse(NOT_GOOD),
            Some(link) => {
                let visitor = Visitor::find(&sign_in, &headers).await?;
                CustomerVisit::new(&sign_in, visitor, text, link).show(None)
            }
        }
    };
    let opened = opened.await;
    sign_in.pages.respond(opened, PageKind::Entry)
}

/// Tries the token at HighLevel. If it is the location's, the customer returns to the builder with a code.
pub(super) async fn by_token(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    peer: Option<Extension<Peer>>,
    body: Bytes,
) -> Response {
    let peer = peer.map(|Extension(Peer(address))| address);
    let connected = async {
        let fields = own_form(&sign_in, &headers, &body)?;
        let visit = CustomerVisit::open(&sign_in, &headers, &fields).await?;
        if !sign_in.settings.vault {
            return Err(not_good());
        }
        let token = fields.secret("token");
        let tried = TokenTry {
            location: fields.one("location"),
            token: &token,
            address: sign_in.addresses.client(peer, &headers),
        };
        let checked = match sign_in.pipeline.check_token(tried).await {
            Ok(checked) => checked,
            Err(problem) => {
                let sentence = problem.sentence(&sign_in.pages.brand.crm_name);
                return visit.show(Some(PageTrouble::Token {
                    sentence: &sentence,
                    typed: fields.one("location"),
                }));
            }
        };
        let new = checked.into_new_token(None);
        let is_new = visit.is_new(&new.location).await?;
        let put = sign_in.vault.put_token(new).await;
        let location = put.map_err(|error| visit.full(error))?;
        let way_back = visit.connect(&location.id, is_new).await?;
        Ok(sign_in.pages.redirect(way_back.as_str()))
    };
    let connected = connected.await;
    sign_in.pages.respond(connected, PageKind::Entry)
}
