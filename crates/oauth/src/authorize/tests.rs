//! The faults of a request that become a page, those that go to the client, and their words.

use proptest::prelude::*;

use super::*;

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn issuer() -> Issuer {
    Issuer::parse("https://mcp.example.com").expect("an origin")
}

/// A valid request with these parameters instead of its own, or beside them (`+`).
fn query(changes: &[(&str, &str)]) -> String {
    let mut pairs = vec![
        ("response_type", "code"),
        ("client_id", "https://client.example/client.json"),
        ("redirect_uri", "http://localhost:4000/callback"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "s1"),
    ];
    for (name, value) in changes {
        match name.strip_prefix('+') {
            Some(name) => pairs.push((name, value)),
            None => {
                pairs.retain(|(known, _)| known != name);
                pairs.push((name, value));
            }
        }
    }
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs);
    form.finish()
}

fn request(changes: &[(&str, &str)]) -> Result<AuthorizeRequest, OauthProblem> {
    let query = ClientQuery::parse(&query(changes)).expect("client and redirect");
    query.request(&issuer())
}

#[test]
fn without_client_or_redirect_there_is_a_page() {
    fn check(query: &str, expected: QueryProblem) {
        assert_eq!(ClientQuery::parse(query).err(), Some(expected), "{query}");
    }
    check("", QueryProblem::NoClient);
    check(&query(&[("client_id", "")]), QueryProblem::NoClient);
    check(&query(&[("redirect_uri", "")]), QueryProblem::NoRedirect);
    for name in ["+client_id", "+redirect_uri"] {
        let found = ClientQuery::parse(&query(&[(name, "https://client.example/")])).err();
        assert!(matches!(found, Some(QueryProblem::Unreadable(_))), "{name}");
    }
    for bad in ["state=%ff", &"a".repeat(LONGEST_QUERY + 1)] {
        let found = ClientQuery::parse(bad).err();
        assert!(matches!(found, Some(QueryProblem::Unreadable(_))));
    }
    let good = ClientQuery::parse(&query(&[])).expect("client and redirect");
    assert_eq!(good.client_id, "https://client.example/client.json");
    assert_eq!(good.redirect_uri, "http://localhost:4000/callback");
}

#[test]
fn a_good_request_is_read() {
    fn check(
        changes: &[(&str, &str)],
        resource: &str,
        scope: AskedScope,
        state: Option<&str>,
        prompt_none: bool,
    ) {
        let expected = AuthorizeRequest {
            state: state.map(str::to_owned),
            challenge: CHALLENGE.to_owned(),
            resource: Resource::parse(resource, &issuer()).expect("one of ours"),
            scope,
            prompt_none,
        };
        assert_eq!(request(changes), Ok(expected), "{changes:?}");
    }
    let (mcp, write) = ("https://mcp.example.com/mcp", AskedScope::Write);
    check(&[], mcp, write, Some("s1"), false);
    check(&[("state", "")], mcp, write, None, false);
    check(&[("resource", mcp)], mcp, write, Some("s1"), false);
    check(&[("resource", "")], mcp, write, Some("s1"), false);
    let slash = [("resource", "https://mcp.example.com/mcp/")];
    check(&slash, mcp, write, Some("s1"), false);
    let narrow = "https://mcp.example.com/mcp/l/acme";
    check(&[("resource", narrow)], narrow, write, Some("s1"), false);
    check(
        &[("scope", "read")],
        mcp,
        AskedScope::Read,
        Some("s1"),
        false,
    );
    let habit = [("scope", "openid claudeai")];
    check(&habit, mcp, write, Some("s1"), false);
    let habits = [
        ("prompt", "consent"),
        ("response_mode", "query"),
        ("nonce", "n"),
    ];
    check(&habits, mcp, write, Some("s1"), false);
    check(&[("prompt", "none")], mcp, write, Some("s1"), true);
    let long = "é".repeat(LONGEST_STATE / 2);
    for state in ["a b+c&d=e%20\"<>\r\n\0", &long] {
        check(&[("state", state)], mcp, write, Some(state), false);
    }
}

#[test]
fn errors_go_back_to_the_client() {
    fn check(changes: &[(&str, &str)], error: &str, part: &str) {
        let problem = request(changes).expect_err(error);
        assert_eq!(problem.error, error, "{changes:?}");
        assert!(problem.description.contains(part), "{changes:?}: {problem}");
    }
    let invalid = "invalid_request";
    check(&[("response_type", "")], invalid, "response_type");
    check(
        &[("response_type", "token")],
        "unsupported_response_type",
        "code",
    );
    check(
        &[("response_type", "code id_token")],
        "unsupported_response_type",
        "code",
    );
    check(&[("response_mode", "fragment")], invalid, "query");
    check(&[("code_challenge", "")], invalid, "43");
    check(&[("code_challenge", "short")], invalid, "43");
    check(
        &[("code_challenge", &format!("{CHALLENGE}="))],
        invalid,
        "43",
    );
    check(&[("code_challenge_method", "")], invalid, "S256");
    check(&[("code_challenge_method", "plain")], invalid, "S256");
    check(&[("code_challenge_method", "s256")], invalid, "S256");
    check(
        &[("resource", "https://evil.example/mcp")],
        "invalid_target",
        "not an MCP endpoint",
    );
    check(
        &[("resource", "https://mcp.example.com/mcp-x")],
        "invalid_target",
        "not an MCP endpoint",
    );
    let mcp = "https://mcp.example.com/mcp";
    check(
        &[("resource", mcp), ("+resource", mcp)],
        "invalid_target",
        "one resource",
    );
    check(
        &[("request", "e30.e30.")],
        "request_not_supported",
        "address",
    );
    check(
        &[("request_uri", "urn:x")],
        "request_uri_not_supported",
        "address",
    );
    check(
        &[("state", &"s".repeat(LONGEST_STATE + 1))],
        invalid,
        "2048",
    );
    for name in [
        "+response_type",
        "+response_mode",
        "+code_challenge",
        "+code_challenge_method",
        "+state",
        "+scope",
        "+prompt",
    ] {
        check(
            &[
                ("scope", "read"),
                ("prompt", "login"),
                ("response_mode", "query"),
                (name, "x"),
            ],
            invalid,
            "more than once",
        );
    }
}

#[test]
fn an_error_has_a_state_only_if_the_request_has_one() {
    let long = "s".repeat(LONGEST_STATE + 1);
    for (changes, expected) in [
        (&[][..], Some("s1")),
        (&[("response_type", "token")], Some("s1")),
        (&[("state", "")], None),
        (&[("+state", "s2")], None),
        (&[("state", &long)], None),
    ] {
        let query = ClientQuery::parse(&query(changes)).expect("client and redirect");
        assert_eq!(query.state(), expected);
    }
}

#[test]
fn an_answer_keeps_the_query_of_the_redirect() {
    let answer = [("code", "hlc_x"), ("state", "a b+c&d=é\r\n")];
    let sent = "code=hlc_x&state=a%20b%2Bc%26d%3D%C3%A9%0D%0A&iss=https%3A%2F%2Fmcp.example.com";
    for (redirect, expected) in [
        (
            "http://localhost:4000/cb",
            format!("http://localhost:4000/cb?{sent}"),
        ),
        (
            "https://client.example/cb?a=b",
            format!("https://client.example/cb?a=b&{sent}"),
        ),
        (
            "https://client.example/cb?",
            format!("https://client.example/cb?{sent}"),
        ),
        (
            "https://client.example/cb?a&",
            format!("https://client.example/cb?a&{sent}"),
        ),
        (
            "cursor://anysphere.cursor-mcp/oauth/callback",
            format!("cursor://anysphere.cursor-mcp/oauth/callback?{sent}"),
        ),
        ("com.example.app:/cb", format!("com.example.app:/cb?{sent}")),
    ] {
        let parsed = RedirectUri::parse(redirect).expect(redirect);
        assert_eq!(redirect_with(&parsed, &issuer(), &answer), expected);
    }
}

proptest! {
    #[test]
    fn a_state_comes_back_as_it_came(state in ".{1,200}") {
        let asked = request(&[("state", &state)]).expect("a request");
        prop_assert_eq!(asked.state.as_deref(), Some(state.as_str()));
        let redirect = RedirectUri::parse("https://client.example/cb?x=1").expect("a redirect");
        let address = redirect_with(&redirect, &issuer(), &[("state", &state)]);
        let address = url::Url::parse(&address).expect("an address");
        let pairs: Vec<_> = address.query_pairs().into_owned().collect();
        prop_assert_eq!(&pairs[1], &("state".to_owned(), state));
        prop_assert_eq!(&pairs[2].1, "https://mcp.example.com");
        prop_assert_eq!(pairs.len(), 3);
    }

    #[test]
    fn no_query_panics(query in any::<String>(), changed in any::<String>(), place in 0_usize..300) {
        if let Ok(query) = ClientQuery::parse(&query) {
            let _ = query.request(&issuer());
        }
        let mut good = self::query(&[]);
        let place = place.min(good.len());
        good.insert_str(place, &changed);
        if let Ok(query) = ClientQuery::parse(&good) {
            let _ = query.request(&issuer());
        }
    }
}
