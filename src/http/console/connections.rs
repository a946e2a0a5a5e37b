//! Which clients are connected, and their end.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::{is_operator, minute, some};
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::{ConsoleForm, Visitor, console_token, unavailable};
use crate::http::pages::clean::one_line;
use crate::http::pages::connections::{ConnectionRow, ConnectionsPage, MOST_CONNECTIONS};
use crate::http::pages::notice::PageProblem;
use crate::http::pages::{PageKind, Part};
use policy::{BuiltInRules, NamedRules};
use state::grants::{EndedGrants, GrantHolder, GrantRecord};
use state::people::Person;

pub(super) async fn list(State(sign_in): State<Arc<SignIn>>, headers: HeaderMap) -> Response {
    let shown = show(&sign_in, &headers).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show(sign_in: &SignIn, headers: &HeaderMap) -> Result<Response, PageProblem> {
    let visitor = Visitor::find(sign_in, headers).await?;
    let session = visitor.signed_in()?;
    let all = all(sign_in, &session.person).await?;
    let shown = all.iter().take(MOST_CONNECTIONS);
    let rows: Vec<ConnectionRow> = shown
        .map(|grant| row(sign_in, grant, &session.person))
        .collect();
    let page = ConnectionsPage {
        rows: &rows,
        unlisted: all.len().saturating_sub(MOST_CONNECTIONS),
        token: &console_token(sign_in, session)?,
    };
    super::frame::show(sign_in, session, page.page()).await
}

/// Those that this person may end, newest first.
pub(super) async fn all(
    sign_in: &SignIn,
    person: &Person,
) -> Result<Vec<GrantRecord>, PageProblem> {
    let own = (!is_operator(person)).then(|| GrantHolder::Person(person.id.clone()));
    let mut all = sign_in.grants.list(own).await.map_err(unavailable)?;
    all.retain(|grant| grant.ended.is_none());
    Ok(all)
}

fn row(sign_in: &SignIn, grant: &GrantRecord, reader: &Person) -> ConnectionRow {
    let holder = match &grant.holder {
        GrantHolder::Person(id) if *id == reader.id => None,
        GrantHolder::Person(id) => {
            let person = sign_in.people.find(id).ok().flatten();
            Some(person.map_or_else(|| id.clone(), |person| one_line(&person.name, 64)))
        }
        GrantHolder::Key(id) => {
            let key = sign_in.pipeline.controls().keys.valid(id);
            let name = key.map_or_else(|| id.clone(), |key| one_line(&key.name, 64));
            Some(format!("access key {name}"))
        }
    };
    let is_all = grant.locations.iter().any(|alias| alias == "*");
    ConnectionRow {
        id: grant.id.clone(),
        client: one_line(&grant.client_name, 60),
        holder,
        locations: match is_all {
            true => "all, and new ones too".to_owned(),
            false => some(&grant.locations),
        },
        rules: describe(&grant.rules),
        used: grant.used.map_or_else(|| "never".to_owned(), minute),
        ends: format!(
            "{}; without use on {}",
            minute(grant.hard_until),
            minute(grant.idle_until)
        ),
    }
}

fn describe(rules: &str) -> String {
    match NamedRules::parse(rules) {
        Some(NamedRules::BuiltIn(BuiltInRules::ReadOnly)) => "read only".to_owned(),
        Some(NamedRules::BuiltIn(BuiltInRules::AskFirst)) => {
            "change single records, and ask first for the rest".to_owned()
        }
        Some(NamedRules::BuiltIn(BuiltInRules::Everyday)) => {
            "do everyday work, and ask first for the rest".to_owned()
        }
        Some(NamedRules::BuiltIn(BuiltInRules::Everything)) => {
            "do everything that is allowed here".to_owned()
        }
        Some(NamedRules::Section(name)) => format!("what the rules “{}” say", one_line(&name, 60)),
        Some(NamedRules::Installed) | None => "nothing".to_owned(),
    }
}

pub(super) async fn end(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let ended = end_one(&sign_in, &headers, &body).await;
    sign_in
        .pages
        .respond(ended, PageKind::Console(Part::Connections))
}

async fn end_one(
    sign_in: &SignIn,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, PageProblem> {
    let form = ConsoleForm::read(sign_in, headers, body).await?;
    let (session, fields) = (&form.session, &form.fields);
    let id = fields.one("id");
    let found = sign_in.grants.get(id).await.map_err(unavailable)?;
    let is_own =
        |grant: &GrantRecord| grant.holder == GrantHolder::Person(session.person.id.clone());
    match found {
        // It ended meanwhile, which is what was wanted.
        None => {}
        Some(grant) if is_operator(&session.person) || is_own(&grant) => {
            let ended = EndedGrants::One(grant.id);
            let by = Some(session.person.id.as_str());
            let end = sign_in.grants.end(ended, "ended in the console", by);
            end.await.map_err(unavailable)?;
        }
        Some(_) => {
            return Err(PageProblem::new(
                StatusCode::FORBIDDEN,
                "This connection is not yours",
                "Only the person who made it, or whoever runs this server, can end it.",
            ));
        }
    }
    Ok(sign_in.pages.redirect("/console/connections"))
}
