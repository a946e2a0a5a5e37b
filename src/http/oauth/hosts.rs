//! The host of `oauth.url`, where clients discover sign-in. Every other host behaves as without OAuth: some clients
//! ignore their configured headers if they can sign in.

use axum::http::uri::Authority;

use crate::config::OauthSettings;

/// Recognises requests to the sign-in address.
#[derive(Clone, Debug)]
pub(in crate::http) struct SignInHost {
    /// `https://mcp.example.com`.
    url: String,
    /// Without its port, which a proxy may leave out.
    name: String,
    /// Empty: none.
    header_host: String,
    is_loopback: bool,
}

/// Endpoints of OAuth that programs in web pages call.
const FOR_PROGRAMS: [&str; 3] = ["/token", "/register", "/revoke"];

impl SignInHost {
    /// `None` if the settings have no sign-in.
    pub(in crate::http) fn new(settings: &OauthSettings) -> Option<Self> {
        let host: Authority = settings.host().parse().ok()?;
        let name = host.host().to_lowercase();
        Some(Self {
            is_loopback: matches!(name.as_str(), "localhost" | "127.0.0.1" | "[::1]"),
            url: settings.url.clone(),
            header_host: settings.header_host.to_lowercase(),
            name,
        })
    }

    /// Hosts that are served even if `allowed_hosts` does not name them.
    pub(in crate::http) fn served(&self) -> impl Iterator<Item = String> {
        let named = [&self.name, &self.header_host];
        named.into_iter().filter(|host| !host.is_empty()).cloned()
    }

    /// Whether a request for `host` is for this address. A `header_host` that differs only by its port is another.
    pub(in crate::http) fn is_at(&self, host: &Authority) -> bool {
        let is_elsewhere = host.as_str().eq_ignore_ascii_case(&self.header_host);
        host.host().eq_ignore_ascii_case(&self.name) && !is_elsewhere
    }

    /// Whether this is the origin of the server's own pages, whatever port a proxy left in the host.
    pub(in crate::http) fn is_own_origin(&self, origin: &str) -> bool {
        origin == self.url
    }

    /// Whether pages of other sites may call `path`. No cookie is ever read there. MCP at a loopback address is
    /// excluded: programs of this machine reach more there than the network does.
    pub(in crate::http) fn is_for_any_page(&self, path: &str) -> bool {
        let is_endpoint = path == "/" || path == "/mcp" || path.starts_with("/mcp/");
        FOR_PROGRAMS.contains(&path)
            || path.starts_with("/.well-known/")
            || path.starts_with("/mcp/.well-known/")
            || is_endpoint && !self.is_loopback
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Flags};

    fn host(url: &str, header_host: &str) -> Option<SignInHost> {
        let variables = [
            ("HIGHLEVEL_MCP_OAUTH_URL".into(), url.into()),
            ("HIGHLEVEL_MCP_OAUTH_HEADER_HOST".into(), header_host.into()),
        ];
        let config = Config::from_sources(&Flags::default(), variables).expect("settings");
        SignInHost::new(&config.oauth)
    }

    #[test]
    fn the_host_decides() {
        fn check(url: &str, header_host: &str, asked: &'static str, expected: bool) {
            let host = host(url, header_host).expect("an address");
            let is_at = host.is_at(&Authority::from_static(asked));
            assert_eq!(is_at, expected, "{url} {header_host} {asked}");
        }
        let url = "https://mcp.example.com";
        check(url, "", "mcp.example.com", true);
        check(url, "", "MCP.example.com:443", true);
        check(url, "", "keys.example.com", false);
        check(url, "", "localhost:8100", false);
        check(url, "", "mcp.example.com.evil.example", false);
        check(url, "keys.example.com", "keys.example.com", false);
        check(url, "mcp.example.com:8443", "mcp.example.com:8443", false);
        check(url, "mcp.example.com:8443", "mcp.example.com", true);
        let url = "https://mcp.example.com:8443";
        check(url, "", "mcp.example.com:8443", true);
        // nginx's $host.
        check(url, "", "mcp.example.com", true);
        let url = "http://localhost:8100";
        check(url, "", "localhost:8100", true);
        check(url, "", "127.0.0.1:8100", false);
        let url = "http://[::1]:8100";
        check(url, "", "[::1]:8100", true);
        check(url, "", "localhost:8100", false);
        assert!(host("", "keys.example.com").is_none());
    }

    #[test]
    fn both_hosts_are_served() {
        let both = host(
            "https://MCP.example.com".to_lowercase().as_str(),
            "Keys.example.com:8443",
        );
        let both: Vec<String> = both.expect("an address").served().collect();
        assert_eq!(both, ["mcp.example.com", "keys.example.com:8443"]);
        let one = host("http://localhost:8100", "").expect("an address");
        assert_eq!(one.served().collect::<Vec<_>>(), ["localhost"]);
    }

    #[test]
    fn foreign_pages_may_call_only_paths_that_read_no_cookie() {
        let open = host("https://mcp.example.com", "").expect("an address");
        let local = host("http://localhost:8100", "").expect("an address");
        for (path, at_open, at_local) in [
            ("/token", true, true),
            ("/register", true, true),
            ("/revoke", true, true),
            ("/.well-known/oauth-authorization-server", true, true),
            ("/mcp/.well-known/openid-configuration", true, true),
            ("/mcp", true, false),
            ("/mcp/l/acme", true, false),
            ("/", true, false),
            ("/mcpx", false, false),
            ("/authorize", false, false),
            ("/authorize/decide", false, false),
            ("/console", false, false),
            ("/connect/crm", false, false),
            ("/token/", false, false),
        ] {
            assert_eq!(open.is_for_any_page(path), at_open, "{path}");
            assert_eq!(local.is_for_any_page(path), at_local, "{path}");
        }
    }
}
