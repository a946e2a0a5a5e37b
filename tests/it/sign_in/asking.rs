//! The clients that ask for access, and the people who are asked.

use state::clients::{ClientMethod, Clients, NewClient};
use state::grants::GrantHolder;

use super::browser::Browser;
use super::consent::{REDIRECT, client, grants, redeem, request};
use super::{house, sign_in_as_operator};

#[tokio::test]
async fn a_name_cannot_pretend() {
    let agency = house(1).await;
    let server = &agency.server;
    let browser = Browser::new(server);
    sign_in_as_operator(server, &browser).await;
    let long = "N".repeat(10_000);
    for (name, shown, imitates) in [
        ("<b>Claude</b>", "&lt;b&gt;Claude&lt;/b&gt;", false),
        ("\u{202e}edualC", "edualC", false),
        ("Cl\u{200b}aude\n(checked)", "Claude (checked)", false),
        ("Сlaude", "Сlaude", true),
        (long.as_str(), "NNNNNNNN", false),
    ] {
        let new = NewClient {
            name: name.to_owned(),
            redirects: vec![REDIRECT.to_owned()],
            method: ClientMethod::None,
        };
        let registered = Clients::new(&server.store()).register(new).await;
        let (record, _) = registered.expect("the store").expect("room");
        let page = browser.get(&request(&record.id, &[])).await;
        let heading = page.heading();
        assert!(
            heading.contains(&format!("calls itself “{shown}")),
            "{heading}"
        );
        assert!(heading.chars().count() < 150, "{heading}");
        assert!(page.text.contains("nobody can check it"));
        let is_warned = page.text.contains("letters that look like other letters");
        assert_eq!(is_warned, imitates, "{name}");
    }
}

#[tokio::test]
async fn unknown_visitors_first_show_who_they_are() {
    let agency = house(2).await;
    let server = &agency.server;
    let known = client(server, "Known", &[REDIRECT]).await;
    let key = agency.key("front desk", Some(&["b02"]), Some("front"));
    let key = key.strip_prefix("Bearer ").expect("a key").to_owned();
    let browser = Browser::new(server);
    let path = request(&known, &[]);
    let page = browser.get(&path).await;
    assert_eq!(page.heading(), "Who are you?");
    for (proof, part) in [
        ("hello", "This is not an invitation"),
        ("hlk_abc_def", "not an access key of this server"),
        (
            "https://mcp.example.test/console/join#hli_abc",
            "no longer works",
        ),
        (
            "pit-12345678-1234-1234-1234-123456789012",
            "This is not an invitation",
        ),
    ] {
        let again = browser
            .submit("/authorize/enter", &page, &[("proof", proof)])
            .await;
        assert_eq!(again.status, 400, "{proof}");
        assert!(again.text.contains(part), "{part} is not in {}", again.text);
        assert!(
            !again.text.contains(proof),
            "a page repeats what was pasted"
        );
    }
    // A key brings its own locations and rules, and the new grant is bound to it.
    let consent = browser
        .submit("/authorize/enter", &page, &[("proof", &key)])
        .await;
    assert!(
        consent
            .text
            .contains("the holder of the access key “front desk”"),
        "{}",
        consent.text
    );
    assert!(
        consent.text.contains("value=\"b02\" checked") && !consent.text.contains("value=\"b01\"")
    );
    assert!(!consent.text.contains(&key));
    let chosen = [
        ("decision", "allow"),
        ("location", "b02"),
        ("rules", "section:front"),
    ];
    let allowed = browser.submit("/authorize/decide", &consent, &chosen).await;
    let id = redeem(server, &known, &allowed).await;
    let grant = grants(server)
        .get(&id)
        .await
        .expect("the store")
        .expect("a grant");
    assert!(matches!(grant.holder, GrantHolder::Key(_)), "{grant:?}");
    // An invitation signs the person in, and the requested page is shown again.
    let link = super::invite(server, "Ada", &["b01"]).await;
    let joined = browser
        .submit("/authorize/enter", &page, &[("proof", &link)])
        .await;
    assert_eq!(joined.location(), path);
    let consent = browser.get(&path).await;
    assert!(
        consent.text.contains("You are <strong>Ada</strong>."),
        "{}",
        consent.text
    );
    assert!(
        consent.text.contains("value=\"b01\" checked") && !consent.text.contains("value=\"b02\"")
    );
    // A person may say that they are somebody else.
    let left = browser
        .submit("/authorize/enter", &consent, &[("leave", "yes")])
        .await;
    assert_eq!(left.location(), path);
    assert_eq!(browser.get(&path).await.heading(), "Who are you?");
}

#[tokio::test]
async fn nobody_has_documents_fetched_without_end() {
    let agency = house(1).await;
    let browser = Browser::new(&agency.server);
    let known = client(&agency.server, "Known", &[REDIRECT]).await;
    let mut refused = 0;
    for number in 0..40 {
        let id = format!("https://127.0.0.1/{number}.json");
        let page = browser.get(&request(&id, &[])).await;
        assert!([400, 429].contains(&page.status), "{}", page.text);
        refused += usize::from(page.status == 429);
    }
    assert!((1..=15).contains(&refused), "{refused} of 40");
    // A client that needs no document is accepted.
    let page = browser.get(&request(&known, &[])).await;
    assert_eq!(page.status, 200);
}
