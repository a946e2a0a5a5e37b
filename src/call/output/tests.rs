//! Filters, forms, projections and paging, each as rows through one check.

use jiff::tz::TimeZone;
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
        let zone = TimeZone::get("America/Los_Angeles").expect("a zone");
        assert_eq!(one.holds(&row, &zone), expected, "{condition} {row}");
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
        json!({"d": "2026-02-01T08:00:00Z"}),
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
    let check = |field: &str, op: &str, value: Value, row: Value, expected: bool| {
        let condition = json!({"field": field, "op": op, "value": value});
        check(condition, row, expected);
    };
    let day = json!("2026-11-20");
    let evening = json!({"d": "2026-11-21T07:30:00Z"});
    for (op, expected) in [
        ("=", true),
        ("!=", false),
        ("before", false),
        ("after", false),
        (">=", true),
        ("<=", true),
        (">", false),
        ("<", false),
    ] {
        check("d", op, day.clone(), evening.clone(), expected);
    }
    let morning = json!({"d": "2026-11-21T08:00:00Z"});
    check("d", "after", day.clone(), morning.clone(), true);
    check("d", "=", day.clone(), morning, false);
    check(
        "d",
        "after",
        json!("2026-11-20T12:00"),
        evening.clone(),
        true,
    );
    check(
        "d",
        "in",
        json!(["2026-11-19", "2026-11-20"]),
        evening,
        true,
    );
    let ann = json!({"n": "Ann", "tags": ["vip"], "age": 5, "phone": "", "none": [], "ok": true});
    for (field, op, value, expected) in [
        ("n", "in", json!(["bob", "ANN"]), true),
        ("n", "not_in", json!(["bob", "ann"]), false),
        ("age", "in", json!(["5"]), true),
        ("tags", "not_contains", json!("VIP"), false),
        ("tags", "not_contains", json!("new"), true),
        ("phone", "exists", json!(true), false),
        ("phone", "exists", json!(false), true),
        ("phone", "not_exists", json!(null), true),
        ("none", "exists", json!("false"), true),
        ("gone", "not_exists", json!(true), true),
        ("n", "not_exists", json!(null), false),
        ("phone", "=", json!(""), true),
        ("gone", "=", json!(""), true),
        ("n", "!=", json!(""), true),
        ("gone", "!=", json!("a"), true),
        ("ok", "=", json!("True"), true),
        ("age", "gte", json!(5), true),
    ] {
        check(field, op, value, ann.clone(), expected);
    }
    let tara = json!({"phone": "+15035550199", "contact": {"phone": "(503) 555-0199"}});
    for (op, value, expected) in [
        ("=", json!("(503) 555-0199"), true),
        ("=", json!("503-555-0199"), true),
        ("=", json!(5_035_550_199_u64), true),
        ("=", json!("+44 503 555 0199"), false),
        ("!=", json!("1 503 555 0199"), false),
        ("in", json!(["911", "001 503 555 0199"]), true),
        ("not_in", json!(["(503) 555 0199"]), false),
        ("contains", json!("555-0199"), true),
        ("contains", json!("(503)"), true),
        ("contains", json!("504"), false),
        ("contains", json!("ext"), false),
        ("not_contains", json!("503 555"), false),
    ] {
        check("phone", op, value.clone(), tara.clone(), expected);
        check("contact.phone", op, value, tara.clone(), expected);
    }
    let custom = json!({"customFields": [{"id": "c0"}, {"id": "c1", "value": 1500}]});
    check("customFields.c1", ">", json!(1000), custom.clone(), true);
    check("customFields.c0", "exists", json!(true), custom, true);
    let long = json!({"id": "12345678901234567"});
    check("id", "=", json!("12345678901234568"), long, false);
}

#[test]
fn conditions_that_can_match_no_row_are_reported() {
    fn check(op: &str, value: Value, found: Value, expected: Option<&str>) {
        let condition = json!({"field": "f", "op": op, "value": value});
        let one: Condition = serde_json::from_value(condition.clone()).expect("a condition");
        let rows = [json!({"f": null}), json!({}), json!({"f": found})];
        let fault = one.fault().or_else(|| one.misfit(&rows, &TimeZone::UTC));
        match expected {
            None => assert_eq!(fault, None, "{condition} {found}"),
            Some(part) => {
                let fault = fault.unwrap_or_else(|| panic!("{condition} {found} fits"));
                assert!(fault.contains(part), "{condition} {found}: {fault}");
            }
        }
    }
    let date = json!("2026-11-20T00:00:00Z");
    for (op, value, found, expected) in [
        ("=", json!("a"), json!(["a"]), Some("take contains")),
        ("!=", json!("a"), json!(["a"]), Some("take not_contains")),
        ("=", json!(["a"]), json!("a"), Some("take in")),
        ("in", json!("a"), json!("a"), Some("takes a list")),
        ("in", json!([]), json!("a"), Some("takes a list")),
        ("=", json!("a"), json!({"id": 1}), Some("such as f.id")),
        (
            "=",
            json!("last week"),
            date.clone(),
            Some("nothing like it"),
        ),
        (
            "in",
            json!(["2026-11-20", "x"]),
            date.clone(),
            Some("\"x\""),
        ),
        ("=", json!("2026-11-20"), date.clone(), None),
        ("=", json!("abc"), json!(5), Some("nothing like it")),
        ("=", json!("5"), json!(5), None),
        ("=", json!("maybe"), json!(true), Some("nothing like it")),
        ("=", json!(0), json!(true), None),
        ("=", json!(2), json!(true), Some("nothing like it")),
        ("=", json!(true), json!("yes"), Some("nothing like it")),
        (
            "!=",
            json!("Carla Ito"),
            json!("OBj007Z8b4yV08OJdaWh"),
            Some("holds ids"),
        ),
        (
            "in",
            json!(["65b2c4d1e8f90a1b2c3d4e5f"]),
            json!("OBj007Z8b4yV08OJdaWh"),
            None,
        ),
        ("after", json!("2026"), date.clone(), Some("is none")),
        (">", json!("20261120"), date.clone(), Some("cannot compare")),
        ("=", json!(""), json!(5), None),
        ("after", json!("last week"), date.clone(), Some("is none")),
        ("before", json!("11/20/2026"), date.clone(), Some("is none")),
        (
            "after",
            json!("2026-11-20"),
            json!("Ann"),
            Some("cannot compare"),
        ),
        ("after", json!("2026-11-20"), json!(1_795_161_600), None),
        (">", json!("abc"), json!(5), Some("is neither")),
        (">", json!(null), json!(5), Some("is neither")),
        (">", json!(5), json!("Ann"), Some("cannot compare")),
        (">", json!(5), json!(["Ann"]), Some("cannot compare")),
        (">", json!("5"), json!("7"), None),
        ("exists", json!("maybe"), json!(5), Some("true or false")),
        ("exists", json!(1), json!(5), Some("true or false")),
        ("not_exists", json!(null), json!({"id": 1}), None),
        ("contains", json!("a"), json!(5), Some("take =")),
        (
            "contains",
            json!("2026-11-20"),
            date,
            Some("before or after"),
        ),
        (
            "contains",
            json!("a"),
            json!([{"value": "a"}]),
            Some("such as f.value"),
        ),
        (
            "contains",
            json!(["a", "b"]),
            json!(["a"]),
            Some("a condition for each"),
        ),
        (
            "contains",
            json!(null),
            json!(["a"]),
            Some("one text or number"),
        ),
        ("contains", json!(5), json!("15"), None),
    ] {
        check(op, value, found, expected);
    }
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
fn fields_that_rows_lack_hide_nothing() {
    let check = |field: &str| {
        let output = Output {
            fields: Some(vec![field.to_owned()]),
            ..Output::default()
        };
        let tool = tool("contacts_get-contacts");
        let mut gathered = GatheredRows::default();
        let page = json!({"contacts": [{"id": "1"}]});
        assert!(output.gather(tool, &page, &mut gathered).expect("rows"));
        let list = output.list(tool, gathered, 9999);
        list.map(|list| list.text).map_err(|failure| failure.text())
    };
    // It is documented, so that another row may have it.
    let whole = r#"{"contacts":[{"id":"1"}]}"#;
    assert_eq!(check("email").as_deref(), Ok(whole));
    let failure = check("emial").expect_err("a slip");
    assert!(failure.contains("Did you mean email?"), "{failure}");
}

/// Rows that are added while a list is read move the others to later pages.
#[test]
fn rows_that_come_twice_count_once() {
    let output = Output {
        sum: vec!["amount".to_owned()],
        count: true,
        ..Output::default()
    };
    let tool = tool("payments_list-transactions");
    let page = |range: std::ops::Range<u32>, total: u32| {
        let row = |number: u32| json!({"_id": format!("t{number}"), "amount": 1});
        json!({"data": range.map(row).collect::<Vec<_>>(), "totalCount": total})
    };
    let sum = |pages: &[Value]| {
        let mut gathered = GatheredRows::for_call(serde_json::Map::new(), None, pages.len());
        for page in pages {
            assert!(output.gather(tool, page, &mut gathered).expect("rows"));
        }
        let changed = gathered.change_warning();
        let list = output.list(tool, gathered, 9_999).expect("figures");
        let answer: Value = serde_json::from_str(&list.text).expect("JSON");
        (answer["sum(amount)"].clone(), changed)
    };
    assert_eq!(sum(&[page(0..3, 5), page(3..5, 5)]), (json!(5), None));
    let (counted, changed) = sum(&[page(0..3, 5), page(2..6, 6)]);
    assert_eq!(counted, 6, "the row of both pages counts once");
    let changed = changed.expect("a warning");
    assert!(changed.contains("total went from 5 to 6"), "{changed}");
    assert!(changed.contains("count once"), "{changed}");
}

#[test]
fn what_would_take_long_is_refused_before_anything_is_sent() {
    #[track_caller]
    fn check(output: Value, refused: &str) {
        let output: Output = serde_json::from_value(output).expect("an output");
        let found = output.check(tool("contacts_get-contacts"), false);
        match found {
            Ok(()) => assert_eq!(refused, ""),
            Err(failure) => assert!(
                !refused.is_empty() && failure.sentence.contains(refused),
                "{}",
                failure.sentence
            ),
        }
    }
    let fields = |count: usize| -> Vec<String> {
        (0..count).map(|n| format!("customFields.cf{n}")).collect()
    };
    check(json!({"fields": fields(200)}), "");
    check(json!({"fields": fields(201)}), "at most 200, and 201");
    check(
        json!({"fields": ["a".repeat(201)]}),
        "more than 200 characters",
    );
    let condition = |value: Value| json!({"field": "source", "op": "not_in", "value": value});
    check(json!({"filter": vec![condition(json!(["a"])); 50]}), "");
    check(
        json!({"filter": vec![condition(json!(["a"])); 51]}),
        "at most 50",
    );
    check(json!({"filter": [condition(json!(fields(500)))]}), "");
    check(
        json!({"filter": [condition(json!(fields(501)))]}),
        "at most 500",
    );
    let long = json!({"field": "source", "op": "contains", "value": "a".repeat(3_000)});
    check(json!({"filter": [long]}), "at most 2000");
    let mut one_long = fields(400);
    one_long.push("a".repeat(3_000));
    check(
        json!({"filter": [condition(json!(one_long))]}),
        "at most 2000",
    );
}

#[test]
fn rows_that_share_no_fields_are_no_table() {
    let row = |number: usize, count: usize| {
        let members = (0..count).map(|field| (format!("r{number}f{field}"), json!(1)));
        Value::Object(members.collect())
    };
    let tool = tool("contacts_get-contacts");
    for (count, format, expected) in [
        (1_000, "json", Ok("\"contacts\":[{")),
        (10, "json", Ok("\"contacts\":{\"columns\"")),
        (1_000, "csv", Err("25000 different fields")),
    ] {
        let output: Output = serde_json::from_value(json!({"format": format})).expect("an output");
        let rows: Vec<Value> = (0..25).map(|number| row(number, count)).collect();
        let mut gathered = GatheredRows::for_call(serde_json::Map::new(), None, 1);
        output
            .gather(tool, &json!({"contacts": rows}), &mut gathered)
            .expect("rows");
        let list = output.list(tool, gathered, 10_000_000);
        match expected {
            Ok(part) => assert!(
                list.expect("a list").text.contains(part),
                "{count} {format}"
            ),
            Err(part) => {
                let failure = list.expect_err("no list");
                assert!(failure.sentence.contains(part), "{}", failure.sentence);
            }
        }
    }
}
