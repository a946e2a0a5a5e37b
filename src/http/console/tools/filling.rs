//! The form of a tool: shown, and sent with a person's input.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Map, Value};

use super::running::{self, TryConsent};
use super::tries::TriedCall;
use super::usable_tool;
use crate::call::{Answer, LocationScope, describe_effect};
use crate::http::console::frame;
use crate::http::oauth::SignIn;
use crate::http::oauth::rules_row;
use crate::http::oauth::visitor::{ConsoleForm, Visitor, console_token};
use crate::http::pages::clean::one_line;
use crate::http::pages::form::FormFields;
use crate::http::pages::notice::PageProblem;
use crate::http::pages::tools::fields::{ToolField, put_problems, read_form, tool_fields};
use crate::http::pages::tools::result::TRIES;
use crate::http::pages::tools::{LOCATION, MOST_CHOICES, RULES, TOOLS, TRY, ToolPage};
use crate::http::pages::{PageKind, Part};
use crate::upstream::failure::FailureClass;
use policy::BuiltInRules;
use state::people::Person;
use state::sessions::PersonSession;
use tool::{Role, Rule, Tool};

/// Length of a form's id: 16 bytes in letters.
const ID_LETTERS: usize = 22;

pub(super) async fn show(
    State(sign_in): State<Arc<SignIn>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let shown = show_form(&sign_in, &name, query, &headers).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show_form(
    sign_in: &SignIn,
    name: &str,
    query: Option<String>,
    headers: &HeaderMap,
) -> Result<Response, PageProblem> {
    let visitor = Visitor::find(sign_in, headers).await?;
    let session = visitor.signed_in()?;
    let tool = usable_tool(sign_in, &session.person, name)?;
    let query = FormFields::parse(query.unwrap_or_default().as_bytes())?;
    let mut fields = tool_fields(tool, &sign_in.pages.brand.crm_name);
    let before = sign_in.tries.get(&session.id, query.one("again"));
    let before = before.filter(|(call, _)| call.tool.name == tool.name);
    let given = before.as_ref().map(|(call, _)| &call.given);
    if let Some(given) = given {
        read_form(&mut fields, given);
    }
    form_page(sign_in, session, (tool, &fields), given, None).await
}

/// The form of a tool as it was filled in, with its error.
async fn form_page(
    sign_in: &SignIn,
    session: &PersonSession,
    (tool, fields): (&Tool, &[ToolField]),
    given: Option<&FormFields>,
    problem: Option<&str>,
) -> Result<Response, PageProblem> {
    let mut locations = reachable(sign_in, &session.person);
    let has_more_locations = locations.len() > MOST_CHOICES;
    locations.truncate(MOST_CHOICES);
    let rules = BuiltInRules::ALL.map(|rules| {
        let row = rules_row(&sign_in.pages.brand, rules);
        let text = match rules {
            BuiltInRules::Everything => format!(
                "It does everything that {} allows, including payments and deletions. If something needs a \
                 confirmation, this page asks you.",
                sign_in.pages.brand.name
            ),
            _ => row.text,
        };
        (rules.name(), row.title, text)
    });
    let usual = BuiltInRules::ReadOnly.name();
    let page = ToolPage {
        name: tool.name,
        title: tool.title,
        description: &tool
            .description
            .replace("HighLevel", &sign_in.pages.brand.crm_name),
        effect: describe_effect(tool.effect.name()),
        locations: &locations,
        has_more_locations,
        location: given.map_or("", |given| given.one(LOCATION)),
        rules: &rules,
        chosen_rules: given.map_or(usual, |given| given.one(RULES)),
        fields,
        problem,
        id: &new_id()?,
        token: &console_token(sign_in, session)?,
    };
    let page = page.page();
    let page = match problem {
        None => page,
        Some(_) => page.with_status(StatusCode::UNPROCESSABLE_ENTITY),
    };
    frame::show(sign_in, session, page).await
}

/// Alias and name of every location that the person reaches, by name.
fn reachable(sign_in: &SignIn, person: &Arc<Person>) -> Vec<(String, String)> {
    let snapshot = sign_in.pipeline.snapshot();
    let scope = scope(person);
    let within = scope.within(&snapshot.locations);
    let named = within.map(|account| {
        let location = &account.configured;
        (location.alias.clone(), one_line(&location.name, 60))
    });
    let mut named: Vec<_> = named.collect();
    named.sort_by_cached_key(|(_, name)| name.to_lowercase());
    named
}

fn scope(person: &Arc<Person>) -> LocationScope {
    running::principal(person, BuiltInRules::Everything).scope
}

fn new_id() -> Result<String, PageProblem> {
    let mut bytes = [0_u8; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| {
        PageProblem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "This does not work at the moment",
            "Nothing was sent. The server's system supplied no random numbers. Try again in a minute.",
        )
    })?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

pub(super) async fn run(
    State(sign_in): State<Arc<SignIn>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answered = run_one(&sign_in, &name, &headers, &body).await;
    frame::respond(&sign_in, &headers, answered, Part::Tools).await
}

async fn run_one(
    sign_in: &Arc<SignIn>,
    name: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, PageProblem> {
    let form = ConsoleForm::read(sign_in, headers, body).await?;
    let (session, given) = (&form.session, &form.fields);
    let person = &session.person;
    let tool = usable_tool(sign_in, person, name)?;
    let id = given.one(TRY);
    let is_id = |letter: u8| letter.is_ascii_alphanumeric() || b"-_".contains(&letter);
    if id.len() != ID_LETTERS || !id.bytes().all(is_id) {
        return Err(PageProblem::new(
            StatusCode::BAD_REQUEST,
            "The form is incomplete",
            "Nothing was sent. Open the tool again.",
        )
        .with_link(TOOLS, "Search for the tool"));
    }
    let to = format!("{TRIES}/{id}");
    if sign_in.tries.get(&session.id, id).is_some() {
        return Ok(sign_in.pages.redirect(&to));
    }
    let mut fields = tool_fields(tool, &sign_in.pages.brand.crm_name);
    let arguments = read_form(&mut fields, given);
    let wrong = "Nothing was sent. Correct the marked fields.";
    let Some(mut arguments) = arguments else {
        return form_page(sign_in, session, (tool, &fields), Some(given), Some(wrong)).await;
    };
    let rules = BuiltInRules::ALL.into_iter();
    let rules = rules
        .into_iter()
        .find(|rules| rules.name() == given.one(RULES))
        .unwrap_or(BuiltInRules::ReadOnly);
    let snapshot = sign_in.pipeline.snapshot();
    let location = Some(given.one(LOCATION)).filter(|location| !location.is_empty());
    let scope = scope(person);
    let account = location.and_then(|location| scope.find(&snapshot.locations, location));
    if location.is_some() && account.is_none() {
        let problem = "Nothing was sent. You have no such sub-account. Choose one of yours.";
        return form_page(
            sign_in,
            session,
            (tool, &fields),
            Some(given),
            Some(problem),
        )
        .await;
    }
    if let Some(account) = account {
        name_location(tool, &mut arguments, account.configured.location.as_str());
    }
    let alias = account.map(|account| account.configured.alias.clone());
    let principal = running::principal(person, rules);
    let asked = (tool, &arguments, alias.as_deref());
    let asked = match running::check(&sign_in.pipeline, &principal, asked).await {
        Ok(asked) => asked,
        Err(answer) => {
            let problem = problem_text(&mut fields, &answer, wrong);
            let problem = problem.replace("HighLevel", &sign_in.pages.brand.crm_name);
            return form_page(
                sign_in,
                session,
                (tool, &fields),
                Some(given),
                Some(&problem),
            )
            .await;
        }
    };
    let call = Arc::new(TriedCall {
        id: id.to_owned(),
        tool,
        location_name: account.map_or_else(
            || "No sub-account".to_owned(),
            |account| one_line(&account.configured.name, 80),
        ),
        location: alias,
        rules,
        arguments,
        asked,
        given: given.clone(),
    });
    let is_new = sign_in.tries.begin(&session.id, &call).map_err(|_| {
        PageProblem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many tries are running",
            "Nothing was sent. Wait until your earlier tries have ended.",
        )
    })?;
    if is_new {
        running::start(sign_in, person, call, TryConsent::Unasked).await;
    }
    Ok(sign_in.pages.redirect(&to))
}

/// Sets the chosen location in arguments that must name it themselves.
fn name_location(tool: &Tool, arguments: &mut Map<String, Value>, id: &str) {
    let explicit = tool
        .arguments
        .iter()
        .filter(|argument| argument.role == Role::Location(Rule::Explicit));
    for argument in explicit {
        arguments.insert(argument.name.to_owned(), id.into());
    }
}

/// The error, beside its field if it is about one.
fn problem_text(fields: &mut [ToolField], answer: &Answer, wrong: &str) -> String {
    let sentence = answer.sentence();
    if answer.class != Some(FailureClass::Invalid) {
        let parsed: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        let remedy = parsed["remedy"].as_str();
        return remedy.map_or(sentence.clone(), |remedy| format!("{sentence} {remedy}"));
    }
    let others = put_problems(fields, &sentence);
    match others.is_empty() {
        true => wrong.to_owned(),
        false => format!("Nothing was sent. {}", others.join(" ")),
    }
}
