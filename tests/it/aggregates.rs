//! Rows that are counted and added up, filters that fit no row, and tables of batches.

mod caps;
mod figures;
mod misfits;
mod tables;

use serde_json::{Map, Value, json};
use test_support::recording::Recording;
use test_support::server::TestServer;

use crate::lists::{read, read_blocks, serve};

const TRANSACTIONS: &str = "payments_list-transactions";
const CONTACTS: &str = "contacts_get-contacts";

/// A location in Los Angeles. Every list has one page with these rows under this name.
async fn serve_rows(name: &'static str, rows: Value) -> (Recording, TestServer) {
    serve(&[], move |request| {
        let body = match request.target.starts_with("/locations/") {
            true => json!({"location": {"id": "L", "timezone": "America/Los_Angeles"}}),
            // The list ends after its one page.
            false if request.target.contains("offset=") => json!({name: []}),
            false => json!({name: rows}),
        };
        test_support::recording::json(200, body.to_string())
    })
    .await
}

/// The figures for these rows.
async fn figures(operation: &str, rows: Value, output: Value) -> Value {
    let name = match operation {
        TRANSACTIONS => "data",
        _ => "contacts",
    };
    let (_highlevel, server) = serve_rows(name, rows).await;
    read(&server, operation, &Map::new(), &output).await
}

/// The error of a read, and the number of pages that were read for it.
async fn fault(operation: &str, rows: Value, output: &Value) -> (Value, usize) {
    let name = match operation {
        TRANSACTIONS => "data",
        _ => "contacts",
    };
    let (highlevel, server) = serve_rows(name, rows).await;
    let answer = read_blocks(&server, operation, &Map::new(), output).await;
    let error = answer.expect_err(&output.to_string());
    let error = serde_json::from_str(&error).expect("JSON");
    let requests = highlevel.take().into_iter();
    let pages = requests.filter(|request| !request.target.starts_with("/locations/"));
    (error, pages.count())
}
