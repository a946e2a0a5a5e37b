//! Members beside a list in HighLevel's answer are also shown beside the rows.

use serde_json::{Value, json};
use test_support::recording::json;

use super::{lists, needed, none, put, read, read_blocks, serve, serve_each, tool};
use tool::Tool;

/// An answer with two rows, and members beside the list at every level above it.
fn answer(tool: &Tool) -> Value {
    let mut answer = json!({});
    put(
        &mut answer,
        tool.paging.rows,
        json!([{"id": "r1", "name": "A"}, {"id": "r2", "name": "B"}]),
    );
    answer["fingerprintId"] = json!("fp_1");
    answer["folders"] = json!([{"id": "f1"}]);
    if let [holder, _] = tool.paging.rows {
        answer[*holder]["csv"] = json!({"status": "done"});
    }
    answer
}

#[tokio::test]
async fn members_beside_every_list_are_shown_in_every_form() {
    let mut faults = Vec::new();
    let (_highlevel, server, asked) = serve_each(&[], |tool, _| answer(tool)).await;
    for tool in lists().filter(|tool| !tool.paging.rows.is_empty()) {
        asked.set(tool);
        for output in [
            json!({}),
            json!({"fields": ["id"]}),
            json!({"fields": ["*"]}),
            json!({"format": "table"}),
            json!({"format": "csv"}),
            json!({"filter": {"field": "name", "value": "A"}}),
        ] {
            let blocks = read_blocks(&server, tool.name, &needed(tool), &output).await;
            let blocks = match blocks {
                Ok(blocks) => blocks,
                Err(error) => {
                    faults.push(format!("{}: {error}", tool.name));
                    break;
                }
            };
            let parsed = |block: &String| -> Value {
                let last = block.lines().last().unwrap_or_default();
                serde_json::from_str(last.trim_start_matches("# ")).unwrap_or_default()
            };
            let mut beside = blocks.iter().map(parsed);
            let beside = beside.find(|one| one["fingerprintId"].is_string());
            let beside = beside.unwrap_or_default();
            let nested = tool.paging.rows.len() < 2 || beside["csv"] == json!({"status": "done"});
            let told = (&beside["fingerprintId"], &beside["folders"]);
            if told != (&json!("fp_1"), &json!([{"id": "f1"}])) || !nested {
                faults.push(format!("{} {output}: {blocks:?}", tool.name));
            }
        }
    }
    none(&faults);
}

#[tokio::test]
async fn paging_fields_are_not_repeated() {
    let (_highlevel, server) = serve(&[], |_| {
        let meta =
            json!({"total": 2, "startAfter": 1, "startAfterId": "a", "nextPageUrl": "https://x"});
        json(
            200,
            json!({"contacts": [{"id": "a"}, {"id": "b"}], "meta": meta, "count": 2, "extra": {}})
                .to_string(),
        )
    })
    .await;
    let needs = needed(tool("contacts_get-contacts"));
    let answer = read(&server, "contacts_get-contacts", &needs, &json!({})).await;
    let expected =
        json!({"contacts": {"columns": ["id"], "rows": [["a"], ["b"]]}, "count": 2, "total": 2});
    assert_eq!(answer, expected);
    let whole = read(
        &server,
        "contacts_get-contacts",
        &needs,
        &json!({"fields": ["*"]}),
    )
    .await;
    assert_eq!(whole["meta"]["nextPageUrl"], "https://x", "{whole}");
    assert_eq!(whole["extra"], json!({}), "{whole}");
}

/// Of two pages, the later value wins. A member with one of our names is shown under its path. A large member is shown
/// only when it is named.
#[tokio::test]
async fn members_of_several_pages_are_joined() {
    let large = json!([{"id": "f", "name": "x".repeat(5_000)}]);
    let folders = large.clone();
    let (_highlevel, server) = serve(&[], move |request| {
        let is_first = !request.target.contains("offset=1");
        let body = if is_first {
            json!({"data": [{"_id": "a"}], "totalCount": 2, "next": "n", "sums": {"USD": 1}, "first": 1, "folders": folders})
        } else {
            json!({"data": [{"_id": "b"}], "totalCount": 2, "sums": {"USD": 2}, "folders": folders})
        };
        json(200, body.to_string())
    })
    .await;
    let needs = needed(tool("payments_list-transactions"));
    let all = json!({"allPages": true});
    let answer = read(&server, "payments_list-transactions", &needs, &all).await;
    let found = [
        &answer["sums"],
        &answer["first"],
        &answer["answer.next"],
        &answer["folders"],
    ];
    assert_eq!(
        found,
        [&json!({"USD": 2}), &json!(1), &json!("n"), &Value::Null],
        "{answer}"
    );
    assert_eq!(answer["_cut"]["leftOut"], json!(["folders"]), "{answer}");
    let named = json!({"allPages": true, "fields": ["_id", "folders"]});
    let answer = read(&server, "payments_list-transactions", &needs, &named).await;
    assert_eq!(answer["folders"], large, "{answer}");
    assert!(answer["_cut"].is_null(), "{answer}");
}

/// Members beside the rows take up their space. A member is left out if not one row would be left.
#[tokio::test]
async fn members_that_fill_an_answer_are_left_out() {
    async fn check(bytes: usize, is_left_out: bool) {
        const MOST: usize = 4_000;
        let most = MOST.to_string();
        let settings = [("HIGHLEVEL_MCP_TOOLS_MAX_ANSWER_BYTES", most.as_str())];
        let (_highlevel, server) = serve(&settings, move |_| {
            let rows: Vec<Value> = (0..1_000).map(|n| json!({"_id": n})).collect();
            json(
                200,
                json!({"data": rows, "totalCount": 1_000, "sums": "x".repeat(bytes)}).to_string(),
            )
        })
        .await;
        let needs = needed(tool("payments_list-transactions"));
        let whole = json!({"fields": ["*"]});
        let answer = read(&server, "payments_list-transactions", &needs, &whole).await;
        assert!(answer.to_string().len() <= MOST);
        assert!(
            answer["data"]
                .as_array()
                .is_some_and(|rows| !rows.is_empty()),
            "{answer}"
        );
        assert_eq!(answer["sums"].is_null(), is_left_out, "{answer}");
        let left_out = if is_left_out {
            json!(["sums"])
        } else {
            Value::Null
        };
        assert_eq!(answer["_cut"]["leftOut"], left_out, "{answer}");
        let shown = answer["_cut"]["shown"].clone();
        assert_eq!(answer["next"]["offset"], shown, "{answer}");
    }
    check(1_000, false).await;
    check(3_000, false).await;
    check(5_000, true).await;
}
