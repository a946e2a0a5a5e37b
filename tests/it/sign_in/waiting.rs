//! Parts of pages that poll by themselves: waiting requests, and whether a client has connected.

use serde_json::json;

use super::browser::Browser;
use super::{house, sign_in_as_member, sign_in_as_operator};

const OPERATOR: &str = "Bearer operator-of-this-agency-1";

#[tokio::test]
async fn a_live_part_has_no_frame_and_needs_a_session() {
    let agency = house(1).await;
    let browser = Browser::new(&agency.server);
    let path = "/console/approvals-waiting";
    for live in [path, "/console/connect/claude-code/live?since=0"] {
        let refused = browser.get(live).await;
        assert_eq!(refused.status, 401, "{live}");
        assert_eq!(refused.header("hx-refresh"), "true", "{live}");
        assert_eq!(refused.text, "", "{live}");
    }
    sign_in_as_operator(&agency.server, &browser).await;
    let part = browser.get(path).await;
    assert_eq!(part.status, 200);
    assert!(
        part.text.starts_with("<span class=\"badge\" hidden"),
        "{}",
        part.text
    );
    assert!(
        part.header("content-security-policy")
            .contains("default-src 'none'")
    );
    assert_eq!(part.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_page_waits_until_the_client_has_called() {
    let agency = house(1).await;
    let server = &agency.server;
    let [olga, ada] = [(); 2].map(|()| Browser::new(server));
    sign_in_as_operator(server, &olga).await;
    sign_in_as_member(server, &ada, "Ada", &["b01"]).await;
    let page = olga.get("/console/connect/claude-code").await;
    assert!(
        page.text.contains("Waiting for Claude Code…"),
        "{}",
        page.text
    );
    assert!(
        page.text.contains("https://mcp.example.test/mcp"),
        "{}",
        page.text
    );
    let live = page
        .text
        .split("hx-get=\"/console/connect")
        .nth(1)
        .expect("a live part");
    let live = live
        .split('"')
        .next()
        .expect("an address")
        .replace("&amp;", "&");
    let live = format!("/console/connect{live}");
    assert_eq!(olga.get(&live).await.status, 204, "nothing new");
    let greeting = json!({
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "Claude <Code>", "version": "2"},
    });
    let headers = [("authorization", OPERATOR)];
    server.rpc_with(&headers, "initialize", greeting).await;
    let came = olga.get(&live).await.text;
    assert_eq!(
        came,
        "Connected: Claude &lt;Code&gt; arrived a moment ago. It has not used a tool yet."
    );
    let arguments = json!({"location": "b01", "contactId": "c1"});
    server
        .call_with(&headers, "contacts_get-contact", arguments)
        .await;
    let called = olga.get(&live).await.text;
    assert_eq!(
        called,
        "Connected: Claude &lt;Code&gt; used contacts_get-contact a moment ago."
    );
    // Without script.
    let again = live.replace("/live", "");
    assert!(olga.get(&again).await.text.contains(&called));
    assert_eq!(ada.get(&live).await.status, 204, "another's client");
    let later = format!(
        "/console/connect/claude-code/live?since={}",
        i64::MAX / 1_000_000
    );
    assert_eq!(olga.get(&later).await.status, 204);
}
