//! The 401 that tells a client where to sign in, and the answers that may come in its place.

use super::WebAnswer;

/// The reason that a server sees another host than its clients use.
pub(in crate::cli) const HOST: &str = "The server is asked for another host: the proxy must pass Host on (nginx: proxy_set_header Host \
     $host; Apache: ProxyPreserveHost On), oauth.url must be this address, and server.allowed_hosts must hold its host";

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
                    "answers {status} to somebody without a token: sign-in is off for this host. {HOST}"
                ));
            }
            300..=399 => {
                return Err(format!(
                    "redirects to {}: the proxy must answer there itself, for clients do not follow with their token",
                    answer.header("location")
                ));
            }
            403 | 421 => return Err(format!("is refused with {status}. {HOST}")),
            404 => {
                return Err(format!(
                    "answers 404: the proxy must pass this path on too (a rule for /mcp needs one for /mcp/ and what is \
                     below it, and one for /). {HOST}"
                ));
            }
            405 | 501 => {
                return Err(format!(
                    "answers {status}: the proxy must pass every method on, HEAD, DELETE and OPTIONS too"
                ));
            }
            429 => return Err("answers 429: the proxy's limit of requests is too low".to_owned()),
            500..=599 => {
                return Err(format!(
                    "answers {status}: the proxy does not reach the server; look whether it runs and where the proxy looks for \
                     it"
                ));
            }
            _ => return Err(format!("answers {status}, where 401 is due")),
        }
        let header = answer.header("www-authenticate");
        if header.is_empty() {
            return Err(
                "answers 401 without WWW-Authenticate, so that no client learns where to sign in: the proxy must leave that \
                 header as it is, and must show no login page of its own"
                    .to_owned(),
            );
        }
        let Some(rest) = strip_scheme(header) else {
            let scheme = header.split(' ').next().unwrap_or_default();
            return Err(format!(
                "asks for a login of its own ({scheme}): the proxy must not check a login where the server does"
            ));
        };
        let Some(metadata) = parameter(rest, "resource_metadata") else {
            return Err(format!("answers 401 and names no metadata. {HOST}"));
        };
        if !metadata.starts_with(&format!("{origin}/.well-known/oauth-protected-resource")) {
            return Err(format!(
                "sends clients to {metadata}: oauth.url in the server's settings must be {origin}"
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
