//! One sub-account: the status of its token, what that can read, and a form for another token.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use secrecy::SecretString;

use super::{all, may_look_after};
use crate::call::{TokenCheck, TokenProblem, TokenTry};
use crate::http::client_address::Peer;
use crate::http::console::frame;
use crate::http::oauth::SignIn;
use crate::http::oauth::marketplace::sign_in_address;
use crate::http::oauth::pasted_token::may_paste;
use crate::http::oauth::visitor::{ConsoleForm, Visitor, console_token, unavailable};
use crate::http::pages::locations::{LocationPage, TokenReach};
use crate::http::pages::notice::PageProblem;
use crate::http::pages::{PageKind, Part};
use state::events::{EventKind, NewEvent};
use state::people::Person;
use state::sessions::PersonSession;
use state::vault::{CredentialKind, CredentialStatus, VaultLocation};

/// The result of the pressed button.
#[derive(Default)]
struct TokenNews {
    done: Option<&'static str>,
    problem: Option<String>,
    reach: Option<TokenReach>,
}

pub(in crate::http::console) async fn show(
    State(sign_in): State<Arc<SignIn>>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Response {
    let shown = show_one(&sign_in, &key, &headers).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show_one(
    sign_in: &SignIn,
    key: &str,
    headers: &HeaderMap,
) -> Result<Response, PageProblem> {
    let visitor = Visitor::find(sign_in, headers).await?;
    let session = visitor.signed_in()?;
    answer(sign_in, session, key, TokenNews::default()).await
}

/// `key`: the id of a connected location, or the alias of one in the settings.
async fn answer(
    sign_in: &SignIn,
    session: &PersonSession,
    key: &str,
    news: TokenNews,
) -> Result<Response, PageProblem> {
    let person = &session.person;
    let rows = all(sign_in, person).await?;
    let row = rows.iter().find(|row| row.key == key).ok_or_else(gone)?;
    let stored = find(sign_in, key).await?;
    let own = stored
        .as_ref()
        .filter(|stored| may_look_after(stored, person));
    let is_pasted = own.is_some_and(|own| own.kind == CredentialKind::Pit);
    let sign_in_at =
        own.and_then(|_| sign_in_address(sign_in, &format!("/console/locations/{key}")));
    let page = LocationPage {
        row,
        may_check: is_pasted,
        may_paste: is_pasted && may_paste(sign_in, person),
        sign_in_at: sign_in_at.as_deref(),
        done: news.done,
        problem: news.problem.as_deref(),
        reach: news.reach.as_ref(),
        token: &console_token(sign_in, session)?,
    };
    let page = page.page(&sign_in.pages.brand);
    let page = match news.problem {
        Some(_) => page.with_status(StatusCode::BAD_REQUEST),
        None => page,
    };
    frame::show(sign_in, session, page).await
}

/// A person who does not reach it must not learn that it exists.
fn gone() -> PageProblem {
    let problem = PageProblem::new(
        StatusCode::NOT_FOUND,
        "You have no such sub-account",
        "It may have been removed, or belong to somebody else.",
    );
    problem.with_link("/console/locations", "Your sub-accounts")
}

async fn find(sign_in: &SignIn, id: &str) -> Result<Option<VaultLocation>, PageProblem> {
    let rows = sign_in.vault.list().await.map_err(unavailable)?;
    Ok(rows.into_iter().find(|row| row.id == id))
}

pub(in crate::http::console) async fn change(
    State(sign_in): State<Arc<SignIn>>,
    peer: Option<Extension<Peer>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let changed = change_one(&sign_in, &id, (peer, &headers), &body).await;
    frame::respond(&sign_in, &headers, changed, Part::Locations).await
}

async fn change_one(
    sign_in: &SignIn,
    id: &str,
    (peer, headers): (Option<Extension<Peer>>, &HeaderMap),
    body: &[u8],
) -> Result<Response, PageProblem> {
    let form = ConsoleForm::read(sign_in, headers, body).await?;
    let (session, fields) = (&form.session, &form.fields);
    let person = &session.person;
    let row = find(sign_in, id).await?.ok_or_else(gone)?;
    if !may_look_after(&row, person) {
        return Err(gone());
    }
    let peer = peer.map(|Extension(peer)| peer.0);
    let address = sign_in.addresses.client(peer, headers);
    let (token, replaces) = match fields.one("action") {
        "check" => (sealed_token(sign_in, id).await?, false),
        "token" if may_paste(sign_in, person) => (Some(fields.secret("token")), true),
        _ => {
            return Err(PageProblem::new(
                StatusCode::BAD_REQUEST,
                "No button was pressed",
                "Nothing was done. Open the page again and use its buttons.",
            ));
        }
    };
    let Some(token) = token else {
        let problem = "Its stored token can no longer be read. Paste a new one.".to_owned();
        let news = TokenNews {
            problem: Some(problem),
            ..TokenNews::default()
        };
        return answer(sign_in, session, id, news).await;
    };
    let checked = sign_in.pipeline.check_token(TokenTry {
        location: &row.location,
        token: &token,
        address,
    });
    let news = match (checked.await, replaces) {
        (Ok(checked), true) => replace(sign_in, person, &row, checked).await?,
        (Ok(checked), false) => {
            note(sign_in, &row, CredentialStatus::Good).await?;
            news("The token works.", &checked)
        }
        (Err(problem), replaces) => {
            if !replaces && problem == TokenProblem::Unknown {
                note(sign_in, &row, CredentialStatus::Refused).await?;
            }
            TokenNews {
                problem: Some(problem.sentence(&sign_in.pages.brand.crm_name)),
                ..TokenNews::default()
            }
        }
    };
    answer(sign_in, session, id, news).await
}

fn news(done: &'static str, checked: &TokenCheck) -> TokenNews {
    TokenNews {
        done: Some(done),
        problem: None,
        reach: Some(TokenReach {
            can: checked.can.clone(),
            cannot: checked.cannot.clone(),
        }),
    }
}

/// Replaces the token. The location keeps its owner.
async fn replace(
    sign_in: &SignIn,
    person: &Person,
    row: &VaultLocation,
    checked: TokenCheck,
) -> Result<TokenNews, PageProblem> {
    let news = news(
        "The new token works and has replaced the old one.",
        &checked,
    );
    let mut new = checked.into_new_token(row.owner.clone());
    if new.name.is_empty() {
        // The token may not read the name.
        new.name = row.name.clone();
    }
    let put = sign_in.vault.put_token(new).await.map_err(unavailable)?;
    drop(sign_in.events.add(NewEvent {
        kind: EventKind::LocationAdded,
        actor: Some(person.id.clone()),
        subject: Some(put.id),
        detail: format!("{}: replace the token", put.alias),
    }));
    Ok(news)
}

/// Records HighLevel's present verdict on the token, if that has changed.
async fn note(
    sign_in: &SignIn,
    row: &VaultLocation,
    status: CredentialStatus,
) -> Result<(), PageProblem> {
    if row.status == status {
        return Ok(());
    }
    let noted = sign_in.vault.set_status(&row.credential, status);
    noted.await.map_err(unavailable)
}

async fn sealed_token(sign_in: &SignIn, id: &str) -> Result<Option<SecretString>, PageProblem> {
    let rows = sign_in.vault.read().await.map_err(unavailable)?;
    let found = rows.into_iter().find(|(row, _)| row.id == id);
    Ok(found.and_then(|(_, token)| token))
}
