//! A list ends when HighLevel says so, at an empty page, or with a note if pages repeat.

use serde_json::{Map, Value, json};
use test_support::recording::{RecordedRequest, json};

use super::{LongList, needed, none, number, numbers, paged, read, serve, serve_each, tool};
use tool::{PagingStyle, Tool};

/// HighLevel returns 50 rows a page if 100 are requested. All rows come, whether or not it gives a total.
#[tokio::test]
async fn a_short_page_ends_no_list() {
    let mut faults = Vec::new();
    for (tells, rows) in [(true, 180), (false, 180), (true, 150), (false, 3)] {
        let list = LongList {
            rows,
            most: if rows < 50 { 1 } else { 50 },
            tells,
        };
        let answer = move |tool: &Tool, request: &RecordedRequest| list.page(tool, request);
        let (_highlevel, server, asked) = serve_each(&[], answer).await;
        for tool in paged() {
            asked.set(tool);
            let output = json!({"allPages": 40, "fields": ["n"]});
            let answer = read(&server, tool.name, &needed(tool), &output).await;
            let found = numbers(tool, &answer);
            let is_whole = found == Vec::from_iter(0..rows);
            if !is_whole || !answer["_cut"].is_null() || !answer["next"].is_null() {
                let keys = [&answer["_cut"], &answer["next"]];
                faults.push(format!(
                    "{} {list:?}: {} rows, {keys:?}",
                    tool.name,
                    found.len()
                ));
            }
        }
    }
    none(&faults);
}

/// A page that is not the last says what follows; the last one does not.
#[tokio::test]
async fn one_page_leads_to_the_next() {
    struct Case {
        tool: &'static str,
        arguments: Value,
        answer: Value,
        next: Value,
        why: &'static str,
    }
    async fn check(case: Case) {
        let answer = case.answer.to_string();
        let (_highlevel, server) = serve(&[], move |_| json(200, answer.clone())).await;
        let arguments = case.arguments.as_object().expect("arguments");
        let answer = read(&server, case.tool, arguments, &json!({})).await;
        assert_eq!(answer["next"], case.next, "{} {answer}", case.tool);
        let why = answer["_cut"]["why"].as_str().unwrap_or_default();
        assert_eq!(why, case.why, "{} {answer}", case.tool);
        assert_eq!(answer["_cut"].is_null(), case.why.is_empty(), "{answer}");
    }
    let rows =
        |count: usize| Vec::from_iter((0..count).map(|index| json!({"_id": index, "id": index})));
    const SURE: &str = "One page was read.";
    const MAYBE: &str = "One page was read. There may be more.";
    let cases = [
        // A total as text, and a total smaller than the rows seen.
        Case {
            tool: "payments_list-transactions",
            arguments: json!({"limit": 100}),
            answer: json!({"data": rows(50), "totalCount": "180"}),
            next: json!({"offset": 50}),
            why: SURE,
        },
        Case {
            tool: "payments_list-transactions",
            arguments: json!({"limit": 100, "offset": "130"}),
            answer: json!({"data": rows(50), "totalCount": "180"}),
            next: Value::Null,
            why: "",
        },
        Case {
            tool: "payments_list-transactions",
            arguments: json!({"limit": 20}),
            answer: json!({"data": rows(20), "totalCount": 2}),
            next: json!({"offset": 20}),
            why: MAYBE,
        },
        // Without a total: a page as short as HighLevel's own may be short for other reasons.
        Case {
            tool: "businesses_get-businesses-by-location",
            arguments: json!({"limit": 100}),
            answer: json!({"businesses": rows(50)}),
            next: json!({"skip": 50}),
            why: MAYBE,
        },
        Case {
            tool: "businesses_get-businesses-by-location",
            arguments: json!({"limit": 100}),
            answer: json!({"businesses": rows(3)}),
            next: Value::Null,
            why: "",
        },
        Case {
            tool: "businesses_get-businesses-by-location",
            arguments: json!({"limit": 3}),
            answer: json!({"businesses": rows(3)}),
            next: json!({"skip": 3}),
            why: MAYBE,
        },
        Case {
            tool: "businesses_get-businesses-by-location",
            arguments: json!({}),
            answer: json!({"businesses": []}),
            next: Value::Null,
            why: "",
        },
        Case {
            tool: "contacts_get-contacts",
            arguments: json!({"limit": 100}),
            answer: json!({"contacts": rows(5), "meta": {"startAfter": 5, "startAfterId": "c"}}),
            next: json!({"startAfter": 5, "startAfterId": "c"}),
            why: SURE,
        },
        Case {
            tool: "contacts_get-contacts",
            arguments: json!({}),
            answer: json!({"contacts": rows(5), "meta": {"total": 5, "startAfter": 5, "startAfterId": "c"}}),
            next: Value::Null,
            why: "",
        },
        Case {
            tool: "conversations_search-conversation",
            arguments: json!({}),
            answer: json!({"conversations": [{"id": "c", "sort": [5]}], "total": 1}),
            next: Value::Null,
            why: "",
        },
        Case {
            tool: "conversations_get-messages",
            arguments: json!({"conversationId": "c"}),
            answer: json!({"messages": {"messages": rows(20), "lastMessageId": "m", "nextPage": false}}),
            next: Value::Null,
            why: "",
        },
        // Contradictions: more rows without a cursor, and a flag against a count.
        Case {
            tool: "conversations_get-messages",
            arguments: json!({"conversationId": "c"}),
            answer: json!({"messages": {"messages": rows(20), "nextPage": true}}),
            next: Value::Null,
            why: "HighLevel says that there are more rows, but not where they begin.",
        },
        Case {
            tool: "conversations_get-messages",
            arguments: json!({"conversationId": "c", "lastMessageId": "m"}),
            answer: json!({"messages": {"messages": rows(20), "lastMessageId": "m", "nextPage": true}}),
            next: Value::Null,
            why: "HighLevel gave the cursor of this page again.",
        },
        Case {
            tool: "calendars_get-appointment-notes",
            arguments: json!({"appointmentId": "a", "limit": 20, "offset": 0}),
            answer: json!({"notes": rows(20), "hasMore": true}),
            next: json!({"offset": 20}),
            why: SURE,
        },
        Case {
            tool: "phone-system_getNumberPoolList",
            arguments: json!({}),
            answer: json!({"data": rows(2), "total": 5}),
            next: Value::Null,
            why: "HighLevel counts 5 rows and sent 2.",
        },
    ];
    for case in cases {
        check(case).await;
    }
}

/// Cursors A, B, A, B, and offsets that HighLevel ignores.
#[tokio::test]
async fn pages_that_come_again_end_a_list_with_a_word() {
    let mut faults = Vec::new();
    let list = LongList {
        rows: 100,
        most: 50,
        tells: false,
    };
    let (highlevel, server, asked) = serve_each(&[], move |tool, request| {
        let is_second = started(tool, request);
        // The second page has the cursor of the first. With offsets, it is the first page again.
        if is_second && !tool.paging.next.is_empty() {
            second(tool, &list)
        } else if is_second {
            first(tool, &list)
        } else {
            list.page(tool, request)
        }
    })
    .await;
    for tool in paged() {
        asked.set(tool);
        let output = json!({"allPages": 40, "fields": ["n"], "maxItems": 5000});
        let answer = read(&server, tool.name, &needed(tool), &output).await;
        let found = numbers(tool, &answer);
        let distinct = std::collections::BTreeSet::from_iter(&found);
        let why = answer["_cut"]["why"].as_str().unwrap_or_default();
        let calls = highlevel.take().len();
        if distinct.len() != found.len() || !why.contains("again") || calls > 4 {
            faults.push(format!(
                "{}: {} rows, {calls} calls, {why:?}",
                tool.name,
                found.len()
            ));
        }
    }
    none(&faults);
}

/// Whether a request asks for more than the first page.
fn started(tool: &Tool, request: &RecordedRequest) -> bool {
    let paging = &tool.paging;
    let mut cursors = paging.next.iter().map(|step| step.argument);
    let place = paging
        .position
        .and_then(|name| super::given(tool, request, name));
    let place = place.as_ref().and_then(number);
    let first = match paging.style {
        PagingStyle::Page => usize::try_from(paging.first).expect("a page"),
        _ => 0,
    };
    cursors.any(|name| super::given(tool, request, name).is_some())
        || place.is_some_and(|place| place > first)
}

fn first(tool: &Tool, list: &LongList) -> Value {
    list.page(tool, &RecordedRequest::get("/"))
}

/// The second half, with the cursors of the first.
fn second(tool: &Tool, list: &LongList) -> Value {
    let mut page = first(tool, list);
    let rows: Vec<Value> = (50..100).map(|index| list.row(tool, index)).collect();
    let mut last = rows;
    if let Some(row) = last.last_mut() {
        let earlier = list.row(tool, 49);
        for step in tool.paging.next {
            let inside = step.path.strip_prefix(tool.paging.rows);
            if let Some([name, ..]) = inside.and_then(|path| path.strip_prefix(&["-1"])) {
                row[*name] = earlier[*name].clone();
            }
        }
    }
    super::put(&mut page, tool.paging.rows, json!(last));
    page
}

#[tokio::test]
async fn cursors_that_alternate_end_a_list() {
    let (highlevel, server) = serve(&[], |request| {
        let is_a = request.target.contains("cursor=A");
        let from = if is_a { 50 } else { 0 };
        let rows: Vec<Value> = (from..from + 50)
            .map(|n| json!({"id": n, "n": n}))
            .collect();
        let next = if is_a { "B" } else { "A" };
        json(
            200,
            json!({"messages": rows, "nextCursor": next}).to_string(),
        )
    })
    .await;
    let output = json!({"allPages": 50, "maxItems": 5000, "fields": ["n"]});
    let name = "conversations_export-messages-by-location";
    let answer = read(&server, name, &Map::new(), &output).await;
    assert_eq!(numbers(tool(name), &answer), Vec::from_iter(0..100));
    assert!(
        answer["_cut"]["why"]
            .as_str()
            .is_some_and(|why| why.contains("again")),
        "{answer}"
    );
    assert_eq!(highlevel.take().len(), 3);
}
