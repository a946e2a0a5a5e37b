//! Missing parts of an answer are reported in one form, with the way to get them, and the continuation skips no row.

use axum::response::IntoResponse;
use serde_json::{Map, Value, json};
use test_support::recording::json;

use super::{LongList, needed, none, numbers, paged, read, serve, serve_each, tool};

/// Every list in small answers: over all rows, `next` leads to the row after the last shown one, or the answer says
/// that it cannot.
#[tokio::test]
async fn next_leaves_no_row_out() {
    let mut faults = Vec::new();
    let mut whole = 0;
    let list = LongList {
        rows: 95,
        most: 20,
        tells: true,
    };
    for (settings, output) in [
        (
            &[("HIGHLEVEL_MCP_TOOLS_MAX_ANSWER_BYTES", "2500")][..],
            json!({"allPages": 2, "fields": ["n", "text"]}),
        ),
        (&[], json!({"maxItems": 7, "fields": ["n"]})),
        (
            &[],
            json!({"maxItems": 40, "allPages": 10, "fields": ["n"]}),
        ),
        (
            &[],
            json!({"maxItems": 7, "fields": ["n"], "filter": {"field": "n", "op": ">=", "value": 30}}),
        ),
    ] {
        let (_highlevel, server, asked) =
            serve_each(settings, move |tool, request| list.page(tool, request)).await;
        for tool in paged() {
            asked.set(tool);
            let mut arguments = needed(tool);
            let mut found = Vec::new();
            let first = if output["filter"].is_null() { 0 } else { 30 };
            for _ in 0..100 {
                let answer = read(&server, tool.name, &arguments, &output).await;
                let rows = numbers(tool, &answer);
                let expected =
                    Vec::from_iter(first + found.len()..first + found.len() + rows.len());
                if rows != expected {
                    faults.push(format!(
                        "{} {output}: {rows:?} after {}",
                        tool.name,
                        found.len()
                    ));
                    break;
                }
                found.extend(rows);
                let cut = &answer["_cut"];
                match answer["next"].as_object() {
                    Some(next) => {
                        if !cut["next"]
                            .as_str()
                            .is_some_and(|how| how.starts_with("Call again with next"))
                        {
                            faults.push(format!("{}: next, and {cut}", tool.name));
                        }
                        arguments.extend(next.clone());
                    }
                    None => {
                        let is_all = first + found.len() == list.rows;
                        whole += usize::from(is_all);
                        if is_all != cut.is_null() || !is_all && !cut["next"].is_string() {
                            faults.push(format!(
                                "{} {output}: {} rows, {cut}",
                                tool.name,
                                found.len()
                            ));
                        }
                        break;
                    }
                }
            }
        }
    }
    none(&faults);
    assert!(
        whole > 3 * paged().len(),
        "only {whole} lists were read to their end"
    );
}

#[tokio::test]
async fn every_cap_names_itself() {
    async fn check(output: Value, (shown, pages): (usize, usize), why: &str, how: &str) {
        let list = LongList {
            rows: 5_000,
            most: 100,
            tells: true,
        };
        let name = "contacts_get-contacts";
        let (highlevel, server) = serve(&[], move |request| {
            json(200, list.page(tool(name), request).to_string())
        })
        .await;
        let answer = read(&server, name, &Map::new(), &output).await;
        let cut = &answer["_cut"];
        assert_eq!(
            (&cut["shown"], &cut["of"]),
            (&json!(shown), &json!(5_000)),
            "{cut}"
        );
        assert_eq!(highlevel.take().len(), pages);
        assert!(cut["why"].as_str().expect("why").contains(why), "{cut}");
        assert!(cut["next"].as_str().expect("how").contains(how), "{cut}");
    }
    let all = |more: Value| {
        let mut output = json!({"fields": ["n"], "allPages": true});
        output
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().cloned().expect("an object"));
        output
    };
    check(
        json!({"fields": ["n"]}),
        (20, 1),
        "One page was read.",
        "set output.allPages",
    )
    .await;
    check(
        all(json!({})),
        (500, 5),
        "5 pages were read.",
        "a number of pages",
    )
    .await;
    check(
        all(json!({"maxItems": 1_000})),
        (500, 5),
        "5 pages were read.",
        "a number of pages",
    )
    .await;
    check(
        all(json!({"allPages": 20})),
        (500, 5),
        "500 rows are read",
        "Call again with next",
    )
    .await;
    check(
        all(json!({"allPages": 20, "maxItems": 800})),
        (800, 8),
        "maxItems is 800.",
        "Call again with next",
    )
    .await;
    check(
        all(json!({"allPages": 20, "maxItems": 750})),
        (750, 8),
        "maxItems is 750.",
        "Raise maxItems",
    )
    .await;
}

#[tokio::test]
async fn a_failed_page_is_reported_in_highlevels_words() {
    let name = "contacts_search-contacts-advanced";
    let list = LongList {
        rows: 5_000,
        most: 100,
        tells: true,
    };
    let (_highlevel, server) = serve(&[], move |request| {
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        if body["page"] == 3 {
            let error = json!({"statusCode": 400, "message": "page must not be greater than 2", "traceId": "t1"});
            return json(400, error.to_string());
        }
        json(200, list.page(tool(name), request).to_string())
    })
    .await;
    let output = json!({"allPages": true, "fields": ["n"]});
    let answer = read(&server, name, &needed(tool(name)), &output).await;
    assert_eq!(numbers(tool(name), &answer), Vec::from_iter(0..200));
    let incomplete = &answer["incomplete"];
    assert_eq!(
        (&incomplete["status"], &incomplete["class"]),
        (&json!(400), &json!("invalid")),
        "{answer}"
    );
    assert!(
        incomplete
            .to_string()
            .contains("page must not be greater than 2"),
        "{answer}"
    );
    // The page is counted in the size that was added.
    assert_eq!(
        answer["next"],
        json!({"page": 3, "pageLimit": 100}),
        "{answer}"
    );
    assert!(
        answer["_cut"]["why"]
            .as_str()
            .is_some_and(|why| why.contains("incomplete")),
        "{answer}"
    );
}

#[tokio::test]
async fn long_texts_are_cut_and_said_so() {
    let (_highlevel, server) = serve(&[], |_| {
        let row = json!({"_id": "a", "contactName": "x".repeat(400), "note": "y".repeat(30_000)});
        json(200, json!({"data": [row], "totalCount": 1}).to_string())
    })
    .await;
    let name = "payments_list-transactions";
    let needs = needed(tool(name));
    let answer = read(&server, name, &needs, &json!({})).await;
    let expected = json!({
        "texts": ["contactName"], "why": "Texts end in … after 300 characters.",
        "next": "Name a field in output.fields for up to 20000 characters.",
    });
    assert_eq!(answer["_cut"], expected);
    let named = read(
        &server,
        name,
        &needs,
        &json!({"fields": ["contactName", "note"]}),
    )
    .await;
    let expected = json!({"texts": ["note"], "why": "Texts end in … after 20000 characters."});
    assert_eq!(named["_cut"], expected);
}

/// The answer of a tool without `output` is cut in the same form.
#[tokio::test]
async fn a_whole_answer_is_cut_in_the_same_form() {
    let settings = [("HIGHLEVEL_MCP_TOOLS_MAX_ANSWER_BYTES", "4000")];
    let rows: Vec<Value> = (0..100)
        .map(|n| json!({"_id": n, "text": "x".repeat(90)}))
        .collect();
    let body = json!({"data": rows, "totalCount": 100}).to_string();
    let (_highlevel, mut server) =
        serve(&settings, move |_| json(200, body.clone()).into_response()).await;
    server.path = "/mcp";
    let (text, is_error) = server.call("payments_list-transactions", json!({})).await;
    assert!(!is_error, "{text}");
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    let shown = answer["data"].as_array().expect("rows").len();
    let next = format!("Add {shown} to offset for what follows.");
    let expected = json!({"shown": shown, "of": 100, "why": "The answer is full.", "next": next});
    assert_eq!(answer["_cut"], expected);
}

/// The advertised text of `output` names every cap.
#[tokio::test]
async fn the_caps_are_advertised() {
    let (_highlevel, server) = serve(&[], |_| json(200, "{}")).await;
    let list = server.rpc("tools/list", json!({})).await;
    let tools = list["result"]["tools"].as_array().expect("tools");
    let read = tools
        .iter()
        .find(|tool| tool["name"] == "call_read")
        .expect("call_read");
    let output = &read["inputSchema"]["properties"]["output"]["description"];
    let text = output.as_str().expect("a text");
    let caps = [
        "maxItems: 500",
        "allPages: true (5) or up to 50",
        "count, sum, avg, min, max, minCount: 50 pages",
        "month|week|day",
        "texts end at 300 characters, named ones at 20,000",
        "spreadsheetSafe",
    ];
    let missing = caps.iter().filter(|cap| !text.contains(*cap));
    let faults: Vec<String> = missing
        .map(|cap| format!("the text does not say {cap}: {text}"))
        .collect();
    none(&faults);
}
