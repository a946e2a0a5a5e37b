//! The credentials that each address accepts, and the message for any other.

use serde_json::json;

use super::HOST;
use super::connections::{Connections, Terms};

/// The credential at each host: the status, and a part of the message.
#[tokio::test]
async fn each_address_accepts_its_own_credentials() {
    let connections = Connections::start(1, "").await;
    let accepting =
        Connections::start_with(1, "", &[("HIGHLEVEL_MCP_OAUTH_HIGHLEVEL_TOKENS", "accept")]).await;
    let ada = connections.member("Ada", &["b01"]).await;
    let grant = connections.connect(Terms::of_person(&ada)).await.bearer;
    let key = connections.agency.key("all", None, None);
    let pit = "Bearer pit-sandbox-branch-01";
    let elsewhere = "keys.example.test";
    let unknown = "Bearer hla_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let rows: [(&Connections, &str, &str, &str, u16, &str); 19] = [
        (&connections, HOST, "/mcp", &grant, 200, ""),
        (
            &connections,
            "MCP.example.test:443",
            "/mcp",
            &grant,
            200,
            "",
        ),
        (
            &connections,
            elsewhere,
            "/mcp",
            &grant,
            401,
            "is for https://mcp.example.test/mcp",
        ),
        (&connections, HOST, "/mcp", &key, 200, ""),
        (&connections, elsewhere, "/mcp", &key, 200, ""),
        (
            &connections,
            HOST,
            "/mcp",
            pit,
            401,
            "Send the token at keys.example.test",
        ),
        (&connections, elsewhere, "/mcp", pit, 200, ""),
        (&accepting, HOST, "/mcp", pit, 200, ""),
        (
            &connections,
            HOST,
            "/mcp",
            unknown,
            401,
            "its connection was ended",
        ),
        (
            &connections,
            HOST,
            "/mcp",
            "Bearer hlr_a",
            401,
            "a refresh token",
        ),
        (&connections, HOST, "/mcp", "Bearer hlc_a", 401, "a code"),
        (
            &connections,
            HOST,
            "/mcp",
            "Bearer hlcs_a",
            401,
            "a client's secret",
        ),
        (
            &connections,
            HOST,
            "/mcp",
            "Bearer hli_a",
            401,
            "an invitation",
        ),
        (&connections, HOST, "/mcp", "Bearer hls_a", 401, "a session"),
        (
            &connections,
            elsewhere,
            "/mcp",
            "Bearer hlr_a",
            401,
            "a refresh token",
        ),
        (
            &connections,
            HOST,
            "/mcp?access_token=hla_a",
            &grant,
            400,
            "address is not accepted",
        ),
        (
            &connections,
            HOST,
            "/mcp?access_token=hla_a",
            "",
            400,
            "address is not accepted",
        ),
        (&connections, HOST, "/mcp", "", 401, "Sign in"),
        (
            &connections,
            HOST,
            "/mcp",
            "Bearer nonsense",
            401,
            "not a HighLevel token",
        ),
    ];
    let frame = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});
    for (at, host, path, bearer, status, part) in rows {
        let mut request = at.agency.server.post(path).header("host", host);
        if !bearer.is_empty() {
            request = request.header("authorization", bearer);
        }
        let answer = request.json(&frame).send().await.expect("an answer");
        let place = format!("{host}{path} {bearer}");
        assert_eq!(answer.status().as_u16(), status, "{place}");
        let text = answer.text().await.expect("text");
        assert!(text.contains(part), "{place}: {text}");
        let secret = bearer.split('_').nth(1).filter(|secret| secret.len() > 1);
        let repeats = secret.is_some_and(|secret| status != 200 && text.contains(secret));
        assert!(!repeats, "{place}: {text}");
    }
}

/// On loopback too, a client must learn that it can sign in.
#[tokio::test]
async fn with_sign_in_nobody_uses_the_own_account() {
    let own = [
        ("HIGHLEVEL_TOKEN", "pit-sandbox-branch-01"),
        ("HIGHLEVEL_MCP_OAUTH_URL", "http://localhost:8100"),
        ("HIGHLEVEL_MCP_SERVER_ACCESS_KEY", ""),
    ];
    let sandbox = test_support::recording::Recording::always(200, "{}").await;
    let server = test_support::server::TestServer::start_with(&sandbox.url, &own).await;
    let frame = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});
    for (host, status) in [
        ("localhost:8100", 401),
        ("LOCALHOST:8100", 401),
        ("127.0.0.1:8100", 200),
        ("localhost:8101", 401),
    ] {
        let request = server.post("/mcp").header("host", host).json(&frame);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), status, "{host}");
    }
}
