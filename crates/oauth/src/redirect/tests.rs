//! The accepted addresses, the ones that count as equal, and that no others ever do.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> RedirectUri {
    RedirectUri::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"))
}

#[test]
fn redirects_of_known_clients_are_accepted_and_shown() {
    fn check(text: &str, expected: Destination) {
        let redirect = parse(text);
        assert_eq!(redirect.goes_to(), expected, "{text}");
        assert_eq!(redirect.as_str(), text);
        assert!(redirect.matches(text), "{text}");
    }
    let site = |host: &str| Destination::Site(host.to_owned());
    let program = |scheme: &str| Destination::Program(scheme.to_owned());
    let here = |host: &str| Destination::ThisComputer {
        host: host.to_owned(),
    };
    // Claude, ChatGPT, VS Code, Cursor, n8n, Codex, Gemini, Goose, opencode.
    check("https://claude.ai/api/mcp/auth_callback", site("claude.ai"));
    check(
        "https://claude.com/api/mcp/auth_callback",
        site("claude.com"),
    );
    check(
        "https://chatgpt.com/connector_platform_oauth_redirect",
        site("chatgpt.com"),
    );
    check("https://vscode.dev/redirect", site("vscode.dev"));
    check(
        "https://insiders.vscode.dev/redirect",
        site("insiders.vscode.dev"),
    );
    check("http://127.0.0.1/", here("127.0.0.1"));
    check("http://127.0.0.1:33418/", here("127.0.0.1"));
    check(
        "cursor://anysphere.cursor-mcp/oauth/callback",
        program("cursor"),
    );
    check("http://localhost:8787/callback", here("localhost"));
    check(
        "https://www.cursor.com/agents/mcp/oauth/callback",
        site("www.cursor.com"),
    );
    check(
        "https://oauth.n8n.cloud/oauth2/callback",
        site("oauth.n8n.cloud"),
    );
    check(
        "https://n8n.example.com:5678/rest/oauth2-credential/callback?a=b",
        site("n8n.example.com"),
    );
    check("http://localhost/callback", here("localhost"));
    check(
        "http://127.0.0.1:19876/mcp/oauth/callback",
        here("127.0.0.1"),
    );
    check("http://[::1]:4000/cb", here("[::1]"));
    check("http://[::1]/cb", here("[::1]"));
    check("https://localhost:8443/cb", here("localhost"));
    check("http://LOCALHOST:1/cb", here("localhost"));
    check("com.example.app:/oauth", program("com.example.app"));
    check("raycast://oauth?package_name=x", program("raycast"));
    check("vscode://vscode.github-authentication/x", program("vscode"));
}

#[test]
fn other_addresses_are_refused() {
    fn check(text: &str, expected: RedirectProblem) {
        assert_eq!(RedirectUri::parse(text), Err(expected), "{text:?}");
    }
    use RedirectProblem as Problem;
    for scheme in NO_PROGRAMS {
        check(&format!("{scheme}:alert(1)"), Problem::Scheme);
        let mixed = format!("{}{}", scheme[..1].to_uppercase(), &scheme[1..]);
        check(&format!("{mixed}:alert(1)"), Problem::Scheme);
        for before in [" ", "\t", "\0", "\n", "\u{a0}"] {
            check(&format!("{before}{scheme}:alert(1)"), Problem::Letters);
        }
    }
    check("java\tscript:alert(1)", Problem::Letters);
    check("ftp://example.com/", Problem::Scheme);
    check("FILE:///etc/passwd", Problem::Scheme);
    check("localhost:3000/callback", Problem::Scheme);
    check("c:/windows/system32", Problem::Scheme);
    check("https://example.com/cb#", Problem::Fragment);
    check("https://example.com/cb#x", Problem::Fragment);
    check("cursor://x#y", Problem::Fragment);
    check("https://me@example.com/cb", Problem::User);
    check("https://me:pw@example.com/cb", Problem::User);
    check("https://@example.com/cb", Problem::User);
    check("http://localhost@evil.example/cb", Problem::User);
    check("http://localhost:1@evil.example/cb", Problem::User);
    check("cursor://me@x/cb", Problem::User);
    check("", Problem::NoAddress);
    check("/callback", Problem::NoAddress);
    check("callback", Problem::NoAddress);
    check("//evil.example/cb", Problem::NoAddress);
    check("https:", Problem::NoAddress);
    check("https://", Problem::NoAddress);
    check("https:evil.example/cb", Problem::NoAddress);
    check("https:/evil.example/cb", Problem::NoAddress);
    check("https:///evil.example/cb", Problem::Host);
    check("https://example.com/a b", Problem::Letters);
    check("https://example.com\\@evil.example/", Problem::Letters);
    check("https://bücher.example/", Problem::Letters);
    check("https://ex%61mple.com/", Problem::Host);
    check("http://example.com/cb", Problem::Plaintext);
    check("HTTP://example.com/cb", Problem::Plaintext);
    check("http://localhost.evil.com/cb", Problem::Plaintext);
    check("http://127.0.0.1.nip.io/cb", Problem::Plaintext);
    check("http://127.0.0.1.evil.com:80/cb", Problem::Plaintext);
    check("http://0.0.0.0/cb", Problem::Plaintext);
    check("http://127.0.0.2/cb", Problem::Plaintext);
    check("http://192.168.1.2/cb", Problem::Plaintext);
    check("http://[::ffff:127.0.0.1]/cb", Problem::Host);
    check("http://127.1/cb", Problem::Host);
    check("http://0x7f.0.0.1/cb", Problem::Host);
    check("http://2130706433/cb", Problem::Host);
    check("http://localhost./cb", Problem::Plaintext);
    check("http://localhost:99999/cb", Problem::NoAddress);
    check(
        &format!("https://example.com/{}", "a".repeat(LONGEST)),
        Problem::TooLong,
    );
}

#[test]
fn only_the_port_of_this_computer_may_differ() {
    fn check(known: &str, asked: &str, expected: bool) {
        assert_eq!(parse(known).matches(asked), expected, "{known} {asked}");
    }
    // Documents without a port, with another, and the reverse.
    check(
        "http://localhost/callback",
        "http://localhost:51789/callback",
        true,
    );
    check("http://127.0.0.1:33418/", "http://127.0.0.1:40001/", true);
    check("http://localhost:8787/cb", "http://localhost/cb", true);
    check("http://[::1]/cb", "http://[::1]:5/cb", true);
    check("http://localhost/cb?a=1", "http://localhost:5/cb?a=1", true);
    check("http://localhost/cb", "http://127.0.0.1:5/cb", false);
    check("http://localhost/cb", "http://localhost:5/cb/", false);
    check("http://localhost/cb", "http://localhost:5/CB", false);
    check("http://localhost/cb", "http://localhost:5/cb?a=1", false);
    check("http://localhost/cb", "http://localhost:5/cb#a", false);
    check("http://localhost/cb", "https://localhost:5/cb", false);
    check("http://localhost/cb", "http://me@localhost:5/cb", false);
    check(
        "http://localhost/cb",
        "http://localhost:5@evil.example/cb",
        false,
    );
    check(
        "http://localhost/cb",
        "http://localhost.evil.com:5/cb",
        false,
    );
    check("http://localhost/cb", "http://localhost:5/../cb", false);
    check("http://localhost/cb", "http://localhost:5\\cb", false);
    check("http://localhost/cb", " http://localhost:5/cb", false);
    check("https://localhost/cb", "https://localhost:5/cb", false);
    check(
        "https://example.com/cb",
        "https://example.com:444/cb",
        false,
    );
    check(
        "https://example.com/cb",
        "https://example.com:443/cb",
        false,
    );
    check("https://example.com/cb", "https://example.com/cb/", false);
    check("https://example.com/cb", "https://EXAMPLE.com/cb", false);
    check(
        "https://example.com/cb",
        "https://example.com/cb?x=1",
        false,
    );
    check(
        "https://example.com/cb",
        "https://sub.example.com/cb",
        false,
    );
    check("cursor://a/cb", "cursor://a:5/cb", false);
    check("cursor://a/cb", "cursor://a/cb/x", false);
}

/// Pieces of addresses in random order.
fn address() -> impl Strategy<Value = String> {
    let scheme = "(http|https|cursor|HTTP|javascript|[a-z.+-]{0,6})";
    let slashes = "(://|:/|:|///|)";
    let user = "(me@|:@|@|)";
    let host = "(localhost|127\\.0\\.0\\.1|\\[::1\\]|example\\.com|localhost\\.evil\\.com|0x7f\\.1|[a-z%\\\\.]{0,8})";
    let port = "(:[0-9]{0,5}|)";
    let rest = "(/cb|/|/cb\\?a=1|[ -~]{0,8})";
    let pattern = format!("{scheme}{slashes}{user}{host}{port}{rest}");
    proptest::string::string_regex(&pattern).expect("a pattern")
}

/// `text` without the first number after its host, computed independently of the tested code.
fn without_port(text: &str) -> String {
    for host in ["http://localhost", "http://127.0.0.1", "http://[::1]"] {
        let prefix = text.get(..host.len()).unwrap_or_default();
        let Some(rest) = text
            .get(host.len()..)
            .filter(|_| prefix.eq_ignore_ascii_case(host))
        else {
            continue;
        };
        let Some(port) = rest.strip_prefix(':') else {
            continue;
        };
        return format!(
            "{prefix}{}",
            port.trim_start_matches(|letter: char| letter.is_ascii_digit())
        );
    }
    text.to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_redirect_must_be_registered_except_for_a_port_of_this_computer(
        known in address(),
        asked in address(),
        port in any::<u16>(),
    ) {
        let Ok(known) = RedirectUri::parse(&known) else { return Ok(()) };
        for asked in [asked.clone(), known.as_str().replacen("/cb", &format!(":{port}/cb"), 1), asked + "/cb"] {
            if known.matches(&asked) {
                prop_assert_eq!(without_port(&asked), without_port(known.as_str()));
                prop_assert!(RedirectUri::parse(&asked).is_ok());
            }
        }
    }

    #[test]
    fn accepted_redirects_lead_browsers_to_the_same_place(text in address()) {
        let Ok(redirect) = RedirectUri::parse(&text) else { return Ok(()) };
        let url = Url::parse(&text).expect("an address");
        let host = url.host_str().unwrap_or_default().to_owned();
        match redirect.goes_to() {
            Destination::Site(shown) => {
                prop_assert_eq!(url.scheme(), "https");
                prop_assert_eq!(shown, host);
            }
            Destination::ThisComputer { host: shown } => {
                prop_assert!(LOOPBACK.contains(&shown.as_str()));
                prop_assert_eq!(shown, host);
            }
            Destination::Program(scheme) => {
                prop_assert_eq!(url.scheme(), scheme.as_str());
                prop_assert!(!["http", "https"].contains(&scheme.as_str()));
                prop_assert!(!NO_PROGRAMS.contains(&scheme.as_str()));
            }
        }
        prop_assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
    }

    #[test]
    fn no_text_panics(text in any::<String>(), other in any::<String>()) {
        if let Ok(redirect) = RedirectUri::parse(&text) {
            let _ = redirect.matches(&other);
        }
    }
}
