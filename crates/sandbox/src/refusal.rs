//! HighLevel's refusals: status, message and shape of each error. [E] first-hand, [M] measured by others, [I] inferred.

use serde_json::{Value, json};

/// An answer that is not a success.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub status: u16,
    pub body: Value,
}

impl Refusal {
    /// `{statusCode, message, error}` [E].
    pub(crate) fn new(status: u16, message: impl Into<Value>) -> Self {
        let error = match status {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            422 => "Unprocessable Entity",
            429 => "Too Many Requests",
            _ => "Internal Server Error",
        };
        let body = json!({"statusCode": status, "message": message.into(), "error": error});
        Self { status, body }
    }

    /// [M] a request without `Version`.
    pub(crate) fn no_version() -> Self {
        Self::new(401, "version header was not found.")
    }

    /// [M] an invalid `Version`.
    pub(crate) fn bad_version(version: &str) -> Self {
        let message = format!("Invalid API version segment '{version}' at position 0");
        Self::new(400, message)
    }

    /// [M] no token, or an invalid one.
    pub(crate) fn bad_token() -> Self {
        Self::new(401, "Invalid JWT")
    }

    /// The sandbox's own refusal: a token that may be a real one.
    pub(crate) fn real_token() -> Self {
        Self::new(
            401,
            "Invalid JWT: this sandbox accepts no real token; use one of its own, such as pit-sandbox-harbor",
        )
    }

    /// [M] a scope is missing, or an agency's PIT on a location's route.
    pub(crate) fn scope() -> Self {
        Self::new(401, "The token is not authorized for this scope.")
    }

    /// [M] an agency's PIT on `/users/`; [I] a PIT where only OAuth tokens are accepted.
    pub(crate) fn user_type() -> Self {
        Self::new(401, "Token's user type mismatch!")
    }

    /// [M] an OAuth Company token on a location's scope; the end of the message is unknown.
    pub(crate) fn auth_class() -> Self {
        Self::new(
            401,
            "This authClass type is not allowed to access this scope.",
        )
    }

    /// [M: docs#74] a route that is not public; [I] a documented path with another method; the end of the message is
    /// unknown.
    pub(crate) fn not_public() -> Self {
        Self::new(401, "This route is not yet supported by the IAM Service.")
    }

    /// [M] another account's location.
    pub(crate) fn location() -> Self {
        Self::new(403, "The token does not have access to this location.")
    }

    /// [M] a missing record is a 400.
    pub(crate) fn not_found(what: &str, id: &str) -> Self {
        Self::new(400, format!("{what} not found for id:{id}"))
    }

    /// [E] every fault of a request at once, as a list.
    pub(crate) fn invalid(faults: Vec<String>) -> Self {
        Self::new(422, faults)
    }

    /// [M] do not disturb; the contact's part of the message is [I].
    pub(crate) fn dnd(contact: &str) -> Self {
        let message = format!("Contact {contact} has dnd enabled, not starting campaign");
        Self::new(400, message)
    }

    /// [I] the message: only the status and the headers are documented.
    pub(crate) fn too_many() -> Self {
        Self::new(429, "Too many requests, please try again later.")
    }

    /// [M] an invalid code, or a used one.
    pub(crate) fn code() -> Self {
        Self::oauth("Authorization code not found")
    }

    /// [M] an invalid client, or a refresh token that is another client's or was revoked.
    pub(crate) fn client() -> Self {
        Self::oauth("Invalid client credentials!")
    }

    /// `{error, error_description}` [M] of `/oauth/`.
    pub(crate) fn oauth(description: &str) -> Self {
        let body = json!({"error": "UnAuthorized!", "error_description": description});
        Self { status: 401, body }
    }
}
