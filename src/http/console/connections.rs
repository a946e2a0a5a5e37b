//! Lists connected clients with their rights, and ends connections.

mod narrowing;
mod words;

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::extractors::{PageQuery, SignedIn};
use super::{frame, is_operator};
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::{ConsoleForm, console_token, unavailable};
use crate::http::pages::connections::{ConnectionPage, ConnectionsPage, MOST_CONNECTIONS};
use crate::http::pages::form::FormFields;
use crate::http::pages::notice::PageProblem;
use crate::http::pages::paging::ListParts;
use crate::http::pages::{Page, PageKind, Part};
pub(super) use narrowing::narrow;
use state::clients::ClientRecord;
use state::grants::{EndedGrants, GrantHolder, GrantRecord};
use state::people::Person;
use state::sessions::PersonSession;
pub(super) use words::{describe, origin};

const PATH: &str = "/console/connections";

pub(super) async fn list(
    State(sign_in): State<Arc<SignIn>>,
    SignedIn(session): SignedIn,
    PageQuery(query): PageQuery,
) -> Response {
    let shown = show(&sign_in, &session, &query).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show(
    sign_in: &SignIn,
    session: &PersonSession,
    query: &FormFields,
) -> Result<Response, PageProblem> {
    let all = all(sign_in, &session.person).await?;
    let paging = ListParts::new(PATH, query, all.len(), MOST_CONNECTIONS);
    let clients = clients(sign_in).await?;
    let shown = all.get(paging.rows()).unwrap_or_default();
    let rows: Vec<_> = shown
        .iter()
        .map(|grant| words::row(sign_in, grant, clients.get(&grant.client), &session.person))
        .collect();
    let page = ConnectionsPage {
        rows: &rows,
        paging: &paging,
        token: &console_token(sign_in, session)?,
    };
    frame::show(sign_in, session, page.page()).await
}

/// Clients by id.
async fn clients(sign_in: &SignIn) -> Result<HashMap<String, ClientRecord>, PageProblem> {
    let clients = sign_in.clients.list().await.map_err(unavailable)?;
    let pair = |client: ClientRecord| (client.id.clone(), client);
    Ok(clients.into_iter().map(pair).collect())
}

/// The connections that this person may end, newest first.
pub(super) async fn all(
    sign_in: &SignIn,
    person: &Person,
) -> Result<Vec<GrantRecord>, PageProblem> {
    let own = (!is_operator(person)).then(|| GrantHolder::Person(person.id.clone()));
    let mut all = sign_in.grants.list(own).await.map_err(unavailable)?;
    all.retain(|grant| grant.ended.is_none());
    Ok(all)
}

pub(super) async fn show_one(
    State(sign_in): State<Arc<SignIn>>,
    Path(id): Path<String>,
    SignedIn(session): SignedIn,
) -> Response {
    let shown = async {
        let page = page(&sign_in, &session, &id, None).await?;
        frame::show(&sign_in, &session, page).await
    };
    sign_in.pages.respond(shown.await, PageKind::Entry)
}

/// `problem`: the error of the last form.
async fn page(
    sign_in: &SignIn,
    session: &PersonSession,
    id: &str,
    problem: Option<&str>,
) -> Result<Page, PageProblem> {
    let reader = &session.person;
    let all = all(sign_in, reader).await?;
    let grant = all.iter().find(|grant| grant.id == id);
    let grant = grant.ok_or_else(|| {
        let problem = PageProblem::new(
            StatusCode::NOT_FOUND,
            "You have no such connection",
            "It has ended, or it belongs to somebody else.",
        );
        problem.with_link(PATH, "Your connections")
    })?;
    let clients = clients(sign_in).await?;
    let row = words::row(sign_in, grant, clients.get(&grant.client), reader);
    let of_client = all.iter().filter(|other| other.client == grant.client);
    let of_holder = all
        .iter()
        .filter(|other| other.holder == grant.holder)
        .count();
    let holder = row.holder.as_deref().unwrap_or("yours");
    let page = ConnectionPage {
        row: &row,
        locations: &words::every_location(grant),
        narrowings: &narrowing::choices(sign_in, grant, reader),
        of_client: of_client.count(),
        of_person: (of_holder > 1).then_some((holder, of_holder)),
        problem,
        token: &console_token(sign_in, session)?,
    };
    Ok(page.page())
}

pub(super) async fn end(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let ended = end_some(&sign_in, &headers, &body).await;
    frame::respond(&sign_in, &headers, ended, Part::Connections).await
}

async fn end_some(
    sign_in: &SignIn,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, PageProblem> {
    let form = ConsoleForm::read(sign_in, headers, body).await?;
    let (person, fields) = (&form.session.person, &form.fields);
    let found = sign_in.grants.get(fields.one("id")).await;
    // If it ended meanwhile, the goal is reached.
    if let Some(grant) = found.map_err(unavailable)? {
        check_own(person, &grant)?;
        for ended in which(sign_in, person, grant, fields.one("which")).await? {
            let end = sign_in
                .grants
                .end(ended, "ended in the console", Some(&person.id));
            end.await.map_err(unavailable)?;
        }
    }
    Ok(sign_in.pages.redirect(PATH))
}

/// Fails unless the connection is the person's own, or the person is an operator.
fn check_own(person: &Person, grant: &GrantRecord) -> Result<(), PageProblem> {
    let is_own = grant.holder == GrantHolder::Person(person.id.clone());
    if is_own || is_operator(person) {
        return Ok(());
    }
    Err(PageProblem::new(
        StatusCode::FORBIDDEN,
        "This connection is not yours",
        "Only the person who made it, or the operator of this server, can change or end it.",
    ))
}

/// That connection, or all connections of its client or holder that the person may end.
async fn which(
    sign_in: &SignIn,
    person: &Person,
    grant: GrantRecord,
    asked: &str,
) -> Result<Vec<EndedGrants>, PageProblem> {
    Ok(match asked {
        "client" if is_operator(person) => vec![EndedGrants::Client(grant.client)],
        "client" => {
            let own = all(sign_in, person).await?.into_iter();
            own.filter(|other| other.client == grant.client)
                .map(|other| EndedGrants::One(other.id))
                .collect()
        }
        "person" => vec![match grant.holder {
            GrantHolder::Person(id) => EndedGrants::Person(id),
            GrantHolder::Key(id) => EndedGrants::Key(id),
        }],
        _ => vec![EndedGrants::One(grant.id)],
    })
}
