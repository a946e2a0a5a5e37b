//! Pages for people. They work without script, under headers that allow only what they need.

pub(super) mod approvals;
mod assets;
pub(super) mod audit;
pub(super) mod brand;
pub(super) mod browser;
pub(super) mod clean;
pub(super) mod client_steps;
pub(super) mod clients;
pub(super) mod come_back;
pub(super) mod connect;
pub(super) mod connections;
pub(super) mod consent;
pub(super) mod customers;
mod entry;
pub(super) mod form;
mod front;
mod headers;
pub(super) mod home;
pub(super) mod keys;
mod layout;
pub(super) mod links;
pub(super) mod live;
pub(super) mod locations;
pub(super) mod moment;
pub(super) mod notice;
pub(super) mod own_page;
pub(super) mod paging;
mod parts;
pub(super) mod passkeys;
pub(super) mod pause;
pub(super) mod people;
pub(super) mod proof;
pub(super) mod reach;
pub(super) mod rules;
pub(super) mod tools;
pub(super) mod usage;

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::Markup;

use crate::config::Config;
use assets::Assets;
use brand::Brand;
pub(super) use entry::{EntryPage, TokenPage};
pub(super) use front::FrontPage;
pub(super) use layout::{WAITING, badge};
use notice::PageProblem;
pub(super) use parts::Part;

/// The parts that all pages share: names, files, and whether browsers use https.
pub(super) struct Pages {
    pub brand: Brand,
    assets: Assets,
    pub is_https: bool,
}

/// The content of a page, without its frame.
pub(super) struct Page {
    pub title: String,
    pub kind: PageKind,
    pub status: StatusCode,
    pub body: Markup,
    /// Of a page of the console: who reads it. Without one there is no menu.
    pub reader: Option<Reader>,
}

/// The reader of a console page, as far as its frame depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reader {
    pub is_operator: bool,
    /// Requests that wait for this person's decision.
    pub waiting: usize,
}

/// The reader's situation decides the frame of a page and its permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageKind {
    /// A person whom a client sent, often in a window that the client opened. The form ends in a redirect to the
    /// client.
    Consent,
    /// A person who comes by a link of ours, or is not signed in.
    Entry,
    /// A person who is signed in, at this part of the console.
    Console(Part),
}

impl Page {
    pub(super) fn new(kind: PageKind, title: impl Into<String>, body: Markup) -> Self {
        Self {
            title: title.into(),
            kind,
            status: StatusCode::OK,
            body,
            reader: None,
        }
    }

    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// With the status of a form that is shown again because of a problem.
    pub(super) fn for_problem(self, problem: Option<&str>) -> Self {
        match problem {
            Some(_) => self.with_status(StatusCode::BAD_REQUEST),
            None => self,
        }
    }

    pub(super) fn with_reader(self, reader: Reader) -> Self {
        Self {
            reader: Some(reader),
            ..self
        }
    }
}

impl Pages {
    /// Fails with a sentence if the brand's logo is not usable.
    pub(super) fn new(config: &Config) -> Result<Self, String> {
        Ok(Self {
            brand: Brand::new(&config.brand, &config.oauth)?,
            assets: Assets::new(&config.brand)?,
            is_https: config.oauth.url.starts_with("https://"),
        })
    }

    pub(super) fn show(&self, page: &Page) -> Response {
        let html = layout::frame(page, &self.brand, &self.assets).into_string();
        self.html(page.status, html, page.kind)
    }

    /// A part of a console page that the page refreshes: the same headers, no frame.
    pub(super) fn fragment(&self, body: &Markup) -> Response {
        let html = body.0.clone();
        self.html(StatusCode::OK, html, PageKind::Console(Part::Home))
    }

    /// The fragment, or an instruction to reload the whole page if nobody is signed in any more. After any other
    /// problem the page keeps what it shows, and asks again.
    pub(super) fn respond_fragment(&self, answer: Result<Response, PageProblem>) -> Response {
        let problem = match answer {
            Ok(response) => return response,
            Err(problem) => problem,
        };
        let mut response = problem.status.into_response();
        headers::add(
            response.headers_mut(),
            PageKind::Console(Part::Home),
            self.is_https,
        );
        if problem.status == StatusCode::UNAUTHORIZED {
            let refresh = HeaderValue::from_static("true");
            response.headers_mut().insert("hx-refresh", refresh);
        }
        response
    }

    /// A file to download, sent as it is read.
    pub(super) fn file(&self, name: &str, content_type: &'static str, body: Body) -> Response {
        let saved = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
        let mut response = ([(CONTENT_TYPE, content_type)], body).into_response();
        if let Ok(saved) = saved {
            response.headers_mut().insert(CONTENT_DISPOSITION, saved);
        }
        headers::add(response.headers_mut(), PageKind::Entry, self.is_https);
        response
    }

    fn html(&self, status: StatusCode, html: String, kind: PageKind) -> Response {
        let html_type = HeaderValue::from_static("text/html; charset=utf-8");
        let mut response = (status, [(CONTENT_TYPE, html_type)], html).into_response();
        headers::add(response.headers_mut(), kind, self.is_https);
        response
    }

    /// What came of a request, or the page that says why nothing did, without a menu.
    pub(super) fn respond(
        &self,
        answer: Result<Response, PageProblem>,
        kind: PageKind,
    ) -> Response {
        answer.unwrap_or_else(|problem| self.show(&problem.page(kind)))
    }

    /// Redirects to another page of ours, or to a client. Always by GET, so that no form is sent twice.
    pub(super) fn redirect(&self, to: &str) -> Response {
        let Ok(to) = HeaderValue::from_str(to) else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let mut response = (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response();
        headers::add(response.headers_mut(), PageKind::Consent, self.is_https);
        response
    }

    /// The answer to a live part without news: the page keeps what it shows.
    pub(super) fn unchanged(&self) -> Response {
        let mut response = StatusCode::NO_CONTENT.into_response();
        headers::add(
            response.headers_mut(),
            PageKind::Console(Part::Home),
            self.is_https,
        );
        response
    }

    /// For browsers that request the icon by its usual name.
    pub(super) fn icon(&self) -> Response {
        let mut response = self.assets.icon.response();
        headers::add_to_asset(response.headers_mut(), self.is_https);
        response
    }

    /// The address of the script for passkeys.
    fn passkey_script(&self) -> String {
        self.assets.passkey_script.path()
    }

    /// A file of the pages by its name there.
    pub(super) fn asset(&self, name: &str) -> Response {
        let mut response = match self.assets.find(name) {
            Some(asset) => asset.response(),
            None => StatusCode::NOT_FOUND.into_response(),
        };
        headers::add_to_asset(response.headers_mut(), self.is_https);
        response
    }
}

#[cfg(test)]
pub(super) mod tests;
