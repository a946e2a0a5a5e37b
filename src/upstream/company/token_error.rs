//! The meaning of HighLevel's refusals at `/oauth/`, and whether the refresh token is used up anyway.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use secrecy::SecretString;

use super::holder::PairHolder;
use crate::upstream::TenantId;
use crate::upstream::error_body::{UpstreamErrorBody, proxy};
use crate::upstream::failure::{Failure, FailureClass};
use crate::upstream::rate_limit::retry_after;

/// Wait if a 429 gives none: HighLevel counts in intervals of 10 seconds.
const USUAL_INTERVAL: Duration = Duration::from_secs(10);

/// A failed request for a token.
#[derive(Clone, Debug)]
pub(super) struct TokenError {
    pub failure: Failure,
    pub refresh_token: RefreshTokenState,
}

/// The state of the refresh token that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefreshTokenState {
    /// Unchanged.
    Untouched,
    /// It may be used up: for 30 seconds HighLevel gives the same new pair for it again.
    Unknown,
    /// HighLevel no longer accepts it.
    Dead,
}

/// A known message. The first matching row gives its meaning.
struct KnownRefusal {
    /// Parts of the message in lower case: every part of one of these lists.
    says: &'static [&'static [&'static str]],
    class: FailureClass,
    ends_refresh_token: bool,
    sentence: &'static str,
    remedy: &'static str,
}

/// Only "Location is not active" [E, highlevel-api-docs issue 249] is known word for word. The others follow RFC 6749's
/// codes and the words that must occur.
const OF_RENEWALS: &[KnownRefusal] = &[
    KnownRefusal {
        says: &[&["not active"]],
        class: FailureClass::Location,
        ends_refresh_token: false,
        sentence: "HighLevel renews no token of this {holder} while its account is not active.",
        remedy: "Make the account active again in HighLevel (it may be paused for an unpaid bill); then the token is renewed by itself.",
    },
    KnownRefusal {
        says: &[
            &["invalid_grant"],
            &["refresh", "not found"],
            &["refresh", "invalid"],
            &["refresh", "expired"],
            &["refresh", "used"],
        ],
        class: FailureClass::Auth,
        ends_refresh_token: true,
        sentence: "HighLevel no longer accepts the {holder}'s refresh token: it was used elsewhere, a year went by, or \
                   the app was uninstalled.",
        remedy: "Install the app for the company again and write what POST /oauth/token answers to the pair file; give the file to no other program.",
    },
    KnownRefusal {
        says: &[&["invalid_client"], &["unauthorized_client"], &["client"]],
        class: FailureClass::Auth,
        ends_refresh_token: false,
        sentence: "HighLevel does not accept the app's client id and client secret.",
        remedy: "Compare both with the app's page in HighLevel's marketplace. A new secret there replaces the old one.",
    },
];

/// An unknown code is checked before the client [M].
const OF_CODES: &[KnownRefusal] = &[
    KnownRefusal {
        says: &[
            &["invalid_grant"],
            &["code", "not found"],
            &["code", "expired"],
            &["code", "used"],
        ],
        class: FailureClass::Auth,
        ends_refresh_token: false,
        sentence: "HighLevel no longer knows this sign-in.",
        remedy: "Start again. A code of HighLevel is valid once, for some minutes.",
    },
    KnownRefusal {
        says: &[
            &["invalid_client"],
            &["unauthorized_client"],
            &["client"],
            &["redirect"],
        ],
        class: FailureClass::Auth,
        ends_refresh_token: false,
        sentence: "HighLevel does not accept the app's client id, client secret or redirect address.",
        remedy: "Compare them with the app's page in HighLevel's marketplace.",
    },
];

/// In the style of other operations' messages; none is reported for this one.
const OF_LOCATIONS: &[KnownRefusal] = &[
    KnownRefusal {
        says: &[&["not active"]],
        class: FailureClass::Location,
        ends_refresh_token: false,
        sentence: "HighLevel gives no token for {location}: it is not active.",
        remedy: "Make the location active again in HighLevel (it may be paused for an unpaid bill).",
    },
    KnownRefusal {
        says: &[&["not authorized for this scope"]],
        class: FailureClass::Scope,
        ends_refresh_token: false,
        sentence: "The company's token may give no tokens of locations.",
        remedy: "Give the app the scope oauth.write in HighLevel's marketplace and install it for the company again.",
    },
    KnownRefusal {
        says: &[&["user type mismatch"], &["authclass"]],
        class: FailureClass::TokenClass,
        ends_refresh_token: false,
        sentence: "The token is not a company's OAuth token, which alone gives tokens of locations.",
        remedy: "Use the token that HighLevel gives where the app is installed for the whole company.",
    },
];

impl TokenError {
    pub(super) fn unknown(failure: Failure) -> Self {
        Self {
            failure,
            refresh_token: RefreshTokenState::Unknown,
        }
    }
}

/// A failure before the request to HighLevel.
impl From<Failure> for TokenError {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            refresh_token: RefreshTokenState::Untouched,
        }
    }
}

/// The reason that there is no new pair.
pub(super) fn of_renewal(
    holder: &PairHolder,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    secrets: &[&SecretString],
) -> TokenError {
    let said = UpstreamErrorBody::read(body, secrets);
    let refresh_token = match known(&said, OF_RENEWALS) {
        // A failing proxy may already have forwarded the request.
        _ if status.is_server_error() || status.is_informational() => RefreshTokenState::Unknown,
        Some(known) if status.is_client_error() && known.ends_refresh_token => {
            RefreshTokenState::Dead
        }
        _ => RefreshTokenState::Untouched,
    };
    let mut failure = by_rows(OF_RENEWALS, &said, status, headers).unwrap_or_else(|| {
        Failure::new(FailureClass::Auth, "HighLevel does not renew the {holder}'s token.").with_remedy(
            "See the message. Check the app's client id and secret. If they are right, install the app again.",
        )
    });
    failure.sentence = failure.sentence.replace("{holder}", holder.noun());
    said.add_to(&mut failure, status);
    TokenError {
        failure,
        refresh_token,
    }
}

/// The reason that there is no first pair for a code.
pub(super) fn of_code(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    secrets: &[&SecretString],
) -> Failure {
    let said = UpstreamErrorBody::read(body, secrets);
    let mut failure = by_rows(OF_CODES, &said, status, headers).unwrap_or_else(|| {
        Failure::new(FailureClass::Auth, "HighLevel gives no tokens for this sign-in.")
            .with_remedy("Start again. If this happens again, check the app's client id, secret and redirect address.")
    });
    said.add_to(&mut failure, status);
    failure
}

/// The reason that there is no token of `location`.
pub(super) fn of_location(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    company_token: &SecretString,
    location: &TenantId,
) -> Failure {
    let said = UpstreamErrorBody::read(body, &[company_token]);
    let mut failure = by_rows(OF_LOCATIONS, &said, status, headers).unwrap_or_else(|| {
        if status == StatusCode::UNAUTHORIZED {
            return Failure::new(FailureClass::Auth, "HighLevel does not accept the company's token.")
                .with_remedy(
                    "Get a new one. If it is the server's own, install the app for the company again.",
                );
        }
        Failure::new(
            FailureClass::Location,
            "HighLevel gives the company no token for {location}.",
        )
        .with_remedy(
            "Check the location's id; its name does not do. If it is right, a person has to install the app for that location, in the Marketplace.",
        )
    });
    said.add_to(&mut failure, status);
    failure.sentence = failure
        .sentence
        .replace("{location}", &format!("the location {}", location.as_str()));
    failure
}

fn by_rows(
    rows: &'static [KnownRefusal],
    said: &UpstreamErrorBody,
    status: StatusCode,
    headers: &HeaderMap,
) -> Option<Failure> {
    if said.html {
        return Some(proxy(FailureClass::Upstream, status));
    }
    match status.as_u16() {
        429 => {
            let wait = retry_after(headers).unwrap_or(USUAL_INTERVAL);
            let failure = Failure::new(
                FailureClass::RateLimited,
                "Too many requests for tokens at once; nothing was done.",
            );
            let remedy = format!("Wait {} seconds, then repeat the call.", wait.as_secs());
            Some(failure.with_remedy(remedy).with_retry_after(wait))
        }
        400..=499 => {
            let known = known(said, rows)?;
            Some(Failure::new(known.class, known.sentence).with_remedy(known.remedy))
        }
        300..=399 => {
            let what = "HighLevel redirects the request for a token, which is not followed.";
            Some(Failure::new(FailureClass::Upstream, what).with_remedy("Check upstream.base_url."))
        }
        _ => {
            let what = "HighLevel failed to give a token.";
            Some(Failure::new(FailureClass::Upstream, what).with_remedy("Try again later."))
        }
    }
}

fn known(said: &UpstreamErrorBody, rows: &'static [KnownRefusal]) -> Option<&'static KnownRefusal> {
    if said.html {
        return None;
    }
    let message = said.message.as_deref().unwrap_or_default();
    let text = format!("{} {message}", said.oauth_code).to_lowercase();
    let fits = |known: &&KnownRefusal| {
        let all = |words: &&[&str]| words.iter().all(|word| text.contains(word));
        known.says.iter().any(all)
    };
    rows.iter().find(fits)
}
