//! What HighLevel's refusals at `/oauth/` mean, and whether the refresh token is used up all the same.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::highlevel::TenantId;
use crate::highlevel::failure::{Class, Failure};

/// Longest message of HighLevel's that is passed on, in characters.
const LONGEST_MESSAGE: usize = 1000;

/// Wait where a 429 does not say how long: HighLevel counts in intervals of 10 seconds.
const USUAL_INTERVAL_S: u64 = 10;

/// A request for a token that came to nothing.
#[derive(Clone, Debug)]
pub struct Missed {
    pub failure: Failure,
    pub refresh_token: Fate,
}

/// What became of the refresh token that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// What it was before.
    Untouched,
    /// It may be used up: for 30 seconds HighLevel gives the same new pair for it again.
    Unknown,
    /// HighLevel takes it no more.
    Dead,
}

/// What is in a refusal, whatever its shape.
struct Said {
    message: Option<String>,
    /// OAuth's own word for what is wrong.
    code: String,
    trace_id: Option<String>,
    html: bool,
}

/// A message that is known; the first row that fits says what it means.
struct Known {
    /// Parts of the message in lower case: all of one of these lists.
    says: &'static [&'static [&'static str]],
    class: Class,
    ends_refresh_token: bool,
    sentence: &'static str,
    remedy: &'static str,
}

/// Only "Location is not active" [E, highlevel-api-docs issue 249] is known word for word; the rest is held to
/// RFC 6749's codes and to the words that cannot be missing.
const OF_RENEWALS: &[Known] = &[
    Known {
        says: &[&["not active"]],
        class: Class::Location,
        ends_refresh_token: false,
        sentence: "HighLevel renews no token of this company while its account is not active.",
        remedy: "Make the account active again in HighLevel (it may be paused for an unpaid bill); then the token is renewed by itself.",
    },
    Known {
        says: &[
            &["invalid_grant"],
            &["refresh", "not found"],
            &["refresh", "invalid"],
            &["refresh", "expired"],
            &["refresh", "used"],
        ],
        class: Class::Auth,
        ends_refresh_token: true,
        sentence: "HighLevel no longer takes the company's refresh token: it was used elsewhere, a year went by, or the app was uninstalled.",
        remedy: "Install the app for the company again and write what POST /oauth/token answers to the pair file; give the file to no other program.",
    },
    Known {
        says: &[&["invalid_client"], &["unauthorized_client"], &["client"]],
        class: Class::Auth,
        ends_refresh_token: false,
        sentence: "HighLevel does not take the app's client id and client secret.",
        remedy: "Compare both with the app's page in HighLevel's marketplace; a secret that was made anew there replaces the old one.",
    },
];

/// As messages of other operations are known to read; of this one none is reported.
const OF_LOCATIONS: &[Known] = &[
    Known {
        says: &[&["not active"]],
        class: Class::Location,
        ends_refresh_token: false,
        sentence: "HighLevel gives no token for {location}: it is not active.",
        remedy: "Make the location active again in HighLevel (it may be paused for an unpaid bill).",
    },
    Known {
        says: &[&["not authorized for this scope"]],
        class: Class::Scope,
        ends_refresh_token: false,
        sentence: "The company's token may give no tokens of locations.",
        remedy: "Give the app the scope oauth.write in HighLevel's marketplace and install it for the company again.",
    },
    Known {
        says: &[&["user type mismatch"], &["authclass"]],
        class: Class::TokenClass,
        ends_refresh_token: false,
        sentence: "The token is not a company's OAuth token, which alone gives tokens of locations.",
        remedy: "Use the token that HighLevel gives where the app is installed for the whole company.",
    },
];

impl Missed {
    pub fn unknown(failure: Failure) -> Self {
        Self {
            failure,
            refresh_token: Fate::Unknown,
        }
    }
}

/// What fails before HighLevel is asked.
impl From<Failure> for Missed {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            refresh_token: Fate::Untouched,
        }
    }
}

/// Why there is no new pair.
pub fn of_renewal(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    secrets: &[&SecretString],
) -> Missed {
    let said = Said::read(body, secrets);
    let refresh_token = match said.known(OF_RENEWALS) {
        // A proxy that failed may have asked HighLevel before.
        _ if status.is_server_error() || status.is_informational() => Fate::Unknown,
        Some(known) if status.is_client_error() && known.ends_refresh_token => Fate::Dead,
        _ => Fate::Untouched,
    };
    let failure = by_rows(OF_RENEWALS, &said, status, headers).unwrap_or_else(|| {
        Failure::new(Class::Auth, "HighLevel does not renew the company's token.").with_remedy(
            "See the message; check the app's client id and secret, and install the app for the company again where \
             they are right.",
        )
    });
    Missed {
        failure: said.add_to(failure, status),
        refresh_token,
    }
}

/// Why there is no token of `location`.
pub fn of_location(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    company_token: &SecretString,
    location: &TenantId,
) -> Failure {
    let said = Said::read(body, &[company_token]);
    let failure = by_rows(OF_LOCATIONS, &said, status, headers).unwrap_or_else(|| {
        if status == StatusCode::UNAUTHORIZED {
            return Failure::new(Class::Auth, "HighLevel does not accept the company's token.")
                .with_remedy(
                    "Get a new one; where it is the server's own, install the app for the company again.",
                );
        }
        Failure::new(
            Class::Location,
            "HighLevel gives the company no token for {location}.",
        )
        .with_remedy(
            "Check the locationId and that the app is installed for that location; list_locations shows which are.",
        )
    });
    let mut failure = said.add_to(failure, status);
    failure.sentence = failure
        .sentence
        .replace("{location}", &format!("the location {}", location.as_str()));
    failure
}

fn by_rows(
    rows: &'static [Known],
    said: &Said,
    status: StatusCode,
    headers: &HeaderMap,
) -> Option<Failure> {
    if said.html {
        let what = format!(
            "A proxy before HighLevel answered {} with a page of HTML.",
            status.as_u16()
        );
        return Some(Failure::new(Class::Upstream, what).with_remedy(match status {
            StatusCode::FORBIDDEN => {
                "The address or the client is blocked there (Cloudflare 1010 names the User-Agent)."
            }
            _ => "Try again later.",
        }));
    }
    match status.as_u16() {
        429 => {
            let asked = headers.get(RETRY_AFTER).and_then(|wait| wait.to_str().ok());
            let wait = asked.and_then(|wait| wait.trim().parse().ok());
            let wait: u64 = wait.unwrap_or(USUAL_INTERVAL_S);
            let mut failure = Failure::new(
                Class::RateLimited,
                "Too many requests for tokens at once; nothing was done.",
            )
            .with_remedy(format!("Wait {wait} seconds, then repeat the call."));
            failure.retry_after_ms = Some(wait.saturating_mul(1000));
            Some(failure)
        }
        400..=499 => {
            let known = said.known(rows)?;
            Some(Failure::new(known.class, known.sentence).with_remedy(known.remedy))
        }
        300..=399 => {
            let what = "HighLevel redirects the request for a token, which is not followed.";
            Some(Failure::new(Class::Upstream, what).with_remedy("Check upstream.base_url."))
        }
        _ => {
            let what = "HighLevel failed where it gives tokens.";
            Some(Failure::new(Class::Upstream, what).with_remedy("Try again later."))
        }
    }
}

impl Said {
    fn read(body: &[u8], secrets: &[&SecretString]) -> Self {
        let json = serde_json::from_slice::<Value>(body).ok();
        let member = |name: &str| json.as_ref()?.get(name).filter(|value| !value.is_null());
        let plain = String::from_utf8_lossy(body);
        let html = json.is_none() && plain.trim_start().starts_with('<');
        let told = ["message", "error_description", "error", "msg"]
            .into_iter()
            .find_map(member);
        let told = match told {
            Some(told) => Some(sentence(told)),
            None if json.is_some() || html => None,
            None => Some(plain.trim().to_owned()),
        };
        let message = told.filter(|text| !text.is_empty()).map(|mut text| {
            for secret in secrets {
                let secret = secret.expose_secret();
                if !secret.is_empty() {
                    text = text.replace(secret, "[a secret]");
                }
            }
            text.chars().take(LONGEST_MESSAGE).collect()
        });
        let text = |name| member(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            message,
            code: text("error").unwrap_or_default(),
            trace_id: text("traceId"),
            html,
        }
    }

    fn known(&self, rows: &'static [Known]) -> Option<&'static Known> {
        if self.html {
            return None;
        }
        let message = self.message.as_deref().unwrap_or_default();
        let text = format!("{} {message}", self.code).to_lowercase();
        let fits = |known: &&Known| {
            let all = |words: &&[&str]| words.iter().all(|word| text.contains(word));
            known.says.iter().any(all)
        };
        rows.iter().find(fits)
    }

    fn add_to(self, mut failure: Failure, status: StatusCode) -> Failure {
        failure.status = Some(status.as_u16());
        failure.message = self.message;
        failure.trace_id = self.trace_id;
        failure
    }
}

/// A message is a text, a list of texts, or an object.
fn sentence(message: &Value) -> String {
    match message {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(sentence).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    }
}
