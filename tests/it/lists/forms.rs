//! Rows as JSON, table and CSV, whatever their type.

use serde_json::{Map, Value, json};
use test_support::recording::json;

use super::{lists, needed, none, put, read, read_blocks, serve, serve_each, tool};

const PHONES: &str = r#"{"contacts":[
    {"id":"c1","contactName":"=1+1","email":"a@example.com","phone":"+15550600001","tags":["a","b"]},
    {"id":"c2","contactName":"O'Neil, \"Ann\"\nx","email":"@b","phone":"5","tags":[]}]}"#;

#[tokio::test]
async fn csv_is_that_of_the_rfc() {
    let (_highlevel, server) = serve(&[], |_| json(200, PHONES)).await;
    let check = async |output: Value, expected: &str| {
        let blocks = read_blocks(&server, "contacts_get-contacts", &Map::new(), &output).await;
        let blocks = blocks.expect("rows");
        assert_eq!(blocks[0], expected, "{output}");
        assert_eq!(blocks.len(), 1, "{blocks:?}");
        let records = csv::ReaderBuilder::new()
            .from_reader(blocks[0].as_bytes())
            .into_records();
        assert_eq!(
            records
                .map(|record| record.expect("a record").len())
                .collect::<Vec<_>>(),
            [4, 4]
        );
    };
    let fields = ["id", "contactName", "phone", "email"];
    check(
        json!({"format": "csv", "fields": fields}),
        "id,contactName,phone,email\r\nc1,=1+1,+15550600001,a@example.com\r\nc2,\"O'Neil, \"\"Ann\"\"\nx\",5,@b\r\n",
    )
    .await;
    check(
        json!({"format": "csv", "fields": fields, "spreadsheetSafe": true}),
        "id,contactName,phone,email\r\nc1,'=1+1,'+15550600001,a@example.com\r\nc2,\"O'Neil, \"\"Ann\"\"\nx\",5,'@b\r\n",
    )
    .await;
    // The apostrophe is only for CSV.
    let table = json!({"format": "table", "fields": ["id", "phone"], "spreadsheetSafe": true});
    let table = read_blocks(&server, "contacts_get-contacts", &Map::new(), &table).await;
    assert_eq!(table.expect("rows"), ["id|phone\nc1|+15550600001\nc2|5\n"]);
}

#[tokio::test]
async fn notes_on_csv_are_a_block_of_their_own() {
    let (_highlevel, server) = serve(&[], |_| {
        json(
            200,
            json!({"data": [{"_id": "a", "amount": 5}], "totalCount": 9}).to_string(),
        )
    })
    .await;
    let name = "payments_list-transactions";
    let output = json!({"format": "csv", "maxItems": 1});
    let blocks = read_blocks(&server, name, &needed(tool(name)), &output)
        .await
        .expect("rows");
    assert_eq!(blocks[0], "_id,amount\r\na,5\r\n");
    let notes: Value = serde_json::from_str(&blocks[1]).expect("JSON");
    assert_eq!(
        (&notes["total"], &notes["next"]),
        (&json!(9), &json!({"offset": 1})),
        "{notes}"
    );
    assert_eq!(
        (&notes["_cut"]["shown"], &notes["_cut"]["of"]),
        (&json!(1), &json!(9)),
        "{notes}"
    );
    let table = json!({"format": "table", "maxItems": 1});
    let blocks = read_blocks(&server, name, &needed(tool(name)), &table)
        .await
        .expect("rows");
    let last = blocks[0]
        .lines()
        .last()
        .expect("a line")
        .trim_start_matches("# ");
    assert_eq!(serde_json::from_str::<Value>(last).expect("JSON"), notes);
    // In a batch it is also beside the rows, with its item.
    let params = json!({"name": "call_read", "arguments": {"operation": name, "items": [{}], "output": output}});
    let reply = server.rpc("tools/call", params).await;
    let block = |index: usize| reply["result"]["content"][index]["text"].as_str();
    assert_eq!(block(0), Some("item,_id,amount\r\n0,a,5\r\n"), "{reply}");
    let beside: Value = serde_json::from_str(block(1).expect("notes")).expect("JSON");
    let mut notes = notes;
    notes["item"] = json!(0);
    assert_eq!(beside, json!({"notes": [notes]}));
}

/// Rows that are texts, numbers or lists are shown as they are, by every list.
#[tokio::test]
async fn rows_that_are_not_objects_are_values() {
    let mut faults = Vec::new();
    let rows = json!(["a", 5, ["x", "y"]]);
    let sent = rows.clone();
    let (_highlevel, server, asked) = serve_each(&[], move |tool, _| {
        let mut body = Value::Null;
        put(&mut body, tool.paging.rows, sent.clone());
        body
    })
    .await;
    for tool in lists() {
        asked.set(tool);
        let name = tool.paging.rows.last().copied().unwrap_or("rows");
        let needs = needed(tool);
        let mut expect = async |output: Value, expected: Value| {
            let blocks = read_blocks(&server, tool.name, &needs, &output).await;
            let text = blocks
                .map(|blocks| blocks[0].clone())
                .unwrap_or_else(|error| error);
            let found = match serde_json::from_str::<Value>(&text) {
                Ok(answer) => answer[name].clone(),
                Err(_) => json!(text),
            };
            if found != expected {
                faults.push(format!("{} {output}: {found}", tool.name));
            }
        };
        expect(json!({}), rows.clone()).await;
        expect(json!({"fields": ["id"]}), rows.clone()).await;
        expect(
            json!({"filter": {"field": "value", "value": "A"}}),
            json!(["a"]),
        )
        .await;
        expect(
            json!({"format": "csv"}),
            json!("value\r\na\r\n5\r\nx; y\r\n"),
        )
        .await;
        expect(json!({"format": "table"}), json!("value\na\n5\nx; y\n")).await;
    }
    none(&faults);
}

#[tokio::test]
async fn fields_that_documents_name_may_be_in_no_row() {
    let body = json!({"contacts": [{"id": "a"}]}).to_string();
    let (_highlevel, server) = serve(&[], move |_| json(200, body.clone())).await;
    let check = async |output: Value, warning: Option<&str>| {
        let answer = read(&server, "contacts_get-contacts", &Map::new(), &output).await;
        let found = answer["_warnings"][0].as_str();
        assert_eq!(found, warning, "{output}: {answer}");
    };
    check(json!({"fields": ["id", "email"]}), None).await;
    let filter = |op: &str| json!({"filter": {"field": "email", "op": op, "value": true}});
    check(filter("exists"), None).await;
    check(filter("not_exists"), None).await;
    check(filter("="), Some("No row has the field email.")).await;
}
