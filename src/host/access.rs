//! On whose behalf a request may call HighLevel: the client's own credential, or the server's for
//! those who may use it.

use axum::http::{HeaderMap, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::config::{Account, LocationHeader, Server};
use crate::highlevel::Caller;
use crate::highlevel::caller::{Credential, LocationBinding, TenantId};
use crate::host::problem::Problem;

/// Who may call, and as whom.
pub struct Access {
    /// The server's own account, its location pinned.
    own: Option<Caller>,
    access_key: Option<SecretString>,
    location_header: LocationHeader,
    /// Nobody but this machine reaches the server.
    loopback: bool,
}

/// A setting of the account that is no account.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct AccessError(String);

const ACCESS_KEY: &str = "x-access-key";
const LOCATION: &str = "locationid";
const COMPANY: &str = "companyid";

/// Set by proxies: the request came from elsewhere, whatever address it seems to come from.
const FORWARDING: [&str; 6] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "via",
];

impl Access {
    pub fn new(server: &Server, account: &Account) -> Result<Self, AccessError> {
        let key = server.access_key.expose_secret();
        Ok(Self {
            own: own_account(account)?,
            access_key: (!key.is_empty()).then(|| server.access_key.clone()),
            location_header: server.location_header,
            loopback: server.listen.ip().is_loopback(),
        })
    }

    /// The account of a request with these headers.
    pub fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let location = tenant(headers, LOCATION)?;
        let company = tenant(headers, COMPANY)?;
        match self.credential(headers)? {
            Some(credential) => Ok(Caller {
                credential,
                location: location.map(|id| match self.location_header {
                    LocationHeader::Pin => LocationBinding::Pin(id),
                    LocationHeader::Default => LocationBinding::Default(id),
                }),
                company,
            }),
            None => self.own(location, company),
        }
    }

    /// The client's own credential; `None` where it may use the server's.
    fn credential(&self, headers: &HeaderMap) -> Result<Option<Credential>, Problem> {
        if let Some(bearer) = bearer(headers)? {
            if self.is_access_key(bearer) {
                return Ok(None);
            }
            return Credential::parse(bearer)
                .map(Some)
                .ok_or_else(|| not_a_token(bearer));
        }
        if let Some(key) = headers.get(ACCESS_KEY) {
            let key = key.to_str().unwrap_or_default();
            if self.is_access_key(key) {
                return Ok(None);
            }
            return Err(unauthorized(
                "invalid_token",
                "The X-Access-Key is not this server's.",
            ));
        }
        let forwarded = FORWARDING.iter().any(|name| headers.contains_key(*name));
        if self.own.is_some() && self.loopback && !forwarded {
            return Ok(None);
        }
        Err(unauthorized(
            "invalid_request",
            "Send a HighLevel token: `Authorization: Bearer pit-…` (Settings, Private Integrations in HighLevel) \
             and `locationId: …`.",
        ))
    }

    fn is_access_key(&self, given: &str) -> bool {
        self.access_key.as_ref().is_some_and(|key| {
            let (key, given) = (key.expose_secret().as_bytes(), given.as_bytes());
            key.ct_eq(given).into()
        })
    }

    /// The server's account, whose location no header changes.
    fn own(
        &self,
        location: Option<TenantId>,
        company: Option<TenantId>,
    ) -> Result<Caller, Problem> {
        let Some(mut caller) = self.own.clone() else {
            return Err(unauthorized(
                "invalid_token",
                "The access key is right, but the server holds no HighLevel token; set HIGHLEVEL_TOKEN where it runs.",
            ));
        };
        let foreign = |what| Problem::new(StatusCode::FORBIDDEN, "forbidden", what);
        match (&caller.location, location) {
            (Some(LocationBinding::Pin(own)), Some(given)) if *own != given => {
                return Err(foreign(
                    "The server's account is bound to another location than the locationId header names.",
                ));
            }
            (None, Some(given)) => caller.location = Some(LocationBinding::Pin(given)),
            _ => {}
        }
        match (&caller.company, company) {
            (Some(own), Some(given)) if *own != given => {
                return Err(foreign(
                    "The server's account is bound to another company than the companyId header names.",
                ));
            }
            (None, Some(given)) => caller.company = Some(given),
            _ => {}
        }
        Ok(caller)
    }
}

/// The account of the settings, for stdio and for `call`; `None` where there is no token.
pub fn own_account(account: &Account) -> Result<Option<Caller>, AccessError> {
    let id = |name: &str, text: &str| match text {
        "" => Ok(None),
        text => TenantId::parse(text).map(Some).ok_or_else(|| {
            AccessError(format!(
                "{name} is no HighLevel id: up to 64 letters, digits, hyphens or underscores"
            ))
        }),
    };
    let location = id("HIGHLEVEL_LOCATION_ID", &account.location_id)?;
    let company = id("HIGHLEVEL_COMPANY_ID", &account.company_id)?;
    let token = account.token.expose_secret();
    if token.is_empty() {
        return Ok(None);
    }
    let credential = Credential::parse(token).ok_or_else(|| {
        AccessError(
            "HIGHLEVEL_TOKEN is no HighLevel token: it is neither pit-… nor a JWT".to_owned(),
        )
    })?;
    Ok(Some(Caller {
        credential,
        location: location.map(LocationBinding::Pin),
        company,
    }))
}

/// The bearer token, where there is an Authorization header.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(unauthorized(
            "invalid_request",
            "The Authorization header is not of the form `Bearer pit-…`.",
        )),
    }
}

/// Says what is wrong with a bearer token without repeating it.
fn not_a_token(bearer: &str) -> Problem {
    let what = if bearer.contains("${") || bearer.contains("{{") {
        "The bearer token is a variable that the client did not fill in; set the variable where the client runs."
    } else {
        "The bearer token is no HighLevel token: it is neither pit-… nor a JWT."
    };
    unauthorized("invalid_token", what)
}

/// One header that names a tenant.
fn tenant(headers: &HeaderMap, name: &str) -> Result<Option<TenantId>, Problem> {
    let mut values = headers.get_all(name).iter();
    let (first, second) = (values.next(), values.next());
    let invalid = |what: &str| {
        let what = format!("The {name} header {what}.");
        Problem::new(StatusCode::BAD_REQUEST, "invalid_request", what)
    };
    if second.is_some() {
        return Err(invalid("is given more than once"));
    }
    match first.map(|value| value.to_str().unwrap_or_default().trim()) {
        None => Ok(None),
        Some(id) => TenantId::parse(id).map(Some).ok_or_else(|| {
            invalid("is no HighLevel id: up to 64 letters, digits, hyphens or underscores")
        }),
    }
}

fn unauthorized(error: &'static str, what: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, error, what)
}

#[cfg(test)]
mod tests;
