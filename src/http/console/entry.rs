//! Signs people in by a link of ours, and signs them out.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::{ConsoleForm, Visitor, own_form, unavailable};
use crate::http::pages::PageKind;
use crate::http::pages::links::{LinkPage, secret_in};
use crate::http::pages::notice::PageProblem;
use crate::http::pages::passkeys::PASSKEYS;

const NOT_GOOD: &str = "This link does not work, or no longer works. Each link works for a limited time and a limited \
                        number of people. Ask the person who gave it to you for a new one.";

pub(super) async fn show(page: LinkPage, State(sign_in): State<Arc<SignIn>>) -> Response {
    let pages = &sign_in.pages;
    pages.show(&page.page(&pages.brand, None, ""))
}

pub(super) async fn join(
    page: LinkPage,
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let joined = take_link(page, &sign_in, &headers, &body).await;
    sign_in.pages.respond(joined, PageKind::Entry)
}

/// Uses the link up. A GET never does: programs that preview links send one.
async fn take_link(
    page: LinkPage,
    sign_in: &SignIn,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, PageProblem> {
    let fields = own_form(sign_in, headers, body)?;
    let name = fields.one("name");
    let refuse = |what: &str| {
        let page = page.page(&sign_in.pages.brand, Some(what), name);
        Ok(sign_in
            .pages
            .show(&page.with_status(StatusCode::BAD_REQUEST)))
    };
    let Some(secret) = secret_in(fields.one("link")) else {
        return refuse(
            "This is not a link of this server. Copy the whole link, including everything after the #.",
        );
    };
    if page == LinkPage::First && name.is_empty() {
        return refuse("Give your name. The records of what you decide show it.");
    }
    let given = Some(name.to_owned()).filter(|name| !name.is_empty());
    let joined = sign_in.links.join(&secret.into(), given).await;
    let person = match joined {
        Ok(Some(person)) => person,
        Ok(None) => return refuse(NOT_GOOD),
        Err(error) => return Err(unavailable(error)),
    };
    let visitor = Visitor::find(sign_in, headers).await?;
    // Without a passkey they would need another link next time.
    let next = match sign_in.passkeys {
        Some(_) if page != LinkPage::SignIn => PASSKEYS,
        _ => "/console",
    };
    let mut onward = sign_in.pages.redirect(next);
    visitor
        .sign_in(sign_in, &person, headers, &mut onward)
        .await?;
    Ok(onward)
}

pub(super) async fn sign_out(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let left = leave(&sign_in, &headers, &body).await;
    sign_in.pages.respond(left, PageKind::Entry)
}

async fn leave(
    sign_in: &SignIn,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, PageProblem> {
    let form = ConsoleForm::read(sign_in, headers, body).await?;
    let mut onward = sign_in.pages.redirect(LinkPage::SignIn.path());
    form.visitor.sign_out(sign_in, &mut onward).await?;
    Ok(onward)
}
