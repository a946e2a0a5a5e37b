//! Codes and refresh tokens are exchanged for tokens, as programs request them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use reqwest::Method;

use super::Reply;
use super::program::{
    Form, Program, VERIFIER, allow, field, new_grant, number, ping, post, register, request, send,
    sql, start,
};
use state::grants::{GrantScope, NewGrant};

#[track_caller]
pub(super) fn check(name: &str, reply: &Reply, (status, error): (u16, &str)) {
    assert_eq!(reply.status, status, "{name}: {}", reply.text());
    assert_eq!(reply.header("cache-control"), "no-store", "{name}");
    assert_eq!(reply.header("access-control-allow-origin"), "*", "{name}");
    assert_eq!(
        reply.header("access-control-allow-credentials"),
        "",
        "{name}"
    );
    assert_eq!(reply.header("content-type"), "application/json", "{name}");
    let body = reply.json();
    assert_eq!(body["error"].as_str().unwrap_or_default(), error, "{name}");
    let challenge = reply.header("www-authenticate");
    assert_eq!(challenge.starts_with("Basic "), status == 401, "{name}");
    if status == 200 {
        assert!(
            body["access_token"]
                .as_str()
                .is_some_and(|text| text.starts_with("hla_"))
        );
        assert!(
            body["refresh_token"]
                .as_str()
                .is_some_and(|text| text.starts_with("hlr_"))
        );
        assert_eq!(body["token_type"], "Bearer", "{name}");
    } else {
        assert!(!field(&body, "error_description").is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_code_gives_tokens_that_open_mcp() {
    let server = start(&[]).await;
    let (id, _) = register(&server, "none").await;
    for (scope, word) in [
        (GrantScope::Read, "read"),
        (GrantScope::Write, "read write"),
    ] {
        let new = NewGrant {
            scope,
            ..new_grant(&server, &id)
        };
        let code = allow(&server, new).await;
        let reply = post(&server, "/token", &[], &Form::code(&id, &code)).await;
        check(word, &reply, (200, ""));
        let body = reply.json();
        assert_eq!(body["scope"], word);
        assert_eq!(body["expires_in"], 24 * 60 * 60);
        assert_eq!(reply.header("pragma"), "no-cache");
        let opened = ping(&server, &field(&body, "access_token")).await;
        assert_eq!(opened.status, 200, "{}", opened.text());
    }
}

/// The refusals of a faulty request with a code, and the right request after each. Only showing a code twice uses it
/// up.
#[tokio::test]
async fn a_refused_code_names_its_fault() {
    type Change = fn(Form) -> Form;
    let grant = (400, "invalid_grant");
    let request = (400, "invalid_request");
    #[rustfmt::skip]
    let rows: &[(&str, Change, (u16, &str))] = &[
        ("no verifier", |form| form.without("code_verifier"), request),
        ("an empty verifier", |form| form.set("code_verifier", ""), request),
        ("another verifier", |form| form.set("code_verifier", &VERIFIER.replace('d', "e")), grant),
        ("another redirect", |form| form.set("redirect_uri", "http://127.0.0.1:5174/callback"), grant),
        ("a longer redirect", |form| form.set("redirect_uri", "http://127.0.0.1:5173/callback/"), grant),
        ("another code", |form| form.set("code", "hlc_another"), grant),
        ("no code", |form| form.without("code"), request),
        ("two codes", |form| form.with("code", "hlc_another"), request),
        ("another resource", |form| form.set("resource", "https://evil.example/mcp"), (400, "invalid_target")),
        ("nearly the resource", |form| form.set("resource", "https://mcp.example.test/mcp-x"), (400, "invalid_target")),
        ("a narrower resource", |form| form.set("resource", "https://mcp.example.test/mcp/l/a"), (400, "invalid_target")),
        ("the whole origin", |form| form.set("resource", "https://mcp.example.test"), (400, "invalid_target")),
        ("two resources", |form| form.with("resource", "https://evil.example/mcp"), (400, "invalid_target")),
        ("no grant type", |form| form.without("grant_type"), request),
        ("another grant type", |form| form.set("grant_type", "password"), (400, "unsupported_grant_type")),
        ("two grant types", |form| form.with("grant_type", "refresh_token"), request),
        ("no client", |form| form.without("client_id"), (401, "invalid_client")),
        ("an unknown client", |form| form.set("client_id", "cli_unknown"), (401, "invalid_client")),
        ("two clients", |form| form.with("client_id", "cli_unknown"), request),
        ("right, and more", |form| form.with("audience", "x"), (200, "")),
        // OAuth 2.1 has no redirect address here; PKCE proves the owner of the code.
        ("no redirect", |form| form.without("redirect_uri"), (200, "")),
        ("no resource", |form| form.without("resource"), (200, "")),
        ("a slash behind", |form| form.set("resource", "https://mcp.example.test/mcp/"), (200, "")),
    ];
    let server = start(&[]).await;
    let (id, _) = register(&server, "none").await;
    for (name, change, expected) in rows {
        let code = allow(&server, new_grant(&server, &id)).await;
        let form = Form::code(&id, &code);
        let reply = post(&server, "/token", &[], &change(form.clone())).await;
        check(name, &reply, *expected);
        let then = post(&server, "/token", &[], &form).await;
        let after = if expected.0 == 200 { grant } else { (200, "") };
        check(&format!("{name}, then the right one"), &then, after);
    }
}

#[tokio::test]
async fn a_code_is_its_clients_alone_and_for_a_minute() {
    let server = start(&[]).await;
    let (id, _) = register(&server, "none").await;
    let (other, _) = register(&server, "none").await;
    let code = allow(&server, new_grant(&server, &id)).await;
    let reply = post(&server, "/token", &[], &Form::code(&other, &code)).await;
    check("another client's", &reply, (400, "invalid_grant"));
    sql(&server, "UPDATE code SET expires_at = expires_at - 60001").await;
    let reply = post(&server, "/token", &[], &Form::code(&id, &code)).await;
    check("too late", &reply, (400, "invalid_grant"));
}

#[tokio::test]
async fn a_code_that_is_shown_twice_ends_its_tokens() {
    let server = start(&[]).await;
    let (id, _) = register(&server, "none").await;
    let code = allow(&server, new_grant(&server, &id)).await;
    let form = Form::code(&id, &code);
    let first = post(&server, "/token", &[], &form).await.json();
    let (access, refresh) = (
        field(&first, "access_token"),
        field(&first, "refresh_token"),
    );
    assert_eq!(ping(&server, &access).await.status, 200);
    check(
        "again",
        &post(&server, "/token", &[], &form).await,
        (400, "invalid_grant"),
    );
    assert_eq!(ping(&server, &access).await.status, 401);
    let form = Form::refresh(&id, &refresh);
    check(
        "refresh",
        &post(&server, "/token", &[], &form).await,
        (400, "invalid_grant"),
    );
}

#[tokio::test]
async fn of_twenty_that_show_a_code_at_once_one_has_tokens() {
    let server = start(&[]).await;
    let (id, _) = register(&server, "none").await;
    let code = allow(&server, new_grant(&server, &id)).await;
    let form = Form::code(&id, &code);
    let all = join_all((0..20).map(|_| post(&server, "/token", &[], &form))).await;
    let won = all.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(won, 1);
    for reply in all.iter().filter(|reply| reply.status != 200) {
        check("a loser", reply, (400, "invalid_grant"));
    }
}

/// Names and secrets in the header are percent-encoded before base64, and public clients send an empty secret.
#[tokio::test]
async fn a_client_authenticates_by_header_or_form() {
    let server = start(&[]).await;
    let (public, _) = register(&server, "none").await;
    let (basic, secret) = register(&server, "client_secret_basic").await;
    let secret = secret.expect("a secret");
    // Every octet percent-encoded, which must be read as the same.
    let encode =
        |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
    let header = |name: &str, password: &str| {
        format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
    };
    let bad = (401, "invalid_client");
    let good = (200, "");
    let request = (400, "invalid_request");
    let no_id: fn(Form) -> Form = |form| form.without("client_id");
    let as_is: fn(Form) -> Form = |form| form;
    let (right, in_numbers) = (
        header(&basic, &secret),
        header(&encode(&basic), &encode(&secret)),
    );
    let wrong = header(&basic, "hlcs_wrong");
    #[rustfmt::skip]
    let rows = [
        ("in the header", &basic, Some(right.clone()), no_id, None, good),
        ("with its name in the form", &basic, Some(right.clone()), as_is, None, good),
        ("percent-encoded", &basic, Some(in_numbers), no_id, None, good),
        ("in the form", &basic, None, as_is, Some(secret.as_str()), good),
        ("both ways at once", &basic, Some(right.clone()), as_is, Some(secret.as_str()), request),
        ("two names", &public, Some(right), as_is, None, request),
        ("a wrong secret", &basic, Some(wrong), no_id, None, bad),
        ("a wrong secret in the form", &basic, None, as_is, Some("hlcs_wrong"), bad),
        ("no secret", &basic, None, as_is, None, bad),
        ("an empty secret", &basic, Some(header(&basic, "")), no_id, None, bad),
        ("no colon", &basic, Some(format!("Basic {}", STANDARD.encode(&basic))), no_id, None, bad),
        ("no base64", &basic, Some("Basic !!!".to_owned()), no_id, None, bad),
        ("an unknown one", &basic, Some(header("cli_unknown", "x")), no_id, None, bad),
        ("public, empty", &public, Some(header(&public, "")), no_id, None, good),
        ("public, made up", &public, Some(header(&public, "anything")), no_id, None, good),
        ("public, in the form", &public, None, as_is, Some(""), good),
        ("a bearer token", &public, Some("Bearer hla_x".to_owned()), as_is, None, good),
    ];
    for (name, client, authorization, change, password, expected) in rows {
        let code = allow(&server, new_grant(&server, client)).await;
        let mut form = change(Form::code(client, &code));
        if let Some(password) = password {
            form = form.with("client_secret", password);
        }
        let header = authorization
            .as_deref()
            .map(|value| ("authorization", value));
        let headers: Vec<(&str, &str)> = header.into_iter().collect();
        let reply = post(&server, "/token", &headers, &form).await;
        check(name, &reply, expected);
    }
}

#[tokio::test]
async fn requests_that_are_not_forms_are_refused() {
    let server = start(&[]).await;
    let (id, _) = register(&server, "none").await;
    let long = format!(
        "grant_type=refresh_token&refresh_token={}",
        "a".repeat(32 << 10)
    );
    let form = "application/x-www-form-urlencoded";
    let json =
        format!(r#"{{"grant_type":"refresh_token","refresh_token":"x","client_id":"{id}"}}"#);
    let mixed = format!("grant_type=refresh_token&client_id={id}&refresh_token=hlr_x");
    for (name, content_type, body, expected) in [
        ("JSON", "application/json", json, (400, "invalid_request")),
        ("no type", "", mixed.clone(), (400, "invalid_request")),
        ("too large", form, long, (413, "invalid_request")),
        ("nothing", form, String::new(), (400, "invalid_request")),
        (
            "with a charset",
            "application/x-www-form-urlencoded; charset=UTF-8",
            mixed,
            (400, "invalid_grant"),
        ),
    ] {
        let asked = request(&server, Method::POST, "/token")
            .header("content-type", content_type)
            .body(body);
        check(name, &send(asked).await, expected);
    }
}

/// The client tries again, and has lost nothing.
#[tokio::test]
async fn without_the_store_nothing_is_used_up() {
    let server = start(&[]).await;
    let program = Program::connect(&server).await;
    let (id, _) = register(&server, "none").await;
    let code = allow(&server, new_grant(&server, &id)).await;
    let path = server.store().path().expect("a file").to_owned();
    let aside = path.with_extension("aside");
    std::fs::rename(&path, &aside).expect("moved");
    let registration = request(&server, Method::POST, "/register")
        .header("content-type", "application/json")
        .body(r#"{"redirect_uris":["https://a.example/cb"]}"#);
    let revocation = Form::token(&program.id, &program.access);
    for (name, reply) in [
        (
            "a code",
            post(&server, "/token", &[], &Form::code(&id, &code)).await,
        ),
        (
            "a refresh",
            program.refresh(&server, &program.refresh).await,
        ),
        (
            "a revocation",
            post(&server, "/revoke", &[], &revocation).await,
        ),
        ("a registration", send(registration).await),
    ] {
        check(name, &reply, (503, "temporarily_unavailable"));
        assert_eq!(reply.header("retry-after"), "3", "{name}");
    }
    std::fs::rename(&aside, &path).expect("put back");
    let reply = post(&server, "/token", &[], &Form::code(&id, &code)).await;
    check("the code", &reply, (200, ""));
    let reply = program.refresh(&server, &program.refresh).await;
    check("the refresh token", &reply, (200, ""));
    assert_eq!(number(&server, "SELECT MAX(seq) FROM oauth_grant").await, 1);
}

#[tokio::test]
async fn a_blocked_client_gets_nothing_and_is_not_told_to_register_again() {
    let server = start(&[]).await;
    let program = Program::connect(&server).await;
    let clients = state::clients::Clients::new(&server.store());
    clients.block(&program.id, true).await.expect("blocked");
    let reply = program.refresh(&server, &program.refresh).await;
    check("blocked", &reply, (400, "unauthorized_client"));
    assert_eq!(ping(&server, &program.access).await.status, 401);
}

/// The row from consent is enough: no document is fetched here.
#[tokio::test]
async fn a_client_with_a_document_is_known_by_its_row() {
    let server = start(&[]).await;
    let id = "https://client.example/oauth/client.json";
    let unknown = post(&server, "/token", &[], &Form::refresh(id, "hlr_x")).await;
    check("unknown", &unknown, (401, "invalid_client"));
    let put = state::clients::PutDocument {
        id: id.to_owned(),
        name: "A client".to_owned(),
        redirects: vec!["http://127.0.0.1/callback".to_owned()],
        document: "{}".to_owned(),
        // Long ago: it is not fetched again for a token.
        fresh_until: jiff::Timestamp::UNIX_EPOCH,
    };
    let clients = state::clients::Clients::new(&server.store());
    clients.put_document(put).await.expect("written");
    let code = allow(&server, new_grant(&server, id)).await;
    let reply = post(&server, "/token", &[], &Form::code(id, &code)).await;
    check("known", &reply, (200, ""));
}

/// A guessing client waits. Clients at other addresses do not, and a right secret is never counted.
#[tokio::test]
async fn guesses_of_one_address_cost_others_nothing() {
    let proxy = ("HIGHLEVEL_MCP_SERVER_TRUSTED_PROXIES", "127.0.0.1");
    let server = start(&[proxy]).await;
    let program = Program::connect(&server).await;
    let guess = Form::refresh(&program.id, "hlr_guess");
    let bad = [("x-forwarded-for", "192.0.2.1")];
    let good = [("x-forwarded-for", "192.0.2.2")];
    let right = Form::refresh(&program.id, &program.refresh);
    for _ in 0..100 {
        check(
            "right",
            &post(&server, "/token", &good, &right).await,
            (200, ""),
        );
    }
    let mut waves = 0;
    let waits = loop {
        join_all((0..200).map(|_| post(&server, "/token", &bad, &guess))).await;
        let next = post(&server, "/token", &bad, &guess).await;
        if next.status == 429 {
            break next;
        }
        waves += 1;
        assert!(waves < 20, "4,000 guesses and no end");
    };
    check("a guess", &waits, (429, "temporarily_unavailable"));
    let seconds = waits.header("retry-after").parse::<u64>().expect("seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
    check(
        "right",
        &post(&server, "/token", &good, &right).await,
        (200, ""),
    );
    let revocation = Form::token(&program.id, "hla_guess");
    let waits = post(&server, "/revoke", &bad, &revocation).await;
    check(
        "its revocation waits, too",
        &waits,
        (429, "temporarily_unavailable"),
    );
}
