//! The person at a browser: signed in, or not.

use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};

use super::SignIn;
use crate::http::pages::browser::Browser;
use crate::http::pages::form::FormFields;
use crate::http::pages::notice::PageProblem;
use crate::http::pages::own_page::own_page_only;
use state::StoreError;
use state::people::Person;
use state::sessions::{PersonSession, ProofKind};

/// As long as a session.
const FORMS_LAST: SignedDuration = SignedDuration::from_hours(12);

/// The content of sealed console forms.
const CONSOLE: &str = "console";

/// A browser, and the person who is signed in there.
pub(in crate::http) struct Visitor {
    pub browser: Browser,
    pub session: Option<PersonSession>,
}

/// A form of the console, with its sender.
pub(in crate::http) struct ConsoleForm {
    pub visitor: Visitor,
    pub session: PersonSession,
    pub fields: FormFields,
}

impl Visitor {
    pub(in crate::http) async fn find(
        sign_in: &SignIn,
        headers: &HeaderMap,
    ) -> Result<Self, PageProblem> {
        let browser = Browser::new(headers, sign_in.pages.is_https);
        let session = match &browser.session {
            None => None,
            Some(session) => sign_in.sessions.find(session).await.map_err(unavailable)?,
        };
        Ok(Self { browser, session })
    }

    /// For fragments that a page refreshes by itself: they do not extend an idle session.
    pub(in crate::http) async fn watching(
        sign_in: &SignIn,
        headers: &HeaderMap,
    ) -> Result<Self, PageProblem> {
        let browser = Browser::new(headers, sign_in.pages.is_https);
        let session = match &browser.session {
            None => None,
            Some(session) => sign_in.sessions.peek(session).await.map_err(unavailable)?,
        };
        Ok(Self { browser, session })
    }

    /// The session, or the page that says how to begin one.
    pub(in crate::http) fn signed_in(&self) -> Result<&PersonSession, PageProblem> {
        self.session.as_ref().ok_or_else(|| {
            PageProblem::new(
                StatusCode::UNAUTHORIZED,
                "You are not signed in",
                "Open your sign-in link in this browser, or ask the operator of this server for a new one. You are \
                 signed out after two hours without use, and after twelve hours at the latest. An operator gets a link \
                 from the command highlevel-mcp console, on the computer where the server runs.",
            )
            .with_link("/console/signin", "Sign in")
        })
    }

    /// Signs in a person who has just proved identity, under a new session id, so that nobody could have chosen it
    /// before.
    pub(in crate::http) async fn sign_in(
        &self,
        sign_in: &SignIn,
        person: &Person,
        headers: &HeaderMap,
        response: &mut Response,
    ) -> Result<(), PageProblem> {
        self.begin_session(sign_in, (person, ProofKind::Given), headers, response)
            .await
    }

    pub(in crate::http) async fn begin_session(
        &self,
        sign_in: &SignIn,
        (person, proof): (&Person, ProofKind),
        headers: &HeaderMap,
        response: &mut Response,
    ) -> Result<(), PageProblem> {
        let agent = headers
            .get(USER_AGENT)
            .and_then(|agent| agent.to_str().ok());
        let begun = sign_in.sessions.begin(&person.id, proof, agent).await;
        let session = begun.map_err(unavailable)?;
        if let Some(before) = self
            .browser
            .session
            .as_ref()
            .filter(|_| self.session.is_some())
        {
            sign_in.sessions.end(before).await.map_err(unavailable)?;
        }
        self.browser.keep_session(response, &session, proof);
        Ok(())
    }

    pub(in crate::http) async fn sign_out(
        &self,
        sign_in: &SignIn,
        response: &mut Response,
    ) -> Result<(), PageProblem> {
        if let Some(session) = self
            .browser
            .session
            .as_ref()
            .filter(|_| self.session.is_some())
        {
            sign_in.sessions.end(session).await.map_err(unavailable)?;
        }
        self.browser.forget_session(response);
        Ok(())
    }
}

/// The proof that a console form was made for this session.
pub(in crate::http) fn console_token(
    sign_in: &SignIn,
    session: &PersonSession,
) -> Result<String, PageProblem> {
    let sealed = sign_in
        .forms
        .seal(CONSOLE, session.id.as_bytes(), FORMS_LAST);
    sealed.map_err(unavailable)
}

impl ConsoleForm {
    /// Accepts only forms of our own page that was made for this session.
    pub(in crate::http) async fn read(
        sign_in: &SignIn,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Self, PageProblem> {
        let visitor = Visitor::find(sign_in, headers).await?;
        let session = visitor.signed_in()?.clone();
        let fields = own_form(sign_in, headers, body)?;
        match sign_in.forms.open(fields.token(), session.id.as_bytes()) {
            Ok(text) if text == CONSOLE => Ok(Self {
                visitor,
                session,
                fields,
            }),
            _ => Err(PageProblem::new(
                StatusCode::FORBIDDEN,
                "This page has expired",
                "Nothing was done. The page was opened before you signed in, or too long ago. Open it again.",
            )),
        }
    }
}

/// The fields of a form from a page of ours.
pub(in crate::http) fn own_form(
    sign_in: &SignIn,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<FormFields, PageProblem> {
    own_page_only(headers, &sign_in.origin(headers))?;
    FormFields::parse(body)
}

/// The secret to which the pages of a flow are bound.
pub(in crate::http) fn flow(browser: &Browser) -> Result<SecretString, PageProblem> {
    let known = browser
        .flow
        .as_ref()
        .filter(|flow| !flow.expose_secret().is_empty());
    known.cloned().ok_or_else(|| {
        PageProblem::new(
            StatusCode::BAD_REQUEST,
            "Your browser blocks cookies of this page",
            "This page needs one cookie to make sure that you are the one who decides. Allow cookies for this address, \
             and start again from your program.",
        )
    })
}

/// The store did not answer; nothing was changed.
pub(in crate::http) fn unavailable(error: StoreError) -> PageProblem {
    tracing::warn!(%error, "a page needs the store");
    PageProblem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "This does not work at the moment",
        "Nothing was changed. The server cannot reach its own records. Try again in a minute.",
    )
}
