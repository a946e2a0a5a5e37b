//! Passkeys: made, listed and removed by their person, and used to sign in.
//!
//! The challenge is sealed into the browser's page, so that it needs no row, and is bound to that browser. The store
//! accepts each answer once.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::frame;
use crate::http::oauth::SignIn;
use crate::http::oauth::marketplace::own_page;
use crate::http::oauth::visitor::{
    ConsoleForm, Visitor, console_token, flow, own_form, unavailable,
};
use crate::http::pages::clean::one_line;
use crate::http::pages::links::LinkPage;
use crate::http::pages::moment::Moment;
use crate::http::pages::notice::PageProblem;
use crate::http::pages::passkeys::{PASSKEYS, PasskeyRow, PasskeysPage, sign_in_button};
use crate::http::pages::{Page, PageKind, Part};
use crate::http::passkeys::{PasskeyQuestion, RelyingParty};
use state::StoreError;
use state::clock::SteadyClock;
use state::passkeys::NewPasskey;
use state::people::Person;
use state::sessions::ProofKind;

/// The next page if no other was requested.
const HOME: &str = "/console";

/// As long as browsers wait for a finger.
const ANSWER_LASTS: SignedDuration = SignedDuration::from_mins(5);

pub(super) fn routes() -> Router<Arc<SignIn>> {
    Router::new()
        .route(PASSKEYS, get(list).post(add))
        .route("/console/passkeys/begin", post(begin_add))
        .route("/console/passkeys/remove", post(remove))
        .route("/console/signin/passkey/begin", post(begin_sign_in))
        .route("/console/signin/passkey", post(sign_in_by_passkey))
}

/// The sealed challenge.
#[derive(Serialize, Deserialize)]
struct PasskeyChallenge {
    /// Whether it makes a passkey, or proves identity.
    makes: bool,
    /// In milliseconds since 1970.
    at: i64,
    state: String,
}

impl PasskeyChallenge {
    fn seal(
        sign_in: &SignIn,
        question: PasskeyQuestion,
        makes: bool,
        browser: &[u8],
    ) -> Result<Response, PageProblem> {
        let asked = Self {
            makes,
            at: SteadyClock::now().as_millisecond(),
            state: question.state,
        };
        let text = serde_json::to_string(&asked).map_err(|error| broken(&error.to_string()))?;
        let sealed = sign_in.forms.seal(&text, browser, ANSWER_LASTS);
        let sealed = sealed.map_err(unavailable)?;
        let options = question.options;
        Ok(Json(json!({"options": options, "sealed": sealed})).into_response())
    }

    fn open(
        sign_in: &SignIn,
        sealed: &str,
        makes: bool,
        browser: &[u8],
    ) -> Result<Self, PageProblem> {
        let opened = sign_in.forms.open(sealed, browser);
        let text = opened.map_err(|problem| refused(&problem.to_string()))?;
        let asked = serde_json::from_str(&text).ok();
        asked
            .filter(|asked: &Self| asked.makes == makes)
            .ok_or_else(|| refused("The passkey does not belong to this page. Try again."))
    }
}

/// The page of sign-in, with passkeys first if there are any.
pub(super) async fn show_sign_in(
    State(sign_in): State<Arc<SignIn>>,
    RawQuery(query): RawQuery,
) -> Response {
    let pages = &sign_in.pages;
    let page = LinkPage::SignIn.page(&pages.brand, None, "");
    if sign_in.passkeys.is_none() {
        return pages.show(&page);
    }
    let next = own_page(query.as_deref().unwrap_or_default());
    let next = next.unwrap_or_else(|| HOME.to_owned());
    let body = maud::html! { (sign_in_button(pages, &next)) (page.body) };
    pages.show(&Page { body, ..page })
}

/// The number of this person's passkeys.
pub(super) async fn count(sign_in: &SignIn, person: &Person) -> Result<usize, PageProblem> {
    let kept = sign_in.passkey_records.list(&person.id).await;
    Ok(kept.map_err(unavailable)?.len())
}

async fn list(State(sign_in): State<Arc<SignIn>>, headers: HeaderMap) -> Response {
    let shown = show_list(&sign_in, &headers).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show_list(sign_in: &SignIn, headers: &HeaderMap) -> Result<Response, PageProblem> {
    party(sign_in)?;
    let visitor = Visitor::find(sign_in, headers).await?;
    let session = visitor.signed_in()?;
    let kept = sign_in.passkey_records.list(&session.person.id).await;
    let rows: Vec<PasskeyRow> = kept
        .map_err(unavailable)?
        .into_iter()
        .map(|one| PasskeyRow {
            id: URL_SAFE_NO_PAD.encode(&one.id),
            name: one_line(&one.name, 64),
            created: Moment(one.created),
            used: one.used.map(Moment),
        })
        .collect();
    let page = PasskeysPage {
        rows: &rows,
        token: &console_token(sign_in, session)?,
    };
    frame::show(sign_in, session, page.page(&sign_in.pages)).await
}

async fn begin_add(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let begun = async {
        let party = party(&sign_in)?;
        let form = ConsoleForm::read(&sign_in, &headers, &body).await?;
        let person = &form.session.person;
        let known = sign_in.passkey_records.list(&person.id).await;
        let known = known.map_err(unavailable)?.into_iter().map(|one| one.id);
        let name = one_line(&person.name, 64);
        let question = party.ask_to_make((&person.id, &name), known.collect());
        let question = question.map_err(|error| broken(&error))?;
        PasskeyChallenge::seal(&sign_in, question, true, form.session.id.as_bytes())
    };
    answer(begun.await)
}

async fn add(State(sign_in): State<Arc<SignIn>>, headers: HeaderMap, body: Bytes) -> Response {
    let added = async {
        let party = party(&sign_in)?;
        let form = ConsoleForm::read(&sign_in, &headers, &body).await?;
        let (fields, session) = (&form.fields, &form.session);
        let asked =
            PasskeyChallenge::open(&sign_in, fields.one("sealed"), true, session.id.as_bytes())?;
        let made = party.check_made(&asked.state, fields.one("answer"));
        let made = made.map_err(|error| not_proved(&error))?;
        let new = NewPasskey {
            id: made.id,
            name: one_line(fields.one("name"), 64),
            credential: made.credential,
        };
        let kept = sign_in.passkey_records.add(&session.person.id, new).await;
        kept.map_err(|error| match error.is_busy() {
            true => unavailable(error),
            false => refused(&format!("The passkey was not stored: {error}.")),
        })?;
        Ok(Json(json!({"next": PASSKEYS})).into_response())
    };
    answer(added.await)
}

async fn remove(State(sign_in): State<Arc<SignIn>>, headers: HeaderMap, body: Bytes) -> Response {
    let removed = async {
        let form = ConsoleForm::read(&sign_in, &headers, &body).await?;
        let id = URL_SAFE_NO_PAD.decode(form.fields.one("passkey"));
        let removed = sign_in
            .passkey_records
            .remove(&form.session.person.id, &id.unwrap_or_default());
        removed.await.map_err(unavailable)?;
        Ok(sign_in.pages.redirect(PASSKEYS))
    };
    frame::respond(&sign_in, &headers, removed.await, Part::Home).await
}

async fn begin_sign_in(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let begun = async {
        let party = party(&sign_in)?;
        own_form(&sign_in, &headers, &body)?;
        let visitor = Visitor::find(&sign_in, &headers).await?;
        let browser = visitor.browser.flow_or_new();
        let no_numbers = || StoreError::from("the system gives no random numbers".to_owned());
        let browser = browser.ok_or_else(|| unavailable(no_numbers()))?;
        let question = party.ask_who().map_err(|error| broken(&error))?;
        let bytes = browser.expose_secret().as_bytes();
        let mut response = PasskeyChallenge::seal(&sign_in, question, false, bytes)?;
        visitor.browser.keep_flow(&mut response, &browser);
        Ok(response)
    };
    answer(begun.await)
}

async fn sign_in_by_passkey(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let came = async {
        let party = party(&sign_in)?;
        let fields = own_form(&sign_in, &headers, &body)?;
        let visitor = Visitor::find(&sign_in, &headers).await?;
        let browser = flow(&visitor.browser)?;
        let bytes = browser.expose_secret().as_bytes();
        let asked = PasskeyChallenge::open(&sign_in, fields.one("sealed"), false, bytes)?;
        let given = fields.one("answer");
        let id = party
            .answered_by(given)
            .map_err(|error| not_proved(&error))?;
        let records = &sign_in.passkey_records;
        let known = records.find(&id).await.map_err(unavailable)?;
        let known = known.ok_or_else(|| not_proved("the passkey is not known"))?;
        let credential = party.check_answer(&asked.state, given, &known.credential);
        let credential = credential.map_err(|error| not_proved(&error))?;
        let at = Timestamp::from_millisecond(asked.at).unwrap_or_default();
        let person = records.note_answer(&id, at, credential).await;
        let person = person.map_err(unavailable)?;
        let person = person.ok_or_else(|| not_proved("it was answered before"))?;
        // A fresh proof keeps the person, under a new session id.
        let onward = own_page(&format!("next={}", escape(fields.one("next"))));
        let onward = onward.as_deref().unwrap_or(HOME);
        let mut response = Json(json!({ "next": onward })).into_response();
        let proved = (&person, ProofKind::Passkey);
        visitor
            .begin_session(&sign_in, proved, &headers, &mut response)
            .await?;
        Ok(response)
    };
    answer(came.await)
}

fn escape(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn party(sign_in: &SignIn) -> Result<&RelyingParty, PageProblem> {
    sign_in.passkeys.as_ref().ok_or_else(|| {
        PageProblem::new(
            StatusCode::NOT_FOUND,
            "This server has no passkeys",
            "It was built without passkeys, or its address has no name. Sign in with a link.",
        )
    })
}

/// For the script of the page.
fn answer(answer: Result<Response, PageProblem>) -> Response {
    answer.unwrap_or_else(|problem| {
        let sentence = problem.sentences.join(" ");
        (problem.status, Json(json!({ "problem": sentence }))).into_response()
    })
}

fn refused(sentence: &str) -> PageProblem {
    PageProblem::new(StatusCode::BAD_REQUEST, "This did not work", sentence)
}

/// The reason goes to the log only: somebody who tries others' passkeys learns nothing.
fn not_proved(error: &str) -> PageProblem {
    tracing::info!(error, "a passkey proved nobody");
    refused(
        "This passkey is not known here, or its answer came too late. Try again, or sign in with a link.",
    )
}

fn broken(error: &str) -> PageProblem {
    tracing::error!(error, "passkeys do not work");
    PageProblem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "This did not work",
        "Passkeys do not work here at the moment. Sign in with a link.",
    )
}
