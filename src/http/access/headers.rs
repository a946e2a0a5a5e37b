//! Parses the caller's headers, and refuses faulty ones.

use axum::http::{HeaderMap, StatusCode, header};

use crate::http::problem::HttpProblem;
use crate::upstream::TenantId;
use state::keys::KeyRefusal;

pub(super) const ACCESS_KEY: &str = "x-access-key";

/// The bearer token, if there is an Authorization header.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, HttpProblem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(unauthorized(
            "invalid_request",
            "There is more than one Authorization header.",
        ));
    }
    let text = value.to_str().unwrap_or_default().trim();
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(unauthorized(
            "invalid_request",
            "The Authorization header is not of the form `Bearer pit-…`.",
        )),
    }
}

/// The answer to a key that does not open what it should.
pub(in crate::http) fn key_refused(refusal: &KeyRefusal) -> HttpProblem {
    match refusal {
        KeyRefusal::Unreadable => HttpProblem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            format!("{refusal} Its log says why."),
        ),
        KeyRefusal::Revoked { .. } | KeyRefusal::Expired { .. } => {
            let what = format!("{refusal} Ask the server's operator for another.");
            unauthorized("invalid_token", &what)
        }
    }
}

/// The access key of a request that has one beside its token, or in place of it.
pub(super) fn access_key(headers: &HeaderMap) -> Result<Option<&str>, HttpProblem> {
    let mut values = headers.get_all(ACCESS_KEY).iter();
    let key = values.next();
    match values.next() {
        None => Ok(key.map(|key| key.to_str().unwrap_or_default())),
        Some(_) => Err(unauthorized(
            "invalid_request",
            "There is more than one X-Access-Key header.",
        )),
    }
}

/// The error for a faulty bearer token, without repeating it.
pub(super) fn not_a_token(bearer: &str) -> HttpProblem {
    let what = if bearer.contains("${") || bearer.contains("{{") {
        "The bearer token is a variable that the client did not fill in; set the variable where the client runs."
    } else {
        "The bearer token is not a HighLevel token: it is neither pit-… nor a JWT."
    };
    unauthorized("invalid_token", what)
}

/// One header with a tenant's id.
pub(super) fn tenant(headers: &HeaderMap, name: &str) -> Result<Option<TenantId>, HttpProblem> {
    let mut values = headers.get_all(name).iter();
    let (first, second) = (values.next(), values.next());
    let invalid = |what: &str| {
        let what = format!("The {name} header {what}.");
        HttpProblem::new(StatusCode::BAD_REQUEST, "invalid_request", what)
    };
    if second.is_some() {
        return Err(invalid("is given more than once"));
    }
    match first.map(|value| value.to_str().unwrap_or_default().trim()) {
        None => Ok(None),
        Some(id) => TenantId::parse(id).map(Some).ok_or_else(|| {
            invalid("is not a HighLevel id: up to 64 letters, digits, hyphens or underscores")
        }),
    }
}

pub(super) fn foreign(what: &str) -> HttpProblem {
    HttpProblem::new(StatusCode::FORBIDDEN, "forbidden", what)
}

pub(super) fn unauthorized(error: &'static str, what: &str) -> HttpProblem {
    HttpProblem::new(StatusCode::UNAUTHORIZED, error, what)
}
