//! Requests to HighLevel's `/oauth/`: the first token pair for a code, a new pair for the last one, a token for one of
//! a company's locations.

use std::error::Error;
use std::time::Duration;

use form_urlencoded::Serializer;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::holder::PairHolder;
use super::pair;
use super::token_error::{self, TokenError};
use crate::background::at_home;
use crate::catalog::decoding::from_json;
use crate::config::Config;
use crate::upstream::TenantId;
use crate::upstream::failure::{Failure, FailureClass};

/// From the first byte sent to the last byte read.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Far more than tokens take.
const LARGEST: usize = 256 * 1024;

/// `/oauth/location-token`, the path of v3, is unknown under this version. This path is known under both.
const VERSION: &str = "2021-07-28";

/// HighLevel's token endpoints. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Oauth {
    http: Client,
    base_url: String,
}

/// The app of the tokens.
#[derive(Clone, Debug)]
pub struct App {
    pub client_id: String,
    pub client_secret: SecretString,
}

impl App {
    /// The operator's app of HighLevel's Marketplace. Fails with a sentence where its secret is not there.
    pub fn from_settings(config: &Config) -> Result<Self, String> {
        let settings = &config.marketplace;
        let source = settings.client_secret.as_ref().ok_or(
            "marketplace.client_secret is missing. The app's page in HighLevel's Marketplace shows it once",
        )?;
        let client_secret = config
            .secret(source)
            .map_err(|error| format!("marketplace.client_secret: {error}"))?;
        Ok(Self {
            client_id: settings.client_id.clone(),
            client_secret,
        })
    }
}

/// A location's token.
#[derive(Clone, Debug)]
pub struct LocationToken {
    pub token: SecretString,
    /// Seconds since 1970.
    pub expires_at: i64,
}

struct OauthAnswer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Oauth {
    /// `http` must neither follow redirects nor repeat requests by itself.
    pub fn new(http: Client, base_url: &str) -> Self {
        Self {
            http,
            base_url: base_url.trim_end_matches('/').to_owned(),
        }
    }

    /// HighLevel's answer for the code with which a person returned to `redirect`. The code is used up.
    pub(super) async fn redeem(
        &self,
        app: &App,
        code: &SecretString,
        redirect: &str,
    ) -> Result<Map<String, Value>, Failure> {
        let form = [
            ("client_id", app.client_id.as_str()),
            ("client_secret", app.client_secret.expose_secret()),
            ("grant_type", "authorization_code"),
            ("code", code.expose_secret()),
            ("redirect_uri", redirect),
        ];
        let answer = self.ask("/oauth/token", &form, None).await;
        let answer = answer.map_err(|missed| missed.failure)?;
        if answer.status.is_success() {
            return read(&answer);
        }
        let secrets = [&app.client_secret, code];
        Err(token_error::of_code(
            answer.status,
            &answer.headers,
            &answer.body,
            &secrets,
        ))
    }

    /// Uses up `refresh`: HighLevel's answer has the only valid pair from now on.
    pub(super) async fn renew(
        &self,
        app: &App,
        holder: &PairHolder,
        refresh: &SecretString,
    ) -> Result<Map<String, Value>, TokenError> {
        let form = [
            ("client_id", app.client_id.as_str()),
            ("client_secret", app.client_secret.expose_secret()),
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.expose_secret()),
            ("user_type", holder.user_type()),
        ];
        let answer = self.ask("/oauth/token", &form, None).await?;
        if answer.status.is_success() {
            return read(&answer).map_err(TokenError::unknown);
        }
        let secrets = [&app.client_secret, refresh];
        Err(token_error::of_renewal(
            holder,
            answer.status,
            &answer.headers,
            &answer.body,
            &secrets,
        ))
    }

    /// A token for a location of `company`, whose token is `company_token`.
    pub async fn location_token(
        &self,
        company_token: &SecretString,
        company: &TenantId,
        location: &TenantId,
    ) -> Result<LocationToken, Failure> {
        let asked = pair::now();
        let members = self
            .location_tokens(company_token, company, location)
            .await?;
        let (token, expires_at) =
            pair::granted(&members, asked).ok_or_else(|| unusable("holds no access_token"))?;
        Ok(LocationToken { token, expires_at })
    }

    /// All that HighLevel gives for a location of `company`.
    pub(super) async fn location_tokens(
        &self,
        company_token: &SecretString,
        company: &TenantId,
        location: &TenantId,
    ) -> Result<Map<String, Value>, Failure> {
        let form = [
            ("companyId", company.as_str()),
            ("locationId", location.as_str()),
        ];
        let answer = self
            .ask("/oauth/locationToken", &form, Some(company_token))
            .await
            .map_err(|missed| missed.failure)?;
        if !answer.status.is_success() {
            return Err(token_error::of_location(
                answer.status,
                &answer.headers,
                &answer.body,
                company_token,
                location,
            ));
        }
        let members = read(&answer)?;
        let other = members.get("locationId").and_then(Value::as_str);
        if other.is_some_and(|other| other != location.as_str()) {
            let what = format!(
                "HighLevel gave a token of another location than {}; it was dropped.",
                location.as_str()
            );
            return Err(Failure::new(FailureClass::Location, what)
                .with_remedy("Try again. If this happens again, tell HighLevel's support."));
        }
        Ok(members)
    }

    async fn ask(
        &self,
        path: &str,
        form: &[(&str, &str)],
        bearer: Option<&SecretString>,
    ) -> Result<OauthAnswer, TokenError> {
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = self
            .http
            .post(format!("{}{path}", self.base_url))
            .timeout(TIMEOUT)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        if let Some(token) = bearer {
            let bearer = format!("Bearer {}", token.expose_secret());
            let Ok(mut bearer) = HeaderValue::from_str(&bearer) else {
                let what = "The token holds characters that no token has.";
                return Err(Failure::new(FailureClass::Auth, what).into());
            };
            bearer.set_sensitive(true);
            request = request
                .header(AUTHORIZATION, bearer)
                .header("version", VERSION);
        }
        let response = at_home(request.send()).await;
        let mut response = response.map_err(|error| unanswered(&error))?;
        Ok(OauthAnswer {
            status: response.status(),
            headers: response.headers().clone(),
            body: body_of(&mut response).await?,
        })
    }
}

async fn body_of(response: &mut Response) -> Result<Vec<u8>, TokenError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unanswered(&error))? {
        if body.len() + chunk.len() > LARGEST {
            return Err(TokenError::unknown(unusable("is too large")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A 2xx answer, if it is genuine: proxies answer 200 with an HTML page.
fn read(answer: &OauthAnswer) -> Result<Map<String, Value>, Failure> {
    match from_json(&answer.body) {
        Ok(Value::Object(members)) => Ok(members),
        _ if answer.body.trim_ascii_start().starts_with(b"<") => {
            Err(unusable("is a page of HTML, not JSON"))
        }
        _ => Err(unusable("is not a JSON object")),
    }
}

/// HighLevel reports success, but its answer is unusable.
pub(super) fn unusable(what: &str) -> Failure {
    Failure::new(
        FailureClass::Upstream,
        format!("HighLevel's answer to the request for a token {what}."),
    )
    .with_remedy(
        "Try again. If this happens again, check upstream.base_url and proxies in between.",
    )
}

fn unanswered(error: &reqwest::Error) -> TokenError {
    let causes = std::iter::successors(error.source(), |cause: &&(dyn Error + 'static)| {
        Error::source(*cause)
    });
    let message = causes.last().map(ToString::to_string);
    let what = if error.is_connect() {
        "HighLevel cannot be reached for a token; nothing was sent."
    } else if error.is_timeout() {
        "HighLevel did not give a token in time."
    } else {
        "The connection to HighLevel broke before it gave a token."
    };
    let mut failure = Failure::new(FailureClass::Upstream, what)
        .with_remedy("Check the network and upstream.base_url, then try again.");
    failure.message = message;
    if error.is_connect() || error.is_builder() {
        failure.into()
    } else {
        TokenError::unknown(failure)
    }
}
