//! Invariants for every input of a client that signs in.

use axum::http::{HeaderMap, HeaderValue, header};
use oauth::{
    AskedGrant, ClientDocument, ClientQuery, Destination, DocumentUrl, Issuer, OauthProblem,
    RedirectUri, Registration, Resource, RevocationRequest, TokenRequest, challenge, redirect_with,
};
use reqwest::Url;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::input::{headers, parted};

const ISSUER: &str = "https://mcp.example.com";

fn issuer() -> Issuer {
    Issuer::parse(ISSUER).expect("an origin")
}

/// A registered redirect address and, on the next line, the requested one. An accepted address differs at most in a
/// port of this computer, and leads to the host that the person is shown.
pub(super) fn redirects(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (named, asked) = text.split_once('\n').unwrap_or((&text, ""));
    let Ok(named) = RedirectUri::parse(named) else {
        return;
    };
    leads_there(&named);
    if !named.matches(asked) {
        return;
    }
    leads_there(&RedirectUri::parse(asked).expect("what is taken is an address"));
    if asked == named.as_str() {
        return;
    }
    let [named, mut asked] = [named.as_str(), asked].map(|one| one.parse::<Url>().expect("a URL"));
    asked.set_port(named.port()).expect("a host");
    assert_eq!(named, asked);
    assert_eq!(named.scheme(), "http");
}

/// Whether a browser reads the same address as our parser.
fn leads_there(redirect: &RedirectUri) {
    let url: Url = redirect.as_str().parse().expect("a URL");
    let host = url.host_str().unwrap_or_default();
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
    match redirect.goes_to() {
        Destination::Site(shown) => assert_eq!(("https", host), (url.scheme(), &*shown)),
        Destination::ThisComputer { host: shown } => {
            assert!(["localhost", "127.0.0.1", "[::1]"].contains(&host));
            assert_eq!(shown, host);
        }
        Destination::Program(scheme) => {
            assert_eq!(scheme, url.scheme());
            assert!(!["http", "https", "javascript", "data", "file"].contains(&&*scheme));
        }
    }
}

/// The id of a client and, from the next line on, its document or its registration.
pub(super) fn clients(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n');
    let (id, said) = input.split_at(end.unwrap_or(input.len()));
    let said = said.get(1..).unwrap_or_default();
    match Registration::parse(said) {
        Ok(registration) => shows(&registration.name, &registration.redirects),
        Err(problem) => explains(&problem),
    }
    let id = String::from_utf8_lossy(id);
    let Some(url) = DocumentUrl::parse(&id) else {
        return;
    };
    let address: Url = id.parse().expect("a URL");
    assert_eq!((address.scheme(), address.as_str()), ("https", &*id));
    if let Ok(document) = ClientDocument::parse(&url, said) {
        let said: Value = serde_json::from_slice(said).expect("JSON");
        assert_eq!(said["client_id"], *id);
        shows(&document.name, &document.redirects);
    }
}

fn shows(name: &str, redirects: &[RedirectUri]) {
    assert!(!name.is_empty() && name.chars().count() <= 60, "{name:?}");
    assert!(!name.contains(|one: char| one.is_control() || one == '\u{202e}'));
    assert!(!redirects.is_empty());
    redirects.iter().for_each(leads_there);
}

/// The query of an authorization request. It is refused, or its answer goes to its redirect address with its state.
pub(super) fn authorize(input: &[u8]) {
    let Ok(query) = ClientQuery::parse(&String::from_utf8_lossy(input)) else {
        return;
    };
    let request = match query.request(&issuer()) {
        Ok(request) => request,
        Err(problem) => return explains(&problem),
    };
    assert_eq!(request.challenge.len(), 43);
    let resource = Resource::parse(request.resource.as_str(), &issuer());
    assert_eq!(resource, Some(request.resource));
    assert_eq!(query.state(), request.state.as_deref());
    let Ok(redirect) = RedirectUri::parse(&query.redirect_uri) else {
        return;
    };
    let state = request.state.unwrap_or_default();
    let answer = [("code", "hlc_1"), ("state", &*state)];
    let address = redirect_with(&redirect, &issuer(), &answer);
    assert!(address.starts_with(redirect.as_str()));
    assert!(HeaderValue::from_str(&address).is_ok(), "{address:?}");
    let address: Url = address.parse().expect("a URL");
    let pairs: Vec<(String, String)> = address.query_pairs().into_owned().collect();
    let expected = [("code", "hlc_1"), ("state", &*state), ("iss", ISSUER)];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert!(pairs.ends_with(&expected), "{pairs:?}");
}

/// Header lines, an empty line, a form. It is refused or read. No secret is shown.
pub(super) fn tokens(input: &[u8]) {
    let (lines, form) = parted(input);
    let headers = headers(&lines);
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (kind, credentials) = (text(header::CONTENT_TYPE), text(header::AUTHORIZATION));
    if let Err(problem) = RevocationRequest::parse(kind, credentials, form) {
        explains(&problem);
    }
    let request = match TokenRequest::parse(kind, credentials, form) {
        Ok(request) => request,
        Err(problem) => return explains(&problem),
    };
    assert!(!request.client.id.is_empty());
    let given = match &request.grant {
        AskedGrant::Code { code, .. } => code,
        AskedGrant::Refresh { token, .. } => token,
    };
    let shown = format!("{request:?}");
    let given = given.expose_secret();
    // A short secret may occur in any word.
    assert!(given.len() < 12 || !shown.contains(given), "{shown}");
}

/// A problem goes into a header and into an address.
fn explains(problem: &OauthProblem) {
    assert!(matches!(problem.status, 400 | 401), "{problem:?}");
    let description = problem.description.as_bytes();
    let fits = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    assert!(!description.is_empty() && description.iter().all(fits));
}

/// The path of an endpoint and, on the next line, the description of an error. The result is one header, and its only
/// quotes are ours.
pub(super) fn challenges(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (path, said) = text.split_once('\n').unwrap_or((&text, ""));
    let header = challenge(&issuer(), path, Some(("invalid_token", said)));
    let mut headers = HeaderMap::new();
    let value = HeaderValue::from_str(&header).expect("a header");
    headers.insert(header::WWW_AUTHENTICATE, value);
    let parts: Vec<&str> = header.split('"').collect();
    assert_eq!(parts.len(), 9, "{header}");
    let well_known = format!("{ISSUER}/.well-known/oauth-protected-resource");
    assert!(parts[1].starts_with(&well_known), "{header}");
    let names = [parts[0], parts[2], parts[4], parts[6]];
    let expected = [
        "Bearer resource_metadata=",
        ", scope=",
        ", error=",
        ", error_description=",
    ];
    assert_eq!(names, expected, "{header}");
}
