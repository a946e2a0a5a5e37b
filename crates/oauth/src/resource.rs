//! The resource that a token is requested for (RFC 8707): the server, or one of its MCP endpoints.

use percent_encoding::percent_decode_str;
use url::Url;

use super::Issuer;

/// Longest name, in bytes.
const LONGEST: usize = 2_048;

/// One of ours, without a slash at its end, which makes no difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource(String);

impl Resource {
    /// `None` if `asked` is another server's, or not an endpoint: `/mcp` and paths below, or the bare origin.
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

    /// The resource if none is requested.
    pub fn everything(issuer: &Issuer) -> Self {
        Self(format!("{}/mcp", issuer.as_str()))
    }

    /// What a call to this path is for. The bare origin answers as `/mcp` does.
    pub fn of_call(path: &str, issuer: &Issuer) -> Option<Self> {
        match path.trim_end_matches('/') {
            "" => Some(Self::everything(issuer)),
            path => Self::parse(&format!("{}{path}", issuer.as_str()), issuer),
        }
    }

    /// Whether a token for this resource is good for a call to `called`: to the same, or to what is below.
    pub fn covers(&self, called: &Self) -> bool {
        // As paths are read: some clients encode the `+` between toolsets.
        let (own, called) = (percent_decode_str(&self.0), percent_decode_str(&called.0));
        let (own, called) = (own.decode_utf8_lossy(), called.decode_utf8_lossy());
        let rest = called.strip_prefix(own.as_ref());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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

    #[test]
    fn a_token_is_valid_at_its_resource_and_below() {
        let issuer = Issuer::parse("https://mcp.example.com").expect("an origin");
        for (resource, path, expected) in [
            ("", "/", true),
            ("", "/mcp", true),
            ("", "/mcp/l/acme", true),
            ("", "/console", false),
            ("/mcp", "/", true),
            ("/mcp", "", true),
            ("/mcp", "/mcp//", true),
            ("/mcp", "/mcp/orchestrator", true),
            ("/mcp", "/mcp-x", false),
            ("/mcp/l/acme", "/mcp/l/acme/", true),
            ("/mcp/l/acme", "/mcp/l/acme/official", true),
            ("/mcp/l/acme", "/mcp/l/%61cme", true),
            ("/mcp/l/acme", "/mcp/l/acme%2Fofficial", true),
            ("/mcp/l/acme", "/", false),
            ("/mcp/l/acme", "/mcp", false),
            ("/mcp/l/acme", "/mcp/l", false),
            ("/mcp/l/acme", "/mcp/l/acme2", false),
            ("/mcp/l/acme", "/mcp/l/ACME", false),
            ("/mcp/l/acme", "/mcp/l/globex", false),
            ("/mcp/l/acme", "/mcp/l/acme/../globex", false),
            ("/mcp/l/acme", "/mcp/l/acme/%2e%2e/globex", false),
            ("/mcp/l/acme", "/mcp/l/acme/..\\globex", false),
            ("/mcp/l/acme", "//evil.example/mcp/l/acme", false),
            ("/mcp/x/a+b", "/mcp/x/a%2Bb", true),
            ("/mcp/x/a%2Bb", "/mcp/x/a+b/readonly", true),
            ("/mcp/x/a", "/mcp/x/a+b", false),
        ] {
            let resource = Resource::parse(&format!("{}{resource}", issuer.as_str()), &issuer);
            let called = Resource::of_call(path, &issuer);
            let resource = resource.expect("a resource");
            let is_good = called.is_some_and(|called| resource.covers(&called));
            assert_eq!(is_good, expected, "{} at {path}", resource.as_str());
        }
    }
}
