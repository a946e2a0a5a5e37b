//! Trying a tool: found by the server's own search, filled in as a form, and called as the person who tries it.

mod filling;
mod result;
mod running;
mod tries;

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;

use super::frame;
use crate::call::describe_effect;
use crate::catalog;
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::Visitor;
use crate::http::pages::PageKind;
use crate::http::pages::form::FormFields;
use crate::http::pages::notice::PageProblem;
use crate::http::pages::tools::result::TRIES;
use crate::http::pages::tools::{SearchPage, TOOLS, ToolRow};
use crate::surfaces::search::{Detail, Search, search};
use policy::BuiltInRules;
use state::people::Person;
use tool::Tool;
pub(in crate::http) use tries::ToolTries;

/// Most tools that a search shows.
const MOST_FOUND: usize = 10;

pub(super) fn routes() -> Router<Arc<SignIn>> {
    Router::new()
        .route(TOOLS, get(find))
        .route(
            &format!("{TOOLS}/{{name}}"),
            get(filling::show).post(filling::run),
        )
        .route(
            &format!("{TRIES}/{{id}}"),
            get(result::show).post(result::decide),
        )
        .route(&format!("{TRIES}/{{id}}/state"), get(result::state))
}

async fn find(
    State(sign_in): State<Arc<SignIn>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let found = show_found(&sign_in, query, &headers).await;
    sign_in.pages.respond(found, PageKind::Entry)
}

async fn show_found(
    sign_in: &SignIn,
    query: Option<String>,
    headers: &HeaderMap,
) -> Result<Response, PageProblem> {
    let visitor = Visitor::find(sign_in, headers).await?;
    let session = visitor.signed_in()?;
    let given = FormFields::parse(query.unwrap_or_default().as_bytes())?;
    let query = given.one("q");
    let (found, hint) = match query.is_empty() {
        true => (Vec::new(), None),
        false => found(sign_in, &session.person, query),
    };
    let page = SearchPage {
        query,
        found: &found,
        hint: hint.as_deref(),
    };
    frame::show(sign_in, session, page.page()).await
}

/// The search results that this person may use, and the search's notes.
fn found(sign_in: &SignIn, person: &Arc<Person>, query: &str) -> (Vec<ToolRow>, Option<String>) {
    let asked = Search {
        queries: vec![query.to_owned()],
        limit: Some(MOST_FOUND),
        detail: Detail::Names,
        ..Search::default()
    };
    let answer = match search(&asked, |tool| is_usable(sign_in, person, tool)) {
        Ok(answer) => answer,
        Err(problem) => return (Vec::new(), Some(problem)),
    };
    let crm = &sign_in.pages.brand.crm_name;
    let hint = answer["hint"].as_str();
    let hint = hint.map(|hint| hint.replace("HighLevel", crm));
    let lists = ["results", "nearest"].map(|list| answer[list].as_array());
    let names = lists.into_iter().flatten().flatten();
    let tools = names.filter_map(|one| find_tool(one["name"].as_str()?));
    let rows = tools.map(|tool| ToolRow {
        name: tool.name,
        title: tool.title,
        effect: describe_effect(tool.effect.name()),
        line: first_sentence(tool).replace("HighLevel", crm),
    });
    (rows.collect(), hint)
}

fn first_sentence(tool: &Tool) -> &'static str {
    let mut sentences = tool.description.split_inclusive(". ");
    sentences.next().unwrap_or_default()
}

fn find_tool(name: &str) -> Option<&'static Tool> {
    catalog::TOOLS.iter().find(|tool| tool.name == name)
}

/// Under the widest rules that the person may choose.
fn is_usable(sign_in: &SignIn, person: &Arc<Person>, tool: &Tool) -> bool {
    let widest = running::principal(person, BuiltInRules::Everything);
    sign_in.pipeline.is_visible(tool, &widest)
}

fn usable_tool(
    sign_in: &SignIn,
    person: &Arc<Person>,
    name: &str,
) -> Result<&'static Tool, PageProblem> {
    let found = find_tool(name).filter(|tool| is_usable(sign_in, person, tool));
    found.ok_or_else(|| {
        PageProblem::new(
            StatusCode::NOT_FOUND,
            "You cannot use this tool",
            "It may have another name, or your rules do not allow it.",
        )
        .with_link(TOOLS, "Search for another tool")
    })
}
