//! Filters, forms, projections and paging, each as rows through one check.

use serde_json::json;

use super::*;

fn tool(name: &str) -> &'static Tool {
    let tools = crate::catalog::TOOLS;
    tools.iter().find(|tool| tool.name == name).expect("a tool")
}

#[test]
fn conditions_hold_or_do_not() {
    fn check(condition: Value, row: Value, expected: bool) {
        let one: Condition = serde_json::from_value(condition.clone()).expect("a condition");
        assert_eq!(one.holds(&row), expected, "{condition} {row}");
    }
    check(
        json!({"field": "amount", "op": ">", "value": 100}),
        json!({"amount": 100.5}),
        true,
    );
    check(
        json!({"field": "amount", "op": ">", "value": 100}),
        json!({"amount": "99"}),
        false,
    );
    check(
        json!({"field": "amount", "op": ">", "value": 100}),
        json!({}),
        false,
    );
    check(
        json!({"field": "a.b", "value": "X"}),
        json!({"a": {"b": "x"}}),
        true,
    );
    check(json!({"field": "a.0", "value": 1}), json!({"a": [1]}), true);
    check(
        json!({"field": "tags", "op": "contains", "value": "VIP"}),
        json!({"tags": ["vip"]}),
        true,
    );
    check(
        json!({"field": "n", "op": "contains", "value": "an"}),
        json!({"n": "Anna"}),
        true,
    );
    check(
        json!({"field": "d", "op": "after", "value": "2026-01-31"}),
        json!({"d": "2026-02-01T00:00:00Z"}),
        true,
    );
    check(
        json!({"field": "d", "op": "before", "value": "2026-01-31"}),
        json!({"d": 1_700_000_000_000_i64}),
        true,
    );
    check(
        json!({"field": "d", "op": "before", "value": "2026-01-31"}),
        json!({"d": "never"}),
        false,
    );
    check(json!({"field": "d", "op": "exists"}), json!({"d": 0}), true);
    check(
        json!({"field": "d", "op": "exists", "value": false}),
        json!({}),
        true,
    );
    check(
        json!({"field": "d", "op": "!=", "value": "a"}),
        json!({}),
        true,
    );
}

#[test]
fn rows_take_the_form_that_is_asked_for() {
    let rows = json!([
        {"id": "1", "name": "=HYPERLINK(\"x\")", "n": -5},
        {"id": "2", "name": "a, \"b\"\nc | d", "tags": ["x", "y"]},
    ]);
    let rows = rows.as_array().expect("rows");
    let columns = ["id", "name", "n", "tags"].map(str::to_owned);
    let csv = |safe: bool| form::csv(&columns, rows, safe).expect("CSV");
    assert_eq!(
        csv(false),
        "id,name,n,tags\r\n1,\"=HYPERLINK(\"\"x\"\")\",-5,\r\n2,\"a, \"\"b\"\"\nc | d\",,x; y\r\n"
    );
    assert_eq!(csv(true), csv(false).replace("\"=", "\"'="));
    assert_eq!(
        form::table(&columns, rows),
        "id|name|n|tags\n1|=HYPERLINK(\"x\")|-5|\n2|a, \"b\" c \\| d||x; y\n"
    );
    assert_eq!(form::csv(&[], rows, false).as_deref(), Ok(""));
}

#[test]
fn what_the_rows_lack_hides_nothing() {
    let output = Output {
        fields: Some(vec!["gone".to_owned()]),
        ..Output::default()
    };
    let tool = tool("contacts_get-contacts");
    let mut gathered = GatheredRows::default();
    assert!(output.gather(tool, &json!({"contacts": [{"id": "1"}]}), &mut gathered));
    let list = output.list(tool, gathered, 9999).expect("room");
    assert_eq!(
        list.text,
        r#"{"contacts":[{"id":"1"}],"_warnings":["No row has the field gone."]}"#
    );
}
