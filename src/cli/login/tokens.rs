//! The tokens of a login: fetched, stored as text, renewed, revoked.

use std::fmt;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::server::{SignInServer, words};
use crate::cli::CliError;
use crate::cli::web::{ServerAddress, WebAnswer, with_form};

/// A token is renewed this many seconds before it expires.
const AHEAD: i64 = 60;

/// The stored parts of a login. Tokens are sent to `token` and `revoke`, and as a bearer token to `server`. All three
/// have one origin.
pub(in crate::cli) struct LoginTokens {
    pub server: String,
    token: String,
    revoke: String,
    client: String,
    resource: String,
    pub access: SecretString,
    refresh: Option<SecretString>,
    /// In seconds since 1970.
    expires: i64,
}

/// What tokens are requested with.
pub(super) enum TokenPurpose<'a> {
    Code {
        code: SecretString,
        redirect: &'a str,
        verifier: &'a SecretString,
    },
    Refresh(SecretString),
}

/// The reason that there are no tokens.
pub(in crate::cli) enum TokenTrouble {
    /// The server says, in these words, that the login has ended.
    Ended(String),
    /// A later attempt may succeed.
    Passing(String),
}

impl fmt::Display for TokenTrouble {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Ended(words) => {
                write!(formatter, "the server gives no tokens: {words}")
            }
            Self::Passing(why) => write!(formatter, "the server gives no tokens now: {why}"),
        }
    }
}

impl LoginTokens {
    /// A login without tokens.
    pub(super) fn new(issuer: SignInServer, client: String, address: &ServerAddress) -> Self {
        Self {
            server: issuer.origin,
            token: issuer.token,
            revoke: issuer.revoke,
            client,
            resource: address.endpoint.to_string(),
            access: SecretString::default(),
            refresh: None,
            expires: 0,
        }
    }

    pub(super) async fn fetch(
        &mut self,
        http: &reqwest::Client,
        request: TokenPurpose<'_>,
    ) -> Result<(), TokenTrouble> {
        let mut form = vec![("client_id", &*self.client), ("resource", &*self.resource)];
        match &request {
            TokenPurpose::Code {
                code,
                redirect,
                verifier,
            } => form.extend([
                ("grant_type", "authorization_code"),
                ("code", code.expose_secret()),
                ("redirect_uri", redirect),
                ("code_verifier", verifier.expose_secret()),
            ]),
            TokenPurpose::Refresh(token) => form.extend([
                ("grant_type", "refresh_token"),
                ("refresh_token", token.expose_secret()),
            ]),
        }
        let answer = WebAnswer::ask(with_form(http.post(&self.token), &form)).await;
        let answer = answer.map_err(TokenTrouble::Passing)?;
        match answer.status {
            200 => {}
            400 | 401 => return Err(TokenTrouble::Ended(words(&answer))),
            status => return Err(TokenTrouble::Passing(format!("it answers {status}"))),
        }
        let mut given = answer.json().unwrap_or_default();
        let mut take = |name: &str| match given[name].take() {
            Value::String(text) => Some(SecretString::from(text)),
            _ => None,
        };
        let (access, refresh) = (take("access_token"), take("refresh_token"));
        let nothing = || TokenTrouble::Passing("it answers without a token".to_owned());
        self.access = access.ok_or_else(nothing)?;
        // An answer without a refresh token leaves the old one.
        self.refresh = refresh.or(self.refresh.take());
        let lasts = given["expires_in"].as_i64().unwrap_or(3600);
        self.expires = Timestamp::now().as_second().saturating_add(lasts);
        Ok(())
    }

    /// Replaces the tokens by new ones.
    pub(in crate::cli) async fn renew(
        &mut self,
        http: &reqwest::Client,
    ) -> Result<(), TokenTrouble> {
        let none = || TokenTrouble::Ended("there is no refresh token".to_owned());
        let refresh = self.refresh.clone().ok_or_else(none)?;
        self.fetch(http, TokenPurpose::Refresh(refresh)).await
    }

    /// Ends the connection at the server.
    pub(super) async fn revoke(&self, http: &reqwest::Client) -> Result<(), CliError> {
        let token = self.refresh.as_ref().unwrap_or(&self.access);
        let form = [
            ("client_id", &*self.client),
            ("token", token.expose_secret()),
        ];
        let answer = WebAnswer::ask(with_form(http.post(&self.revoke), &form)).await?;
        match answer.status {
            200 => Ok(()),
            status => Err(CliError(format!("it answers {status}"))),
        }
    }

    /// Whether the access token has expired or expires soon.
    pub(in crate::cli) fn is_ending(&self) -> bool {
        self.expires <= Timestamp::now().as_second().saturating_add(AHEAD)
    }

    /// Whether the server should still accept the access token.
    pub(in crate::cli) fn is_good(&self) -> bool {
        self.expires > Timestamp::now().as_second()
    }

    /// The text that is stored sealed.
    pub(in crate::cli) fn to_text(&self) -> SecretString {
        let refresh = self.refresh.as_ref().map(ExposeSecret::expose_secret);
        let text = json!({
            "server": self.server, "token": self.token, "revoke": self.revoke, "client": self.client,
            "resource": self.resource, "access": self.access.expose_secret(), "refresh": refresh, "expires": self.expires,
        });
        text.to_string().into()
    }

    /// Fails if another version of this program wrote the text.
    pub(in crate::cli) fn parse(text: &SecretString) -> Result<Self, CliError> {
        let kept: Value = serde_json::from_str(text.expose_secret()).unwrap_or_default();
        let member = |name: &str| kept[name].as_str().map(str::to_owned);
        let parsed = (|| {
            Some(Self {
                server: member("server")?,
                token: member("token")?,
                revoke: member("revoke")?,
                client: member("client")?,
                resource: member("resource")?,
                access: member("access")?.into(),
                refresh: member("refresh").map(SecretString::from),
                expires: kept["expires"].as_i64()?,
            })
        })();
        parsed.ok_or_else(|| {
            CliError(
                "another version of this program made the login. Run `highlevel-mcp login` again"
                    .to_owned(),
            )
        })
    }
}
