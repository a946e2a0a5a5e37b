//! A batch of reads as one table.

use serde_json::{Value, json};
use test_support::recording::json;
use test_support::server::TestServer;

use super::serve;

async fn call(server: &TestServer, tool: &str, arguments: Value) -> (Vec<String>, bool) {
    let params = json!({"name": tool, "arguments": arguments});
    let reply = server.rpc("tools/call", params).await;
    let blocks = reply["result"]["content"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let texts = blocks
        .iter()
        .filter_map(|block| Some(block["text"].as_str()?.to_owned()));
    (texts.collect(), reply["result"]["isError"] == true)
}

#[tokio::test]
async fn the_rows_of_all_items_are_one_table() {
    let (_highlevel, server) = serve(&[], |request| {
        let target = &request.target;
        if target.contains("query=bad") {
            return json(400, r#"{"message": "no such thing"}"#);
        }
        if let Some(id) = target.strip_prefix("/contacts/").filter(|rest| !rest.starts_with('?')) {
            return json(200, json!({"contact": {"id": id, "email": format!("{id}@x.com")}}).to_string());
        }
        let rows = match target.contains("query=ann") {
            true => json!([{"id": "a", "email": "a@x.com"}, {"id": "b", "email": "b@x.com"}, {"id": "c", "email": "c@x.com"}]),
            false => json!([{"id": "d", "phone": "5"}]),
        };
        json(200, json!({"contacts": rows}).to_string())
    })
    .await;
    let read = |items: Value, output: Value| json!({"operation": "contacts_get-contacts", "items": items, "output": output, "onError": "continue"});
    let items = json!([{"query": "ann"}, {"query": "bad"}, {"query": "bob"}]);
    let csv = json!({"format": "csv", "fields": ["id", "email", "phone"]});
    let (blocks, is_error) = call(&server, "call_read", read(items.clone(), csv)).await;
    assert!(is_error, "{blocks:?}");
    assert_eq!(
        blocks[0],
        "item,id,email,phone\r\n0,a,a@x.com,\r\n0,b,b@x.com,\r\n0,c,c@x.com,\r\n2,d,,5\r\n"
    );
    let notes: Value = serde_json::from_str(&blocks[1]).expect("JSON");
    assert_eq!(notes["notRun"], 0, "{notes}");
    assert_eq!(notes["failures"][0]["item"], 1, "{notes}");
    assert!(
        notes["failures"][0]["error"]
            .to_string()
            .contains("no such thing"),
        "{notes}"
    );
    // Figures and single records are rows too.
    let good = json!([{"query": "ann"}, {"query": "bob"}]);
    let (blocks, _) = call(
        &server,
        "call_read",
        read(good.clone(), json!({"format": "csv", "count": true})),
    )
    .await;
    assert_eq!(blocks[0], "item,count\r\n0,3\r\n1,1\r\n");
    let groups = json!({"format": "table", "groupBy": "phone"});
    let (blocks, _) = call(&server, "call_read", read(good, groups)).await;
    assert!(
        blocks[0].starts_with("item|phone|count\n0||3\n1|5|1\n"),
        "{blocks:?}"
    );
    let records = json!({"operation": "contacts_get-contact", "items": [{"contactId": "x"}, {"contactId": "y"}], "output": {"format": "csv"}});
    let (blocks, _) = call(&server, "call_read", records).await;
    assert_eq!(blocks, ["item,id,email\r\n0,x,x@x.com\r\n1,y,y@x.com\r\n"]);
}

#[tokio::test]
async fn writes_are_no_table() {
    let (highlevel, server) = serve(&[], |_| json(200, "{}")).await;
    let arguments = json!({"operation": "contacts_update-contact", "items": [{"contactId": "a", "city": "R"}], "output": {"format": "csv"}});
    let (blocks, is_error) = call(&server, "call_write", arguments).await;
    assert!(
        is_error && blocks[0].contains("Leave output.format out."),
        "{blocks:?}"
    );
    assert!(highlevel.take().iter().all(|one| one.method == "GET"));
}
