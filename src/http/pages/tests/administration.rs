//! The pages of administration with as much on each as there may be.

use crate::http::pages::connections::{
    ConnectionPage, ConnectionRow, ConnectionsPage, MOST_CONNECTIONS, NarrowingRow,
};
use crate::http::pages::{Page, form, paging};

/// Each by its name.
pub(super) fn every_page() -> Vec<(&'static str, Page)> {
    [connections()].into_iter().flatten().collect()
}

fn connections() -> Vec<(&'static str, Page)> {
    let connection = || ConnectionRow {
        id: "gra_0123456789abcdefghijkl".to_owned(),
        client: "Claude Code".to_owned(),
        origin: "Published by claude.ai (checked)".to_owned(),
        holder: Some("Ada".to_owned()),
        locations: "acme, globex, initech and 57 more".to_owned(),
        rules: vec!["do everyday work".to_owned(), "read only".to_owned()],
        used: "2026-11-29 13:00".to_owned(),
        ends: "2027-11-29, or after 90 days without use".to_owned(),
    };
    let connections: Vec<_> = (0..MOST_CONNECTIONS).map(|_| connection()).collect();
    let narrowing = |number| NarrowingRow {
        value: format!("section:rules-{number}"),
        title: format!("rules-{number}"),
        text: "Rules of this server's own, beside what holds already.".to_owned(),
    };
    let one_connection = ConnectionPage {
        row: &connection(),
        locations: &"location-of-a-customer, ".repeat(300),
        narrowings: &(0..50).map(narrowing).collect::<Vec<_>>(),
        of_client: 900,
        of_person: Some(("Ada", 40)),
        problem: Some("Nothing was changed."),
        token: "s",
    };
    vec![
        (
            "connections",
            ConnectionsPage {
                rows: &connections,
                paging: &paging("/console/connections", 7_000, MOST_CONNECTIONS),
                token: "s",
            }
            .page(),
        ),
        ("connection", one_connection.page()),
    ]
}

/// The second part of a list of so many rows.
fn paging(path: &str, total: usize, size: usize) -> paging::ListParts {
    let query = form::FormFields::parse(b"page=2").expect("a query");
    paging::ListParts::new(path, &query, total, size)
}
