//! Sections of rules that operators write on their pages: the permission, the preview, and their scope.

use std::time::{Duration, Instant};

use serde_json::json;
use state::rule_sections::RuleSections;

use super::browser::{Browser, Page, SIGN_IN};
use super::connections::Connections;
use super::people::make_older;
use super::{sign_in_as_member, sign_in_as_operator};
use crate::agency::Agency;
use test_support::server::TestServer;

const RULES: &str = "[server]\ndeny = [\"effect:money\"]\n\n[policies.front]\nread_only = true\n";
const CONTACTS: &str = "/mcp/l/b01/x/contacts";

/// An operation that moves money.
fn money() -> &'static tool::Tool {
    let mut tools = highlevel_mcp::catalog::TOOLS.iter();
    let found = tools.find(|tool| tool.effect == tool::Effect::Money);
    found.expect("an operation")
}

/// The value of a hidden field of the page.
fn hidden(page: &Page, name: &str) -> String {
    let rest = page.text.split(&format!("name=\"{name}\" value=\"")).nth(1);
    let value = rest.and_then(|rest| rest.split('"').next());
    value.unwrap_or_default().to_owned()
}

/// Presses a button of the section's page.
async fn press(browser: &Browser, page: &Page, name: &str, text: &str, action: &str) -> Page {
    let (replaces, checked) = (hidden(page, "replaces"), hidden(page, "checked"));
    let fields = [
        ("text", text),
        ("action", action),
        ("replaces", &replaces),
        ("checked", &checked),
    ];
    browser
        .submit(&format!("/console/rules/{name}"), page, &fields)
        .await
}

/// Writes a section as a person does: opens the page, checks the changes, saves.
async fn write(browser: &Browser, name: &str, text: &str) -> Page {
    let page = browser.get(&format!("/console/rules/{name}")).await;
    let checked = press(browser, &page, name, text, "check").await;
    assert_eq!(checked.status, 200, "{}", checked.text);
    let saved = press(browser, &checked, name, text, "save").await;
    assert_eq!(saved.location(), "/console/rules");
    checked
}

/// Whether this server allows a change of a contact by this key.
async fn may_write(server: &TestServer, key: &str) -> bool {
    let arguments = json!({"firstName": "Ada"});
    let headers = [("authorization", key)];
    let params = json!({"name": "contacts_create-contact", "arguments": arguments});
    let reply = server.rpc_with(&headers, "tools/call", params).await;
    reply["result"]["isError"] == false
}

async fn comes(what: &str, is_so: impl AsyncFn() -> bool) {
    let since = Instant::now();
    while !is_so().await {
        assert!(since.elapsed() < Duration::from_secs(2), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_section_that_is_saved_holds_in_every_process() {
    let mut agency = Agency::start_with(2, RULES, &SIGN_IN).await;
    let mut other = agency.another().await;
    let key = agency.key("desk", None, Some("desk"));
    agency.server.path = CONTACTS;
    other.path = CONTACTS;
    let (server, other) = (&agency.server, &other);
    let olga = Browser::new(server);
    sign_in_as_operator(server, &olga).await;
    // A key with unwritten rules is allowed nothing.
    assert!(!may_write(server, &key).await && !may_write(other, &key).await);
    let checked = write(&olga, "desk", "").await;
    assert!(
        checked.text.contains("Nothing changes."),
        "{}",
        checked.text
    );
    for process in [server, other] {
        comes("written", async || may_write(process, &key).await).await;
    }
    let checked = write(&olga, "desk", "read_only = true").await;
    assert!(
        checked.text.contains("allowed → refused"),
        "{}",
        checked.text
    );
    let since = Instant::now();
    comes("known here", async || !may_write(server, &key).await).await;
    comes("known elsewhere", async || !may_write(other, &key).await).await;
    println!("in force in both after {:?}", since.elapsed());
    // A denial in the file stays, whatever a section says. A denial of the section alone is lifted.
    let checked = write(&olga, "desk", "allow = [\"*\"]").await;
    assert!(
        checked.text.contains("refused → allowed"),
        "{}",
        checked.text
    );
    let restarted = agency.another().await;
    let rules = &restarted.pipeline.snapshot().rules;
    let desk = rules.over(None, Some("desk"));
    assert!(desk.shows(money()).is_err());
    // Reloaded settings keep it.
    agency.reload(RULES, &[1, 2]);
    assert!(agency.server.pipeline.snapshot().rules.has_policy("desk"));
}

#[tokio::test]
async fn a_section_is_saved_only_after_its_changes_were_shown() {
    let agency = Agency::start_with(1, RULES, &SIGN_IN).await;
    let server = &agency.server;
    let olga = Browser::new(server);
    sign_in_as_operator(server, &olga).await;
    let page = olga.get("/console/rules/desk").await;
    let refused = press(
        &olga,
        &page,
        "desk",
        "read_only = true\n\ncapz = 1\nmany = \"token\"",
        "save",
    )
    .await;
    assert_eq!(refused.status, 400);
    for part in [
        "Line 3: capz is not a key",
        "Nothing was saved.",
        "which the assistant gives itself",
    ] {
        assert!(
            refused.text.contains(part),
            "{part} is not in {}",
            refused.text
        );
    }
    let unseen = press(&olga, &page, "desk", "read_only = true", "save").await;
    assert_eq!(unseen.status, 200);
    assert!(unseen.text.contains("Changes"), "{}", unseen.text);
    // A text other than the checked one.
    let other = press(&olga, &unseen, "desk", "many = \"human\"", "save").await;
    assert_eq!(other.status, 200);
    let sections = RuleSections::new(&server.store());
    assert!(sections.read().await.expect("read").is_empty());
    let saved = press(&olga, &unseen, "desk", "read_only = true", "save").await;
    assert_eq!(saved.location(), "/console/rules");
    // Somebody else has changed it meanwhile.
    let late = press(&olga, &unseen, "desk", "read_only = true", "save").await;
    assert_eq!(late.status, 400);
    assert!(
        late.text.contains("somebody changed the section"),
        "{}",
        late.text
    );
    assert_eq!(sections.read().await.expect("read").len(), 1);
}

#[tokio::test]
async fn earlier_versions_come_back_and_a_section_in_use_says_so() {
    let agency = Agency::start_with(1, RULES, &SIGN_IN).await;
    agency.key("n8n <x>", None, Some("desk"));
    let server = &agency.server;
    let olga = Browser::new(server);
    sign_in_as_operator(server, &olga).await;
    write(&olga, "desk", "read_only = true").await;
    write(&olga, "desk", "many = \"human\"").await;
    let page = olga.get("/console/rules/desk").await;
    assert!(
        page.text.contains("access keys (n8n &lt;x&gt;)") && page.text.contains("many ="),
        "{}",
        page.text
    );
    let first = olga.get("/console/rules/desk?version=1").await;
    assert!(first.text.contains("read_only = true"), "{}", first.text);
    assert_eq!(hidden(&first, "replaces"), "2");
    let removed = press(&olga, &page, "desk", "", "remove").await;
    assert_eq!(removed.location(), "/console/rules");
    let list = olga.get("/console/rules").await;
    assert!(
        !list.text.contains("href=\"/console/rules/desk\""),
        "{}",
        list.text
    );
    write(&olga, "desk", "read_only = true").await;
    let all = RuleSections::new(&server.store())
        .versions("desk")
        .await
        .expect("versions");
    assert_eq!(
        all.iter().map(|one| one.version).collect::<Vec<_>>(),
        [4, 3, 2, 1]
    );
}

#[tokio::test]
async fn the_file_is_read_and_one_operation_is_explained() {
    let agency = Agency::start_with(1, RULES, &SIGN_IN).await;
    let server = &agency.server;
    let [olga, ada] = [(); 2].map(|()| Browser::new(server));
    sign_in_as_operator(server, &olga).await;
    sign_in_as_member(server, &ada, "Ada", &["b01"]).await;
    let money_query = format!("tool={}", money().name);
    let page = olga.get("/console/rules").await;
    assert!(
        page.text.contains("deny = [&quot;effect:money&quot;]"),
        "{}",
        page.text
    );
    for (query, part) in [
        (
            "tool=contacts_delete-contact",
            "Delete contact: asks (token), by the default for destructive",
        ),
        (
            "tool=Delete+Contact&location=b01&rules=section%3Afront",
            "refused, by [policies.front] read_only",
        ),
        (
            money_query.as_str(),
            "refused, by [server] deny &quot;effect:money&quot;",
        ),
        (
            "tool=contacts_get-contact&rules=read-only",
            "Get contact: allowed",
        ),
        (
            "tool=contact_delete-contact",
            "Did you mean contacts_delete-contact?",
        ),
        (
            "tool=contacts_get-contact&rules=nothing",
            "There are no such rules.",
        ),
    ] {
        let page = olga.get(&format!("/console/rules?{query}")).await;
        assert!(page.text.contains(part), "{part} is not in {}", page.text);
    }
    // A member neither reads nor writes them.
    let of_ada = ada.get("/console").await;
    for path in ["/console/rules", "/console/rules/desk"] {
        assert_eq!(ada.get(path).await.status, 403, "{path}");
    }
    let pressed = press(&ada, &of_ada, "desk", "", "check").await;
    assert_eq!(pressed.status, 403);
    assert_eq!(
        olga.get("/console/rules/new?name=No%20name").await.status,
        400
    );
    assert_eq!(
        olga.get("/console/rules/new?name=Night-Shift")
            .await
            .location(),
        "/console/rules/night-shift"
    );
}

/// An unattended session gives nobody rights, not by rules either.
#[tokio::test]
async fn rules_change_after_a_fresh_proof_alone() {
    let connections = Connections::start(1, RULES).await;
    let server = &connections.agency.server;
    let olga = Browser::new(server);
    sign_in_as_operator(server, &olga).await;
    write(&olga, "desk", "read_only = true\n").await;
    make_older(&connections, 16).await;
    let page = olga.get("/console/rules/desk").await;
    let text = "deny = [\"contacts_*\"]\n";
    let checked = press(&olga, &page, "desk", text, "check").await;
    assert_eq!(checked.status, 200, "{}", checked.text);
    for action in ["save", "remove"] {
        let late = press(&olga, &checked, "desk", text, action).await;
        assert_eq!(late.status, 403, "{action}");
        assert!(late.text.contains("Confirm that it is you"), "{action}");
    }
    let kept = RuleSections::new(&server.store()).read().await;
    let kept = kept.expect("read");
    let texts: Vec<_> = kept.iter().map(|one| one.text.as_deref()).collect();
    assert_eq!(texts, [Some("read_only = true")]);
}
