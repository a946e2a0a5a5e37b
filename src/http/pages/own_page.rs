//! Checks that a form was sent by a page of ours: no other site can make a change.

use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, StatusCode};

use super::notice::PageProblem;

/// `own`: the origin of the settings for people.
pub(in crate::http) fn own_page_only(headers: &HeaderMap, own: &str) -> Result<(), PageProblem> {
    let mut origins = headers.get_all(ORIGIN).iter();
    let is_own = match (origins.next(), origins.next()) {
        (Some(origin), None) => origin.as_bytes().eq_ignore_ascii_case(own.as_bytes()),
        (None, None) => headers
            .get("sec-fetch-site")
            .is_some_and(|site| site.as_bytes() == b"same-origin"),
        _ => false,
    };
    if is_own {
        return Ok(());
    }
    Err(PageProblem::new(
        StatusCode::FORBIDDEN,
        "This form came from another website",
        "Nothing was done, because your browser says that the form was not sent by a page of this server. Open the \
         page again and use its buttons.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_send_forms() {
        fn check(headers: &[(&'static str, &str)], expected: bool) {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, value.parse().expect("a value"));
            }
            let checked = own_page_only(&map, "https://mcp.example.test");
            assert_eq!(checked.is_ok(), expected, "{headers:?}");
        }
        check(&[("origin", "https://mcp.example.test")], true);
        check(&[("sec-fetch-site", "same-origin")], true);
        check(&[], false);
        check(&[("origin", "null")], false);
        check(&[("origin", "http://mcp.example.test")], false);
        check(&[("origin", "https://mcp.example.test:8443")], false);
        check(
            &[("origin", "https://mcp.example.test.evil.example")],
            false,
        );
        check(&[("sec-fetch-site", "same-site")], false);
        check(&[("sec-fetch-site", "none")], false);
        let both = |site| [("origin", "https://evil.example"), ("sec-fetch-site", site)];
        check(&both("same-origin"), false);
        check(
            &[
                ("origin", "https://mcp.example.test"),
                ("origin", "https://evil.example"),
            ],
            false,
        );
    }
}
