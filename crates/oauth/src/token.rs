//! Requests that redeem codes and refresh tokens, and that end tokens.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use super::parameters::{ParameterProblem, Parameters, decode};
use super::{AskedScope, OauthProblem};

/// The client's claimed identity.
#[derive(Clone, Debug)]
pub struct ClientAuthentication {
    pub id: String,
    /// `None` if missing or empty: libraries send Basic with an empty secret for clients that have none.
    pub secret: Option<SecretString>,
    /// It came in the header, not in the form.
    pub by_header: bool,
}

/// The grant to redeem.
#[derive(Clone, Debug)]
pub enum AskedGrant {
    Code {
        code: SecretString,
        redirect: Option<String>,
        verifier: SecretString,
        /// The requested resource.
        resource: Option<String>,
    },
    Refresh {
        token: SecretString,
        scope: Option<AskedScope>,
        /// The requested resource.
        resource: Option<String>,
    },
}

/// A request for tokens.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    pub client: ClientAuthentication,
    pub grant: AskedGrant,
}

/// A request to end a token (RFC 7009).
#[derive(Clone, Debug)]
pub struct RevocationRequest {
    pub client: ClientAuthentication,
    pub token: SecretString,
}

impl TokenRequest {
    /// `authorization` is that header's value.
    pub fn parse(
        content_type: Option<&str>,
        authorization: Option<&str>,
        body: &[u8],
    ) -> Result<Self, OauthProblem> {
        let form = form(content_type, body)?;
        let grant_type = form.one("grant_type")?;
        let grant_type = grant_type.ok_or_else(|| missing("grant_type"))?;
        let client = ClientAuthentication::parse(authorization, &form)?;
        let grant = match grant_type {
            "authorization_code" => AskedGrant::Code {
                code: secret(&form, "code")?,
                redirect: form.one("redirect_uri")?.map(str::to_owned),
                verifier: secret(&form, "code_verifier")?,
                resource: resource(&form)?,
            },
            "refresh_token" => AskedGrant::Refresh {
                token: secret(&form, "refresh_token")?,
                scope: AskedScope::parse(form.one("scope")?),
                resource: resource(&form)?,
            },
            _ => {
                let what = "The possible grant types are authorization_code and refresh_token.";
                return Err(OauthProblem::new("unsupported_grant_type", what));
            }
        };
        Ok(Self { client, grant })
    }
}

impl RevocationRequest {
    /// Like `TokenRequest::parse`. The hint about the kind of token is not needed.
    pub fn parse(
        content_type: Option<&str>,
        authorization: Option<&str>,
        body: &[u8],
    ) -> Result<Self, OauthProblem> {
        let form = form(content_type, body)?;
        Ok(Self {
            client: ClientAuthentication::parse(authorization, &form)?,
            token: secret(&form, "token")?,
        })
    }
}

impl ClientAuthentication {
    fn parse(authorization: Option<&str>, form: &Parameters) -> Result<Self, OauthProblem> {
        let (id, secret) = (form.one("client_id")?, form.one("client_secret")?);
        let Some((given, password)) = authorization.map(basic).transpose()?.flatten() else {
            let unnamed = || OauthProblem::unknown_client("The request names no client_id.");
            return Ok(Self {
                id: id.ok_or_else(unnamed)?.to_owned(),
                secret: secret.map(SecretString::from),
                by_header: false,
            });
        };
        if secret.is_some() {
            return Err(wrong(
                "The client's secret is in the header and in the form. Send it once.",
            ));
        }
        if id.is_some_and(|id| id != given) {
            return Err(wrong("The header and the form name different clients."));
        }
        Ok(Self {
            id: given,
            secret: (!password.is_empty()).then(|| SecretString::from(password)),
            by_header: true,
        })
    }
}

/// Name and secret of a Basic header, which are percent-encoded before base64 (RFC 6749, 2.3.1). `None` for another
/// scheme, which does not identify a client.
fn basic(header: &str) -> Result<Option<(String, String)>, OauthProblem> {
    let (scheme, encoded) = header.split_once(' ').unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    let malformed = || {
        OauthProblem::unknown_client(
            "The Basic header is not the base64 of client_id and secret, each percent-encoded, with a colon between.",
        )
    };
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    let colon = decoded.iter().position(|byte| *byte == b':');
    let (id, secret) = colon
        .and_then(|at| decoded.split_at_checked(at))
        .ok_or_else(malformed)?;
    let secret = secret.get(1..).unwrap_or_default();
    let id = decode(id).map_err(|_| malformed())?;
    let secret = decode(secret).map_err(|_| malformed())?;
    match id.as_str() {
        "" => Err(malformed()),
        _ => Ok(Some((id, secret))),
    }
}

fn form(content_type: Option<&str>, body: &[u8]) -> Result<Parameters, OauthProblem> {
    let media_type = content_type.unwrap_or_default().split(';').next();
    let media_type = media_type.unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(wrong(
            "The request has to be a form (application/x-www-form-urlencoded).",
        ));
    }
    Ok(Parameters::parse(body)?)
}

fn secret(form: &Parameters, name: &'static str) -> Result<SecretString, OauthProblem> {
    let given = form.one(name)?.ok_or_else(|| missing(name))?;
    Ok(SecretString::from(given))
}

fn resource(form: &Parameters) -> Result<Option<String>, OauthProblem> {
    let resource = form
        .one("resource")
        .map_err(|_| OauthProblem::new("invalid_target", "A token is for one resource."))?;
    Ok(resource.map(str::to_owned))
}

impl From<ParameterProblem> for OauthProblem {
    fn from(problem: ParameterProblem) -> Self {
        wrong(&problem.to_string())
    }
}

fn missing(name: &str) -> OauthProblem {
    wrong(&format!("The request has no {name}."))
}

fn wrong(what: &str) -> OauthProblem {
    OauthProblem::new("invalid_request", what)
}

#[cfg(test)]
mod tests;
