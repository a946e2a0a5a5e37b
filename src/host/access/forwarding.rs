//! Signs that a request came through a proxy or a tunnel, whatever address it seems to come from.

use axum::http::HeaderMap;

/// Headers that proxies, balancers, networks of caches and tunnels add.
const NAMES: [&str; 21] = [
    "forwarded",
    "forwarded-for",
    "via",
    "x-real-ip",
    "x-client-ip",
    "client-ip",
    "true-client-ip",
    "x-cluster-client-ip",
    "x-proxyuser-ip",
    "proxy-client-ip",
    "wl-proxy-client-ip",
    "x-remote-ip",
    "x-remote-addr",
    "x-originating-ip",
    "x-forward-for",
    "cdn-loop",
    "x-host",
    "x-scheme",
    "x-amzn-trace-id",
    "x-cloud-trace-context",
    "do-connecting-ip",
];

/// What the headers of one product begin with: Envoy, Cloudflare, CloudFront, Fastly, Fly, Azure, App Engine, IIS,
/// Vercel, Netlify, Akamai, Imperva, ngrok, Tailscale, and those that keep what they replaced.
const PREFIXES: [&str; 17] = [
    "x-forwarded",
    "x-envoy-",
    "cf-",
    "cloudfront-",
    "x-amz-cf-",
    "fastly-",
    "fly-",
    "x-azure-",
    "x-appengine-",
    "x-arr-",
    "x-vercel-",
    "x-nf-",
    "akamai-",
    "incap-",
    "ngrok-",
    "tailscale-",
    "x-original-",
];

/// Whether any header says so. There may be none although it did: this is one sign among others.
pub fn was_forwarded(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        let name = name.as_str();
        NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn check(name: &'static str, expected: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static("x"));
        assert_eq!(was_forwarded(&headers), expected, "{name}");
    }

    #[test]
    fn proxies_are_known_by_what_they_add() {
        for name in [
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-forwarded-port",
            "x-forwarded-server",
            "x-real-ip",
            "via",
            "x-client-ip",
            "cf-connecting-ip",
            "cf-ray",
            "true-client-ip",
            "x-cluster-client-ip",
            "fastly-client-ip",
            "x-original-forwarded-for",
            "x-original-host",
            "x-envoy-external-address",
            "x-proxyuser-ip",
            "cloudfront-viewer-address",
            "fly-client-ip",
            "cdn-loop",
            "x-azure-clientip",
            "x-appengine-user-ip",
            "ngrok-trace-id",
            "tailscale-user-login",
            "x-arr-log-id",
        ] {
            check(name, true);
        }
        for name in [
            "host",
            "accept",
            "user-agent",
            "traceparent",
            "mcp-session-id",
        ] {
            check(name, false);
        }
    }
}
