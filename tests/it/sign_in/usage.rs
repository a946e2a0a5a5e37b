//! Usage as people see it: operators see all of it, others their own, customers by the builder's own names; and as a
//! file.

use serde_json::{Value, json};
use state::links::Offer;
use state::people::Person;

use super::browser::Browser;
use super::builder::{Builder, TOKEN};
use super::connections::{Connections, Terms};
use super::{link, sign_in_as_operator};
use ::sandbox::LOCATION;

const PATH: &str = "/console/usage";
const EXPORT: &str = "/console/usage/export";
const READ: &str = "contacts_get-contacts";

async fn sign_in(connections: &Connections, person: &Person) -> Browser {
    let server = &connections.agency.server;
    let browser = Browser::new(server);
    let offer = Offer::Login {
        person: person.id.clone(),
    };
    let link = link(server, offer).await;
    let joined = browser.post("/console/signin", &[("link", &link)]).await;
    assert_eq!(joined.location(), "/console");
    browser
}

/// The counts in the last row of the page.
async fn sums(browser: &Browser, query: &str) -> Vec<i64> {
    let page = browser.get(&format!("{PATH}{query}")).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let Some((_, foot)) = page.text.split_once("<tfoot>") else {
        return Vec::new();
    };
    let cells = foot.split("<td>").skip(1);
    let cells = cells.filter_map(|cell| cell.split('<').next());
    cells.map(|cell| cell.parse().expect("a count")).collect()
}

#[tokio::test]
async fn everybody_sees_the_calls_that_are_theirs_and_operators_all() {
    let connections = Connections::start(3, "").await;
    let server = &connections.agency.server;
    let olga = Browser::new(server);
    sign_in_as_operator(server, &olga).await;
    let ada = connections.member("Ada", &["b01"]).await;
    let bob = connections.member("Bob", &["b01"]).await;
    let own = connections.paste(&bob, 3).await;
    let of_ada = connections.connect(Terms::of_person(&ada)).await;
    let of_bob = connections.connect(Terms::of_person(&bob)).await;
    let read = |location: &str| json!({"location": location, "limit": 1});
    for (connection, location) in [
        (&of_ada, "b01"),
        (&of_bob, "b01"),
        (&of_bob, own.alias.as_str()),
    ] {
        let found = connections.call(connection, READ, read(location)).await;
        found.expect("contacts");
    }
    let (adas, bobs) = (
        sign_in(&connections, &ada).await,
        sign_in(&connections, &bob).await,
    );
    for query in ["", "?by=location", "?by=principal", "?by=effect", "?by=day"] {
        assert_eq!(sums(&olga, query).await, [3, 0, 3], "{query}");
        assert_eq!(sums(&adas, query).await, [1, 0, 1], "{query}");
        assert_eq!(sums(&bobs, query).await, [2, 0, 2], "{query}");
    }
    assert_eq!(sums(&olga, "?month=2020-01").await, Vec::<i64>::new());
    let page = olga.get(PATH).await;
    for part in [
        "Test client, for Ada",
        "b01",
        &own.alias,
        "href=\"/console/usage\"",
    ] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    let wrong = olga.get(&format!("{PATH}?month=soon")).await;
    assert_eq!(wrong.status, 400);
    assert!(
        wrong.text.contains("Give a month such as 2026-11."),
        "{}",
        wrong.text
    );
    // As a file: the same.
    for (browser, expected) in [(&olga, 3), (&adas, 1), (&bobs, 2)] {
        let file = browser.get(EXPORT).await;
        assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
        let name = file.header("content-disposition");
        assert!(
            name.starts_with("attachment; filename=\"usage-20"),
            "{name}"
        );
        let mut lines = file.text.lines();
        assert!(
            lines
                .next()
                .is_some_and(|line| line.starts_with("day,kind,who,"))
        );
        assert_eq!(lines.count(), expected, "{}", file.text);
    }
    assert_eq!(olga.get(&format!("{EXPORT}?month=soon")).await.status, 400);
    let nobody = Browser::new(server);
    assert_eq!(nobody.get(PATH).await.status, 401);
    assert_eq!(nobody.get(EXPORT).await.status, 401);
}

#[tokio::test]
async fn any_number_of_callers_comes_in_parts() {
    let connections = Connections::start(1, "").await;
    let server = &connections.agency.server;
    let olga = Browser::new(server);
    sign_in_as_operator(server, &olga).await;
    let usage = server.pipeline.controls().usage.clone().expect("counted");
    let long = "x".repeat(64);
    for number in 0..120 {
        let (id, location) = (format!("{number}-{long}"), format!("L{number}-{long}"));
        usage.count(&state::usage::UsageEntry {
            kind: "credential",
            id: &id,
            location: &location,
            effect: "read",
            counts: state::usage::UsageCounts {
                calls: number,
                failed: 0,
                requests: number,
            },
        });
    }
    for (query, rows) in [("", 50), ("?page=2", 50), ("?page=3", 20), ("?page=9", 20)] {
        let page = olga.get(&format!("{PATH}{query}")).await;
        let found = page.text.matches("<th scope=\"row\">").count() - 1;
        assert_eq!(found, rows, "{query}");
        assert!(page.text.len() < 40 << 10, "{}", page.text.len());
        assert_eq!(
            sums(&olga, query).await,
            [7_140, 0, 7_140],
            "the sum is of all"
        );
    }
}

#[tokio::test]
async fn customers_stand_under_the_builders_own_names() {
    let builder = Builder::start().await;
    let link = builder.make("=cus,7", "everyday").await;
    let back = builder.connect(&link, LOCATION, TOKEN).await;
    let given = builder.key_of(&back).await;
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    let key = given["key"].as_str().expect("a key");
    let (answer, is_error) = builder.call(key, READ, json!({"limit": 1})).await;
    assert!(!is_error, "{answer}");
    let olga = Browser::new(&builder.server);
    sign_in_as_operator(&builder.server, &olga).await;
    let page = olga.get(PATH).await;
    assert!(page.text.contains("customer =cus,7"), "{}", page.text);
    let file = olga.get(EXPORT).await.text;
    let of_key = |line: &&str| line.contains(",key,key:") && line.ends_with(",read,1,0,1");
    let line = file.lines().find(of_key);
    let line = line.unwrap_or_else(|| panic!("no call of the key: {file}"));
    for part in [
        ",\"'=cus,7\",",
        LOCATION,
        &format!("customer {}", id(&link)),
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

fn id(link: &Value) -> &str {
    link["id"].as_str().expect("an id")
}
