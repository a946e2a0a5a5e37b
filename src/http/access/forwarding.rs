//! Detects signs that a request came through a proxy or a tunnel, whatever its source address.

use axum::http::HeaderMap;

/// Headers that proxies, load balancers, CDNs and tunnels add.
const NAMES: [&str; 17] = [
    "via",
    "x-realip",
    "x-remote-addr",
    "cdn-loop",
    "x-host",
    "x-scheme",
    "x-amzn-trace-id",
    "x-cloud-trace-context",
    "front-end-https",
    "remote-user",
    "rndr-id",
    "surrogate-capability",
    "x-real-port",
    "x-remote-user",
    "x-request-start",
    "x-traefik",
    "x-url-scheme",
];

/// Parts of the names of such headers in any product: `forwarded`, `x-forwarded-for`, `x-nginx-proxy`.
const PARTS: [&str; 5] = ["forward", "proxy", "client-cert", "clientip", "tunnel"];

/// The ending of headers with an address: `x-real-ip`, `true-client-ip`, `ali-cdn-real-ip`.
const ADDRESS: &str = "-ip";

/// Prefixes of the headers of one product: Envoy, Cloudflare, CloudFront, Fastly, Fly, Azure, App Engine, IIS, Vercel,
/// Netlify, Akamai, Imperva, ngrok, Tailscale, Google's and Amazon's sign-in, Pomerium, Varnish, those that preserve
/// replaced values, sign-in by a subrequest (oauth2-proxy), Blue Coat, Codespaces, Heroku, Kong, Railway and Sucuri.
const PREFIXES: [&str; 29] = [
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
    "x-goog-iap-",
    "x-amzn-oidc-",
    "x-pomerium-",
    "x-varnish",
    "x-original-",
    "x-akamai-",
    "x-auth-request-",
    "x-bluecoat-",
    "x-codespaces",
    "x-devtunnels",
    "x-heroku-",
    "x-kong-",
    "x-railway-",
    "x-sucuri-",
];

/// Whether any header shows forwarding. A forwarded request may have none: this is one sign among others.
pub(in crate::http) fn was_forwarded(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        let name = name.as_str();
        NAMES.contains(&name)
            || name.ends_with(ADDRESS)
            || PARTS.iter().any(|part| name.contains(part))
            || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
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
    fn proxies_are_recognised_by_their_headers() {
        for name in [
            "forwarded",
            "x-forwarded-for",
            "remote-user",
            "x-auth-request-user",
            "x-ssl-client-cert",
            "ssl-client-cert",
            "x-client-cert",
            "front-end-https",
            "x-url-scheme",
            "x-real-port",
            "x-kong-request-id",
            "x-traefik",
            "x-bluecoat-via",
            "surrogate-capability",
            "x-akamai-edgescape",
            "x-sucuri-clientip",
            "x-railway-edge",
            "rndr-id",
            "x-devtunnels",
            "x-tunnel-authorization",
            "x-codespaces",
            "x-heroku-queue-wait-time",
            "x-request-start",
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
            "forwarded-for",
            "x-forward-for",
            "client-ip",
            "proxy-client-ip",
            "wl-proxy-client-ip",
            "x-remote-ip",
            "x-remote-addr",
            "x-originating-ip",
            "do-connecting-ip",
            "x-true-client-ip",
            "ali-cdn-real-ip",
            "cdn-real-ip",
            "x-realip",
            "x-source-ip",
            "x-ms-forwarded-client-ip",
            "x-goog-iap-jwt-assertion",
            "x-pomerium-jwt-assertion",
            "x-amzn-oidc-identity",
            "x-varnish",
            "x-nginx-proxy",
            "proxy-connection",
        ] {
            check(name, true);
        }
        for name in [
            "host",
            "accept",
            "user-agent",
            "traceparent",
            "mcp-session-id",
            "mcp-protocol-version",
            "mcp-method",
            "mcp-name",
            "last-event-id",
            "authorization",
            "x-access-key",
            "locationid",
            "content-type",
            "content-length",
            "accept-language",
            "accept-encoding",
            "connection",
            "origin",
            "sec-fetch-site",
        ] {
            check(name, false);
        }
    }
}
