//! The 401 that tells a client where to sign in, and the answers that may come in its place.

use super::{ServerAddress, WebAnswer};

/// The reason that a server sees another host than its clients use.
pub(in crate::cli) const HOST: &str = "The server receives another host name. The proxy must pass Host on (nginx: \
                                       proxy_set_header Host $host; Apache: ProxyPreserveHost On), oauth.url must be \
                                       this address, and server.allowed_hosts must contain its host";

/// What our own server says where it has no sign-in at all.
const NO_OAUTH: &str = "it offers no OAuth";

/// The sentence about such a server.
pub(in crate::cli) const NO_SIGN_IN: &str = "this server has no sign-in, because its settings have no oauth.url. Set it \
                                             (docs/sign-in.md), or use an access key, which needs no sign-in";

/// Whether a server of ours says there that nobody signs in.
pub(in crate::cli) async fn has_no_sign_in(http: &reqwest::Client, server: &ServerAddress) -> bool {
    let metadata = server.path("/.well-known/oauth-protected-resource");
    let answer = WebAnswer::ask(http.get(metadata)).await;
    answer.is_ok_and(|answer| {
        answer.status == 404 && String::from_utf8_lossy(&answer.body).contains(NO_OAUTH)
    })
}

/// The content of `WWW-Authenticate: Bearer`.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct SignInChallenge {
    /// The address of the metadata.
    pub metadata: String,
    pub error: Option<String>,
}

impl SignInChallenge {
    /// Fails with the actual answer and its remedy, as the end of a sentence.
    pub(in crate::cli) fn parse(answer: &WebAnswer, origin: &str) -> Result<Self, String> {
        let status = answer.status;
        match status {
            401 => {}
            200..=299 => {
                return Err(format!(
                    "answers {status} without a token, so sign-in is off for this host. {HOST}"
                ));
            }
            300..=399 => {
                return Err(format!(
                    "redirects to {}. The proxy must not redirect, because clients do not send their token on",
                    answer.header("location")
                ));
            }
            403 | 421 => return Err(format!("is refused with {status}. {HOST}")),
            404 => {
                return Err(format!(
                    "answers 404. The proxy must pass this path on too (beside the rule for /mcp, one for everything \
                     below /mcp/ and one for /). {HOST}"
                ));
            }
            405 | 501 => {
                return Err(format!(
                    "answers {status}. The proxy must pass every method on, including HEAD, DELETE and OPTIONS"
                ));
            }
            429 => return Err("answers 429. The proxy's limit of requests is too low".to_owned()),
            500..=599 => {
                return Err(format!(
                    "answers {status}. The proxy does not reach the server: check that the server runs and that the \
                     proxy has its address"
                ));
            }
            _ => return Err(format!("answers {status} instead of 401")),
        }
        let header = answer.header("www-authenticate");
        if header.is_empty() {
            return Err(
                "answers 401 without WWW-Authenticate, so that no client learns where to sign in. The proxy must not \
                 change that header, and must not show a login page of its own"
                    .to_owned(),
            );
        }
        let Some(rest) = strip_scheme(header) else {
            let scheme = header.split(' ').next().unwrap_or_default();
            return Err(format!(
                "asks for another login ({scheme}). The proxy must not ask for a login, because the server does"
            ));
        };
        let Some(metadata) = parameter(rest, "resource_metadata") else {
            return Err(format!("answers 401 and names no metadata. {HOST}"));
        };
        if !metadata.starts_with(&format!("{origin}/.well-known/oauth-protected-resource")) {
            return Err(format!(
                "sends clients to {metadata}. oauth.url in the server's settings must be {origin}"
            ));
        }
        Ok(Self {
            metadata,
            error: parameter(rest, "error"),
        })
    }
}

fn strip_scheme(header: &str) -> Option<&str> {
    let (scheme, rest) = header.split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case("bearer ").then_some(rest)
}

/// The value of a parameter `name="value"`. Our values have no quotation mark.
fn parameter(text: &str, name: &str) -> Option<String> {
    text.split(", ").find_map(|part| {
        let value = part.trim().strip_prefix(name)?.strip_prefix("=\"")?;
        Some(value.strip_suffix('"')?.to_owned())
    })
}
