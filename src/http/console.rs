//! The pages for people who are signed in, and the pages by which they sign in.

mod administration;
mod approvals;
mod audit;
mod callers;
mod clients;
mod connect;
mod connections;
mod entry;
mod export_body;
mod extractors;
mod frame;
mod keys;
mod live;
mod locations;
mod passkeys;
mod pause;
mod people;
mod proof;
mod rules;
mod tools;
mod usage;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};

use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::{Visitor, console_token};
use crate::http::pages::clean::one_line;
use crate::http::pages::form::LARGEST_FORM;
use crate::http::pages::home::HomePage;
use crate::http::pages::links::LinkPage;
use crate::http::pages::notice::PageProblem;
use crate::http::pages::usage::{EXPORT as USAGE_EXPORT, PATH as USAGE};
use crate::http::pages::{PageKind, WAITING};
use state::people::{Person, PersonRole};
pub(super) use tools::ToolTries;

pub(super) fn routes() -> Router<Arc<SignIn>> {
    let mut routes = Router::new();
    for page in [LinkPage::First, LinkPage::Join, LinkPage::SignIn] {
        let show = move |sign_in| entry::show(page, sign_in);
        let join = move |sign_in, headers, body| entry::join(page, sign_in, headers, body);
        let shown = match page {
            LinkPage::SignIn => get(passkeys::show_sign_in),
            LinkPage::First | LinkPage::Join => get(show),
        };
        routes = routes.route(page.path(), shown.post(join));
    }
    routes
        .merge(passkeys::routes())
        .route("/console", get(home))
        .route("/console/signout", post(entry::sign_out))
        .route("/console/connect", get(connect::list))
        .route("/console/connect/{client}", get(connect::show))
        .route("/console/connect/{client}/live", get(connect::watch))
        .route(WAITING, get(frame::waiting))
        .route("/console/approvals", get(approvals::list))
        .route(
            "/console/approvals/{handle}",
            get(approvals::show).post(approvals::decide),
        )
        .route(approvals::LIST, get(approvals::refresh_list))
        .route("/console/approvals/{handle}/state", get(approvals::refresh))
        .route(
            "/console/approvals/{handle}/requests",
            get(approvals::requests),
        )
        .route("/console/connections", get(connections::list))
        .route("/console/connections/{id}", get(connections::show_one))
        .route("/console/connections/end", post(connections::end))
        .route("/console/connections/narrow", post(connections::narrow))
        .route("/console/locations", get(locations::list))
        .route(
            "/console/locations/{id}",
            get(locations::show_one).post(locations::change),
        )
        .route("/console/locations/add", post(locations::add))
        .route("/console/locations/remove", post(locations::remove))
        .route("/console/pause", get(pause::show).post(pause::decide))
        .route("/console/live", get(live::page))
        .route(live::FIGURES, get(live::figures))
        .route("/console/proof", get(proof::show).post(proof::confirm))
        .route("/console/people", get(people::list))
        .route("/console/people/{id}", get(people::show_one))
        .route("/console/people/end", post(people::end))
        .route("/console/people/approvals", post(people::set_approvals))
        .route(
            "/console/people/invite",
            get(people::show_invite).post(people::invite),
        )
        .route("/console/people/uninvite", post(people::uninvite))
        .route("/console/keys", get(keys::list))
        .route("/console/keys/new", get(keys::show_form).post(keys::make))
        .route("/console/keys/revoke", post(keys::revoke))
        .route("/console/clients", get(clients::list))
        .route("/console/clients/block", post(clients::block))
        .route("/console/clients/unblock", post(clients::unblock))
        .route("/console/audit", get(audit::list))
        .route("/console/audit/{number}", get(audit::show_one))
        .route("/console/audit/export", get(audit::export))
        .route(USAGE, get(usage::page))
        .route(USAGE_EXPORT, get(usage::export))
        .merge(tools::routes())
        .route("/console/rules", get(rules::list))
        .route("/console/rules/new", get(rules::begin))
        .route("/console/rules/{name}", get(rules::edit).post(rules::write))
        .route("/assets/{name}", get(asset))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
}

async fn asset(State(sign_in): State<Arc<SignIn>>, Path(name): Path<String>) -> Response {
    sign_in.pages.asset(&name)
}

async fn home(State(sign_in): State<Arc<SignIn>>, headers: HeaderMap) -> Response {
    let shown = show_home(&sign_in, &headers).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show_home(sign_in: &SignIn, headers: &HeaderMap) -> Result<Response, PageProblem> {
    let visitor = Visitor::find(sign_in, headers).await?;
    let session = visitor.signed_in()?;
    let person = &session.person;
    let passkeys = match sign_in.passkeys {
        Some(_) => Some(passkeys::count(sign_in, person).await?),
        None => None,
    };
    let page = HomePage {
        passkeys,
        person: &one_line(&person.name, 64),
        is_operator: is_operator(person),
        is_paused: sign_in.pipeline.controls().pauses.paused(None).is_some(),
        approvals: approvals::waiting(sign_in, person).await?.len(),
        connections: connections::all(sign_in, person).await?.len(),
        locations: locations::all(sign_in, person).await?.len(),
        endpoint: &format!("{}/mcp", sign_in.origin(headers)),
        token: &console_token(sign_in, session)?,
    };
    frame::show(sign_in, session, page.page()).await
}

fn is_operator(person: &Person) -> bool {
    person.role == PersonRole::Operator
}

/// Some of many names, and the number of the others.
fn some(names: &[String]) -> String {
    const MOST: usize = 5;
    let shown: Vec<String> = names
        .iter()
        .take(MOST)
        .map(|name| one_line(name, 60))
        .collect();
    match names.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
