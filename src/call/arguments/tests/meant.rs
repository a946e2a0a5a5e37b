//! What an unknown name is taken for: by its words and by slips of the keyboard, and never by a word that it begins
//! with.

use serde_json::{Map, Value, json};

use super::sent;
use crate::catalog::TOOLS;

/// `expected`: the name that is suggested, or none.
fn check(tool: &str, given: &Value, unknown: &str, expected: Option<&str>) {
    let mut tools = TOOLS.iter();
    let tool = tools.find(|one| one.name == tool).expect("a tool");
    let mut given: Map<String, Value> = given.as_object().cloned().expect("an object");
    given.insert(unknown.to_owned(), json!("x"));
    let told = sent(TOOLS, tool, Some("L0"), &Value::Object(given)).expect_err("an unknown name");
    let start = format!("{unknown} is not an argument of {}", tool.name);
    let expected = match expected {
        Some(name) => format!("{start}, did you mean {name}?"),
        None => format!("{start}, which takes"),
    };
    assert!(told.contains(&expected), "{expected:?} is not in {told}");
}

#[test]
fn a_name_is_taken_for_the_argument_of_its_words() {
    let none = json!({});
    let edit = "calendars_edit-appointment";
    let book = "calendars_create-appointment";
    let message = "conversations_send-a-new-message";
    let update = "contacts_update-contact";
    let create = "contacts_create-contact";
    for (tool, unknown, expected) in [
        // What is missing and means the same.
        (edit, "appointmentId", Some("eventId")),
        (edit, "bookingId", Some("eventId")),
        (
            "calendars_create-appointment-note",
            "eventId",
            Some("appointmentId"),
        ),
        ("contacts_get-contact", "id", Some("contactId")),
        ("contacts_get-contact", "customerId", Some("contactId")),
        (book, "time", Some("startTime")),
        // The same words, or words of the tool's own name beside them.
        (book, "appointmentTitle", Some("title")),
        (update, "body_first_name", Some("firstName")),
        (update, "fullName", Some("name")),
        (update, "contactName", Some("name")),
        (update, "phoneNumber", Some("phone")),
        (update, "emailAddress", Some("email")),
        (message, "body", Some("message")),
        (message, "text", Some("message")),
        // The last words of one argument.
        (edit, "status", Some("appointmentStatus")),
        (
            "contacts_search-contacts-advanced",
            "limit",
            Some("pageLimit"),
        ),
        (
            "contacts_search-contacts-advanced",
            "pageSize",
            Some("pageLimit"),
        ),
        (update, "address", Some("address1")),
        // Slips.
        ("contacts_get-contacts", "limt", Some("limit")),
        (update, "lastNmae", Some("lastName")),
        (update, "assigendTo", Some("assignedTo")),
        // Other things.
        (message, "email", None),
        (message, "conversationId", None),
        (update, "body_companyName", None),
        (update, "status", None),
        (create, "address2", None),
        (book, "appointmentColor", None),
        ("opportunities_search-opportunity", "startsOn", None),
    ] {
        check(tool, &none, unknown, expected);
    }
    // What is there already is not missing: none of the two ids is meant more than the other.
    let given = json!({"calendarId": "c", "contactId": "c", "startTime": "2026-12-01T09:00:00Z"});
    check(book, &given, "id", None);
}

#[test]
fn the_start_of_a_search_for_opportunities_goes_by_its_usual_name() {
    let mut tools = TOOLS.iter();
    let tool = tools.find(|one| one.name == "opportunities_search-opportunity");
    let given = json!({"startDate": "2026-11-20", "endDate": "2026-11-21"});
    let sent = sent(TOOLS, tool.expect("a tool"), Some("L0"), &given).expect("it is sent");
    assert_eq!(sent["query"]["date"], "11-20-2026");
    assert_eq!(sent["query"]["endDate"], "11-21-2026");
}

#[test]
fn what_stands_beside_the_arguments_is_said_to() {
    #[track_caller]
    fn check(tool: &str, unknown: &str, expected: &str) {
        let mut tools = TOOLS.iter();
        let tool = tools.find(|one| one.name == tool).expect("a tool");
        let given = json!({ unknown: "x" });
        let told = sent(TOOLS, tool, Some("L0"), &given).expect_err("an unknown name");
        let expected = format!("{unknown} is not an argument of {}{expected}", tool.name);
        assert!(told.contains(&expected), "{expected:?} is not in {told}");
    }
    let search = "contacts_search-contacts-advanced";
    check(search, "fields", ": it is a member of output");
    check(search, "groupBy", ": it is a member of output");
    check(search, "filter", ", did you mean filters?");
    check(search, "output", ": it stands beside the arguments");
    check(
        "contacts_update-contact",
        "dryRun",
        ": it stands beside the arguments",
    );
    check(
        "contacts_update-contact",
        "fields",
        ", did you mean customFields?",
    );
}
