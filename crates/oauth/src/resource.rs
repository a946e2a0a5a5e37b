//! The resource that a token is requested for (RFC 8707): the server, or one of its MCP endpoints.

use url::Url;

use super::Issuer;

/// Longest name, in bytes.
const LONGEST: usize = 2_048;

/// One of ours, without a slash at its end: with one it is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource(String);

impl Resource {
    /// `None` where `asked` is somebody else's, or no endpoint: `/mcp` and what is below, or the bare origin.
    pub fn parse(asked: &str, issuer: &Issuer) -> Option<Self> {
        let url = Url::parse(asked).ok().filter(|_| asked.len() <= LONGEST)?;
        let is_ours = url.origin().ascii_serialization() == issuer.as_str();
        let is_bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let path = url.path().trim_end_matches('/');
        let is_endpoint = matches!(path, "" | "/mcp") || path.starts_with("/mcp/");
        (is_ours && is_bare && is_endpoint).then(|| Self(format!("{}{path}", issuer.as_str())))
    }

    /// Where nothing is asked for.
    pub fn everything(issuer: &Issuer) -> Self {
        Self(format!("{}/mcp", issuer.as_str()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_an_endpoint_of_ours() {
        let issuer = Issuer::parse("https://mcp.example.com").expect("an origin");
        for (asked, expected) in [
            ("https://mcp.example.com", Some("https://mcp.example.com")),
            ("https://mcp.example.com/", Some("https://mcp.example.com")),
            (
                "https://mcp.example.com/mcp",
                Some("https://mcp.example.com/mcp"),
            ),
            (
                "https://mcp.example.com/mcp/",
                Some("https://mcp.example.com/mcp"),
            ),
            (
                "HTTPS://MCP.example.com:443/mcp",
                Some("https://mcp.example.com/mcp"),
            ),
            (
                "https://mcp.example.com/mcp/l/acme/official",
                Some("https://mcp.example.com/mcp/l/acme/official"),
            ),
            ("https://mcp.example.com/mcp-x", None),
            ("https://mcp.example.com/mcpx/", None),
            ("https://mcp.example.com/console", None),
            ("https://mcp.example.com/mcp/../console", None),
            ("https://mcp.example.com/MCP", None),
            ("https://mcp.example.com/mcp?x=1", None),
            ("https://mcp.example.com/mcp#x", None),
            ("https://me@mcp.example.com/mcp", None),
            ("http://mcp.example.com/mcp", None),
            ("https://mcp.example.com:8443/mcp", None),
            ("https://evil.example/mcp", None),
            ("https://mcp.example.com.evil.example/mcp", None),
            ("/mcp", None),
            ("", None),
        ] {
            let resource = Resource::parse(asked, &issuer);
            assert_eq!(resource.as_ref().map(Resource::as_str), expected, "{asked}");
        }
        let all = Resource::parse("https://mcp.example.com/mcp/", &issuer);
        assert_eq!(all, Some(Resource::everything(&issuer)));
    }
}
