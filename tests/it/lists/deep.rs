//! Searches whose page numbers end at 10,000 rows continue by the last row.

use serde_json::{Map, Value, json};
use test_support::recording::json;

use super::{LongList, given, needed, none, numbers, read, serve};
use highlevel_mcp::catalog::TOOLS;
use tool::Tool;

const LIST: LongList = LongList {
    rows: 10_250,
    most: 100,
    tells: true,
};

fn searches() -> Vec<&'static Tool> {
    let deep = TOOLS.iter().filter(|tool| tool.paging.deep.is_some());
    deep.collect()
}

#[test]
fn three_searches_have_such_pages() {
    let names: Vec<&str> = searches().iter().map(|tool| tool.name).collect();
    let expected = [
        "contacts_search-contacts-advanced",
        "objects_search-object-records",
        "opportunities_search-opportunities-advanced",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn all_rows_are_read_across_ten_thousand() {
    let mut faults = Vec::new();
    for tool in searches() {
        let (highlevel, server) = serve(&[], move |request| {
            json(200, LIST.page(tool, request).to_string())
        })
        .await;
        let mut arguments = needed(tool);
        let size = tool.paging.page_size.expect("a size");
        arguments.insert("page".to_owned(), json!(99));
        arguments.insert(size.to_owned(), json!(100));
        let output = json!({"allPages": 40, "fields": ["n"]});
        let answer = read(&server, tool.name, &arguments, &output).await;
        let found = numbers(tool, &answer);
        if found != Vec::from_iter(9_800..10_250) || !answer["next"].is_null() {
            faults.push(format!(
                "{}: {} rows, {}",
                tool.name,
                found.len(),
                answer["_cut"]
            ));
        }
        let sent = highlevel.take();
        for (index, request) in sent.iter().enumerate() {
            let body: Value = serde_json::from_slice(&request.body).expect("JSON");
            let is_deep = body["searchAfter"]
                .as_array()
                .is_some_and(|cursor| !cursor.is_empty());
            let is_right = match index {
                0 | 1 => !is_deep && body["page"] == json!(99 + index),
                // The document of objects requires a page, whatever else is sent.
                _ => {
                    is_deep
                        && (body["page"].is_null()
                            || tool.document == "objects" && body["page"] == 1)
                }
            };
            if !is_right {
                faults.push(format!("{}: request {index} was {body}", tool.name));
            }
        }
    }
    none(&faults);
}

/// Call after call, each with the `next` of the one before.
#[tokio::test]
async fn next_leads_beyond_ten_thousand_rows() {
    for tool in searches() {
        let (_highlevel, server) = serve(&[], move |request| {
            json(200, LIST.page(tool, request).to_string())
        })
        .await;
        let mut arguments = needed(tool);
        let size = tool.paging.page_size.expect("a size");
        arguments.insert("page".to_owned(), json!(99));
        arguments.insert(size.to_owned(), json!(100));
        let mut found = Vec::new();
        let mut changes = Vec::new();
        loop {
            let answer = read(&server, tool.name, &arguments, &json!({"fields": ["n"]})).await;
            found.extend(numbers(tool, &answer));
            let Some(next) = answer["next"].as_object() else {
                break;
            };
            changes.push(Value::Object(next.clone()));
            arguments.extend(next.clone());
        }
        assert_eq!(found, Vec::from_iter(9_800..10_250), "{}", tool.name);
        assert_eq!(changes[0], json!({"page": 100}), "{}", tool.name);
        assert_eq!(
            changes[1],
            json!({"searchAfter": [1_009_999, "r9999"], "page": null})
        );
        assert_eq!(
            changes[2]["searchAfter"],
            json!([1_010_099, "r10099"]),
            "{}",
            tool.name
        );
    }
}

#[tokio::test]
async fn rows_without_a_cursor_say_where_pages_end() {
    let name = "contacts_search-contacts-advanced";
    let tool = super::tool(name);
    let (_highlevel, server) = serve(&[], move |request| {
        assert!(given(tool, request, "page").is_some());
        let rows: Vec<Value> = (0..100).map(|n| json!({"id": n})).collect();
        json(200, json!({"contacts": rows, "total": 100_000}).to_string())
    })
    .await;
    let arguments = json!({"page": 100, "pageLimit": 100});
    let arguments: Map<String, Value> = arguments.as_object().cloned().expect("arguments");
    let answer = read(&server, name, &arguments, &json!({})).await;
    assert!(answer["next"].is_null(), "{answer}");
    let why = answer["_cut"]["why"].as_str().expect("a reason");
    assert!(
        why.contains("10000 rows") && why.contains("searchAfter"),
        "{why}"
    );
}
