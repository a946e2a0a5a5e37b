//! A client's request, and the check that the client exists.

use std::net::IpAddr;

use axum::http::StatusCode;
use axum::response::Response;
use jiff::SignedDuration;
use oauth::{
    AuthorizeRequest, ClientQuery, DocumentUrl, Issuer, OauthProblem, RedirectUri, redirect_with,
};

use super::super::SignIn;
use super::super::visitor::unavailable;
use crate::config::Register;
use crate::http::pages::Pages;
use crate::http::pages::clean::{may_imitate, one_line};
use crate::http::pages::consent::{ClientOrigin, ClientView};
use crate::http::pages::notice::PageProblem;
use state::clients::{ClientKind, ClientRecord, PutDocument};
use state::clock::SteadyClock;

/// Longest shown name.
const LONGEST_NAME: usize = 60;

/// How long an old copy of a document is used if the document cannot be fetched.
const STALE_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

const NOT_CONNECTED: &str = "This program cannot be connected";

/// A valid request of a client that may make it.
pub(super) struct ClientRequest {
    pub client: ClientRecord,
    pub redirect: RedirectUri,
    pub request: AuthorizeRequest,
    /// The query as received.
    pub query: String,
}

/// The reason that nobody is asked.
pub(super) enum RequestProblem {
    /// There is no client to answer to.
    Page(PageProblem),
    /// The client gets the error through this redirect.
    Client(String),
}

impl From<PageProblem> for RequestProblem {
    fn from(problem: PageProblem) -> Self {
        Self::Page(problem)
    }
}

impl RequestProblem {
    /// The page, or the redirect to the client.
    pub(super) fn answer(self, pages: &Pages) -> Result<Response, PageProblem> {
        match self {
            Self::Page(problem) => Err(problem),
            Self::Client(address) => Ok(pages.redirect(&address)),
        }
    }
}

impl ClientRequest {
    /// `address`: of the person who opens the page; `None` for a form of ours, whose page was opened before.
    pub(super) async fn read(
        sign_in: &SignIn,
        query: String,
        address: Option<IpAddr>,
    ) -> Result<Self, RequestProblem> {
        let parsed = ClientQuery::parse(&query).map_err(|problem| {
            let problem =
                PageProblem::new(StatusCode::BAD_REQUEST, NOT_CONNECTED, problem.to_string());
            problem.with_sentence(
                "Start again from your program. If this happens again, report it to the maker of the program.",
            )
        })?;
        let client = find_client(sign_in, &parsed.client_id, address).await?;
        let redirect = own_redirect(&client, &parsed.redirect_uri)?;
        let issuer = &sign_in.issuer;
        let back = |problem: &OauthProblem| {
            let answer = [
                ("error", problem.error),
                ("error_description", &problem.description),
            ];
            RequestProblem::Client(with_state(&redirect, issuer, &answer, parsed.state()))
        };
        let request = parsed.request(issuer).map_err(|problem| back(&problem))?;
        if request.prompt_none {
            let what = "A person has to agree each time. Ask without prompt=none.";
            return Err(back(&OauthProblem::new("interaction_required", what)));
        }
        Ok(Self {
            client,
            redirect,
            request,
            query,
        })
    }

    /// The redirect that brings `answer` to the client.
    pub(super) fn answer(&self, issuer: &Issuer, answer: &[(&str, &str)]) -> String {
        with_state(
            &self.redirect,
            issuer,
            answer,
            self.request.state.as_deref(),
        )
    }

    /// The path that shows this same request again.
    pub(super) fn path(&self) -> String {
        format!("/authorize?{}", self.query)
    }

    pub(super) fn view(&self) -> ClientView {
        let origin = match self.client.kind {
            ClientKind::Registered => ClientOrigin::Unchecked,
            ClientKind::Static => ClientOrigin::Operator,
            ClientKind::Document => match DocumentUrl::parse(&self.client.id) {
                Some(url) => ClientOrigin::Published(url.host().to_owned()),
                None => ClientOrigin::Unchecked,
            },
        };
        let name = match one_line(&self.client.name, LONGEST_NAME) {
            name if name.is_empty() => "a program without a name".to_owned(),
            name => name,
        };
        ClientView {
            may_imitate: may_imitate(&name),
            name,
            origin,
            goes_to: self.redirect.goes_to(),
        }
    }
}

fn with_state(
    redirect: &RedirectUri,
    issuer: &Issuer,
    answer: &[(&str, &str)],
    state: Option<&str>,
) -> String {
    let state = state.map(|state| ("state", state));
    let answer: Vec<(&str, &str)> = answer.iter().copied().chain(state).collect();
    redirect_with(redirect, issuer, &answer)
}

/// An answer goes only to an address that the client registered.
fn own_redirect(client: &ClientRecord, asked: &str) -> Result<RedirectUri, PageProblem> {
    let is_known =
        |known: &String| RedirectUri::parse(known).is_ok_and(|known| known.matches(asked));
    let redirect = RedirectUri::parse(asked).ok();
    let redirect = redirect.filter(|_| client.redirects.iter().any(is_known));
    redirect.ok_or_else(|| {
        let problem = PageProblem::new(
            StatusCode::BAD_REQUEST,
            NOT_CONNECTED,
            "The program wants the answer sent to an address that it has not registered. Somebody may have changed the \
             link that brought you here.",
        );
        problem.with_sentence("Start again from your program. If this happens again, remove the connection there and \
                               add it again.")
    })
}

async fn find_client(
    sign_in: &SignIn,
    id: &str,
    address: Option<IpAddr>,
) -> Result<ClientRecord, PageProblem> {
    let register = sign_in.settings.register;
    let found = sign_in.clients.find(id).await.map_err(unavailable)?;
    let client = match DocumentUrl::parse(id) {
        Some(url) if register != Register::Static => {
            read_document(sign_in, &url, found, address).await?
        }
        Some(_) => return Err(unknown()),
        None => found.ok_or_else(unknown)?,
    };
    if client.kind == ClientKind::Registered && register != Register::Open {
        return Err(unknown());
    }
    if client.blocked.is_some() {
        return Err(PageProblem::new(
            StatusCode::FORBIDDEN,
            NOT_CONNECTED,
            "The operator of this server has blocked it.",
        ));
    }
    Ok(client)
}

/// Programs that reconnect by themselves look for this status.
fn unknown() -> PageProblem {
    let problem = PageProblem::new(
        StatusCode::BAD_REQUEST,
        NOT_CONNECTED,
        "This server does not know the program, or no longer knows it.",
    );
    problem.with_sentence("Remove the connection in your program and add it again.")
}

/// The client whose id is the address of its document. A copy is used while it is fresh, and for a month if the
/// document cannot be fetched.
async fn read_document(
    sign_in: &SignIn,
    url: &DocumentUrl,
    copy: Option<ClientRecord>,
    address: Option<IpAddr>,
) -> Result<ClientRecord, PageProblem> {
    let now = SteadyClock::now();
    let is_blocked = |copy: &ClientRecord| copy.blocked.is_some();
    // A pinned document applies at once.
    let pinned = sign_in.fetcher.pinned(url);
    let is_pinned = |copy: &ClientRecord| pinned.is_none() || copy.document.as_deref() == pinned;
    let is_fresh =
        |copy: &ClientRecord| copy.fresh_until.is_some_and(|until| now < until) && is_pinned(copy);
    if let Some(copy) = copy
        .as_ref()
        .filter(|copy| is_fresh(copy) || is_blocked(copy))
    {
        return Ok(copy.clone());
    }
    if let Err(wait) = sign_in.attempts.documents.acquire(address) {
        let seconds = wait.as_secs().max(1);
        return Err(PageProblem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many programs at once",
            format!(
                "Many programs tried to connect from your address just now. Try again in {seconds} seconds."
            ),
        ));
    }
    let fetched = match sign_in.fetcher.fetch(url).await {
        Ok(fetched) => fetched,
        Err(problem) => {
            let is_young = |copy: &ClientRecord| {
                let fetched = copy.fetched;
                fetched.is_some_and(|fetched| now.duration_since(fetched) < STALE_FOR)
            };
            let copy = copy.filter(|copy| problem.is_for_want_of_document() && is_young(copy));
            return copy.ok_or_else(|| {
                let page = PageProblem::new(
                    StatusCode::BAD_REQUEST,
                    NOT_CONNECTED,
                    format!("The program names {} as its publisher. This could not be checked: {problem}", url.host()),
                );
                page.with_sentence("Try again in a minute. If this happens again, ask the operator of this server: its \
                                    log has the details.")
            });
        }
    };
    let fresh_for = SignedDuration::try_from(fetched.fresh_for).unwrap_or_default();
    let redirects = fetched.document.redirects.iter();
    let put = sign_in.clients.put_document(PutDocument {
        id: url.as_str().to_owned(),
        name: fetched.document.name,
        redirects: redirects.map(|one| one.as_str().to_owned()).collect(),
        document: fetched.text,
        fresh_until: now.checked_add(fresh_for).unwrap_or(now),
    });
    put.await.map_err(unavailable)
}
