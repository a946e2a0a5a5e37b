//! The error messages of HighLevel that are known, and what each means.

use crate::upstream::failure::FailureClass;

/// A known message.
pub(super) struct KnownMessage {
    pub status: u16,
    /// Part of the message, in lower case.
    pub says: &'static str,
    pub class: FailureClass,
    pub sentence: &'static str,
    /// `{scopes}` and `{access}` stand for what the tool needs.
    pub remedy: &'static str,
}

/// Texts as users reported them; none was checked against the live service by us.
pub(super) const KNOWN: &[KnownMessage] = &[
    KnownMessage {
        status: 401,
        says: "version header was not found",
        class: FailureClass::Upstream,
        sentence: "HighLevel did not get the Version header that this server sends.",
        remedy: "Look for a proxy on the way that drops headers; if there is none, this is a fault of this server.",
    },
    KnownMessage {
        status: 401,
        says: "not authorized for this scope",
        class: FailureClass::Scope,
        sentence: "The token may not do this.",
        remedy: "Give the token the scope {scopes} in HighLevel, or use a token of the location where this one is the agency's. A new token of the same kind does not help.",
    },
    KnownMessage {
        status: 401,
        says: "user type mismatch",
        class: FailureClass::TokenClass,
        sentence: "The token is of the wrong kind: this operation takes {access}.",
        remedy: "Use a token made in the location itself instead of the agency's, or the other way round.",
    },
    KnownMessage {
        status: 401,
        says: "authclass type is not allowed",
        class: FailureClass::TokenClass,
        sentence: "The token is a company's OAuth token: this operation takes {access}.",
        remedy: "Exchange it for a token of the location (POST /oauth/locationToken), or use a private integration token of the location.",
    },
    KnownMessage {
        status: 401,
        says: "not yet supported by the iam service",
        class: FailureClass::Refused,
        sentence: "HighLevel does not offer this operation to tokens of any kind.",
        remedy: "Do not try again; it is done in HighLevel's own app.",
    },
    KnownMessage {
        status: 401,
        says: "invalid jwt",
        class: FailureClass::Auth,
        sentence: "HighLevel does not accept the token.",
        remedy: "Check that the whole token was given and that it was not rotated or deleted; make a new one in HighLevel under Settings, Private Integrations.",
    },
    KnownMessage {
        status: 401,
        says: "invalid token",
        class: FailureClass::Auth,
        sentence: "HighLevel does not accept the token.",
        remedy: "Check that the whole token was given and that it was not rotated or deleted; make a new one in HighLevel under Settings, Private Integrations.",
    },
    KnownMessage {
        status: 401,
        says: "",
        class: FailureClass::Auth,
        sentence: "HighLevel does not accept the token.",
        remedy: "Check that the whole token was given and that it was not rotated or deleted; make a new one in HighLevel under Settings, Private Integrations.",
    },
    KnownMessage {
        status: 403,
        says: "does not have access to this location",
        class: FailureClass::Location,
        sentence: "The token does not belong to the location of this call.",
        remedy: "Check the locationId; a token of that location, or of its agency where that is allowed, is needed.",
    },
    KnownMessage {
        status: 400,
        says: "invalid api version",
        class: FailureClass::Upstream,
        sentence: "HighLevel no longer knows the version of its API that this operation asks for.",
        remedy: "Take a newer release of this server.",
    },
    KnownMessage {
        status: 400,
        says: "not found",
        class: FailureClass::NotFound,
        sentence: "HighLevel has no record of that id.",
        remedy: "Check the id, and that it belongs to this location.",
    },
    KnownMessage {
        status: 400,
        says: "duplicat",
        class: FailureClass::Duplicate,
        sentence: "There is such a record already.",
        remedy: "Update the one that exists, or use an upsert.",
    },
    KnownMessage {
        status: 422,
        says: "duplicat",
        class: FailureClass::Duplicate,
        sentence: "There is such a record already.",
        remedy: "Update the one that exists, or use an upsert.",
    },
    KnownMessage {
        status: 400,
        says: "dnd",
        class: FailureClass::Dnd,
        sentence: "The contact does not want to be contacted this way.",
        remedy: "Do not try another way without asking; the contact's dndSettings tell which channels are open.",
    },
    KnownMessage {
        status: 422,
        says: "should not exist",
        class: FailureClass::Invalid,
        sentence: "HighLevel does not take a property of this call.",
        remedy: "Leave out the property that the message names.",
    },
];
