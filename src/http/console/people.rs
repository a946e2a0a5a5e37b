//! People who may sign in and the calls that each may approve; ends their access.

mod invite;
mod words;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::extractors::{Operator, PageQuery};
use super::frame::{operators_only, respond, show};
use super::proof::{fresh_only, is_fresh};
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::{ConsoleForm, console_token, unavailable};
use crate::http::pages::form::FormFields;
use crate::http::pages::notice::PageProblem;
use crate::http::pages::paging::ListParts;
use crate::http::pages::people::{
    DecidedLocation, DecidingForm, MOST_DECIDED, MOST_INVITATIONS, MOST_PEOPLE, PeoplePage,
    PersonPage,
};
use crate::http::pages::{Page, PageKind, Part};
pub(super) use invite::{invite, show_invite, uninvite};
use state::people::{ApprovalRights, Person, PersonRole};
use state::sessions::PersonSession;

const PATH: &str = "/console/people";

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
    let mut people = sign_in.people.list().await.map_err(unavailable)?;
    people.sort_by_key(|person| (person.ended.is_some(), person.name.to_lowercase()));
    let paging = ListParts::new(PATH, query, people.len(), MOST_PEOPLE);
    let shown = people.get(paging.rows()).unwrap_or_default();
    let rows: Vec<_> = shown.iter().map(words::person_row).collect();
    let links = sign_in.links.list().await.map_err(unavailable)?;
    let mut invitations: Vec<_> = links
        .iter()
        .rev()
        .filter_map(words::invitation_row)
        .collect();
    let unlisted = invitations.len().saturating_sub(MOST_INVITATIONS);
    invitations.truncate(MOST_INVITATIONS);
    let page = PeoplePage {
        rows: &rows,
        paging: &paging,
        invitations: &invitations,
        unlisted_invitations: unlisted,
        token: &console_token(sign_in, session)?,
    };
    show(sign_in, session, page.page()).await
}

pub(super) async fn show_one(
    State(sign_in): State<Arc<SignIn>>,
    Path(id): Path<String>,
    Operator(session): Operator,
) -> Response {
    let shown = async {
        let page = page(&sign_in, &session, &id, None).await?;
        show(&sign_in, &session, page).await
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
    let people = sign_in.people.list().await.map_err(unavailable)?;
    let person = people.iter().find(|person| person.id == id);
    let person = person.ok_or_else(unknown)?;
    let connected = sign_in.vault.list().await.map_err(unavailable)?;
    let connected = connected.iter();
    let connected = connected.filter(|location| location.owner.as_ref() == Some(&person.id));
    let decided = decided_locations(person);
    let deciding = (person.role != PersonRole::Operator).then(|| DecidingForm {
        everywhere: person.approves_all,
        rows: &decided,
        unlisted: person.locations.len().saturating_sub(MOST_DECIDED),
    });
    let page = PersonPage {
        row: &words::person_row(person),
        deciding,
        connected: connected.count(),
        is_reader: person.id == session.person.id,
        is_fresh: is_fresh(session),
        problem,
        token: &console_token(sign_in, session)?,
    };
    Ok(page.page())
}

fn unknown() -> PageProblem {
    let problem = PageProblem::new(
        StatusCode::NOT_FOUND,
        "There is no such person",
        "People are listed for 400 days after their access ended.",
    );
    problem.with_link(PATH, "All people")
}

/// The locations that have a box on the page.
fn decided_locations(person: &Person) -> Vec<DecidedLocation> {
    let shown = person.locations.iter().take(MOST_DECIDED);
    let decided = shown.map(|location| DecidedLocation {
        alias: location.alias.clone(),
        may_approve: location.may_approve,
    });
    decided.collect()
}

/// Reads a form of an operator with a fresh proof.
async fn read_fresh(
    sign_in: &SignIn,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<ConsoleForm, PageProblem> {
    let form = ConsoleForm::read(sign_in, headers, body).await?;
    operators_only(&form.session)?;
    fresh_only(&form.session)?;
    Ok(form)
}

pub(super) async fn end(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let ended = end_one(&sign_in, &headers, &body).await;
    respond(&sign_in, &headers, ended, Part::People).await
}

async fn end_one(
    sign_in: &SignIn,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, PageProblem> {
    let form = read_fresh(sign_in, headers, body).await?;
    let (session, fields) = (&form.session, &form.fields);
    let (id, by) = (fields.one("id"), session.person.id.as_str());
    let found = sign_in.people.find(id).map_err(unavailable)?;
    if found.is_none() {
        // It ended meanwhile, so the goal is reached.
        return Ok(sign_in.pages.redirect(PATH));
    }
    match sign_in.people.end(id, Some(by)).await {
        Ok(_) => {}
        Err(error) if error.is_request() => {
            let what = format!("Nothing was done: {error}.");
            let page = page(sign_in, session, id, Some(&what)).await?;
            return show(sign_in, session, page.with_status(StatusCode::CONFLICT)).await;
        }
        Err(error) => return Err(unavailable(error)),
    }
    if fields.one("remove") == "yes" {
        let connected = sign_in.vault.list().await.map_err(unavailable)?;
        for location in connected
            .iter()
            .filter(|one| one.owner.as_deref() == Some(id))
        {
            let removed = sign_in.vault.remove(&location.id, Some(by));
            removed.await.map_err(unavailable)?;
        }
    }
    Ok(sign_in.pages.redirect(PATH))
}

pub(super) async fn set_approvals(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let set = set_those_of_one(&sign_in, &headers, &body).await;
    respond(&sign_in, &headers, set, Part::People).await
}

async fn set_those_of_one(
    sign_in: &SignIn,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, PageProblem> {
    let form = read_fresh(sign_in, headers, body).await?;
    let fields = &form.fields;
    let id = fields.one("id");
    let person = sign_in.people.find(id).map_err(unavailable)?;
    let person = person.filter(|person| person.role == PersonRole::Member);
    let person = person.ok_or_else(unknown)?;
    let is_ticked = |alias: &str| fields.all("location").any(|ticked| ticked == alias);
    let decided = decided_locations(&person).into_iter();
    let decided = decided.map(|location| {
        let may_approve = is_ticked(&location.alias);
        (location.alias, may_approve)
    });
    let rights = ApprovalRights {
        everywhere: fields.one("everywhere") == "yes",
        locations: decided.collect(),
    };
    let set = sign_in
        .people
        .set_approvals(id, rights, &form.session.person.id);
    set.await.map_err(unavailable)?;
    Ok(sign_in.pages.redirect(&format!("{PATH}/{id}")))
}
