//! Limits on the rows that are read and shown for aggregates, and the message about the rest.

use serde_json::{Map, Value, json};
use test_support::recording::json;

use super::{CONTACTS, TRANSACTIONS, read, serve};
use crate::lists::{LongList, needed, none, paged, serve_each, tool};

const SEARCH: &str = "contacts_search-contacts-advanced";

/// Every list is counted to its end without a request for all pages.
#[tokio::test]
async fn every_list_is_counted_to_its_end() {
    let list = LongList {
        rows: 95,
        most: 20,
        tells: false,
    };
    let mut faults = Vec::new();
    let (_highlevel, server, asked) =
        serve_each(&[], move |tool, request| list.page(tool, request)).await;
    for tool in paged() {
        asked.set(tool);
        let output = json!({"sum": "n", "filter": {"field": "n", "op": ">=", "value": 30}});
        let answer = read(&server, tool.name, &needed(tool), &output).await;
        let found = (&answer["count"], &answer["sum(n)"], &answer["looked_at"]);
        if found != (&json!(65), &json!(4030), &json!(95)) || !answer["_cut"].is_null() {
            faults.push(format!("{}: {answer}", tool.name));
        }
    }
    none(&faults);
}

#[tokio::test]
async fn twenty_thousand_contacts_are_added_up_in_one_call() {
    let list = LongList {
        rows: 20_000,
        most: 500,
        tells: true,
    };
    let (highlevel, server) = serve(&[], move |request| {
        json(200, list.page(tool(SEARCH), request).to_string())
    })
    .await;
    let output = json!({"groupBy": "text", "sum": "n"});
    let answer = read(&server, SEARCH, &needed(tool(SEARCH)), &output).await;
    let expected = json!([["x".repeat(90), 20_000, 199_990_000]]);
    assert_eq!(answer["groups"]["rows"], expected, "{answer}");
    assert_eq!(answer["_cut"], Value::Null, "{answer}");
    assert_eq!(highlevel.take().len(), 40);
}

/// Figures are of all rows, however few of them a page was asked to have; a number of pages counts such pages.
#[tokio::test]
async fn figures_are_not_those_of_small_pages() {
    let list = LongList {
        rows: 400,
        most: 500,
        tells: true,
    };
    let (highlevel, server) = serve(&[], move |request| {
        json(200, list.page(tool(SEARCH), request).to_string())
    })
    .await;
    let small = Map::from_iter([("pageLimit".to_owned(), json!(3))]);
    let answer = read(&server, SEARCH, &small, &json!({"groupBy": "text"})).await;
    assert_eq!(answer["looked_at"], 400, "{answer}");
    assert_eq!(highlevel.take().len(), 1);
    let few = json!({"groupBy": "text", "allPages": 2});
    let answer = read(&server, SEARCH, &small, &few).await;
    assert_eq!(answer["looked_at"], 6, "{answer}");
    let how = answer["_cut"].to_string();
    assert!(how.contains("Set pageLimit to 500"), "{answer}");
}

#[tokio::test]
async fn figures_of_a_part_say_so() {
    async fn check(output: Value, looked_at: usize, why: &str) {
        let list = LongList {
            rows: 6_000,
            most: 100,
            tells: true,
        };
        let (_highlevel, server) = serve(&[], move |request| {
            if request.target.contains("startAfterId=1000299") {
                return json(500, r#"{"message": "no"}"#);
            }
            json(200, list.page(tool(CONTACTS), request).to_string())
        })
        .await;
        let mut arguments = Map::new();
        if looked_at > 300 {
            arguments.insert("startAfterId".to_owned(), json!("1000399"));
            arguments.insert("startAfter".to_owned(), json!(1_000_399));
        }
        let answer = read(&server, CONTACTS, &arguments, &output).await;
        let cut = &answer["_cut"];
        assert_eq!(
            (&answer["count"], &cut["of"]),
            (&json!(looked_at), &json!(6_000)),
            "{answer}"
        );
        let told = cut["why"].as_str().expect("why");
        assert!(
            told.starts_with("The figures are of a part") && told.contains(why),
            "{told}"
        );
        let next = cut["next"].as_str().expect("next");
        assert!(next.starts_with("Call again with next and add"), "{next}");
        assert!(answer["next"].is_object(), "{answer}");
    }
    check(json!({"sum": "n"}), 5_000, "50 pages were read.").await;
    check(
        json!({"sum": "n", "allPages": 2}),
        200,
        "2 pages were read.",
    )
    .await;
    check(json!({"sum": "n"}), 300, "A further page failed").await;
}

/// HighLevel's own count is used if nothing else is requested.
#[tokio::test]
async fn rows_that_highlevel_counts_are_not_read() {
    let list = LongList {
        rows: 60_000,
        most: 100,
        tells: true,
    };
    let (highlevel, server) = serve(&[], move |request| {
        json(200, list.page(tool(CONTACTS), request).to_string())
    })
    .await;
    let answer = read(&server, CONTACTS, &Map::new(), &json!({"count": true})).await;
    let expected = json!({"count": 60_000, "total": "60000"});
    assert_eq!(answer, expected);
    assert_eq!(highlevel.take().len(), 1);
}

#[tokio::test]
async fn groups_that_are_not_shown_are_added_up() {
    let rows: Vec<Value> = (0..300)
        .map(|n| json!({"_id": n, "amount": 0.1, "entityId": format!("e{n}"), "currency": "USD"}))
        .collect();
    let body = json!({"data": rows, "totalCount": 300}).to_string();
    let check =
        async |settings: &[(&str, &str)], output: Value, shown: std::ops::RangeInclusive<usize>| {
            let body = body.clone();
            let (_highlevel, server) = serve(settings, move |_| json(200, body.clone())).await;
            let answer = read(&server, TRANSACTIONS, &Map::new(), &output).await;
            let count = answer["groups"]["rows"].as_array().expect("groups").len();
            assert!(shown.contains(&count), "{count}: {answer}");
            let left = 300 - count;
            let cents = serde_json::from_str::<Value>(&format!("{}.{}", left / 10, left % 10));
            let sum = match left % 10 {
                0 => json!(left / 10),
                _ => cents.expect("a number"),
            };
            let expected = json!({"groups": left, "count": left, "sum(amount)": sum});
            assert_eq!(answer["others"], expected, "{answer}");
            let cut = &answer["_cut"];
            assert_eq!(
                (&cut["shown"], &cut["of"]),
                (&json!(count), &json!(300)),
                "{cut}"
            );
            assert!(
                cut["why"].to_string().contains("of 300 groups are shown"),
                "{cut}"
            );
        };
    let output = json!({"groupBy": "entityId", "sum": "amount"});
    check(&[], output.clone(), 200..=200).await;
    let few = json!({"groupBy": "entityId", "sum": "amount", "maxItems": 7});
    check(&[], few, 7..=7).await;
    let small = [("HIGHLEVEL_MCP_TOOLS_MAX_ANSWER_BYTES", "2500")];
    check(&small, output, 50..=180).await;
}
