//! The sub-accounts that a person reaches, with the status of their tokens.

mod one;

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::extractors::SignedIn;
use super::{frame, is_operator};
use crate::call::HolderRef;
use crate::http::client_address::Peer;
use crate::http::oauth::SignIn;
use crate::http::oauth::marketplace::sign_in_address;
use crate::http::oauth::pasted_token::{connect, may_paste};
use crate::http::oauth::visitor::{ConsoleForm, console_token, unavailable};
use crate::http::pages::clean::one_line;
use crate::http::pages::locations::{ConnectedLocation, LocationsPage, MOST_LOCATIONS};
use crate::http::pages::moment::Moment;
use crate::http::pages::notice::PageProblem;
use crate::http::pages::{Page, PageKind, Part};
pub(super) use one::{change, show as show_one};
use state::people::Person;
use state::sessions::PersonSession;
use state::vault::{CredentialStatus, VaultLocation};

pub(super) async fn list(
    State(sign_in): State<Arc<SignIn>>,
    SignedIn(session): SignedIn,
) -> Response {
    let shown = show(&sign_in, &session).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show(sign_in: &SignIn, session: &PersonSession) -> Result<Response, PageProblem> {
    let page = page(sign_in, session, FormOutcome::default()).await?;
    frame::show(sign_in, session, page).await
}

/// What the last form of the page led to.
#[derive(Default)]
struct FormOutcome<'a> {
    done: Option<&'a str>,
    problem: Option<&'a str>,
    /// The sub-account as it was typed.
    typed: &'a str,
}

async fn page(
    sign_in: &SignIn,
    session: &PersonSession,
    FormOutcome {
        done,
        problem,
        typed,
    }: FormOutcome<'_>,
) -> Result<Page, PageProblem> {
    let mut rows = all(sign_in, &session.person).await?;
    let unlisted = rows.len().saturating_sub(MOST_LOCATIONS);
    rows.truncate(MOST_LOCATIONS);
    let person = &session.person;
    let may_connect = is_operator(person) || person.may_vault;
    let sign_in_at = sign_in_address(sign_in, "/console/locations").filter(|_| may_connect);
    let page = LocationsPage {
        rows: &rows,
        unlisted,
        may_add: may_paste(sign_in, person),
        sign_in_at: sign_in_at.as_deref(),
        done,
        problem,
        typed,
        token: &console_token(sign_in, session)?,
    };
    Ok(page.page(&sign_in.pages.brand))
}

pub(super) async fn add(
    State(sign_in): State<Arc<SignIn>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let added = add_one(&sign_in, peer, &headers, &body).await;
    frame::respond(&sign_in, &headers, added, Part::Locations).await
}

async fn add_one(
    sign_in: &SignIn,
    peer: Option<Extension<Peer>>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, PageProblem> {
    let form = ConsoleForm::read(sign_in, headers, body).await?;
    let (session, fields) = (&form.session, &form.fields);
    let connected = connect(sign_in, Some(&session.person), fields, (peer, headers)).await?;
    let page = match connected {
        Ok(pasted) => {
            let outcome = FormOutcome {
                done: Some(&pasted.done),
                ..FormOutcome::default()
            };
            page(sign_in, session, outcome).await?
        }
        Err(problem) => {
            let outcome = FormOutcome {
                problem: Some(&problem),
                typed: fields.one("location"),
                ..FormOutcome::default()
            };
            let page = page(sign_in, session, outcome).await?;
            page.with_status(StatusCode::BAD_REQUEST)
        }
    };
    frame::show(sign_in, session, page).await
}

/// All that this person reaches or, as an operator, looks after. Those with problems come first.
pub(super) async fn all(
    sign_in: &SignIn,
    person: &Arc<Person>,
) -> Result<Vec<ConnectedLocation>, PageProblem> {
    let connected = sign_in.vault.list().await.map_err(unavailable)?;
    let holder = HolderRef::Person(Arc::clone(person));
    let snapshot = sign_in.pipeline.snapshot();
    let reaches = |alias: &str| {
        let found = snapshot.locations.find(alias);
        found.is_some_and(|account| holder.reaches(&account.configured))
    };
    let is_shown = |row: &&VaultLocation| {
        is_operator(person)
            || row.owner.as_ref() == Some(&person.id)
            || row.owner.is_none() && reaches(&row.alias)
    };
    let mut rows: Vec<ConnectedLocation> = connected
        .iter()
        .filter(is_shown)
        .map(|row| from_store(sign_in, row, person))
        .collect();
    let settings = snapshot.locations.iter().map(|account| &account.configured);
    let settings =
        settings.filter(|location| location.stored.is_none() && holder.reaches(location));
    rows.extend(settings.map(|location| {
        ConnectedLocation {
            key: location.alias.clone(),
            id: None,
            alias: location.alias.clone(),
            name: one_line(&location.name, 80),
            zone: location
                .timezone
                .as_ref()
                .and_then(|zone| zone.iana_name())
                .map(str::to_owned),
            owner: None,
            status: "Set up by the operator of this server, in its settings.".to_owned(),
            since: None,
            is_well: true,
        }
    }));
    rows.sort_by_key(|row| (row.is_well, row.name.to_lowercase()));
    Ok(rows)
}

fn from_store(sign_in: &SignIn, row: &VaultLocation, reader: &Person) -> ConnectedLocation {
    let crm = &sign_in.pages.brand.crm_name;
    let status = match row.status {
        CredentialStatus::Good => "Its token works.".to_owned(),
        CredentialStatus::Refused => {
            format!("{crm} no longer accepts its token. Paste a new one.")
        }
        CredentialStatus::Uninstalled => format!("The app was removed in {crm}. Connect it again."),
        CredentialStatus::Unsure => {
            format!("Its token could not be renewed. Sign in at {crm} again.")
        }
    };
    let owner = row.owner.as_ref().filter(|owner| **owner != reader.id);
    let owner = owner.map(|id| {
        let person = sign_in.people.find(id).ok().flatten();
        person.map_or_else(|| id.clone(), |person| one_line(&person.name, 64))
    });
    ConnectedLocation {
        key: row.id.clone(),
        id: may_look_after(row, reader).then(|| row.id.clone()),
        alias: row.alias.clone(),
        name: one_line(&row.name, 80),
        zone: row.zone.clone(),
        owner,
        status,
        since: Some(Moment(row.status_at)),
        is_well: row.status == CredentialStatus::Good,
    }
}

fn may_look_after(row: &VaultLocation, person: &Person) -> bool {
    is_operator(person) || row.owner.as_ref() == Some(&person.id)
}

pub(super) async fn remove(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let removed = remove_one(&sign_in, &headers, &body).await;
    frame::respond(&sign_in, &headers, removed, Part::Locations).await
}

async fn remove_one(
    sign_in: &SignIn,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, PageProblem> {
    let form = ConsoleForm::read(sign_in, headers, body).await?;
    let (session, fields) = (&form.session, &form.fields);
    let id = fields.one("id");
    let rows = sign_in.vault.list().await.map_err(unavailable)?;
    if let Some(row) = rows.iter().find(|row| row.id == id) {
        if !may_look_after(row, &session.person) {
            return Err(PageProblem::new(
                StatusCode::FORBIDDEN,
                "You cannot remove this sub-account",
                "Only the person who connected it, or the operator of this server, can remove it.",
            ));
        }
        let removed = sign_in.vault.remove(id, Some(&session.person.id));
        removed.await.map_err(unavailable)?;
    }
    // If there is none, it was removed meanwhile, and the goal is reached.
    Ok(sign_in.pages.redirect("/console/locations"))
}
