//! Requests for a code, parsed in two stages: until client and redirect are verified, a mistake becomes a page for the
//! person; after that it is reported to the client.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::parameters::{ParameterProblem, Parameters};
use super::pkce::is_challenge;
use super::{AskedScope, Issuer, OauthProblem, RedirectUri, Resource};

/// Longest `state`, in bytes: it is sealed in pages, and returned in an address.
const LONGEST_STATE: usize = 2_048;

/// Longest query, in bytes.
const LONGEST_QUERY: usize = 16 * 1024;

/// Characters that every parser of addresses takes literally. A space is `%20`: programs that register a scheme decode
/// addresses by hand, and not all of them know `+`.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The client and its redirect. Nothing else is parsed yet.
pub struct ClientQuery {
    pub client_id: String,
    /// To be compared with the client's registered redirects.
    pub redirect_uri: String,
    parameters: Parameters,
}

/// A valid request for a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizeRequest {
    /// Returned byte for byte.
    pub state: Option<String>,
    /// The S256 challenge.
    pub challenge: String,
    pub resource: Resource,
    /// `Write` if the client requests no known scope.
    pub scope: AskedScope,
    /// The client wants an answer without a page, which it never gets.
    pub prompt_none: bool,
}

/// The reason that no answer can be sent to a client. Each text is for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryProblem {
    #[error(
        "The address that opened this page does not say which program wants to connect (client_id)."
    )]
    NoClient,
    #[error("The address that opened this page does not say where the answer goes (redirect_uri).")]
    NoRedirect,
    #[error("The address that opened this page is wrong. {0}")]
    Unreadable(String),
}

impl From<ParameterProblem> for QueryProblem {
    fn from(problem: ParameterProblem) -> Self {
        Self::Unreadable(problem.to_string())
    }
}

impl ClientQuery {
    /// `query` as in the address, without its `?`.
    pub fn parse(query: &str) -> Result<Self, QueryProblem> {
        if query.len() > LONGEST_QUERY {
            return Err(QueryProblem::Unreadable("It is too long.".to_owned()));
        }
        let parameters = Parameters::parse(query.as_bytes())?;
        let client_id = parameters.one("client_id")?.ok_or(QueryProblem::NoClient)?;
        let redirect_uri = parameters.one("redirect_uri")?;
        let redirect_uri = redirect_uri.ok_or(QueryProblem::NoRedirect)?;
        Ok(Self {
            client_id: client_id.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            parameters,
        })
    }

    /// Returned with an answer or error; none if it occurs twice or is too long.
    pub fn state(&self) -> Option<&str> {
        let state = self.parameters.one("state").ok().flatten();
        state.filter(|state| state.len() <= LONGEST_STATE)
    }

    /// Parses the rest of the query. A problem is reported to the client.
    pub fn request(&self, issuer: &Issuer) -> Result<AuthorizeRequest, OauthProblem> {
        if self
            .one("state")?
            .is_some_and(|state| state.len() > LONGEST_STATE)
        {
            return Err(wrong("The state is longer than 2048 bytes."));
        }
        for (name, error) in [
            ("request", "request_not_supported"),
            ("request_uri", "request_uri_not_supported"),
        ] {
            if self.one(name)?.is_some() {
                let what = "The request has to be in the address itself.";
                return Err(OauthProblem::new(error, what));
            }
        }
        match self.one("response_type")? {
            Some("code") => {}
            None => return Err(wrong("The response_type is missing. It has to be code.")),
            Some(_) => {
                let what = "The only possible response_type is code.";
                return Err(OauthProblem::new("unsupported_response_type", what));
            }
        }
        if self
            .one("response_mode")?
            .is_some_and(|mode| mode != "query")
        {
            return Err(wrong("The only possible response_mode is query."));
        }
        let prompt = self.one("prompt")?.unwrap_or_default();
        Ok(AuthorizeRequest {
            challenge: self.challenge()?,
            resource: self.resource(issuer)?,
            scope: AskedScope::parse(self.one("scope")?).unwrap_or(AskedScope::Write),
            prompt_none: prompt.split(' ').any(|one| one == "none"),
            state: self.state().map(str::to_owned),
        })
    }

    fn challenge(&self) -> Result<String, OauthProblem> {
        // Without a method it would mean `plain`.
        if self.one("code_challenge_method")? != Some("S256") {
            return Err(wrong("The code_challenge_method has to be S256."));
        }
        let challenge = self
            .one("code_challenge")?
            .filter(|text| is_challenge(text));
        let challenge = challenge.ok_or_else(|| {
            wrong("The code_challenge has to be a SHA-256 in base64url, which is 43 letters.")
        })?;
        Ok(challenge.to_owned())
    }

    fn resource(&self, issuer: &Issuer) -> Result<Resource, OauthProblem> {
        let invalid = |what: &str| OauthProblem::new("invalid_target", what);
        let mut asked = self
            .parameters
            .all("resource")
            .filter(|one| !one.is_empty());
        match (asked.next(), asked.next()) {
            (None, _) => Ok(Resource::everything(issuer)),
            (Some(one), None) => Resource::parse(one, issuer)
                .ok_or_else(|| invalid("The resource is not an MCP endpoint of this server.")),
            (Some(_), Some(_)) => Err(invalid("A token is for one resource.")),
        }
    }

    fn one(&self, name: &'static str) -> Result<Option<&str>, OauthProblem> {
        let one = self.parameters.one(name);
        one.map_err(|problem| wrong(&problem.to_string()))
    }
}

fn wrong(what: &str) -> OauthProblem {
    OauthProblem::new("invalid_request", what)
}

/// The address that brings `answer` to the client. It keeps the redirect's own query, and names the issuer (`iss`).
pub fn redirect_with(redirect: &RedirectUri, issuer: &Issuer, answer: &[(&str, &str)]) -> String {
    let mut address = redirect.as_str().to_owned();
    let iss = [("iss", issuer.as_str())];
    for (name, value) in answer.iter().chain(&iss) {
        match address.find('?') {
            None => address.push('?'),
            Some(at) if at + 1 < address.len() && !address.ends_with('&') => address.push('&'),
            Some(_) => {}
        }
        address.push_str(name);
        address.push('=');
        address.extend(utf8_percent_encode(value, UNRESERVED));
    }
    address
}

#[cfg(test)]
mod tests;
