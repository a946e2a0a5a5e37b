//! Documents that clients publish, and their faults.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const URL: &str = "https://client.example/oauth/client.json";

fn url(text: &str) -> DocumentUrl {
    DocumentUrl::parse(text).unwrap_or_else(|| panic!("{text}"))
}

#[test]
fn an_id_is_the_address_of_a_document_or_it_is_not() {
    for (good, host) in [
        (
            "https://claude.ai/oauth/mcp-oauth-client-metadata",
            "claude.ai",
        ),
        (
            "https://claude.ai/oauth/claude-code-client-metadata",
            "claude.ai",
        ),
        ("https://chatgpt.com/oauth/client.json", "chatgpt.com"),
        ("https://client.example:8443/x", "client.example"),
        ("https://client.example/x?y=z", "client.example"),
        ("https://client.example/x/", "client.example"),
    ] {
        assert_eq!(url(good).host(), host);
        assert_eq!(url(good).as_str(), good);
    }
    for bad in [
        "",
        "a-registered-client",
        "http://client.example/x",
        "https://client.example",
        "https://client.example/",
        "https://client.example?x",
        "https://client.example/x#y",
        "https://client.example/x#",
        "https://me@client.example/x",
        "https://:pw@client.example/x",
        "https://@client.example/x",
        "https://client.example/a/../x",
        "https://client.example/./x",
        "https://client.example/a/%2e%2e/x",
        "https://client.example/a/%2E./x",
        "https://CLIENT.example/x",
        "https://client.example:443/x",
        "https://client.example\\x",
        "https:/client.example/x",
        " https://client.example/x",
        "https://client.example/x ",
        "https://client.example/\tx",
        "https://bücher.example/x",
        "https://0x7f.1/x",
        "https://client.example/ü",
        "ftp://client.example/x",
        "file:///etc/passwd",
    ] {
        assert!(DocumentUrl::parse(bad).is_none(), "{bad}");
    }
    let long = format!("https://client.example/{}", "x".repeat(LONGEST));
    assert!(DocumentUrl::parse(&long).is_none());
}

/// Documents of known clients, by their redirects and methods.
#[test]
fn published_documents_are_understood() {
    fn check(id: &str, said: Value, name: &str, redirects: &[&str]) {
        let mut document = json!({"client_id": id});
        for (key, value) in said.as_object().expect("an object") {
            document[key] = value.clone();
        }
        let parsed = ClientDocument::parse(&url(id), document.to_string().as_bytes());
        let parsed = parsed.unwrap_or_else(|problem| panic!("{id}: {problem}"));
        let found: Vec<&str> = parsed.redirects.iter().map(RedirectUri::as_str).collect();
        assert_eq!(
            (parsed.name.as_str(), &found[..]),
            (name, redirects),
            "{id}"
        );
    }
    check(
        "https://claude.ai/oauth/mcp-oauth-client-metadata",
        json!({
            "client_name": "Claude",
            "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"],
            "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }),
        "Claude",
        &["https://claude.ai/api/mcp/auth_callback"],
    );
    check(
        "https://claude.ai/oauth/claude-code-client-metadata",
        json!({
            "client_name": "Claude Code",
            "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
            "token_endpoint_auth_method": "none",
        }),
        "Claude Code",
        &["http://localhost/callback", "http://127.0.0.1/callback"],
    );
    check(
        "https://chatgpt.com/oauth/client.json",
        json!({
            "client_name": "ChatGPT",
            "redirect_uris": ["https://chatgpt.com/connector_platform_oauth_redirect"],
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
            "jwks_uri": "https://chatgpt.com/oauth/jwks.json",
        }),
        "ChatGPT",
        &["https://chatgpt.com/connector_platform_oauth_redirect"],
    );
    check(
        "https://chatgpt.com/oauth/abc123/client.json",
        json!({
            "client_name": "ChatGPT",
            "redirect_uris": ["https://chatgpt.com/connector/oauth/abc123"],
            "token_endpoint_auth_methods_supported": ["none"],
        }),
        "ChatGPT",
        &["https://chatgpt.com/connector/oauth/abc123"],
    );
    check(
        "https://chatgpt.com/oauth/codex/client.json",
        json!({
            "client_name": "Codex",
            "application_type": "native",
            "redirect_uris": ["http://127.0.0.1/callback", "http://localhost/callback"],
            "token_endpoint_auth_method": "none",
        }),
        "Codex",
        &["http://127.0.0.1/callback", "http://localhost/callback"],
    );
    check(
        "https://vscode.dev/oauth/client-metadata.json",
        json!({
            "client_name": "Visual Studio Code",
            "redirect_uris": [
                "https://vscode.dev/redirect",
                "https://insiders.vscode.dev/redirect",
                "http://127.0.0.1/",
                "http://127.0.0.1:33418/",
            ],
            "token_endpoint_auth_method": "none",
        }),
        "Visual Studio Code",
        &[
            "https://vscode.dev/redirect",
            "https://insiders.vscode.dev/redirect",
            "http://127.0.0.1/",
            "http://127.0.0.1:33418/",
        ],
    );
    check(
        "https://github.com/copilot/cli/client-metadata.json",
        json!({
            "client_name": "GitHub Copilot CLI",
            "redirect_uris": ["http://127.0.0.1:33418/"],
        }),
        "GitHub Copilot CLI",
        &["http://127.0.0.1:33418/"],
    );
    check(
        "https://goose-docs.ai/oauth/client-metadata.json",
        json!({
            "client_name": "goose",
            "redirect_uris": ["http://127.0.0.1/oauth_callback"],
            "token_endpoint_auth_method": null,
        }),
        "goose",
        &["http://127.0.0.1/oauth_callback"],
    );
    // A forbidden redirect gives no access to others' answers, and does not remove the other redirects.
    check(
        URL,
        json!({"redirect_uris": ["javascript:x", "http://evil.example/", 1, "https://client.example/cb"]}),
        "A client without a name",
        &["https://client.example/cb"],
    );
}

#[test]
fn wrong_documents_are_refused() {
    fn check(changes: Value, expected: DocumentProblem) {
        let mut document =
            json!({"client_id": URL, "redirect_uris": ["https://client.example/cb"]});
        for (name, value) in changes.as_object().expect("an object") {
            document[name] = value.clone();
        }
        let parsed = ClientDocument::parse(&url(URL), document.to_string().as_bytes());
        assert_eq!(parsed, Err(expected), "{document}");
    }
    check(json!({"client_id": null}), DocumentProblem::OtherClient);
    check(
        json!({"client_id": format!("{URL}/")}),
        DocumentProblem::OtherClient,
    );
    check(
        json!({"client_id": "https://client.example:443/oauth/client.json"}),
        DocumentProblem::OtherClient,
    );
    check(json!({"client_secret": "s"}), DocumentProblem::Secret);
    check(
        json!({"client_secret_expires_at": 0}),
        DocumentProblem::Secret,
    );
    check(json!({"redirect_uris": null}), DocumentProblem::NoRedirect);
    check(json!({"redirect_uris": []}), DocumentProblem::NoRedirect);
    check(
        json!({"redirect_uris": "https://client.example/cb"}),
        DocumentProblem::NoRedirect,
    );
    check(
        json!({"redirect_uris": ["http://client.example/cb"]}),
        DocumentProblem::NoRedirect,
    );
    check(
        json!({"token_endpoint_auth_method": "client_secret_basic"}),
        DocumentProblem::Method,
    );
    check(
        json!({"token_endpoint_auth_method": "private_key_jwt"}),
        DocumentProblem::Method,
    );
    check(
        json!({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}),
        DocumentProblem::Method,
    );
    for text in ["", "[]", "null", "<html>", "{\"client_id\":"] {
        let parsed = ClientDocument::parse(&url(URL), text.as_bytes());
        assert_eq!(parsed, Err(DocumentProblem::NoObject), "{text}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(id in any::<String>(), body in any::<Vec<u8>>()) {
        if let Some(url) = DocumentUrl::parse(&id) {
            prop_assert_eq!(url.as_str(), id);
        }
        prop_assert!(ClientDocument::parse(&url(URL), &body).is_err());
    }
}
