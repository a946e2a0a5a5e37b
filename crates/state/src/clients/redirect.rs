//! Checks that a redirect is one that the client names.

/// Hosts of the client's own computer, on which a program uses any free port.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// The same text, or, on the client's own computer, the same except for the port.
pub(super) fn is_same_redirect(named: &str, used: &str) -> bool {
    let same_but_port = || Some(without_port(named)? == without_port(used)?);
    named == used || same_but_port().unwrap_or(false)
}

/// Host and the part after the port, for plain HTTP to the client's own computer.
fn without_port(redirect: &str) -> Option<(&'static str, &str)> {
    let rest = redirect.strip_prefix("http://")?;
    LOOPBACK.into_iter().find_map(|host| {
        let rest = rest.strip_prefix(host)?;
        let path = match rest.strip_prefix(':') {
            Some(port) => port.trim_start_matches(|letter: char| letter.is_ascii_digit()),
            None => rest,
        };
        (path.is_empty() || path.starts_with(['/', '?'])).then_some((host, path))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_the_same_but_for_a_loopback_port() {
        for (named, used, same) in [
            ("https://a.example/cb", "https://a.example/cb", true),
            ("https://a.example/cb", "https://a.example:8/cb", false),
            ("https://a.example/cb", "https://a.example/cb/", false),
            ("cursor://a/cb", "cursor://a/cb", true),
            ("cursor://a/cb", "cursor://b/cb", false),
            ("http://localhost/cb", "http://localhost:5173/cb", true),
            ("http://127.0.0.1:33418/", "http://127.0.0.1:1/", true),
            ("http://[::1]:1/cb", "http://[::1]/cb", true),
            ("http://localhost", "http://localhost:1", true),
            ("http://localhost/cb", "http://127.0.0.1/cb", false),
            ("http://localhost/cb", "http://localhost:1/other", false),
            ("http://localhost/cb", "http://localhost.evil.com/cb", false),
            (
                "http://localhost/cb",
                "http://localhost:1@evil.com/cb",
                false,
            ),
            ("http://localhost/cb", "https://localhost/cb", false),
        ] {
            assert_eq!(is_same_redirect(named, used), same, "{named} {used}");
        }
    }
}
