//! The caller at the sign-in address: a client with a token of ours, or with an access key.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, Uri};
use oauth::{Issuer, Resource};
use secrecy::SecretString;

use super::headers::ACCESS_KEY;
use super::headers::{bearer, foreign, not_a_token, unauthorized};
use super::{Access, Visit};
use crate::call::{
    AccessRef, AddressLimiter, CallerKind, GrantControls, GrantRef, LocationScope, Pipeline,
    Principal,
};
use crate::config::{HighLevelTokens, OauthSettings};
use crate::http::problem::HttpProblem;
use crate::upstream::TenantId;
use crate::upstream::accounts::{Account, Accounts};
use state::grants::{GrantTrouble, is_access_token};

/// The sign-in address, as far as it decides who may call there.
pub(super) struct SignInAddress {
    url: String,
    header_host: String,
    takes_highlevel: bool,
    controls: GrantControls,
    issuer: Option<Issuer>,
    /// Access tokens that were looked up and are none.
    made_up: AddressLimiter,
}

/// Where a request is for, and where it comes from.
pub struct AskedCall<'a> {
    pub path: &'a str,
    pub headers: &'a HeaderMap,
    /// The other end of the connection.
    pub peer: Option<IpAddr>,
}

/// Access tokens that nobody gave, from one address at once, and how long until another one: 20 in a second.
const MOST_MADE_UP: u32 = 60;
const NEXT_MADE_UP: Duration = Duration::from_millis(50);

/// Said of every location that a grant does not reach, whether there is one or not.
pub(super) const UNCONNECTED: &str = "This connection does not reach this location.";

/// Prefixes of our secrets that are no bearer tokens, with their names.
const OTHER_SECRETS: [(&str, &str); 5] = [
    (
        "hlr_",
        "a refresh token, which a client exchanges at /token for an access token",
    ),
    (
        "hlc_",
        "a code, which a client exchanges at /token for an access token",
    ),
    ("hlcs_", "a client's secret, which is for /token alone"),
    ("hli_", "an invitation, which a person opens in a browser"),
    ("hls_", "a session of a person's browser"),
];

impl Access {
    /// Adds the sign-in address, if the settings have one.
    pub fn with_sign_in(self, settings: &OauthSettings, pipeline: &Pipeline) -> Self {
        Self {
            sign_in: SignInAddress::new(settings, pipeline),
            ..self
        }
    }

    /// What that token opens for a request.
    pub async fn grant(
        &self,
        token: &SecretString,
        asked: &AskedCall<'_>,
        pipeline: &Pipeline,
    ) -> Result<Arc<GrantRef>, HttpProblem> {
        let address = self.addresses.client(asked.peer, asked.headers);
        match &self.sign_in {
            Some(sign_in) => sign_in.grant(token, asked.path, address, pipeline).await,
            None => Err(not_a_token("")),
        }
    }

    /// The sign-in address, if the request came there.
    pub(super) fn sign_in_at(&self, visit: &Visit<'_>) -> Option<&SignInAddress> {
        self.sign_in.as_ref().filter(|_| visit.is_sign_in)
    }
}

impl SignInAddress {
    /// `None` if the settings have no sign-in.
    pub(super) fn new(settings: &OauthSettings, pipeline: &Pipeline) -> Option<Self> {
        let controls = pipeline.controls().sign_in.clone()?;
        Some(Self {
            url: settings.url.clone(),
            header_host: settings.header_host.clone(),
            takes_highlevel: settings.highlevel_tokens == HighLevelTokens::Accept,
            controls,
            issuer: Issuer::parse(&settings.url),
            made_up: AddressLimiter::new(MOST_MADE_UP, NEXT_MADE_UP),
        })
    }

    /// The grant of an access token, as it is at this moment, for a call to `path`.
    pub(super) async fn grant(
        &self,
        token: &SecretString,
        path: &str,
        address: Option<IpAddr>,
        pipeline: &Pipeline,
    ) -> Result<Arc<GrantRef>, HttpProblem> {
        // What is known here costs nothing, whatever others at the address make up.
        let is_new = !self.controls.grants.remembers(token);
        if is_new {
            self.made_up.check(address).map_err(HttpProblem::wait)?;
        }
        let found = self.controls.grants.find(token).await;
        if is_new && matches!(found, Ok(None)) {
            self.made_up.count(address);
        }
        let found = found.map_err(|trouble| {
            let what = match trouble {
                GrantTrouble::Busy => trouble.to_string(),
                GrantTrouble::Unreadable => format!("{trouble} Its log says why."),
            };
            HttpProblem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                what,
            )
        })?;
        if let Some(access) = &found
            && !self.is_for(&access.grant.resource, path)
        {
            let what = format!(
                "This access token is for {}. Connect this address separately.",
                access.grant.resource
            );
            return Err(unauthorized("invalid_token", &what));
        }
        let current = found.and_then(|access| {
            let holder = pipeline.controls().holder(&access.grant.holder)?;
            Some(GrantRef::new(&access.as_ref().into(), holder))
        });
        current.map(Arc::new).ok_or_else(|| {
            let what = "The access token belongs to another server or has expired, or its connection was ended. Renew \
                        it, or connect again.";
            unauthorized("invalid_token", what)
        })
    }

    /// Whether a token for this resource is good for a call to `path`. One of a former `oauth.url` is good for none.
    fn is_for(&self, resource: &str, path: &str) -> bool {
        let Some(issuer) = &self.issuer else {
            return false;
        };
        let called = Resource::of_call(path, issuer);
        let resource = Resource::parse(resource, issuer);
        resource.is_some_and(|resource| called.is_some_and(|called| resource.covers(&called)))
    }

    /// Says why a HighLevel token is not taken here; `None` where it is.
    pub(super) fn refuses_highlevel(&self) -> Option<HttpProblem> {
        if self.takes_highlevel {
            return None;
        }
        let elsewhere = match self.header_host.as_str() {
            "" => {
                "at an address of its own, which the server's operator names in oauth.header_host"
                    .to_owned()
            }
            host => format!("at {host}"),
        };
        let what = format!(
            "HighLevel tokens are not accepted at {}, because clients sign in here. Send the token {elsewhere}, or \
             connect without one. The operator can accept them here by oauth.highlevel_tokens = \"accept\".",
            self.url
        );
        Some(unauthorized("invalid_token", &what))
    }

    /// The error for a request without a credential.
    pub(super) fn nothing_shown(&self) -> HttpProblem {
        let what = format!(
            "Sign in: a client does that by itself when it gets the address {}/mcp. Or send an access key of this \
             server as \
             `Authorization: Bearer hlk_…`.",
            self.url
        );
        unauthorized("invalid_request", &what)
    }

    /// The error for a token of ours at another address: it says where the token belongs.
    pub(super) fn elsewhere(&self) -> HttpProblem {
        let what = format!("This access token is for {}/mcp.", self.url);
        unauthorized("invalid_token", &what)
    }
}

/// The error for a secret of ours that is not a bearer token. It names the kind and does not repeat the secret.
pub(super) fn not_for_calls(bearer: &str) -> Option<HttpProblem> {
    let found = OTHER_SECRETS
        .iter()
        .find(|(start, _)| bearer.starts_with(start));
    found.map(|(_, kind)| {
        let what = format!("This is not an access token but {kind}.");
        unauthorized("invalid_token", &what)
    })
}

/// The access token of a request at the sign-in address, which is looked up first.
pub(in crate::http) fn shown_token(
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Option<SecretString>, HttpProblem> {
    refuse_token_in(uri)?;
    let token = bearer(headers)?.filter(|bearer| is_access_token(bearer));
    if token.is_some() && headers.contains_key(ACCESS_KEY) {
        let what = "An access token needs no access key. Send it alone.";
        return Err(unauthorized("invalid_request", what));
    }
    Ok(token.map(SecretString::from))
}

/// Refuses any token in an address: addresses are stored in logs and histories.
fn refuse_token_in(uri: &Uri) -> Result<(), HttpProblem> {
    let names = uri.query().unwrap_or_default().split('&');
    let mut names = names.map(|pair| pair.split('=').next().unwrap_or_default());
    if names.any(|name| name.eq_ignore_ascii_case("access_token")) {
        let what = "A token in the address is not accepted, because addresses are written into logs. Send it as \
                    `Authorization: Bearer …`, and end that connection.";
        return Err(HttpProblem::new(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            what,
        ));
    }
    Ok(())
}

/// A client that somebody connected: in one of its locations, or free to name one.
pub(super) fn of_grant(
    grant: Arc<GrantRef>,
    at: Option<&Account>,
    location: Option<TenantId>,
    accounts: &Accounts,
) -> Result<Principal, HttpProblem> {
    let scope = LocationScope::Grant(Arc::clone(&grant));
    let bound = match (at, location) {
        (Some(at), _) => Some(at),
        (None, Some(id)) => {
            let named = scope.find(accounts, id.as_str());
            Some(named.ok_or_else(|| foreign(UNCONNECTED))?)
        }
        (None, None) => {
            let mut within = scope.within(accounts);
            within.next().filter(|_| within.next().is_none())
        }
    };
    Ok(Principal {
        account: bound.map(Account::caller),
        access: Some(AccessRef::Grant(grant)),
        ..Principal::with_scope(
            CallerKind::Grant,
            match bound {
                Some(_) => LocationScope::None,
                None => scope,
            },
        )
    })
}
