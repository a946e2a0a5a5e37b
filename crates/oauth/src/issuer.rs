//! The name of the authorization server: its bare origin.

use url::Url;

/// `https://mcp.example.com`, without a slash at its end: clients compare it character by character in three places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer(String);

impl Issuer {
    /// `None` if `text` is more or less than an origin, or not in the normal form of browsers.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let is_web = matches!(url.scheme(), "https" | "http");
        let is_bare = url.origin().ascii_serialization() == text;
        (is_web && is_bare).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_a_bare_origin() {
        for good in [
            "https://mcp.example.com",
            "https://mcp.example.com:8443",
            "http://localhost:8100",
            "http://[::1]:8100",
        ] {
            assert!(Issuer::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "mcp.example.com",
            "https://mcp.example.com/",
            "https://mcp.example.com/mcp",
            "https://MCP.example.com",
            "https://mcp.example.com:443",
            "https://me@mcp.example.com",
            "ftp://mcp.example.com",
            "data:text/plain,x",
            " https://mcp.example.com",
        ] {
            assert!(Issuer::parse(bad).is_none(), "{bad}");
        }
    }
}
