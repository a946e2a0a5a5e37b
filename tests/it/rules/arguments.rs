//! Rules about arguments against requests, rows of one call each.

use serde_json::{Map, Value, json};

use super::{parse, tool};
use tool::{Arguments, Place, Tool, V3Variant, Values};

/// The request of `tool` with these arguments, by their advertised names.
fn request(tool: &Tool, given: Value) -> Arguments {
    let mut arguments = Arguments::default();
    let mut body = Map::new();
    let given = given.as_object().cloned().unwrap_or_default();
    for (name, value) in given {
        let argument = tool.arguments.iter().find(|one| one.name == name);
        let argument = argument.expect("an argument of the tool");
        let put = |values: &mut Values| {
            values
                .0
                .insert(argument.wire_name.to_owned(), value.clone())
        };
        match argument.place {
            Place::Path => drop(put(&mut arguments.path)),
            Place::Query => drop(put(&mut arguments.query)),
            Place::Header => drop(put(&mut arguments.header)),
            Place::Body => drop(body.insert(argument.wire_name.to_owned(), value)),
            Place::WholeBody => arguments.body = Some(value),
        }
    }
    arguments.body.get_or_insert(Value::Object(body));
    arguments
}

/// `rule` is the rule that the call breaks; empty if it may be made.
fn check(rules: &str, name: &str, given: Value, rule: &str) {
    let text = format!("[server]\narguments = [{rules}]");
    let policy = parse(&text).expect(rules);
    let tool = tool(name);
    let result = policy
        .over(None, None)
        .permits(tool, &request(tool, given.clone()), || {
            jiff::Timestamp::UNIX_EPOCH
        });
    let found = result.err().map(|denied| denied.rule).unwrap_or_default();
    let expected = match rule {
        "" => String::new(),
        rule => format!("[server] arguments {rule}"),
    };
    assert_eq!(found, expected, "{rules}: {name} {given}");
}

const CREATE: &str = "opportunities_create-opportunity";
const SEARCH: &str = "opportunities_search-opportunity";
const SEND: &str = "conversations_send-a-new-message";
const TAGS: &str = "contacts_add-tags";

#[test]
fn a_value_is_one_of_those_or_none_of_them() {
    let rule =
        r#"{ tools = ["opportunities_*"], argument = "pipelineId", one_of = ["abc", "def"] }"#;
    let broken = r#""pipelineId" one_of"#;
    for name in [CREATE, SEARCH] {
        check(rule, name, json!({"pipelineId": "abc"}), "");
        check(rule, name, json!({"pipelineId": "def"}), "");
        check(rule, name, json!({}), "");
        for wrong in [
            json!("ABC"),
            json!("abc "),
            json!("abc,def"),
            json!(""),
            json!(null),
        ] {
            check(rule, name, json!({ "pipelineId": wrong }), broken);
        }
    }
    check(rule, TAGS, json!({"tags": ["x"]}), "");
    let required = r#"{ tools = ["opportunities_*"], argument = "pipelineId", one_of = ["abc"], required = true }"#;
    check(required, SEARCH, json!({"pipelineId": "abc"}), "");
    for nothing in [
        json!({}),
        json!({"pipelineId": null}),
        json!({"pipelineId": " "}),
        json!({"pipelineId": []}),
    ] {
        check(required, SEARCH, nothing, r#""pipelineId" required"#);
    }
    check(required, "opportunities_get-pipelines", json!({}), "");
    let none = r#"{ tools = ["contacts_*"], argument = "tags", none_of = ["VIP", "a"] }"#;
    check(none, TAGS, json!({"tags": ["b", "vips"]}), "");
    check(none, TAGS, json!({"tags": []}), "");
    for wrong in [
        json!(["b", "VIP"]),
        json!(["vip "]),
        json!("vip"),
        json!([["a"]]),
        json!([{"a": 1}]),
    ] {
        check(none, TAGS, json!({ "tags": wrong }), r#""tags" none_of"#);
    }
    let numbers =
        r#"{ tools = ["opportunities_*"], argument = "monetaryValue", one_of = [5, 7.5] }"#;
    for right in [json!(5), json!(5.0), json!("5"), json!(7.5)] {
        check(numbers, CREATE, json!({ "monetaryValue": right }), "");
    }
    check(
        numbers,
        CREATE,
        json!({"monetaryValue": 6}),
        r#""monetaryValue" one_of"#,
    );
    let flags = r#"{ tools = ["opportunities_*"], argument = "getNotes", one_of = [false] }"#;
    check(flags, SEARCH, json!({"getNotes": false}), "");
    check(flags, SEARCH, json!({"getNotes": "false"}), "");
    check(
        flags,
        SEARCH,
        json!({"getNotes": true}),
        r#""getNotes" one_of"#,
    );
}

#[test]
fn beginnings_lengths_and_sizes_have_bounds() {
    let start =
        r#"{ tools = ["effect:send"], argument = "toNumber", starts_with = ["+49", "+43"] }"#;
    check(start, SEND, json!({"toNumber": "+4912"}), "");
    check(start, SEND, json!({"toNumber": "+4312"}), "");
    for wrong in [json!("+112"), json!(" +4912"), json!(49), json!(null)] {
        check(
            start,
            SEND,
            json!({ "toNumber": wrong }),
            r#""toNumber" starts_with"#,
        );
    }
    let length = r#"{ tools = ["effect:send"], argument = "message", max_length = 3 }"#;
    for right in ["", "äöü"] {
        check(length, SEND, json!({ "message": right }), "");
    }
    check(length, SEND, json!({"message": null}), "");
    for wrong in [json!("äöüß"), json!(1234), json!({"a": 1})] {
        check(
            length,
            SEND,
            json!({ "message": wrong }),
            r#""message" max_length"#,
        );
    }
    let most = r#"{ tools = ["opportunities_*"], argument = "monetaryValue", at_most = 100 }"#;
    for right in [json!(100), json!(99.9), json!("100"), json!(-5)] {
        check(most, CREATE, json!({ "monetaryValue": right }), "");
    }
    for wrong in [
        json!(100.1),
        // A float would be 100.
        json!("100.0000000000000000000000001"),
        json!("1e3"),
        json!("NaN"),
        json!("inf"),
        json!("x"),
        json!(null),
        json!(true),
    ] {
        check(
            most,
            CREATE,
            json!({ "monetaryValue": wrong }),
            r#""monetaryValue" at_most"#,
        );
    }
    let both = r#"{ tools = ["effect:send"], argument = "message", max_length = 9, starts_with = ["Hi"] }"#;
    check(both, SEND, json!({"message": "Hi you"}), "");
    check(
        both,
        SEND,
        json!({"message": "Bye"}),
        r#""message" starts_with"#,
    );
    check(
        both,
        SEND,
        json!({"message": "Hi all of you"}),
        r#""message" max_length"#,
    );
}

#[test]
fn lists_and_fields_inside_are_held_too() {
    for path in ["customFields[].id", "customFields.id"] {
        let rule =
            format!(r#"{{ tools = ["{CREATE}"], argument = "{path}", one_of = ["a", "b"] }}"#);
        let broken = format!("{path:?} one_of");
        check(
            &rule,
            CREATE,
            json!({"customFields": [{"id": "a"}, {"id": "b", "key": "c"}]}),
            "",
        );
        check(
            &rule,
            CREATE,
            json!({"customFields": [{"key": "c"}], "name": "c"}),
            "",
        );
        check(&rule, CREATE, json!({"customFields": null}), "");
        check(
            &rule,
            CREATE,
            json!({"customFields": [{"id": "a"}, {"id": "c"}]}),
            &broken,
        );
        check(&rule, CREATE, json!({"customFields": {"id": "c"}}), &broken);
        check(
            &rule,
            CREATE,
            json!({"customFields": [[{"id": ["a", "c"]}]]}),
            &broken,
        );
        check(
            &rule,
            CREATE,
            json!({"customFields": ["c"]}),
            &format!("{path:?}"),
        );
    }
    let required =
        r#"{ tools = ["opportunities_*"], argument = "customFields[].id", required = true }"#;
    check(required, CREATE, json!({"customFields": [{"id": "a"}]}), "");
    check(
        required,
        CREATE,
        json!({"customFields": [{"key": "a"}]}),
        r#""customFields[].id" required"#,
    );
    check(required, SEARCH, json!({}), "");
    // Only tools with the field can be required to give it.
    let attachments =
        r#"{ tools = ["invoices_*"], argument = "items[].attachments", required = true }"#;
    let given = json!({"items": [{"name": "a"}]});
    check(
        attachments,
        "invoices_create-estimate",
        given.clone(),
        r#""items[].attachments" required"#,
    );
    check(attachments, "invoices_create-invoice", given, "");
    // In a query this list is one text.
    let comma = r#"{ tools = ["users_search-users"], argument = "ids", one_of = ["a", "b"] }"#;
    check(comma, "users_search-users", json!({"ids": "a,b"}), "");
    check(
        comma,
        "users_search-users",
        json!({"ids": "a,c"}),
        r#""ids" one_of"#,
    );
    let whole = r#"{ tools = ["calendars_create-event-notification"], argument = "body[].channel", one_of = ["email"] }"#;
    let name = "calendars_create-event-notification";
    check(whole, name, json!({"body": [{"channel": "email"}]}), "");
    check(
        whole,
        name,
        json!({"body": [{"channel": "email"}, {"channel": "sms"}]}),
        r#""body[].channel" one_of"#,
    );
    let path = r#"{ tools = ["effect:destructive"], argument = "contactId", none_of = ["boss"] }"#;
    check(
        path,
        "contacts_delete-contact",
        json!({"contactId": "a"}),
        "",
    );
    check(
        path,
        "contacts_delete-contact",
        json!({"contactId": "boss"}),
        r#""contactId" none_of"#,
    );
}

/// A field with two names in two versions of an operation is checked in both.
#[test]
fn a_field_is_held_by_the_name_of_either_version() {
    let older = tool(CREATE);
    let V3Variant::Other(v3) = older.v3 else {
        panic!("{CREATE} has no other version");
    };
    for path in ["customFields[].field_value", "customFields.fieldValue"] {
        let rules = format!(
            "[server]\narguments = [{{ tools = [\"*\"], argument = \"{path}\", one_of = [\"a\"], required = true }}]"
        );
        let policy = parse(&rules).expect(path);
        for (tool, field) in [(older, "field_value"), (v3, "fieldValue")] {
            for (value, passes) in [("a", true), ("b", false)] {
                let sent = request(tool, json!({"customFields": [{ field: value }]}));
                let found = policy
                    .over(None, None)
                    .permits(tool, &sent, || jiff::Timestamp::UNIX_EPOCH);
                assert_eq!(found.is_ok(), passes, "{path} {field} {value}");
            }
        }
    }
}

#[test]
fn wrong_values_are_shown_and_cut() {
    let text = "[server]\narguments = [{ tools = [\"effect:send\"], argument = \"message\", one_of = [1, true, \"c\", \"d\", \"e\", \"f\", \"g\", \"h\", \"i\", \"j\", \"k\", \"l\"] }]";
    let policy = parse(text).expect("rules");
    let tool = tool(SEND);
    let long = request(tool, json!({"message": "ü".repeat(500)}));
    let denied = policy
        .over(None, None)
        .permits(tool, &long, || jiff::Timestamp::UNIX_EPOCH);
    let expected = format!(
        "message must be one of 1, true, \"c\", \"d\", \"e\", \"f\", \"g\", \"h\", \"i\", \"j\" and 2 more here, not \"{}….",
        "ü".repeat(59)
    );
    assert_eq!(denied.expect_err("too long").what, expected);
}
