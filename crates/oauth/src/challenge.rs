//! The header of a 401 that says where to sign in.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::Issuer;
use super::problem::printable;

/// Characters that would end a header's quoted text.
const UNQUOTABLE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'\\');

/// The value of `WWW-Authenticate` for the MCP endpoint at `path`, which may end with a slash. `error`: its code, and a
/// sentence about it; none if the request had no credential.
pub fn challenge(issuer: &Issuer, path: &str, error: Option<(&str, &str)>) -> String {
    let path = if path == "/" { "" } else { path };
    let path = utf8_percent_encode(path, UNQUOTABLE);
    let mut text = format!(
        "Bearer resource_metadata=\"{}/.well-known/oauth-protected-resource{path}\", scope=\"read write\"",
        issuer.as_str()
    );
    if let Some((error, description)) = error {
        let (error, description) = (printable(error), printable(description));
        text.push_str(&format!(
            ", error=\"{error}\", error_description=\"{description}\""
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_names_the_metadata_of_its_path() {
        let issuer = Issuer::parse("https://mcp.example.com").expect("an origin");
        let expired = Some(("invalid_token", "The token \"hla\\\" has\r\nexpired é."));
        for (path, error, expected) in [
            (
                "/mcp",
                None,
                r#"Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp", scope="read write""#,
            ),
            (
                "/mcp/l/acme/",
                None,
                r#"Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp/l/acme/", scope="read write""#,
            ),
            (
                "/",
                None,
                r#"Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource", scope="read write""#,
            ),
            (
                "/mcp/\"é\\ ",
                None,
                r#"Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp/%22%C3%A9%5C%20", scope="read write""#,
            ),
            (
                "/mcp",
                expired,
                r#"Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp", scope="read write", error="invalid_token", error_description="The token 'hla'' has  expired ?.""#,
            ),
        ] {
            assert_eq!(challenge(&issuer, path, error), expected, "{path}");
        }
    }
}
