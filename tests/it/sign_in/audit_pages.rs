//! The audit as people see it: their own calls, one call in full, in pages, and as a file.

use serde_json::{Value, json};
use state::links::Offer;
use state::people::Person;

use super::browser::Browser;
use super::connections::{Connections, Terms};
use super::{link, sign_in_as_operator};

const PATH: &str = "/console/audit";
const EXPORT: &str = "/console/audit/export";

const WRITE: &str = "contacts_create-contact";
const DELETE: &str = "contacts_delete-contact";

async fn sign_in(connections: &Connections, person: &Person) -> Browser {
    let server = &connections.agency.server;
    let browser = Browser::new(server);
    let link = link(
        server,
        Offer::Login {
            person: person.id.clone(),
        },
    )
    .await;
    let joined = browser.post("/console/signin", &[("link", &link)]).await;
    assert_eq!(joined.location(), "/console");
    browser
}

/// The number of calls on a page.
async fn count(browser: &Browser, query: &str) -> usize {
    let page = browser.get(&format!("{PATH}{query}")).await;
    assert_eq!(page.status, 200, "{}", page.text);
    page.text.matches("<h2><a href=\"/console/audit/").count()
}

#[tokio::test]
async fn everybody_sees_the_calls_that_are_theirs_and_operators_all() {
    let rules = "[server]\ndeny = [\"contacts_delete-contact\"]\n";
    let full = [("HIGHLEVEL_MCP_AUDIT_ARGUMENTS", "full")];
    let connections = Connections::start_with(3, rules, &full).await;
    let olga = Browser::new(&connections.agency.server);
    sign_in_as_operator(&connections.agency.server, &olga).await;
    let ada = connections.member("Ada", &["b01"]).await;
    let bob = connections.member("Bob", &["b01"]).await;
    let own = connections.paste(&bob, 3).await;
    let of_ada = connections.connect(Terms::of_person(&ada)).await;
    let of_bob = connections.connect(Terms::of_person(&bob)).await;
    let write = |email: &str, location: &str| json!({"email": email, "location": location});
    connections
        .call(&of_ada, WRITE, write("a\u{202e}da@b.example", "b01"))
        .await
        .expect("written");
    connections
        .call(&of_bob, WRITE, write("bob@b.example", "b01"))
        .await
        .expect("written");
    connections
        .call(&of_bob, WRITE, write("own@b.example", &own.alias))
        .await
        .expect("written");
    let refused = json!({"contactId": "c1", "location": "b01"});
    connections
        .call(&of_ada, DELETE, refused)
        .await
        .expect_err("refused");
    let (browser, bobs) = (
        sign_in(&connections, &ada).await,
        sign_in(&connections, &bob).await,
    );
    for (query, all, adas, of_bobs) in [
        ("", 4, 2, 2),
        ("?location=b01", 3, 2, 1),
        ("?who=Ada", 2, 2, 0),
        ("?who=Bob", 2, 0, 2),
        (&format!("?who={}", of_ada.id), 2, 2, 0),
        ("?tool=contacts_cr", 3, 1, 2),
        ("?effect=destructive", 1, 1, 0),
        ("?outcome=ok", 3, 1, 2),
        ("?outcome=refused", 1, 1, 0),
        ("?outcome=failed", 0, 0, 0),
        ("?since=2026-01-01", 4, 2, 2),
        ("?until=2026-01-01", 0, 0, 0),
        (&format!("?client={}", connections.client.id), 4, 2, 2),
    ] {
        assert_eq!(count(&olga, query).await, all, "{query}");
        assert_eq!(count(&browser, query).await, adas, "{query}");
        assert_eq!(count(&bobs, query).await, of_bobs, "{query}");
    }
    let wrong = olga.get(&format!("{PATH}?since=yesterday")).await;
    assert!(
        wrong.text.contains("Give a day such as 2026-11-25."),
        "{}",
        wrong.text
    );
    // One in full: the request, its caller, its outcome, and no characters that reverse the text direction.
    let list = browser.get(&format!("{PATH}?outcome=ok")).await;
    let one = list.link("/console/audit/").expect("a call").to_owned();
    let shown = browser.get(&one).await;
    for part in [
        "It worked.",
        "for Ada",
        "ada@b.example".strip_prefix("a").unwrap_or_default(),
        "\\u{202e}",
        &of_ada.id,
        "<dt>Effect</dt><dd>write</dd>",
    ] {
        let found =
            shown.text.contains(part) || part == "for Ada" && shown.text.contains("<dd>Ada</dd>");
        assert!(found, "{part}: {}", shown.text);
    }
    assert!(!shown.text.contains('\u{202e}'), "{}", shown.text);
    assert_eq!(bobs.get(&one).await.status, 404, "another's");
    assert_eq!(olga.get(&one).await.status, 200);
    assert_eq!(olga.get(&format!("{PATH}/999999")).await.status, 404);
    assert_eq!(olga.get(&format!("{PATH}/x")).await.status, 404);
    // As a file: the same, one line for each call.
    for (who, query, expected) in [
        (&olga, "", 4),
        (&browser, "", 2),
        (&bobs, "", 2),
        (&olga, "?who=Ada&outcome=ok", 1),
    ] {
        let file = who.get(&format!("{EXPORT}{query}")).await;
        assert_eq!(file.status, 200);
        assert_eq!(file.header("content-type"), "application/x-ndjson");
        assert_eq!(
            file.header("content-disposition"),
            "attachment; filename=\"audit.jsonl\""
        );
        assert_eq!(file.header("cache-control"), "no-store");
        let lines: Vec<Value> = file
            .text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(lines.len(), expected, "{query}: {}", file.text);
        assert!(
            lines.iter().all(|line| line["tool"].is_string()),
            "{}",
            file.text
        );
    }
    let nobody = Browser::new(&connections.agency.server);
    for path in [PATH, EXPORT, one.as_str()] {
        assert_eq!(nobody.get(path).await.status, 401, "{path}");
    }
}

/// A decided call shows the name of the person who decided.
#[tokio::test]
async fn the_approver_is_named_in_the_call() {
    let mut connections = Connections::start(1, "").await;
    let key = connections.agency.key("all", None, None);
    let contact = crate::agency::contact(&mut connections.agency, &key, "b01").await;
    let olga = Browser::new(&connections.agency.server);
    sign_in_as_operator(&connections.agency.server, &olga).await;
    let ada = connections.member("Ada", &["b01"]).await;
    let terms = Terms {
        rules: "ask-first",
        ..Terms::of_person(&ada)
    };
    let connection = connections.connect(terms).await;
    let waiting = connections
        .call(&connection, DELETE, json!({"contactId": contact}))
        .await;
    let waiting = waiting.expect("it waits");
    let handle = waiting["confirm"].as_str().expect("a handle");
    let path = format!("/console/approvals/{handle}");
    let page = olga.get(&path).await;
    let pressed = olga.submit(&path, &page, &[("decision", "approve")]).await;
    assert_eq!(pressed.location(), path);
    let list = olga.get(&format!("{PATH}?effect=destructive")).await;
    let one = list.link("/console/audit/").expect("a call").to_owned();
    let shown = olga.get(&one).await;
    assert!(
        shown.text.contains("<dt>Confirmed</dt><dd>by Olga ("),
        "{}",
        shown.text
    );
    assert!(
        shown
            .text
            .contains("Only its size and checksum (SHA-256) are stored."),
        "{}",
        shown.text
    );
}

/// Ten thousand calls: no page is long, and every call is on exactly one of them.
#[tokio::test]
async fn ten_thousand_calls_are_shown_in_parts() {
    let connections = Connections::start(1, "").await;
    let olga = Browser::new(&connections.agency.server);
    sign_in_as_operator(&connections.agency.server, &olga).await;
    let ada = connections.member("Ada", &["b01"]).await;
    let connection = connections.connect(Terms::of_person(&ada)).await;
    let write = json!({"email": "a@b.example"});
    connections
        .call(&connection, WRITE, write)
        .await
        .expect("written");
    let copies = "INSERT INTO audit (at, line) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
        SELECT a.at, replace(a.line, '\"id\":\"' || substr(a.line, instr(a.line, '\"id\":\"') + 6, 16), '\"id\":\"' || printf('%016x', i))
        FROM n, audit a WHERE a.line LIKE '{\"state\":\"begun\"%' AND a.id = (SELECT MIN(id) FROM audit)";
    connections.change_rows(copies).await;
    let mut path = PATH.to_owned();
    let (mut seen, mut parts) = (0, 0);
    while parts < 5 {
        let page = olga.get(&path).await;
        assert!(page.text.len() <= 40 << 10, "{} bytes", page.text.len());
        seen += page.text.matches("<h2><a href=\"/console/audit/").count();
        parts += 1;
        path = page
            .link("/console/audit?before=")
            .expect("older ones")
            .to_owned();
    }
    assert_eq!(seen, 250);
    let began = std::time::Instant::now();
    let rare = olga.get(&format!("{PATH}?tool=calendars_")).await;
    assert!(rare.text.contains("Nothing found."), "{}", rare.text);
    println!("10,000 calls are looked through in {:?}", began.elapsed());
    let file = olga.get(EXPORT).await;
    assert_eq!(file.text.lines().count(), 10_001);
}
