//! The emergency stop on a page.

use std::time::Duration;

use state::events::Events;
use state::pause::Pause;

use super::browser::{Browser, Page};
use super::{house, sign_in_as_member, sign_in_as_operator};
use test_support::server::TestServer;
use tokio::time::sleep;

const PATH: &str = "/console/pause";

async fn paused(server: &TestServer) -> Vec<Pause> {
    let pauses = &server.pipeline.controls().pauses;
    pauses.list().await.expect("pauses")
}

/// The newest event: its kind and its object.
async fn newest(server: &TestServer) -> (String, Option<String>, bool) {
    let events = Events::new(&server.store()).list(1).await;
    let event = events.expect("events").pop().expect("an event");
    (event.kind, event.subject, event.actor.is_some())
}

async fn press(browser: &Browser, page: &Page, fields: &[(&str, &str)]) -> Page {
    browser.submit(PATH, page, fields).await
}

#[tokio::test]
async fn an_operator_pauses_and_resumes_after_a_question() {
    let agency = house(2).await;
    let server = &agency.server;
    let olga = Browser::new(server);
    sign_in_as_operator(server, &olga).await;
    for (alias, name) in [("", "everything"), ("b01", "b01")] {
        let page = olga.get(PATH).await;
        assert!(page.text.contains("Nothing is paused"), "{}", page.text);
        let pause = [
            ("what", "pause"),
            ("location", alias),
            ("reason", "wrong <texts>"),
        ];
        let question = press(&olga, &page, &pause).await;
        assert_eq!(question.heading(), format!("Pause {name}?"));
        assert!(
            question.text.contains("wrong &lt;texts&gt;"),
            "{}",
            question.text
        );
        assert_eq!(paused(server).await, [], "asked first");
        let sure = [pause.as_slice(), &[("sure", "yes")]].concat();
        assert_eq!(press(&olga, &question, &sure).await.location(), PATH);
        let now = paused(server).await;
        let now = now.first().expect("a pause");
        assert_eq!(now.location.as_deref().unwrap_or(""), alias);
        assert_eq!(now.reason.as_deref(), Some("wrong <texts>"));
        let subject = now.location.clone();
        assert_eq!(
            newest(server).await,
            ("paused".to_owned(), subject.clone(), true)
        );
        let page = olga.get(PATH).await;
        assert!(page.text.contains(", by Olga"), "{}", page.text);
        // The first page says so, once the server has seen it.
        sleep(Duration::from_millis(400)).await;
        let home = olga.get("/console").await;
        let says = home.text.contains("Everything is paused");
        assert_eq!(says, alias.is_empty(), "{}", home.text);
        let resume = [("what", "resume"), ("location", alias)];
        let question = press(&olga, &page, &resume).await;
        assert_eq!(question.heading(), format!("Resume {name}?"));
        assert_eq!(paused(server).await.len(), 1, "asked first");
        let sure = [resume.as_slice(), &[("sure", "yes")]].concat();
        assert_eq!(press(&olga, &question, &sure).await.location(), PATH);
        assert_eq!(paused(server).await, []);
        assert_eq!(newest(server).await, ("resumed".to_owned(), subject, true));
    }
    let page = olga.get(PATH).await;
    for (fields, status, part) in [
        (
            [("what", "pause"), ("location", "nowhere")],
            400,
            "no sub-account nowhere",
        ),
        (
            [("what", "pause"), ("location", "nowhere")],
            400,
            "name=\"location\" value=\"nowhere\"",
        ),
        (
            [("what", "both"), ("location", "")],
            400,
            "No button was pressed",
        ),
    ] {
        let sure = [fields.as_slice(), &[("sure", "yes")]].concat();
        let refused = press(&olga, &page, &sure).await;
        assert_eq!(refused.status, status, "{fields:?}");
        assert!(refused.text.contains(part), "{}", refused.text);
    }
    assert_eq!(paused(server).await, []);
}

#[tokio::test]
async fn a_member_neither_sees_nor_uses_it() {
    let agency = house(1).await;
    let server = &agency.server;
    let ada = Browser::new(server);
    sign_in_as_member(server, &ada, "Ada", &["b01"]).await;
    let home = ada.get("/console").await;
    assert!(!home.text.contains(PATH), "{}", home.text);
    assert_eq!(ada.get(PATH).await.status, 403);
    let fields = [("what", "pause"), ("location", "b01"), ("sure", "yes")];
    assert_eq!(press(&ada, &home, &fields).await.status, 403);
    assert_eq!(paused(server).await, []);
}
