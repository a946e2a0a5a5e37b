//! Forms of every tool, and the arguments read from them.

use std::collections::HashSet;

use serde_json::json;

use super::*;
use crate::catalog::TOOLS;

fn tool(name: &str) -> &'static Tool {
    TOOLS.iter().find(|tool| tool.name == name).expect("a tool")
}

fn form(fields: &[(&str, &str)]) -> FormFields {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    FormFields::parse(body.finish().as_bytes()).expect("fields")
}

fn names(fields: &[ToolField], all: &mut Vec<String>) {
    for field in fields {
        match &field.kind {
            FieldKind::Group(inner) => names(inner, all),
            _ => all.push(field.name.clone()),
        }
    }
}

fn text(fields: &[ToolField]) -> String {
    fields
        .iter()
        .map(|field| field.markup().into_string())
        .collect()
}

#[test]
fn every_tool_has_a_short_form_whose_fields_are_told_apart() {
    const LONGEST: usize = 30 << 10;
    for tool in TOOLS {
        let fields = tool_fields(tool, "BrightCRM");
        let text = text(&fields);
        assert!(text.len() < LONGEST, "{}: {} bytes", tool.name, text.len());
        assert!(!text.contains("HighLevel"), "{}", tool.name);
        let mut all = Vec::new();
        names(&fields, &mut all);
        let different: HashSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len(), "{}", tool.name);
        assert_eq!(text.matches("<label").count(), all.len(), "{}", tool.name);
        let named = tool.arguments.iter().filter(|one| one.names_location());
        for argument in named {
            let name = format!("a.{}", argument.name);
            assert!(!all.contains(&name), "{}: {name}", tool.name);
        }
    }
}

#[test]
fn form_values_become_arguments_of_their_types() {
    #[track_caller]
    fn check(name: &str, given: &[(&str, &str)], expected: &Value) {
        let mut fields = tool_fields(tool(name), "BrightCRM");
        let arguments = read_form(&mut fields, &form(given));
        let arguments = arguments.map(Value::Object);
        assert_eq!(arguments.as_ref(), Some(expected), "{}", text(&fields));
    }
    check(
        "contacts_get-contact",
        &[("a.contactId", " c1 ")],
        &json!({"contactId": "c1"}),
    );
    check(
        "contacts_get-contacts",
        &[("a.limit", "20"), ("a.query", "")],
        &json!({"limit": 20}),
    );
    check(
        "contacts_create-contact",
        &[
            ("a.firstName", "Ada"),
            ("a.tags", "vip\n\n new one \n"),
            ("a.dnd", "no"),
            ("a.customFields", r#"[{"id":"f1","field_value":"x"}]"#),
        ],
        &json!({
            "firstName": "Ada",
            "tags": ["vip", "new one"],
            "dnd": false,
            "customFields": [{"id": "f1", "field_value": "x"}],
        }),
    );
}

#[test]
fn a_secret_is_taken_and_shown_to_nobody() {
    let secret = "correct horse battery staple";
    let mut fields = tool_fields(tool("users_create-user"), "BrightCRM");
    let given = form(&[("a.password", secret), ("a.firstName", "Ada")]);
    let arguments = read_fields(&mut fields, &given);
    assert_eq!(arguments["password"], secret);
    let text = text(&fields);
    assert!(
        text.contains("<input type=\"password\" id=\"a.password\""),
        "{text}"
    );
    assert!(
        text.contains("value=\"Ada\"") && !text.contains(secret),
        "{text}"
    );
}

#[test]
fn each_problem_stands_beside_its_field() {
    #[track_caller]
    fn check(name: &str, given: &[(&str, &str)], expected: &str) {
        let mut fields = tool_fields(tool(name), "BrightCRM");
        assert!(read_form(&mut fields, &form(given)).is_none(), "{name}");
        let text = text(&fields);
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
    check(
        "contacts_get-contact",
        &[],
        "<p id=\"a.contactId-problem\" class=\"problem\" role=\"alert\">Please fill in this field.</p>",
    );
    check(
        "contacts_get-contacts",
        &[("a.limit", "many")],
        "This must be a number, such as 20.</p><input type=\"text\" id=\"a.limit\" name=\"a.limit\" value=\"many\"",
    );
    check(
        "contacts_create-contact",
        &[("a.customFields", "[{")],
        "This is not valid JSON at line 1, column 2. Texts need double quotes.",
    );
    check(
        "contacts_create-contact",
        &[("a.dnd", "<maybe>")],
        "Choose yes or no.",
    );
}

#[test]
fn problems_that_the_server_finds_stand_beside_their_fields() {
    let mut fields = tool_fields(tool("contacts_get-contacts"), "BrightCRM");
    let sentence =
        "Nothing was sent: limit must be at most 100, it is 500; the call has no field x.";
    let others = put_problems(&mut fields, sentence);
    assert_eq!(others, ["the call has no field x."]);
    let text = text(&fields);
    assert!(
        text.contains("<p id=\"a.limit-problem\" class=\"problem\" role=\"alert\">limit must be at most 100, it is 500.</p>"),
        "{text}"
    );
}
