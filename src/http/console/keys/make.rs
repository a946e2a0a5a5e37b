//! Makes keys, within their maker's reach and rights, and never with the agency's own token.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;

use super::row;
use crate::http::console::administration::{ChosenLocations, chosen_locations, reach_fields};
use crate::http::console::extractors::Operator;
use crate::http::console::frame::{operators_only, respond, show};
use crate::http::console::proof::{self, fresh_only, is_fresh};
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::{ConsoleForm, console_token, unavailable};
use crate::http::pages::clean::one_line;
use crate::http::pages::form::FormFields;
use crate::http::pages::keys::NewKeyPage;
use crate::http::pages::notice::PageProblem;
use crate::http::pages::people::SectionRow;
use crate::http::pages::{PageKind, Part};
use policy::{BuiltInRules, NamedRules, Policy};
use state::clock::SteadyClock;
use state::keys::{KeyLocations, NewKey};
use state::sessions::PersonSession;

/// Most sections that are offered, by name.
const MOST_SECTIONS: usize = 50;

pub(in crate::http::console) async fn show_form(
    State(sign_in): State<Arc<SignIn>>,
    Operator(session): Operator,
) -> Response {
    let shown = async {
        // Checked before the form is filled in, so that no typing is lost.
        match is_fresh(&session) {
            true => form_page(&sign_in, &session, None, None).await,
            false => Ok(sign_in.pages.redirect(&proof::path("/console/keys/new"))),
        }
    };
    sign_in.pages.respond(shown.await, PageKind::Entry)
}

async fn form_page(
    sign_in: &SignIn,
    session: &PersonSession,
    before: Option<&FormFields>,
    problem: Option<&str>,
) -> Result<Response, PageProblem> {
    let snapshot = sign_in.pipeline.snapshot();
    let page = NewKeyPage {
        reach: &reach_fields(&snapshot.locations, before),
        rules: &rules(&snapshot.rules, before),
        before,
        problem,
        token: &console_token(sign_in, session)?,
    };
    show(sign_in, session, page.page().for_problem(problem)).await
}

/// The built-in rules and the sections of the file.
fn rules(policy: &Policy, before: Option<&FormFields>) -> Vec<SectionRow> {
    let sections = policy.policy_names().take(MOST_SECTIONS);
    let sections = sections.map(|name| NamedRules::Section(name.to_owned()));
    let built_in = BuiltInRules::ALL.map(NamedRules::BuiltIn);
    let usual = NamedRules::BuiltIn(BuiltInRules::AskFirst).to_string();
    let chosen = before.map_or(usual.as_str(), |before| before.one("rules"));
    let row = |rules: NamedRules| {
        let (title, text) = words(&rules);
        let value = rules.to_string();
        SectionRow {
            is_chosen: value == chosen,
            value,
            title,
            text: text.to_owned(),
        }
    };
    built_in.into_iter().chain(sections).map(row).collect()
}

fn words(rules: &NamedRules) -> (String, &'static str) {
    let (title, text) = match rules {
        NamedRules::BuiltIn(BuiltInRules::ReadOnly) => {
            ("Read only", "It looks things up and changes nothing.")
        }
        NamedRules::BuiltIn(BuiltInRules::AskFirst) => (
            "Ask first",
            "It looks things up and changes single records. Messages, payments, deletions and changes to many records \
             wait until a person approves them.",
        ),
        NamedRules::BuiltIn(BuiltInRules::Everyday) => (
            "Everyday work",
            "It also sends single messages, up to 50 a day. Everything else waits until a person approves it.",
        ),
        NamedRules::BuiltIn(BuiltInRules::Everything) => (
            "Everything",
            "It does everything that this server allows, including payments and deletions. Nobody is asked.",
        ),
        NamedRules::Section(name) => {
            let text = "This server's own rules, in addition to those for everybody.";
            return (one_line(name, 60), text);
        }
        // No form offers these.
        NamedRules::Installed => ("Nothing", "It only reads."),
    };
    (title.to_owned(), text)
}

pub(in crate::http::console) async fn make(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let made = make_one(&sign_in, &headers, &body).await;
    respond(&sign_in, &headers, made, Part::Keys).await
}

async fn make_one(
    sign_in: &SignIn,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, PageProblem> {
    let form = ConsoleForm::read(sign_in, headers, body).await?;
    let (session, fields) = (&form.session, &form.fields);
    operators_only(session)?;
    fresh_only(session)?;
    let terms = match KeyTerms::read(sign_in, fields) {
        Ok(terms) => terms,
        Err(problem) => return form_page(sign_in, session, Some(fields), Some(&problem)).await,
    };
    let new = NewKey {
        name: fields.one("name"),
        locations: terms.locations,
        // A maker under rules cannot give more than these allow.
        policy: session.person.policy.as_deref(),
        expires: terms.expires,
        agency: false,
        rules: Some(&terms.rules),
        return_urls: Vec::new(),
    };
    let keys = &sign_in.pipeline.controls().keys;
    let (record, key) = match keys.make_by(new, &session.person.id).await {
        Ok(made) => made,
        Err(error) if error.is_request() => {
            let problem = format!("No key was created: {error}.");
            return form_page(sign_in, session, Some(fields), Some(&problem)).await;
        }
        Err(error) => return Err(unavailable(error)),
    };
    let row = row(&record, &HashMap::new());
    let page = NewKeyPage::key(&row, key.expose_secret(), &address(sign_in));
    show(sign_in, session, page).await
}

/// The address for a client with a key: clients that can sign in ignore keys at the sign-in address.
fn address(sign_in: &SignIn) -> String {
    match sign_in.settings.header_host.as_str() {
        "" => format!("{}/mcp", sign_in.issuer.as_str()),
        host => format!("https://{host}/mcp"),
    }
}

/// The terms of the key in a form.
struct KeyTerms {
    locations: KeyLocations,
    rules: String,
    expires: Option<Timestamp>,
}

impl KeyTerms {
    fn read(sign_in: &SignIn, fields: &FormFields) -> Result<Self, String> {
        let snapshot = sign_in.pipeline.snapshot();
        let locations = match chosen_locations(&snapshot.locations, fields)? {
            ChosenLocations::All => KeyLocations::All,
            ChosenLocations::Only(aliases) => KeyLocations::Only(aliases),
        };
        let offered = rules(&snapshot.rules, Some(fields)).into_iter();
        let rules = offered.into_iter().find(|row| row.is_chosen);
        let rules = rules.ok_or("Choose what the key may do.")?.value;
        let days = match fields.one("lasts") {
            "30" => Some(30),
            "90" => Some(90),
            "365" => Some(365),
            "never" => None,
            _ => return Err("Choose how long the key is valid.".to_owned()),
        };
        let expires = days.map(|days| SignedDuration::from_hours(days * 24));
        Ok(Self {
            locations,
            rules,
            expires: expires.and_then(|lasts| SteadyClock::now().checked_add(lasts).ok()),
        })
    }
}
