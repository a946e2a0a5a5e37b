//! `/authorize`: a person sees which client asks, and admits it or not. Showing the pages stores nothing: the request
//! travels in the form, sealed for that browser.

mod choices;
mod client_request;
mod consent_form;
mod decision;
mod entry;
mod location;
mod sent_form;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};

use super::SignIn;
use super::marketplace::sign_in_address;
use super::pasted_token::{anyone_may_paste, may_paste};
use super::visitor::{Visitor, unavailable};
use crate::call::HolderRef;
use crate::http::client_address::Peer;
use crate::http::pages::consent::ConsentPage;
use crate::http::pages::form::{FormFields, LARGEST_FORM};
use crate::http::pages::notice::PageProblem;
use crate::http::pages::{EntryPage, Page, PageKind, TokenPage};
pub(in crate::http) use choices::rules_row;
use client_request::ClientRequest;
use consent_form::ConsentForm;
use state::people::Person;

pub(super) fn routes() -> Router<Arc<SignIn>> {
    Router::new()
        .route("/authorize", get(ask))
        .route("/authorize/enter", post(entry::enter))
        .route("/authorize/location", post(location::show))
        .route("/authorize/check", post(location::check))
        .route("/authorize/decide", post(decision::decide))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
}

/// The first page: identification or, for a person who is signed in, the consent.
async fn ask(
    State(sign_in): State<Arc<SignIn>>,
    RawQuery(query): RawQuery,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Response {
    let shown = show_first(&sign_in, query.unwrap_or_default(), peer, &headers).await;
    sign_in.pages.respond(shown, PageKind::Consent)
}

async fn show_first(
    sign_in: &SignIn,
    query: String,
    peer: Option<Extension<Peer>>,
    headers: &HeaderMap,
) -> Result<Response, PageProblem> {
    let peer = peer.map(|Extension(Peer(address))| address);
    let address = sign_in.addresses.client(peer, headers);
    let asked = match ClientRequest::read(sign_in, query, address).await {
        Ok(asked) => asked,
        Err(problem) => return problem.answer(&sign_in.pages),
    };
    let visitor = Visitor::find(sign_in, headers).await?;
    let holder = visitor.session.as_ref();
    let holder = holder.map(|session| HolderRef::Person(Arc::clone(&session.person)));
    let page = AuthorizePage {
        sign_in,
        asked: &asked,
        visitor: &visitor,
    };
    match holder {
        None => page.entry(None),
        Some(HolderRef::Person(person)) if page.needs_location(&person) => page.location(None, ""),
        Some(holder) => page.consent(&holder, None, None),
    }
}

/// A page about one request, for one browser.
struct AuthorizePage<'a> {
    sign_in: &'a SignIn,
    asked: &'a ClientRequest,
    visitor: &'a Visitor,
}

impl AuthorizePage<'_> {
    /// The page of identification.
    fn entry(&self, problem: Option<&PageProblem>) -> Result<Response, PageProblem> {
        let form = ConsentForm::new(self.asked, None)?;
        let sign_in_at = sign_in_address(self.sign_in, &self.asked.path());
        self.show(form, problem, |sealed, problem| {
            let page = EntryPage {
                client: &self.asked.view(),
                sign_in_at: sign_in_at.as_deref(),
                may_paste: anyone_may_paste(self.sign_in),
                problem,
                sealed,
            };
            page.page(&self.sign_in.pages.brand)
        })
    }

    /// The page of consent. `before`: the earlier choice, if it was not enough.
    fn consent(
        &self,
        holder: &HolderRef,
        before: Option<&FormFields>,
        problem: Option<&PageProblem>,
    ) -> Result<Response, PageProblem> {
        let snapshot = self.sign_in.pipeline.snapshot();
        let locations = choices::locations(&snapshot.locations, holder, self.asked, before);
        let rules = choices::rules(
            &self.sign_in.pages.brand,
            &snapshot.rules,
            holder,
            self.asked,
            before,
        );
        let form = ConsentForm::new(self.asked, Some(holder))?;
        let settings = &self.sign_in.settings;
        let console = format!("{}/console", settings.host());
        self.show(form, problem, |sealed, problem| {
            let page = ConsentPage {
                client: &self.asked.view(),
                person: &choices::name(holder),
                has_session: matches!(holder, HolderRef::Person(_)),
                locations: &locations.rows,
                unlisted: locations.unlisted,
                takes_all: locations.takes_all,
                may_add: matches!(holder, HolderRef::Person(person) if may_paste(self.sign_in, person)),
                rules: &rules,
                unused_for: settings.refresh_idle,
                longest: settings.refresh_for,
                console: &console,
                problem,
                sealed,
            };
            page.page(&self.sign_in.pages.brand)
        })
    }

    /// The page to connect a sub-account of one's own, with its id or address as typed before an error.
    fn location(
        &self,
        problem: Option<&PageProblem>,
        typed: &str,
    ) -> Result<Response, PageProblem> {
        let form = ConsentForm::new(self.asked, None)?;
        self.show(form, problem, |sealed, problem| {
            let page = TokenPage {
                problem,
                typed,
                sealed,
            };
            page.page(&self.sign_in.pages.brand)
        })
    }

    /// Whether there is no location to choose from yet, but one can be connected.
    fn needs_location(&self, person: &Arc<Person>) -> bool {
        let snapshot = self.sign_in.pipeline.snapshot();
        let holder = HolderRef::Person(Arc::clone(person));
        may_paste(self.sign_in, person) && choices::reach(&snapshot.locations, &holder).is_empty()
    }

    /// The page with its form sealed for this browser, which gets a cookie for that if it has none.
    fn show(
        &self,
        form: ConsentForm,
        problem: Option<&PageProblem>,
        page: impl FnOnce(&str, Option<&str>) -> Page,
    ) -> Result<Response, PageProblem> {
        let flow = self.visitor.browser.flow_or_new().ok_or_else(|| {
            unavailable(state::StoreError::from(
                "the system gives no random numbers".to_owned(),
            ))
        })?;
        let sealed = form.seal(&self.sign_in.forms, &flow)?;
        let sentence = problem.map(|problem| problem.sentences.join(" "));
        let mut page = page(&sealed, sentence.as_deref());
        if let Some(problem) = problem {
            page = page.with_status(problem.status);
        }
        let mut response = self.sign_in.pages.show(&page);
        self.visitor.browser.keep_flow(&mut response, &flow);
        Ok(response)
    }
}
