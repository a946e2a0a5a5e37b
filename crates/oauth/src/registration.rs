//! Clients that register themselves (RFC 7591).

use serde_json::{Map, Value};

use super::client_name::client_name;
use super::{OauthProblem, RedirectUri};

/// Most redirect addresses of a client: VS Code names four.
const MOST_REDIRECTS: usize = 10;

/// How a client authenticates when it redeems codes and refresh tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthenticationMethod {
    /// Only by PKCE.
    None,
    /// By a secret in the header.
    Basic,
    /// By a secret in the form.
    Post,
}

/// The used parts of a client's registration. Other members are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Cleaned for display; never empty.
    pub name: String,
    /// At least one, none twice.
    pub redirects: Vec<RedirectUri>,
    /// `None` if it names no method; the answer must repeat this.
    pub method: AuthenticationMethod,
}

impl AuthenticationMethod {
    /// Its name in OAuth.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        let all = [Self::None, Self::Basic, Self::Post];
        all.into_iter().find(|method| method.as_str() == name)
    }
}

impl Registration {
    /// `body` is JSON.
    pub fn parse(body: &[u8]) -> Result<Self, OauthProblem> {
        let metadata: Map<String, Value> = serde_json::from_slice(body)
            .map_err(|_| wrong("The registration is not a JSON object."))?;
        let grants = texts(&metadata, "grant_types")?;
        if grants.contains(&"implicit") {
            return Err(wrong(
                "The grant type implicit is not possible. Use authorization_code.",
            ));
        }
        if !grants.is_empty() && !grants.contains(&"authorization_code") {
            return Err(wrong(
                "The grant types leave out authorization_code, the only way to sign in here.",
            ));
        }
        let responses = texts(&metadata, "response_types")?;
        if responses.iter().any(|response| *response != "code") {
            return Err(wrong("The only possible response type is code."));
        }
        let method = match metadata.get("token_endpoint_auth_method") {
            None | Some(Value::Null) => AuthenticationMethod::None,
            Some(name) => name.as_str().and_then(AuthenticationMethod::parse).ok_or_else(|| {
                wrong("The token_endpoint_auth_method must be none, client_secret_post or client_secret_basic.")
            })?,
        };
        Ok(Self {
            name: client_name(metadata.get("client_name").and_then(Value::as_str)),
            redirects: redirects(&metadata)?,
            method,
        })
    }
}

fn redirects(metadata: &Map<String, Value>) -> Result<Vec<RedirectUri>, OauthProblem> {
    let wrong = |what: &str| OauthProblem::new("invalid_redirect_uri", what);
    let asked = texts(metadata, "redirect_uris").map_err(|problem| wrong(&problem.description))?;
    if asked.is_empty() {
        return Err(wrong("The registration names no redirect_uris."));
    }
    if asked.len() > MOST_REDIRECTS {
        return Err(wrong("The registration names more than ten redirect_uris."));
    }
    let mut redirects: Vec<RedirectUri> = Vec::new();
    for text in asked {
        let redirect = RedirectUri::parse(text).map_err(|problem| wrong(&problem.to_string()))?;
        if !redirects.contains(&redirect) {
            redirects.push(redirect);
        }
    }
    Ok(redirects)
}

/// The list of this name; empty if there is none.
fn texts<'a>(metadata: &'a Map<String, Value>, name: &str) -> Result<Vec<&'a str>, OauthProblem> {
    let no_list = || wrong(&format!("{name} is not a list of strings."));
    match metadata.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(all)) => {
            let all = all.iter().map(Value::as_str);
            all.collect::<Option<_>>().ok_or_else(no_list)
        }
        Some(_) => Err(no_list()),
    }
}

fn wrong(what: &str) -> OauthProblem {
    OauthProblem::new("invalid_client_metadata", what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn clients_register_as_they_are_known_to() {
        fn check(body: Value, name: &str, redirects: usize, method: AuthenticationMethod) {
            let registration = Registration::parse(body.to_string().as_bytes());
            let registration = registration.unwrap_or_else(|problem| panic!("{body}: {problem}"));
            assert_eq!(registration.name, name);
            assert_eq!(registration.redirects.len(), redirects, "{body}");
            assert_eq!(registration.method, method, "{body}");
        }
        check(
            json!({"redirect_uris": ["http://localhost:3000/callback"]}),
            "A client without a name",
            1,
            AuthenticationMethod::None,
        );
        check(
            json!({
                "client_name": "Cursor",
                "redirect_uris": [
                    "cursor://anysphere.cursor-mcp/oauth/callback",
                    "http://localhost:8787/callback",
                    "https://www.cursor.com/agents/mcp/oauth/callback",
                ],
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
                "application_type": "native",
            }),
            "Cursor",
            3,
            AuthenticationMethod::None,
        );
        check(
            json!({
                "client_name": "Visual Studio Code",
                "client_uri": "https://code.visualstudio.com",
                "redirect_uris": [
                    "https://insiders.vscode.dev/redirect",
                    "https://vscode.dev/redirect",
                    "http://127.0.0.1/",
                    "http://127.0.0.1:33418/",
                ],
                "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
                "token_endpoint_auth_method": "none",
            }),
            "Visual Studio Code",
            4,
            AuthenticationMethod::None,
        );
        check(
            json!({
                "client_name": "Claude",
                "redirect_uris": [
                    "https://claude.ai/api/mcp/auth_callback",
                    "https://claude.com/api/mcp/auth_callback",
                ],
                "token_endpoint_auth_method": "client_secret_post",
                "scope": "claudeai",
            }),
            "Claude",
            2,
            AuthenticationMethod::Post,
        );
        check(
            json!({
                "client_name": "n8n",
                "redirect_uris": [
                    "https://n8n.example.com/rest/oauth2-credential/callback",
                    "https://n8n.example.com/rest/oauth2-credential/callback",
                ],
                "token_endpoint_auth_method": "client_secret_basic",
                "client_name#de": "n8n",
                "software_id": {"any": [1, null]},
                "grant_types": null,
                "response_types": [],
            }),
            "n8n",
            1,
            AuthenticationMethod::Basic,
        );
    }

    #[test]
    fn wrong_registrations_are_refused() {
        fn check(changes: Value, error: &str, part: &str) {
            let mut body = json!({"client_name": "x", "redirect_uris": ["https://example.com/cb"]});
            for (name, value) in changes.as_object().expect("an object") {
                body[name] = value.clone();
            }
            let problem = Registration::parse(body.to_string().as_bytes());
            let problem = problem.expect_err(&body.to_string());
            assert_eq!((problem.status, problem.error), (400, error), "{body}");
            assert!(problem.description.contains(part), "{problem}");
        }
        let (redirect, metadata) = ("invalid_redirect_uri", "invalid_client_metadata");
        check(json!({"redirect_uris": null}), redirect, "no redirect_uris");
        check(json!({"redirect_uris": []}), redirect, "no redirect_uris");
        check(
            json!({"redirect_uris": "https://example.com/cb"}),
            redirect,
            "not a list",
        );
        check(json!({"redirect_uris": [1]}), redirect, "not a list");
        check(json!({"redirect_uris": [""]}), redirect, "not an absolute");
        check(
            json!({"redirect_uris": ["/cb"]}),
            redirect,
            "not an absolute",
        );
        check(
            json!({"redirect_uris": ["https://example.com/cb", "JavaScript:x"]}),
            redirect,
            "scheme",
        );
        check(
            json!({"redirect_uris": ["http://example.com/cb"]}),
            redirect,
            "use https:",
        );
        let many: Vec<String> = (0..11)
            .map(|one| format!("https://example.com/{one}"))
            .collect();
        check(json!({"redirect_uris": many}), redirect, "more than ten");
        check(
            json!({"grant_types": ["authorization_code", "implicit"]}),
            metadata,
            "implicit",
        );
        check(
            json!({"grant_types": ["client_credentials"]}),
            metadata,
            "authorization_code",
        );
        check(
            json!({"grant_types": "authorization_code"}),
            metadata,
            "not a list",
        );
        check(
            json!({"response_types": ["code", "token"]}),
            metadata,
            "code",
        );
        check(
            json!({"token_endpoint_auth_method": "private_key_jwt"}),
            metadata,
            "none",
        );
        check(json!({"token_endpoint_auth_method": 1}), metadata, "none");
    }

    #[test]
    fn a_registration_that_is_not_an_object_is_refused() {
        for body in [
            "",
            "null",
            "[]",
            "\"x\"",
            "{",
            "redirect_uris=https://example.com/cb",
            "{}{}",
        ] {
            let problem = Registration::parse(body.as_bytes()).expect_err(body);
            assert_eq!(problem.error, "invalid_client_metadata", "{body}");
        }
        let deep = format!("{{\"x\":{}", "[".repeat(15_000));
        assert!(Registration::parse(deep.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body in any::<Vec<u8>>(), redirect in any::<String>()) {
            let _ = Registration::parse(&body);
            let body = json!({"redirect_uris": [redirect], "client_name": redirect});
            if let Ok(registration) = Registration::parse(body.to_string().as_bytes()) {
                prop_assert_eq!(registration.redirects[0].as_str(), redirect);
            }
        }
    }
}
