//! Forms and headers as clients send them.

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;

const FORM: &str = "application/x-www-form-urlencoded";

const CODE: &str = "grant_type=authorization_code&code=hlc_1&code_verifier=v1";

/// Id, secret, and whether they came in the header.
type Shown = (String, Option<String>, bool);

fn header(credentials: &str) -> String {
    format!("Basic {}", STANDARD.encode(credentials))
}

fn shown(client: &ClientAuthentication) -> Shown {
    let secret = client.secret.as_ref();
    let secret = secret.map(|secret| secret.expose_secret().to_owned());
    (client.id.clone(), secret, client.by_header)
}

#[test]
fn clients_authenticate_by_header_or_form() {
    fn check(
        authorization: Option<&str>,
        form: &str,
        id: &str,
        secret: Option<&str>,
        by_header: bool,
    ) {
        let body = format!("{CODE}&{form}");
        let request = TokenRequest::parse(Some(FORM), authorization, body.as_bytes());
        let request =
            request.unwrap_or_else(|problem| panic!("{authorization:?} {form}: {problem}"));
        let expected = (id.to_owned(), secret.map(str::to_owned), by_header);
        assert_eq!(shown(&request.client), expected, "{authorization:?} {form}");
    }
    check(None, "client_id=c1", "c1", None, false);
    check(None, "client_id=c1&client_secret=", "c1", None, false);
    check(
        None,
        "client_id=c1&client_secret=s%3A1",
        "c1",
        Some("s:1"),
        false,
    );
    let url = "https://client.example/client.json";
    check(
        None,
        "client_id=https%3A%2F%2Fclient.example%2Fclient.json",
        url,
        None,
        false,
    );
    check(Some(&header("c1:s1")), "", "c1", Some("s1"), true);
    check(Some(&header("c1:")), "", "c1", None, true);
    check(Some(&header("c1:s:1:2")), "", "c1", Some("s:1:2"), true);
    check(
        Some(&header("c%3A1:s%2B1+2%25")),
        "",
        "c:1",
        Some("s+1 2%"),
        true,
    );
    check(
        Some(&header("https%3A%2F%2Fclient.example%2Fclient.json:")),
        "",
        url,
        None,
        true,
    );
    check(
        Some(&header("c1:s1")),
        "client_id=c1",
        "c1",
        Some("s1"),
        true,
    );
    check(
        Some(&header("c1:s1")),
        "client_id=c1&client_secret=",
        "c1",
        Some("s1"),
        true,
    );
    check(
        Some(&header("c1:s1").replace("Basic ", "bAsIc  ")),
        "",
        "c1",
        Some("s1"),
        true,
    );
    // A header that the client means for another server.
    check(Some("Bearer hla_old"), "client_id=c1", "c1", None, false);
}

#[test]
fn valid_token_requests_are_read() {
    let read = |body: &str| TokenRequest::parse(Some(FORM), None, body.as_bytes());
    let code = read(&format!(
        "{CODE}&client_id=c1&redirect_uri=http%3A%2F%2Flocalhost%3A4000%2Fcb&resource=https%3A%2F%2Fmcp.example.com%2Fmcp"
    ));
    match code.expect("a request").grant {
        AskedGrant::Code {
            code,
            redirect,
            verifier,
            resource,
        } => {
            assert_eq!(code.expose_secret(), "hlc_1");
            assert_eq!(verifier.expose_secret(), "v1");
            assert_eq!(redirect.as_deref(), Some("http://localhost:4000/cb"));
            assert_eq!(resource.as_deref(), Some("https://mcp.example.com/mcp"));
        }
        AskedGrant::Refresh { .. } => panic!("a code"),
    }
    for (scope, expected) in [
        ("", None),
        ("&scope=", None),
        ("&scope=openid", None),
        ("&scope=read", Some(AskedScope::Read)),
        ("&scope=read+write+offline_access", Some(AskedScope::Write)),
    ] {
        let refresh = read(&format!(
            "grant_type=refresh_token&refresh_token=hlr_1&client_id=c1{scope}"
        ));
        match refresh.expect("a request").grant {
            AskedGrant::Refresh {
                token,
                scope: found,
                resource,
            } => {
                assert_eq!(token.expose_secret(), "hlr_1");
                assert_eq!((found, resource), (expected, None), "{scope}");
            }
            AskedGrant::Code { .. } => panic!("a refresh token"),
        }
    }
    let charset = "Application/X-WWW-Form-Urlencoded; charset=UTF-8";
    let body = format!("{CODE}&client_id=c1");
    assert!(TokenRequest::parse(Some(charset), None, body.as_bytes()).is_ok());
    let ended = RevocationRequest::parse(
        Some(FORM),
        None,
        b"token=hlr_1&token_type_hint=x&client_id=c1",
    );
    assert_eq!(ended.expect("a request").token.expose_secret(), "hlr_1");
}

#[test]
fn wrong_token_requests_get_their_error() {
    fn check(
        content_type: Option<&str>,
        authorization: Option<&str>,
        body: &str,
        status: u16,
        error: &str,
        part: &str,
    ) {
        let problem = TokenRequest::parse(content_type, authorization, body.as_bytes());
        let problem = problem.expect_err(body);
        assert_eq!(
            (problem.status, problem.error),
            (status, error),
            "{authorization:?} {body}"
        );
        assert!(problem.description.contains(part), "{body}: {problem}");
        assert!(!problem.description.contains("hlc_"), "{problem}");
    }
    let (invalid, unknown) = ("invalid_request", "invalid_client");
    let client = format!("{CODE}&client_id=c1");
    for content_type in [
        None,
        Some(""),
        Some("application/json"),
        Some("multipart/form-data; boundary=x"),
    ] {
        check(content_type, None, &client, 400, invalid, "a form");
    }
    let form = Some(FORM);
    check(form, None, "", 400, invalid, "grant_type");
    check(form, None, "client_id=c1", 400, invalid, "grant_type");
    check(
        form,
        None,
        "grant_type=password&client_id=c1",
        400,
        "unsupported_grant_type",
        "authorization_code",
    );
    check(
        form,
        None,
        "grant_type=client_credentials&client_id=c1",
        400,
        "unsupported_grant_type",
        "refresh_token",
    );
    check(form, None, CODE, 401, unknown, "client_id");
    check(
        form,
        None,
        "grant_type=authorization_code&client_id=c1&code=hlc_1",
        400,
        invalid,
        "code_verifier",
    );
    check(
        form,
        None,
        "grant_type=authorization_code&client_id=c1&code_verifier=v",
        400,
        invalid,
        "no code.",
    );
    check(
        form,
        None,
        "grant_type=refresh_token&client_id=c1",
        400,
        invalid,
        "refresh_token",
    );
    check(
        form,
        None,
        &format!("{client}&x=%ff"),
        400,
        invalid,
        "UTF-8",
    );
    for repeated in [
        "client_id=c1",
        "client_secret=s&client_secret=s",
        "code=hlc_2",
        "code_verifier=v",
        "grant_type=x",
        "redirect_uri=a&redirect_uri=a",
    ] {
        check(
            form,
            None,
            &format!("{client}&{repeated}"),
            400,
            invalid,
            "more than once",
        );
    }
    check(
        form,
        None,
        &format!("{client}&resource=a&resource=b"),
        400,
        "invalid_target",
        "one resource",
    );
    check(
        form,
        Some(&header("c1:s1")),
        &format!("{client}&client_secret=s1"),
        400,
        invalid,
        "Send it once",
    );
    check(
        form,
        Some(&header("c2:s1")),
        &client,
        400,
        invalid,
        "different",
    );
    for bad in [
        "Basic",
        "Basic ",
        "Basic !",
        &header("c1"),
        &header(":s1"),
        &header("c1:%ff"),
        &header("%ff:s1"),
        "Basic YzE6czE",
    ] {
        check(form, Some(bad), &client, 401, unknown, "base64");
    }
}

#[test]
fn secrets_are_not_shown() {
    let body = format!("{CODE}&client_id=c1&client_secret=s3cret");
    let request = TokenRequest::parse(Some(FORM), None, body.as_bytes()).expect("a request");
    let shown = format!("{request:?}");
    for secret in ["hlc_1", "v1", "s3cret"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

proptest! {
    #[test]
    fn basic_credentials_are_decoded(id in ".{1,40}", secret in ".{0,40}") {
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let header = header(&format!("{}:{}", encode(&id), encode(&secret)));
        let request = TokenRequest::parse(Some(FORM), Some(&header), CODE.as_bytes()).expect("a request");
        prop_assert_eq!(shown(&request.client), (id, Some(secret).filter(|one| !one.is_empty()), true));
    }

    #[test]
    fn no_bytes_panic(header in any::<String>(), credentials in any::<Vec<u8>>(), body in any::<Vec<u8>>()) {
        let _ = TokenRequest::parse(Some(FORM), Some(&header), &body);
        let basic = format!("Basic {}", STANDARD.encode(credentials));
        let _ = TokenRequest::parse(Some(FORM), Some(&basic), CODE.as_bytes());
        let _ = RevocationRequest::parse(Some(FORM), Some(&basic), &body);
    }
}
