//! The inputs of console pages: their reader, as a type, and their query. A person who may not read a page gets one
//! with the reason, before its handler runs.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;

use super::frame::operators_only;
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::Visitor;
use crate::http::pages::PageKind;
use crate::http::pages::form::FormFields;
use crate::http::pages::notice::PageProblem;
use state::sessions::PersonSession;

/// A person who is signed in.
pub(super) struct SignedIn(pub PersonSession);

/// An operator.
pub(super) struct Operator(pub PersonSession);

/// The query of a page's address.
pub(super) struct PageQuery(pub FormFields);

impl FromRequestParts<Arc<SignIn>> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        sign_in: &Arc<SignIn>,
    ) -> Result<Self, Response> {
        let session = session(sign_in, parts).await;
        session
            .map(Self)
            .map_err(|problem| reject(sign_in, &problem))
    }
}

impl FromRequestParts<Arc<SignIn>> for Operator {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        sign_in: &Arc<SignIn>,
    ) -> Result<Self, Response> {
        let session = session(sign_in, parts).await;
        let operator = session.and_then(|session| operators_only(&session).map(|()| session));
        operator
            .map(Self)
            .map_err(|problem| reject(sign_in, &problem))
    }
}

impl FromRequestParts<Arc<SignIn>> for PageQuery {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        sign_in: &Arc<SignIn>,
    ) -> Result<Self, Response> {
        let query = parts.uri.query().unwrap_or_default();
        let fields = FormFields::parse(query.as_bytes());
        fields
            .map(Self)
            .map_err(|problem| reject(sign_in, &problem))
    }
}

async fn session(sign_in: &SignIn, parts: &Parts) -> Result<PersonSession, PageProblem> {
    let visitor = Visitor::find(sign_in, &parts.headers).await?;
    visitor.signed_in().cloned()
}

fn reject(sign_in: &SignIn, problem: &PageProblem) -> Response {
    sign_in.pages.show(&problem.page(PageKind::Entry))
}
