//! Kinds of arguments that no official tool has: headers, repeated lists, values of unknown type,
//! long path values, companies, locations that are never filled in, bodies that are not objects.

use serde_json::{Value, json};

use super::{PIN, sent};
use tool::{
    Argument, DateForm, Effect, InnerTenant, ListStyle, Media, Paging, PagingStyle, Place, Role,
    Rule, TokenClass, Tool, V3Variant,
};

const PLAIN: Argument = Argument {
    name: "",
    aliases: &[],
    wire_name: "",
    place: Place::Query,
    role: Role::None,
    date_form: None,
    list_style: None,
    wide_path_value: false,
    when_absent: None,
    file: false,
};

const fn argument(name: &'static str, place: Place) -> Argument {
    Argument {
        name,
        wire_name: name,
        place,
        ..PLAIN
    }
}

const TOOL: Tool = Tool {
    name: "all",
    aliases: &[],
    title: "",
    description: "",
    toolsets: &[],
    document: "",
    operation_id: "",
    method: "POST",
    path: "",
    version: "",
    effect: Effect::Write,
    bulk: false,
    additive: false,
    proves: false,
    asks_person: false,
    twins: &[],
    idempotent: false,
    deprecated: false,
    replaced_by: None,
    scopes: &[],
    access: &[],
    arguments: &[
        Argument {
            wide_path_value: true,
            ..argument("key", Place::Path)
        },
        argument("any", Place::Query),
        Argument {
            list_style: Some(ListStyle::Repeated),
            ..argument("ids", Place::Query)
        },
        argument("note", Place::Header),
        Argument {
            role: Role::Company(Rule::Fill),
            ..argument("companyId", Place::Query)
        },
        Argument {
            role: Role::Location(Rule::Explicit),
            list_style: Some(ListStyle::Repeated),
            ..argument("locationIds", Place::Query)
        },
        Argument {
            date_form: Some(DateForm::EpochSeconds),
            ..argument("since", Place::Query)
        },
        Argument {
            date_form: Some(DateForm::DateTime),
            ..argument("until", Place::Query)
        },
        argument("body", Place::WholeBody),
    ],
    inner_tenants: &[
        InnerTenant {
            steps: &["body", "[]", "locationId"],
            role: Role::Location(Rule::Explicit),
        },
        InnerTenant {
            steps: &["body", "[]", "shares", "[]", "to"],
            role: Role::Location(Rule::Explicit),
        },
    ],
    inner_dates: &[],
    timezone: None,
    windows: &[],
    renames: &[],
    paging: Paging {
        style: PagingStyle::None,
        page_size: None,
        rows: &[],
        narrow: None,
        position: None,
        first: 1,
        next: &[],
        more: &[],
        total: &[],
        deep: None,
    },
    summary_fields: &[],
    answers: &[],
    read_back: None,
    token: TokenClass::Unknown,
    media: Media::Json,
    answer_media: Some(tool::JSON),
    advertised_schema: r#"{"properties":{"key":{},"any":{},"body":{}}}"#,
    check_schema: r#"{"properties":{
        "key":{"type":"string"},"any":{},"ids":{"type":"array","items":{"type":"string"}},
        "note":{"type":"string"},"companyId":{"type":"string"},
        "locationIds":{"type":"array","items":{"type":"string"}},
        "since":{"type":"integer"},"until":{"type":"string"},
        "body":{"type":"array","items":{"type":"object","additionalProperties":false,"properties":{"a":{"type":"integer","minimum":1},"locationId":{},"shares":{}}}}
    },"required":["key"]}"#,
    handler: usize::MAX,
    v3: V3Variant::None,
};

static TOOLS: [Tool; 1] = [TOOL];

fn check(location: Option<&str>, mut given: Value, expected: Result<Value, &str>) {
    if given.get("key").is_none() {
        given["key"] = json!("k");
    }
    match (sent(&TOOLS, &TOOLS[0], location, &given), expected) {
        (Ok(sent), Ok(mut expected)) => {
            for (place, name, value) in [("path", "key", "k"), ("query", "companyId", "company")] {
                if expected[place].get(name).is_none() {
                    expected[place][name] = json!(value);
                }
            }
            if expected.get("body").is_none() {
                expected["body"] = json!({});
            }
            assert_eq!(sent, expected, "{given}");
        }
        (Err(refusal), Err(part)) => {
            assert!(refusal.contains(part), "{part:?} is not in {refusal:?}")
        }
        (sent, expected) => panic!("{given}: {sent:?} is not {expected:?}"),
    }
}

#[test]
fn values_without_a_known_type_are_sent_as_text() {
    check(
        None,
        json!({"any": 20}),
        Ok(json!({"query": {"any": "20"}})),
    );
    check(
        None,
        json!({"any": true}),
        Ok(json!({"query": {"any": "true"}})),
    );
    check(
        None,
        json!({"any": "x"}),
        Ok(json!({"query": {"any": "x"}})),
    );
    check(
        None,
        json!({"any": {"a": 1}}),
        Err("any must be a text or a number"),
    );
    check(
        None,
        json!({"ids": ["a", "b,c"]}),
        Ok(json!({"query": {"ids": ["a", "b,c"]}})),
    );
}

#[test]
fn headers_and_wide_path_values_keep_their_rules() {
    check(
        None,
        json!({"note": "plain"}),
        Ok(json!({"header": {"note": "plain"}})),
    );
    check(None, json!({"note": "é"}), Err("note must be plain ASCII"));
    check(
        None,
        json!({"note": "a\r\nb: c"}),
        Err("note must be plain ASCII"),
    );
    check(
        None,
        json!({"key": "custom_objects.pet"}),
        Ok(json!({"path": {"key": "custom_objects.pet"}})),
    );
    check(None, json!({"key": ""}), Err("key is missing"));
    for key in ["..", ".", "a/b", "%2e%2e"] {
        check(
            None,
            json!({"key": key}),
            Err("key must be an id of 1 to 128"),
        );
    }
}

#[test]
fn companies_are_filled_and_explicit_locations_never() {
    check(
        None,
        json!({"companyId": "own"}),
        Ok(json!({"query": {"companyId": "own"}})),
    );
    check(Some(PIN), json!({}), Ok(json!({})));
    check(
        Some(PIN),
        json!({"locationIds": [PIN]}),
        Ok(json!({"query": {"locationIds": [PIN]}})),
    );
    check(
        Some(PIN),
        json!({"locationIds": [PIN, "other"]}),
        Err("tenant: "),
    );
    check(
        Some("usual"),
        json!({"locationIds": ["other"]}),
        Ok(json!({"query": {"locationIds": ["other"]}})),
    );
}

#[test]
fn a_pin_holds_inside_arguments_and_in_lists() {
    let item = |inner: Value| json!({"body": [{"a": 1}, inner]});
    for inner in [
        json!({"locationId": PIN}),
        json!({"shares": [{"to": PIN}, {"to": [PIN]}, {}]}),
    ] {
        check(Some(PIN), item(inner.clone()), Ok(item(inner)));
    }
    let other = json!({"locationId": "other"});
    check(
        Some(PIN),
        item(other.clone()),
        Err("tenant: Nothing was sent: body[].locationId is \"other\""),
    );
    check(Some("usual"), item(other.clone()), Ok(item(other)));
    let shared = json!({"shares": [{"to": PIN}, {"to": [PIN, "other"]}]});
    check(
        Some(PIN),
        item(shared),
        Err("body[].shares[].to is [\"pinned\",\"other\"]"),
    );
    check(
        Some(PIN),
        item(json!({"locationId": null})),
        Ok(item(json!({}))),
    );
}

#[test]
fn a_body_that_is_not_an_object_is_one_argument() {
    check(
        None,
        json!({"body": [{"a": 1}]}),
        Ok(json!({"body": [{"a": 1}]})),
    );
    check(
        None,
        json!({"body": "[{\"a\": \"2\"}]"}),
        Ok(json!({"body": [{"a": 2}]})),
    );
    check(None, json!({"body": [{"a": 0}]}), Err("body[0].a"));
    check(
        None,
        json!({"body": [{"b": 1}]}),
        Err("body[0] has no field b"),
    );
}

#[test]
fn dates_take_the_two_forms_that_are_left() {
    check(
        None,
        json!({"since": "2026-01-31T09:00:00Z"}),
        Ok(json!({"query": {"since": 1_769_850_000}})),
    );
    check(
        None,
        json!({"since": 1_769_850_000}),
        Ok(json!({"query": {"since": 1_769_850_000}})),
    );
    check(
        None,
        json!({"until": "2026-01-31T09:00:00+02:00"}),
        Ok(json!({"query": {"until": "2026-01-31T09:00:00+02:00"}})),
    );
    check(
        None,
        json!({"until": "2026-01-31"}),
        Ok(json!({"query": {"until": "2026-01-31T00:00:00Z"}})),
    );
    check(
        None,
        json!({"until": 1_769_850_000_000_i64}),
        Ok(json!({"query": {"until": "2026-01-31T09:00:00Z"}})),
    );
}

#[test]
fn texts_decode_to_no_more_values_than_a_request_may_hold() {
    let list = |values: usize| json!(vec![1; values]).to_string();
    check(
        None,
        json!({"ids": list(30_000)}),
        Err("ids is a text that holds, with others, more than 20000 values"),
    );
    check(
        None,
        json!({"ids": list(12_000), "body": list(12_000)}),
        Err("is a text that holds, with others, more than 20000 values"),
    );
}
