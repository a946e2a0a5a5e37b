//! The programs that people connect: the source of each one's name, and those that are blocked.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::connections::origin;
use super::extractors::{Operator, PageQuery};
use super::frame::{operators_only, respond, show};
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::{ConsoleForm, console_token, unavailable};
use crate::http::pages::clean::one_line;
use crate::http::pages::clients::{ClientCard, ClientsPage, MOST_CLIENTS};
use crate::http::pages::form::FormFields;
use crate::http::pages::moment::Moment;
use crate::http::pages::notice::PageProblem;
use crate::http::pages::paging::ListParts;
use crate::http::pages::{PageKind, Part};
use state::clients::ClientRecord;
use state::sessions::PersonSession;

const PATH: &str = "/console/clients";

/// Longest shown id, in characters: the address of a client's document is one.
const LONGEST_ID: usize = 200;

pub(super) async fn list(
    State(sign_in): State<Arc<SignIn>>,
    Operator(session): Operator,
    PageQuery(query): PageQuery,
) -> Response {
    let shown = show_list(&sign_in, &session, &query).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show_list(
    sign_in: &SignIn,
    session: &PersonSession,
    query: &FormFields,
) -> Result<Response, PageProblem> {
    let mut clients = sign_in.clients.list().await.map_err(unavailable)?;
    // Clients that were never used may be anybody's, so they come last.
    clients.sort_by_key(|client| std::cmp::Reverse(client.used));
    let mut connections: HashMap<String, usize> = HashMap::new();
    for grant in sign_in.grants.list(None).await.map_err(unavailable)? {
        if grant.ended.is_none() {
            *connections.entry(grant.client).or_default() += 1;
        }
    }
    let paging = ListParts::new(PATH, query, clients.len(), MOST_CLIENTS);
    let shown = clients.get(paging.rows()).unwrap_or_default();
    let rows: Vec<_> = shown
        .iter()
        .map(|client| row(client, connections.get(&client.id).copied()))
        .collect();
    let page = ClientsPage {
        rows: &rows,
        paging: &paging,
        token: &console_token(sign_in, session)?,
    };
    show(sign_in, session, page.page()).await
}

fn row(client: &ClientRecord, connections: Option<usize>) -> ClientCard {
    ClientCard {
        handle: handle(&client.id),
        id: one_line(&client.id, LONGEST_ID),
        name: match one_line(&client.name, 60) {
            name if name.is_empty() => "a program without a name".to_owned(),
            name => name,
        },
        origin: origin(client),
        connections: connections.unwrap_or_default(),
        used: client.used.map(Moment),
        blocked: client.blocked.map(Moment),
    }
}

/// Short, and the same for every page.
fn handle(id: &str) -> String {
    state::sha256(id).chars().take(16).collect()
}

pub(super) async fn block(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let set = set_blocked(&sign_in, true, &headers, &body).await;
    respond(&sign_in, &headers, set, Part::Clients).await
}

pub(super) async fn unblock(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let set = set_blocked(&sign_in, false, &headers, &body).await;
    respond(&sign_in, &headers, set, Part::Clients).await
}

/// Neither needs a fresh proof: blocking takes rights away, and after unblocking people must consent again.
async fn set_blocked(
    sign_in: &SignIn,
    is_blocked: bool,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, PageProblem> {
    let form = ConsoleForm::read(sign_in, headers, body).await?;
    operators_only(&form.session)?;
    let by = form.session.person.id.as_str();
    let asked = form.fields.one("client");
    let clients = sign_in.clients.list().await.map_err(unavailable)?;
    let found = clients.iter().find(|client| handle(&client.id) == asked);
    let Some(client) = found else {
        // It was removed meanwhile, with its connections.
        return Ok(sign_in.pages.redirect(PATH));
    };
    let set = sign_in
        .clients
        .set_blocked(&client.id, is_blocked, Some(by));
    match set.await {
        Ok(_) => Ok(sign_in.pages.redirect(PATH)),
        Err(error) if error.is_request() => Ok(sign_in.pages.redirect(PATH)),
        Err(error) => Err(unavailable(error)),
    }
}
