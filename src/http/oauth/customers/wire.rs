//! The JSON of a builder's server: its requests and their answers.

use axum::http::StatusCode;
use jiff::SignedDuration;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::http::problem::HttpProblem;
use policy::{BuiltInRules, NamedRules, Policy};
use state::customers::{ConnectLink, ConnectState, KeyClaim};
use state::vault::VaultLocation;

const WEEK: i64 = 7 * 86_400;

/// A builder's request for a link.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AskedLink {
    #[serde(rename = "ref")]
    pub reference: String,
    return_url: String,
    /// Named like those of a grant; read access only if absent.
    rules: Option<String>,
    /// In seconds.
    expires_in: Option<i64>,
}

/// A builder's request for a key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AskedKey {
    code: Option<SecretString>,
    link: Option<String>,
}

/// A link as a builder sees it.
pub(super) struct LinkView<'a> {
    link: &'a ConnectLink,
    location: Option<&'a VaultLocation>,
}

impl AskedLink {
    pub(super) fn parse(body: &[u8]) -> Result<Self, HttpProblem> {
        serde_json::from_slice(body).map_err(|error| {
            wrong(format!(
                "Send {{\"ref\", \"return_url\", \"rules\", \"expires_in\"}} as JSON; the last two may be left out: {error}."
            ))
        })
    }

    pub(super) fn lasts(&self) -> SignedDuration {
        SignedDuration::from_secs(self.expires_in.unwrap_or(WEEK))
    }

    /// One of the key's addresses, with any query.
    pub(super) fn return_url(&self, allowed: &[String]) -> Result<String, HttpProblem> {
        let url: Option<Url> = self.return_url.parse().ok();
        let known = url.filter(|url| {
            let mut bare = url.clone();
            bare.set_query(None);
            url.fragment().is_none() && allowed.iter().any(|one| *one == bare.as_str())
        });
        known.map(String::from).ok_or_else(|| {
            wrong(format!(
                "return_url must be one of the key's return addresses, with any query: {}.",
                allowed.join(", ")
            ))
        })
    }

    /// The rules, if they exist.
    pub(super) fn rules(&self, policy: &Policy) -> Result<NamedRules, HttpProblem> {
        let usual = BuiltInRules::ReadOnly.name();
        let named = NamedRules::parse(self.rules.as_deref().unwrap_or(usual));
        let known = named.filter(|named| match named {
            NamedRules::Section(name) => policy.policy_names().any(|known| known == name),
            NamedRules::BuiltIn(_) => true,
            NamedRules::Installed => false,
        });
        known.ok_or_else(|| {
            let names = BuiltInRules::ALL.map(BuiltInRules::name).join(", ");
            wrong(format!(
                "rules must be one of {names}, or section:NAME of the server's rules."
            ))
        })
    }
}

impl AskedKey {
    pub(super) fn parse(body: &[u8]) -> Result<KeyClaim, HttpProblem> {
        let asked: Option<Self> = serde_json::from_slice(body).ok();
        match asked {
            Some(Self { code: Some(code), link: None }) => Ok(KeyClaim::Code(code)),
            Some(Self { code: None, link: Some(link) }) => Ok(KeyClaim::Link(link)),
            _ => Err(wrong(
                "Send {\"code\"} as the customer's browser brought it, or {\"link\"} with the id of a link, as JSON."
                    .to_owned(),
            )),
        }
    }
}

impl<'a> LinkView<'a> {
    pub(super) fn new(link: &'a ConnectLink, location: Option<&'a VaultLocation>) -> Self {
        Self { link, location }
    }

    pub(super) fn json(&self) -> Value {
        let link = self.link;
        let location = self
            .location
            .filter(|_| link.state() == ConnectState::Connected);
        let location = location.map(|location| {
            json!({
                "id": location.location, "alias": location.alias, "name": location.name,
                "time_zone": location.zone, "status": location.status.word(),
            })
        });
        json!({
            "id": link.id, "ref": link.reference, "state": link.state().word(), "rules": link.rules,
            "return_url": link.return_url, "created": link.created.to_string(),
            "expires": link.expires.to_string(), "location": location, "key_id": link.key,
        })
    }
}

fn wrong(what: String) -> HttpProblem {
    HttpProblem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", what)
}
