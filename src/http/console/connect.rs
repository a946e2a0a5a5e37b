//! The way to a connected client: its steps, and the wait until it arrives.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};

use super::{frame, is_operator};
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::{Visitor, unavailable};
use crate::http::pages::PageKind;
use crate::http::pages::clean::one_line;
use crate::http::pages::client_steps::ClientSteps;
use crate::http::pages::connect::{CONNECT, ClientPage, ConnectPage, live};
use crate::http::pages::notice::PageProblem;
use crate::telemetry::Arrival;
use state::grants::{GrantHolder, GrantRecord};
use state::people::Person;

pub(super) async fn list(State(sign_in): State<Arc<SignIn>>, headers: HeaderMap) -> Response {
    let shown = show_list(&sign_in, &headers).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show_list(sign_in: &SignIn, headers: &HeaderMap) -> Result<Response, PageProblem> {
    let visitor = Visitor::find(sign_in, headers).await?;
    let session = visitor.signed_in()?;
    let page = ConnectPage {
        endpoint: &format!("{}/mcp", sign_in.origin(headers)),
    };
    frame::show(sign_in, session, page.page()).await
}

pub(super) async fn show(
    State(sign_in): State<Arc<SignIn>>,
    Path(client): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let since = since(query.as_deref());
    let shown = show_one(&sign_in, &client, since, &headers).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show_one(
    sign_in: &SignIn,
    client: &str,
    since: Timestamp,
    headers: &HeaderMap,
) -> Result<Response, PageProblem> {
    let visitor = Visitor::find(sign_in, headers).await?;
    let session = visitor.signed_in()?;
    let client = find(client)?;
    let arrived = arrived(sign_in, &session.person, since).await?;
    let page = ClientPage {
        client,
        endpoint: &format!("{}/mcp", sign_in.origin(headers)),
        steps_for: sign_in.steps_for(),
        since: since.as_millisecond(),
        arrived: arrived.as_deref(),
    };
    frame::show(sign_in, session, page.page()).await
}

/// The clients that arrived meanwhile, as a fragment.
pub(super) async fn watch(
    State(sign_in): State<Arc<SignIn>>,
    Path(client): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let since = since(query.as_deref());
    let seen = watch_one(&sign_in, &client, since, &headers).await;
    sign_in.pages.respond_fragment(seen)
}

async fn watch_one(
    sign_in: &SignIn,
    client: &str,
    since: Timestamp,
    headers: &HeaderMap,
) -> Result<Response, PageProblem> {
    let visitor = Visitor::watching(sign_in, headers).await?;
    let person = &visitor.signed_in()?.person;
    let client = find(client)?;
    Ok(match arrived(sign_in, person, since).await? {
        // A screen reader must not repeat that nothing has happened.
        None => sign_in.pages.unchanged(),
        Some(arrived) => sign_in.pages.fragment(&live(client, Some(&arrived))),
    })
}

fn find(client: &str) -> Result<&'static ClientSteps, PageProblem> {
    ClientSteps::find(client).ok_or_else(|| {
        let problem = PageProblem::new(
            StatusCode::NOT_FOUND,
            "There are no steps for this assistant",
            "Choose one from the list, or add the address in your assistant and follow its questions.",
        );
        problem.with_link(CONNECT, "All assistants")
    })
}

/// `since=` in milliseconds; without it this moment, when the page was opened.
fn since(query: Option<&str>) -> Timestamp {
    let mut pairs = query.unwrap_or_default().split('&');
    let given = pairs.find_map(|pair| pair.strip_prefix("since="));
    let given = given.and_then(|given| Timestamp::from_millisecond(given.parse().ok()?).ok());
    given.unwrap_or_else(Timestamp::now)
}

/// A sentence about the last client of this person since then: from this process, or from its new connection if another
/// process serves it.
async fn arrived(
    sign_in: &SignIn,
    person: &Person,
    since: Timestamp,
) -> Result<Option<String>, PageProblem> {
    let holder = GrantHolder::Person(person.id.clone());
    let grants = sign_in.grants.list(Some(holder)).await;
    let grants = grants.map_err(unavailable)?;
    let own: HashSet<String> = grants
        .iter()
        .map(|grant| format!("grant:{}", grant.id))
        .collect();
    // Keys and the server's own account are the operators'. A caller with a token of its own may be anybody.
    let is_of_server = |who: &str| who == "operator" || who.starts_with("key:");
    let counts = |who: &str| own.contains(who) || is_operator(person) && is_of_server(who);
    let last = sign_in.pipeline.telemetry().arrivals.last(since, counts);
    if let Some((who, arrival)) = last {
        let grant = grants.iter().find(|grant| who.ends_with(&grant.id));
        return Ok(Some(describe(&arrival, grant)));
    }
    let new = grants
        .iter()
        .find(|grant| grant.created >= since && grant.ended.is_none());
    Ok(new.map(|grant| {
        format!(
            "Connected: {}. It has not used a tool yet.",
            one_line(&grant.client_name, 60)
        )
    }))
}

fn describe(arrival: &Arrival, grant: Option<&GrantRecord>) -> String {
    let name = grant.map(|grant| grant.client_name.as_str());
    let name = name.or(arrival.client.as_deref());
    let name = name.map_or_else(|| "an assistant".to_owned(), |name| one_line(name, 60));
    let ago = ago(Timestamp::now().duration_since(arrival.at));
    match &arrival.tool {
        Some(tool) => format!("Connected: {name} used {tool} {ago}."),
        None => format!("Connected: {name} arrived {ago}. It has not used a tool yet."),
    }
}

fn ago(time: SignedDuration) -> String {
    match time.as_mins() {
        ..1 => "a moment ago".to_owned(),
        1 => "a minute ago".to_owned(),
        minutes => format!("{minutes} minutes ago"),
    }
}
