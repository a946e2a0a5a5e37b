//! Headers that limit what a browser may do with a page of ours.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::PageKind;

/// Only our own style, script, pictures and requests, and no frames.
const NARROW: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

/// The same if the answer to a form leads to the client: Chromium and WebKit apply `form-action` to that redirect too,
/// and one to `cursor://` or to this computer would fail (jlowin/fastmcp#2302).
const CONSENT: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                       base-uri 'none'; frame-ancestors 'none'";

/// An asset that is opened on its own is a document: the operator's picture may contain script.
const ASSET: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";

const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");
const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// A year.
const HTTPS_ONLY: &str = "max-age=31536000";

pub(super) fn add(headers: &mut HeaderMap, kind: PageKind, is_https: bool) {
    let policy = match kind {
        PageKind::Consent => CONSENT,
        PageKind::Entry | PageKind::Console(_) => NARROW,
    };
    put(headers, CONTENT_SECURITY_POLICY, policy);
    put(headers, CACHE_CONTROL, "no-store");
    put(
        headers,
        PERMISSIONS,
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    );
    if kind != PageKind::Consent {
        // A client that opened the consent in a window of its own waits for that window.
        put(headers, OPENER, "same-origin");
    }
    add_to_all(headers, is_https);
}

/// The name of an asset depends on its content, so browsers may cache it.
pub(super) fn add_to_asset(headers: &mut HeaderMap, is_https: bool) {
    put(headers, CONTENT_SECURITY_POLICY, ASSET);
    put(headers, RESOURCE, "same-origin");
    add_to_all(headers, is_https);
}

fn add_to_all(headers: &mut HeaderMap, is_https: bool) {
    // Other sites do not learn where a visitor comes from. `no-referrer` would also remove the `Origin` from our own
    // forms.
    put(headers, REFERRER_POLICY, "same-origin");
    put(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(headers, X_FRAME_OPTIONS, "DENY");
    if is_https {
        put(headers, STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::pages::Part;

    fn headers(kind: PageKind, is_https: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        add(&mut headers, kind, is_https);
        headers
    }

    #[test]
    fn no_page_allows_more_than_it_needs() {
        for (kind, holds_forms, cuts_opener) in [
            (PageKind::Consent, false, false),
            (PageKind::Entry, true, true),
            (PageKind::Console(Part::Home), true, true),
        ] {
            let headers = headers(kind, true);
            let policy = headers[CONTENT_SECURITY_POLICY].to_str().expect("text");
            assert!(policy.starts_with("default-src 'none';"), "{kind:?}");
            assert!(policy.contains("frame-ancestors 'none'"), "{kind:?}");
            assert!(!policy.contains("unsafe"), "{kind:?}");
            assert_eq!(
                policy.contains("form-action 'self'"),
                holds_forms,
                "{kind:?}"
            );
            assert_eq!(headers.contains_key(OPENER), cuts_opener, "{kind:?}");
            assert_eq!(headers[CACHE_CONTROL], "no-store");
            assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert_eq!(headers[STRICT_TRANSPORT_SECURITY], HTTPS_ONLY);
        }
        let plain = headers(PageKind::Entry, false);
        assert!(!plain.contains_key(STRICT_TRANSPORT_SECURITY));
    }
}
