//! Access keys: lists what each opens, makes new ones within their maker's reach, and revokes them.

mod make;

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::connections::describe;
use super::extractors::{Operator, PageQuery};
use super::frame::{operators_only, respond, show};
use super::some;
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::{ConsoleForm, console_token, unavailable};
use crate::http::pages::clean::one_line;
use crate::http::pages::form::FormFields;
use crate::http::pages::keys::{KeyCard, KeysPage, MOST_KEYS};
use crate::http::pages::moment::Moment;
use crate::http::pages::notice::PageProblem;
use crate::http::pages::paging::ListParts;
use crate::http::pages::{PageKind, Part};
pub(super) use make::{make, show_form};
use state::clock::SteadyClock;
use state::keys::{KeyLocations, KeyRecord};
use state::sessions::PersonSession;

const PATH: &str = "/console/keys";

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
    let keys = sign_in.pipeline.controls().keys.list().await;
    let mut keys = keys.map_err(unavailable)?;
    // Newest first, and last the keys that open nothing any more.
    keys.reverse();
    keys.sort_by_key(|key| over(key).is_some());
    let paging = ListParts::new(PATH, query, keys.len(), MOST_KEYS);
    let connected = sign_in.vault.list().await.map_err(unavailable)?;
    let connected = connected.into_iter().map(|one| (one.id, one.alias));
    let connected: HashMap<String, String> = connected.collect();
    let shown = keys.get(paging.rows()).unwrap_or_default();
    let rows: Vec<_> = shown.iter().map(|key| row(key, &connected)).collect();
    let page = KeysPage {
        rows: &rows,
        paging: &paging,
        token: &console_token(sign_in, session)?,
    };
    show(sign_in, session, page.page()).await
}

/// `connected`: aliases of connected locations by their ids.
fn row(key: &KeyRecord, connected: &HashMap<String, String>) -> KeyCard {
    let reach = match &key.locations {
        KeyLocations::All => "all, and new ones too".to_owned(),
        KeyLocations::Only(aliases) if aliases.is_empty() => {
            "none: it creates links for customers".to_owned()
        }
        KeyLocations::Only(aliases) => some(aliases),
        KeyLocations::Connected(ids) => {
            let alias = |id: &String| connected.get(id).unwrap_or(id).clone();
            some(&ids.iter().map(alias).collect::<Vec<_>>())
        }
    };
    let section = key
        .policy
        .as_ref()
        .map(|policy| format!("section:{policy}"));
    let held = key.rules.iter().chain(&section);
    let mut rules: Vec<String> = held.map(|rules| describe(rules)).collect();
    if rules.is_empty() {
        rules.push("do everything that is allowed here".to_owned());
    }
    KeyCard {
        id: key.id.clone(),
        name: one_line(&key.name, 64),
        locations: match key.agency {
            true => format!("{reach}, and the whole agency by the agency's own token"),
            false => reach,
        },
        rules,
        made: Moment(key.created),
        expires: key.expires.map(Moment),
        used: key.used.map(Moment),
        over: over(key),
    }
}

/// The reason that a key opens nothing any more.
fn over(key: &KeyRecord) -> Option<&'static str> {
    let has_expired = || {
        key.expires
            .is_some_and(|expires| expires <= SteadyClock::now())
    };
    match key.revoked {
        Some(_) => Some("revoked"),
        None => has_expired().then_some("expired"),
    }
}

pub(super) async fn revoke(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let revoked = revoke_one(&sign_in, &headers, &body).await;
    respond(&sign_in, &headers, revoked, Part::Keys).await
}

/// Revoking only takes rights away, so it needs no fresh proof.
async fn revoke_one(
    sign_in: &SignIn,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, PageProblem> {
    let form = ConsoleForm::read(sign_in, headers, body).await?;
    operators_only(&form.session)?;
    let keys = &sign_in.pipeline.controls().keys;
    let by = form.session.person.id.as_str();
    match keys.revoke_by(form.fields.one("id"), Some(by)).await {
        Ok(_) => Ok(sign_in.pages.redirect(PATH)),
        Err(error) if error.is_request() => Ok(sign_in.pages.redirect(PATH)),
        Err(error) => Err(unavailable(error)),
    }
}
