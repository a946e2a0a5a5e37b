//! Requests as people see them.

use serde_json::json;

use super::*;
use crate::catalog::TOOLS;

fn tool(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

/// A field on one line.
fn flat(field: &RequestField) -> String {
    fn value(shown: &FieldValue) -> String {
        match shown {
            FieldValue::Text(text) => text.clone(),
            FieldValue::Record(name, id) => format!("{name} <{id}>"),
            FieldValue::Empty => "-".to_owned(),
            FieldValue::Fields(fields) => {
                let fields: Vec<String> = fields.iter().map(flat).collect();
                format!("{{{}}}", fields.join("; "))
            }
            FieldValue::List(all) => {
                format!("[{}]", all.iter().map(value).collect::<Vec<_>>().join("; "))
            }
        }
    }
    format!("{}: {}", field.label, value(&field.value))
}

#[test]
fn a_label_is_a_name_in_words() {
    for (name, expected) in [
        ("contactId", "Contact"),
        ("id", "ID"),
        ("scheduledTimestamp", "Scheduled timestamp"),
        ("html", "HTML"),
        ("first_name", "First name"),
        ("field-value", "Field value"),
        ("emailCC", "Email cc"),
        ("tags", "Tags"),
        ("address1", "Address1"),
        ("漢字", "漢字"),
        ("", ""),
        ("--", "--"),
        ("a\u{202e}b", "A u 202e b"),
    ] {
        assert_eq!(label(name), expected, "{name:?}");
    }
}

#[test]
fn a_request_is_read_field_by_field() {
    let records =
        [json!({"contactId": "c1", "name": "Ada Abbott", "doNotDisturb": true, "status": "open"})];
    let berlin = TimeZone::get("Europe/Berlin").expect("a zone");
    let mut reader = FieldReader::new(tool("conversations_send-a-new-message"), &records, berlin);
    let call = json!({"method": "POST", "url": "/conversations/messages", "version": "v", "body": {
        "type": "SMS", "contactId": "c1", "message": "Hello\nAda", "scheduledTimestamp": 1_764_374_400,
        "attachments": ["https://x.example/a.png", "https://x.example/b.png"], "subject": "", "html": null,
    }});
    let item = reader.item(&call);
    let fields: Vec<String> = item.fields.iter().map(flat).collect();
    assert_eq!(
        fields,
        [
            "Type: SMS",
            "Contact: Ada Abbott <c1>",
            "Message: Hello\nAda",
            "Scheduled timestamp: 2025-11-29 01:00 (Europe/Berlin)",
            "Attachments: [https://x.example/a.png; https://x.example/b.png]",
            "Subject: -",
            "HTML: -",
        ]
    );
    assert_eq!(item.fields[4].hint.as_deref(), Some("URLs"));
    assert_eq!(item.address, "POST /conversations/messages");
    let record = reader.record(&records[0]).expect("a record");
    assert_eq!(
        (
            record.kind.as_str(),
            record.name.as_deref(),
            record.id.as_str()
        ),
        ("Contact", Some("Ada Abbott"), "c1")
    );
    assert_eq!(record.warnings, ["Asked not to be contacted."]);
    assert_eq!(
        record.fields.iter().map(flat).collect::<Vec<_>>(),
        ["Status: open"]
    );
}

#[test]
fn values_in_the_address_are_fields_except_the_location() {
    let mut reader = FieldReader::new(tool("contacts_delete-contact"), &[], TimeZone::UTC);
    let call = json!({"method": "DELETE", "url": "/contacts/c%2F1", "body": null});
    let fields: Vec<String> = reader.item(&call).fields.iter().map(flat).collect();
    assert_eq!(fields, ["Contact: c/1"]);
    let mut reader = FieldReader::new(tool("contacts_create-contact"), &[], TimeZone::UTC);
    let call = json!({"method": "POST", "url": "/contacts/", "body": {"locationId": "l", "firstName": "Ada",
        "customFields": [{"id": "f", "field_value": true}]}});
    let fields: Vec<String> = reader.item(&call).fields.iter().map(flat).collect();
    assert_eq!(
        fields,
        [
            "First name: Ada",
            "Custom fields: [{ID: f; Field value: yes}]"
        ]
    );
}

#[test]
fn a_deleted_contact_names_the_records_deleted_with_it() {
    let record = json!({"contactId": "c1", "name": "Ada", "deletesToo": {"opportunities": 2}});
    let mut reader = FieldReader::new(None, &[], TimeZone::UTC);
    let record = reader.record(&record).expect("a record");
    assert_eq!(record.warnings, ["Also deleted: opportunities (2)."]);
}

#[test]
fn however_much_is_sent_a_page_has_a_bound() {
    let body: Map<String, Value> = (0..10_000)
        .map(|number| (format!("f{number}"), json!("x")))
        .collect();
    let call = json!({"method": "POST", "url": "/x", "body": body});
    let mut reader = FieldReader::new(None, &[], TimeZone::UTC);
    assert_eq!(reader.item(&call).fields.len(), MOST_FIELDS);
    assert!(reader.is_full());
    let long = json!({"method": "POST", "url": "/x", "body": {"html": "ü".repeat(50_000)}});
    let item = FieldReader::new(None, &[], TimeZone::UTC).item(&long);
    assert!(flat(&item.fields[0]).chars().count() < LONGEST_VALUE + 10);
    let deep = (0..100).fold(json!("x"), |inner, _| json!({"a": [inner]}));
    let call = json!({"method": "POST", "url": "/x", "body": deep});
    assert_eq!(
        FieldReader::new(None, &[], TimeZone::UTC)
            .item(&call)
            .fields
            .len(),
        1
    );
}
