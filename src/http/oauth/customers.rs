//! Customers of a builder: the JSON calls by which the builder's server makes, lists and ends links and fetches keys,
//! and the pages behind a link.
//!
//! What lets a server in is an access key that was made with `--connect-links`, in the `Authorization` header. No grant has
//! that right, and no key that is given here.

mod connect;
pub(super) mod sign_in;
mod visit;
mod wire;

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::SignIn;
use crate::http::access::key_refused;
use crate::http::pages::customers::{CONNECT, CONNECT_SIGN_IN, CONNECT_TOKEN, CONNECTED};
use crate::http::pages::form::LARGEST_FORM;
use crate::http::problem::HttpProblem;
use state::StoreError;
use state::customers::{ConnectLink, NewConnectLink};
use state::keys::KeyRecord;
use state::vault::VaultLocation;
use wire::{AskedKey, AskedLink, LinkView};

/// Most links in one answer.
const MOST_LISTED: usize = 200;

pub(super) fn routes() -> Router<Arc<SignIn>> {
    Router::new()
        .route("/connect/links", post(make).get(list))
        .route("/connect/links/{id}", delete(end))
        .route("/connect/keys", post(give_key))
        .route(CONNECT, get(connect::show).post(connect::open))
        .route(CONNECT_TOKEN, post(connect::by_token))
        .route(CONNECT_SIGN_IN, post(sign_in::begin))
        .route(CONNECTED, get(sign_in::show_connected))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
}

async fn make(State(sign_in): State<Arc<SignIn>>, headers: HeaderMap, body: Bytes) -> Response {
    let made = async {
        let builder = builder(&sign_in, &headers)?;
        if !sign_in.settings.vault && sign_in.marketplace.is_none() {
            return Err(HttpProblem::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                "A customer could not connect anything: nobody may paste tokens (oauth.vault), and the settings name \
                 no app of HighLevel's Marketplace (marketplace.client_id).",
            ));
        }
        let asked = AskedLink::parse(&body)?;
        let rules = asked.rules(&sign_in.pipeline.snapshot().rules)?;
        let new = NewConnectLink {
            builder: builder.name.clone(),
            return_url: asked.return_url(&builder.return_urls)?,
            lasts: asked.lasts(),
            reference: asked.reference,
            rules: rules.to_string(),
        };
        let made = sign_in.customers.make(new).await;
        let (link, text) = made.map_err(refused)?;
        let url = format!(
            "{}{CONNECT}#{}",
            sign_in.issuer.as_str(),
            text.expose_secret()
        );
        let mut view = LinkView::new(&link, None).json();
        view["url"] = json!(url);
        Ok((StatusCode::CREATED, view))
    };
    respond(made.await)
}

async fn list(
    State(sign_in): State<Arc<SignIn>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let listed = async {
        let builder = builder(&sign_in, &headers)?;
        let query = query.unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let reference = pairs.find(|(name, _)| name == "ref");
        let reference = reference.map(|(_, value)| value.into_owned());
        let list = &sign_in.customers;
        let links = list.list(&builder.name, reference.as_deref(), MOST_LISTED);
        let links = links.await.map_err(refused)?;
        let locations = locations(&sign_in).await?;
        let views = links.iter().map(|link| view(link, &locations));
        Ok((StatusCode::OK, json!({"links": views.collect::<Vec<_>>()})))
    };
    respond(listed.await)
}

async fn end(
    State(sign_in): State<Arc<SignIn>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let ended = async {
        let builder = builder(&sign_in, &headers)?;
        let ended = sign_in.customers.end(&id, &builder.name).await;
        let link = ended.map_err(refused)?.ok_or_else(|| {
            HttpProblem::new(
                StatusCode::NOT_FOUND,
                "not_found",
                "You have no such link. GET /connect/links lists yours.",
            )
        })?;
        Ok((StatusCode::OK, LinkView::new(&link, None).json()))
    };
    respond(ended.await)
}

async fn give_key(State(sign_in): State<Arc<SignIn>>, headers: HeaderMap, body: Bytes) -> Response {
    let given = async {
        let builder = builder(&sign_in, &headers)?;
        let claim = AskedKey::parse(&body)?;
        let given = sign_in.customers.give_key(claim, &builder).await;
        let (link, key, text) = given.map_err(refused)?.ok_or_else(|| {
            HttpProblem::new(
                StatusCode::BAD_REQUEST,
                "invalid_grant",
                "You have no such code or link, or the code was used or is older than ten minutes, or nothing is \
                 connected yet. GET /connect/links?ref=… shows the state; {\"link\": id} fetches another key.",
            )
        })?;
        let locations = locations(&sign_in).await?;
        let mut view = view(&link, &locations);
        view["key"] = json!(text.expose_secret());
        view["key_id"] = json!(key.id);
        view["mcp"] = json!(format!("{}/mcp", sign_in.issuer.as_str()));
        Ok((StatusCode::OK, view))
    };
    respond(given.await)
}

/// The key of the calling builder.
fn builder(sign_in: &SignIn, headers: &HeaderMap) -> Result<Arc<KeyRecord>, HttpProblem> {
    let unauthorized =
        |what: String| HttpProblem::new(StatusCode::UNAUTHORIZED, "invalid_token", what);
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    let (Some(line), None) = (shown.next(), shown.next()) else {
        return Err(unauthorized(
            "Send an access key that creates connect links: Authorization: Bearer hlk_…."
                .to_owned(),
        ));
    };
    let text = line.to_str().ok().and_then(|line| line.split_once(' '));
    let text = text.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let key = text.map_or("", |(_, key)| key.trim());
    let found = sign_in.pipeline.controls().keys.find(key);
    let record = found
        .map_err(|refusal| key_refused(&refusal))?
        .ok_or_else(|| unauthorized("This is not an access key of this server.".to_owned()))?;
    if record.return_urls.is_empty() {
        return Err(HttpProblem::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "This access key cannot create connect links. `highlevel-mcp keys create --connect-links RETURN_URL` \
             creates one that can.",
        ));
    }
    Ok(record)
}

/// Connected locations by their ids.
async fn locations(sign_in: &SignIn) -> Result<HashMap<String, VaultLocation>, HttpProblem> {
    let all = sign_in.vault.list().await.map_err(refused)?;
    let pair = |location: VaultLocation| (location.id.clone(), location);
    Ok(all.into_iter().map(pair).collect())
}

fn view(link: &ConnectLink, locations: &HashMap<String, VaultLocation>) -> Value {
    let location = link.location.as_ref();
    LinkView::new(link, location.and_then(|id| locations.get(id))).json()
}

/// A refusal by the store is the request's fault; otherwise the store is not available.
fn refused(error: StoreError) -> HttpProblem {
    match error.is_request() {
        true => HttpProblem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_request",
            format!("Nothing was done: {error}."),
        ),
        false => {
            tracing::warn!(%error, "a connect link needs the store");
            HttpProblem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "Nothing was done. The server cannot reach its own records. Try again in a minute.",
            )
        }
    }
}

fn respond(answer: Result<(StatusCode, Value), HttpProblem>) -> Response {
    let mut response = match answer {
        Ok((status, body)) => (status, Json(body)).into_response(),
        Err(problem) => problem.into_response(),
    };
    let no_store = axum::http::HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response
}
