//! Groups and their figures.

use serde_json::{Map, Value, json};
use test_support::recording::json;

use super::{CONTACTS, TRANSACTIONS, figures, read, read_blocks, serve, serve_rows};

fn payment(amount: Value, created: &str, currency: &str) -> Value {
    json!({"_id": created, "amount": amount, "createdAt": created, "currency": currency, "status": "succeeded"})
}

fn contact(id: &str, email: Value, phone: Value, tags: Value) -> Value {
    json!({"id": id, "email": email, "phone": phone, "tags": tags})
}

fn columns(answer: &Value) -> &Value {
    &answer["groups"]["columns"]
}

fn groups(answer: &Value) -> &Value {
    &answer["groups"]["rows"]
}

#[tokio::test]
async fn revenue_is_added_up_by_the_months_of_the_location() {
    let rows = json!([
        payment(json!(0.1), "2026-11-01T06:59:59Z", "USD"),
        payment(json!(0.2), "2026-11-30T23:59:59-08:00", "USD"),
        payment(json!("0.2"), "2026-11-01T07:00:00Z", "USD"),
        payment(json!(19.99), "2026-12-01T08:00:00.000Z", "USD"),
        payment(json!(5), "2026-12-02T08:00:00.000Z", "USD"),
    ]);
    let (highlevel, server) = serve_rows("data", rows).await;
    let output = json!({"groupBy": "createdAt:month", "sum": "amount", "avg": ["amount"], "max": "amount",
        "filter": {"field": "status", "value": "succeeded"}});
    let answer = read(&server, TRANSACTIONS, &Map::new(), &output).await;
    let expected = json!({
        "groups": {
            "columns": ["createdAt:month", "count", "sum(amount)", "avg(amount)", "max(amount)"],
            "rows": [["2026-10", 1, 0.1, 0.1, 0.1], ["2026-11", 2, 0.4, 0.2, 0.2], ["2026-12", 2, 24.99, 12.495, 19.99]],
        },
        "looked_at": 5, "matched": 5,
    });
    assert_eq!(answer, expected);
    let asked: Vec<String> = highlevel.take().into_iter().map(|one| one.target).collect();
    assert!(
        matches!(asked.as_slice(), [list, zone, end]
            if list.starts_with("/payments/transactions") && zone.starts_with("/locations/") && end.contains("offset=5")),
        "{asked:?}"
    );
    // Without a group by date, no time zone is needed.
    read(
        &server,
        TRANSACTIONS,
        &Map::new(),
        &json!({"groupBy": "status"}),
    )
    .await;
    let asked: Vec<String> = highlevel.take().into_iter().map(|one| one.target).collect();
    assert!(
        asked.iter().all(|one| one.starts_with("/payments/")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn an_unknown_zone_is_reported() {
    let (_highlevel, server) = serve(&[], |request| {
        if request.target.starts_with("/locations/") {
            return json(403, r#"{"message": "no"}"#);
        }
        let row = payment(json!(1), "2026-12-01T00:30:00Z", "USD");
        json(200, json!({"data": [row], "totalCount": 1}).to_string())
    })
    .await;
    let output = json!({"groupBy": "createdAt:day", "count": true});
    let answer = read(&server, TRANSACTIONS, &Map::new(), &output).await;
    assert_eq!(groups(&answer), &json!([["2026-12-01", 1]]), "{answer}");
    let warning = answer["_warnings"][0].as_str().expect("a warning");
    assert!(warning.contains("are those of UTC"), "{warning}");
}

#[tokio::test]
async fn amounts_of_several_currencies_are_not_added_up() {
    let rows = json!([
        payment(json!(10), "2026-11-01T12:00:00Z", "USD"),
        payment(json!(20), "2026-11-02T12:00:00Z", "eur"),
        payment(json!(7.5), "2026-11-02T12:00:00Z", "usd"),
    ]);
    let answer = figures(TRANSACTIONS, rows.clone(), json!({"sum": "amount"})).await;
    assert_eq!(
        columns(&answer),
        &json!(["currency", "count", "sum(amount)"]),
        "{answer}"
    );
    assert_eq!(
        groups(&answer),
        &json!([["EUR", 1, 20], ["USD", 2, 17.5]]),
        "{answer}"
    );
    let warning = answer["_warnings"][0].as_str().expect("a warning");
    assert!(warning.contains("EUR, USD"), "{warning}");
    // A caller that groups by a field knows it.
    let answer = figures(
        TRANSACTIONS,
        rows.clone(),
        json!({"groupBy": "currency", "sum": "amount"}),
    )
    .await;
    assert_eq!(
        groups(&answer),
        &json!([["eur", 1, 20], ["USD", 2, 17.5]]),
        "{answer}"
    );
    assert_eq!(answer["_warnings"], Value::Null, "{answer}");
    let answer = figures(TRANSACTIONS, rows, json!({"groupBy": "currency"})).await;
    assert_eq!(
        groups(&answer),
        &json!([["USD", 2], ["eur", 1]]),
        "{answer}"
    );
}

#[tokio::test]
async fn contacts_that_share_an_email_or_a_phone_are_found_in_one_call() {
    let rows = json!([
        contact(
            "a",
            json!("Ann@x.com"),
            json!("+1 (415) 555-0100"),
            json!([])
        ),
        contact("b", json!(" ann@X.com "), json!("+14155550101"), json!([])),
        contact("c", json!("c@x.com"), json!("4155550100"), json!([])),
        contact("d", json!("d@x.com"), json!("+4930123"), json!([])),
    ]);
    let answer = figures(
        CONTACTS,
        rows.clone(),
        json!({"groupBy": "email", "minCount": 2}),
    )
    .await;
    let expected = json!({
        "groups": {"columns": ["email", "count", "ids"], "rows": [["Ann@x.com", 2, ["a", "b"]]]},
        "looked_at": 4, "matched": 4,
    });
    assert_eq!(answer, expected);
    let answer = figures(
        CONTACTS,
        rows,
        json!({"groupBy": ["phone"], "minCount": "2"}),
    )
    .await;
    assert_eq!(
        groups(&answer),
        &json!([["+1 (415) 555-0100", 2, ["a", "c"]]]),
        "{answer}"
    );
}

#[tokio::test]
async fn contacts_are_counted() {
    let none = Value::Null;
    let rows = json!([
        contact("a", none.clone(), json!(""), json!(["vip", "new"])),
        contact("b", none.clone(), none.clone(), json!(["VIP"])),
        contact("c", none.clone(), json!("+15550600001"), json!([])),
    ]);
    let without =
        json!({"count": true, "filter": {"field": "phone", "op": "exists", "value": false}});
    let answer = figures(CONTACTS, rows.clone(), without).await;
    assert_eq!(answer, json!({"count": 2, "looked_at": 3, "matched": 2}));
    let nobody = json!({"count": true, "sum": "age", "filter": {"field": "id", "value": "z"}});
    let aged = json!([{"id": "a", "age": 5}]);
    let answer = figures(CONTACTS, aged, nobody).await;
    assert_eq!(
        answer,
        json!({"count": 0, "sum(age)": 0, "looked_at": 1, "matched": 0})
    );
    // Each value of a list counts, and missing values have their own group.
    let answer = figures(CONTACTS, rows, json!({"groupBy": "tags"})).await;
    assert_eq!(
        groups(&answer),
        &json!([["vip", 2], [null, 1], ["new", 1]]),
        "{answer}"
    );
    let warning = answer["_warnings"][0].as_str().expect("a warning");
    assert!(warning.contains("once for each of its tags"), "{warning}");
}

#[tokio::test]
async fn custom_fields_are_fields() {
    let row = |id: &str, size: Value| json!({"id": id, "customFields": [{"id": "cf0", "value": "x"}, {"id": "cf1", "value": size}]});
    let rows = json!([
        row("a", json!(1500)),
        row("b", json!("20")),
        row("c", json!(1500))
    ]);
    let output = json!({"groupBy": "customFields.cf1", "sum": "customFields.cf1"});
    let answer = figures(CONTACTS, rows.clone(), output).await;
    assert_eq!(
        groups(&answer),
        &json!([[1500, 2, 3000], ["20", 1, 20]]),
        "{answer}"
    );
    let output = json!({
        "filter": {"field": "customFields.cf1", "op": ">", "value": 1000},
        "fields": ["id", "customFields.cf1"], "format": "csv",
    });
    let (_highlevel, server) = serve_rows("contacts", rows).await;
    let blocks = read_blocks(&server, CONTACTS, &Map::new(), &output).await;
    assert_eq!(
        blocks.expect("rows")[0],
        "id,customFields.cf1\r\na,1500\r\nc,1500\r\n"
    );
}

#[tokio::test]
async fn figures_take_every_form() {
    let rows = json!([
        payment(json!(10), "2026-11-01T12:00:00Z", "USD"),
        payment(json!(20.5), "2026-11-23T12:00:00Z", "USD"),
        payment(json!(1), "2026-11-29T12:00:00Z", "USD"),
    ]);
    let (_highlevel, server) = serve_rows("data", rows).await;
    let mut output =
        json!({"groupBy": ["createdAt:week", "status"], "sum": "amount", "format": "csv"});
    let blocks = read_blocks(&server, TRANSACTIONS, &Map::new(), &output).await;
    let blocks = blocks.expect("rows");
    assert_eq!(
        blocks[0],
        "createdAt:week,status,count,sum(amount)\r\n2026-10-26,succeeded,1,10\r\n2026-11-23,succeeded,2,21.5\r\n"
    );
    let notes: Value = serde_json::from_str(&blocks[1]).expect("JSON");
    assert_eq!(notes, json!({"looked_at": 3, "matched": 3}));
    output["format"] = json!("table");
    output["groupBy"] = json!([]);
    let blocks = read_blocks(&server, TRANSACTIONS, &Map::new(), &output).await;
    assert_eq!(
        blocks.expect("rows"),
        ["count|sum(amount)\n3|31.5\n# {\"looked_at\":3,\"matched\":3}\n"]
    );
}

#[tokio::test]
async fn values_left_out_of_a_sum_are_reported() {
    let rows = json!([
        payment(json!(10), "2026-11-01T12:00:00Z", "USD"),
        payment(json!("free"), "some day", "USD"),
        payment(Value::Null, "2026-11-29T12:00:00Z", "USD"),
    ]);
    let output = json!({"groupBy": "createdAt:month", "sum": "amount", "avg": "amount"});
    let answer = figures(TRANSACTIONS, rows, output).await;
    let expected = json!([["2026-11", 2, 10, 10], [null, 1, 0, null]]);
    assert_eq!(groups(&answer), &expected, "{answer}");
    let expected = json!([
        "1 values of createdAt are no date and left out, such as a text.",
        "1 values of amount are no number and left out, such as \"free\".",
        "1 rows have no amount: its average is of the other 1.",
    ]);
    assert_eq!(answer["_warnings"], expected);
}

#[tokio::test]
async fn an_average_says_how_many_rows_have_no_value() {
    let rows = json!([
        {"id": "a", "monetaryValue": 100}, {"id": "b", "monetaryValue": 300},
        {"id": "c", "monetaryValue": null}, {"id": "d"},
    ]);
    let (_highlevel, server) = serve_rows("data", rows).await;
    let output = json!({"avg": "monetaryValue"});
    let answer = read(&server, TRANSACTIONS, &Map::new(), &output).await;
    assert_eq!(answer["avg(monetaryValue)"], 200, "{answer}");
    let warnings = json!(["2 rows have no monetaryValue: its average is of the other 2."]);
    assert_eq!(answer["_warnings"], warnings, "{answer}");
}
