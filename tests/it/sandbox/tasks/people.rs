//! Contacts, conversations and appointments.

use super::*;

pub(super) const JOBS: [Job; 14] = [
    Job {
        name: "tag last week's contacts",
        calls: 4,
        bytes: 4_000,
        run: |desk| Box::pin(tag_last_week(desk)),
    },
    Job {
        name: "answer unread conversations",
        calls: 4,
        bytes: 8_000,
        run: |desk| Box::pin(answer_unread(desk)),
    },
    Job {
        name: "a new contact with tag, text and deal",
        calls: 6,
        bytes: 4_000,
        run: |desk| Box::pin(new_contact(desk)),
    },
    Job {
        name: "book, move, note and cancel an appointment",
        calls: 8,
        bytes: 8_000,
        run: |desk| Box::pin(appointment(desk)),
    },
    Job {
        name: "contacts of a tag as CSV",
        calls: 1,
        bytes: 2_500,
        run: |desk| Box::pin(csv_of_tag(desk)),
    },
    Job {
        name: "take a tag off everybody",
        calls: 2,
        bytes: 2_000,
        run: |desk| Box::pin(untag(desk)),
    },
    Job {
        name: "tasks for the five newest contacts",
        calls: 4,
        bytes: 4_000,
        run: |desk| Box::pin(tasks(desk)),
    },
    Job {
        name: "do not disturb, then text",
        calls: 3,
        bytes: 2_500,
        run: |desk| Box::pin(do_not_disturb(desk)),
    },
    Job {
        name: "an email",
        calls: 2,
        bytes: 1_500,
        run: |desk| Box::pin(email(desk)),
    },
    Job {
        name: "delete a contact",
        calls: 3,
        bytes: 2_500,
        run: |desk| Box::pin(delete_contact(desk)),
    },
    Job {
        name: "form submissions of thirty days",
        calls: 2,
        bytes: 4_000,
        run: |desk| Box::pin(submissions(desk)),
    },
    Job {
        name: "add to a workflow",
        calls: 3,
        bytes: 3_000,
        run: |desk| Box::pin(workflow(desk)),
    },
    Job {
        name: "note, edit, list",
        calls: 4,
        bytes: 3_000,
        run: |desk| Box::pin(note(desk)),
    },
    Job {
        name: "a trigger link",
        calls: 2,
        bytes: 2_000,
        run: |desk| Box::pin(trigger_link(desk)),
    },
];

/// The id of the contact that a search by name finds.
pub(super) async fn find(desk: &mut Desk, name: &str) -> String {
    let output = json!({"fields": ["id", "contactName"], "maxItems": 1});
    let found = desk
        .read("contacts_get-contacts", json!({"query": name}), output)
        .await;
    text(&found, "/contacts/0/id").to_owned()
}

async fn tag_last_week(desk: &mut Desk) {
    let week = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(7 * 24)).to_string();
    let each = json!({
        "operation": "contacts_search-contacts-advanced",
        "filter": [{"field": "dateAdded", "op": "after", "value": week}],
    });
    let call = json!({"operation": "contacts_add-tags", "arguments": {"tags": ["follow-up"]}, "each": each});
    let preview = desk.ask("call_write", call).await;
    let done = desk.confirm("call_write", &preview).await;
    assert_eq!(done["done"], preview["calls"], "{done}");
    let tagged = json!([{"field": "tags", "op": "contains", "value": "follow-up"}]);
    let count = json!({"operation": "contacts_search-contacts-advanced", "output": {"filter": tagged, "count": true}});
    let counted = desk.look("call_read", count).await;
    assert!(
        counted.to_string().contains(&preview["calls"].to_string()),
        "{counted}"
    );
}

async fn answer_unread(desk: &mut Desk) {
    let each = json!({
        "operation": "conversations_search-conversation",
        "arguments": {"status": "unread", "lastMessageType": "TYPE_SMS"},
        "bind": {"contactId": "contactId"},
    });
    let arguments = json!({"type": "SMS", "message": "Thanks, we will call you today."});
    let call = json!({"operation": "conversations_send-a-new-message", "arguments": arguments, "each": each});
    let preview = desk.ask("call_send", call).await;
    let done = desk.confirm("call_send", &preview).await;
    assert!(done["done"].as_u64() > Some(0), "{done}");
}

async fn new_contact(desk: &mut Desk) {
    let person = json!({"firstName": "Maria", "lastName": "Lopez", "phone": "+15557000001", "tags": ["website"]});
    let made = desk.write("contacts_create-contact", person).await;
    let id = text(&made, "/contact/id").to_owned();
    let message = json!({"type": "SMS", "contactId": id, "message": "Welcome, Maria!"});
    desk.ask(
        "call_send",
        json!({"operation": "conversations_send-a-new-message", "arguments": message}),
    )
    .await;
    let pipelines = desk
        .read(
            "opportunities_get-pipelines",
            json!({}),
            json!({"fields": ["id", "name", "stages.id"]}),
        )
        .await;
    let pipeline = text(&pipelines, "/pipelines/0/id").to_owned();
    let deal = json!({"pipelineId": pipeline, "name": "Maria Lopez", "contactId": id, "status": "open", "monetaryValue": 500});
    let deal = desk.write("opportunities_create-opportunity", deal).await;
    text(&deal, "/opportunity/id");
}

async fn appointment(desk: &mut Desk) {
    let contact = find(desk, "Ada").await;
    let calendars = desk
        .read(
            "calendars_get-calendars",
            json!({}),
            json!({"fields": ["id", "name"]}),
        )
        .await;
    let calendar = text(&calendars, "/calendars/0/id").to_owned();
    let window = json!({"calendarId": calendar, "startDate": day(6), "endDate": day(10), "timezone": "America/Los_Angeles"});
    let free = desk.read("calendars_get-slots", window, json!({})).await;
    let mut slots = free
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(_, day)| day["slots"].as_array())
        .flatten();
    let first = slots.next().expect("a free slot").clone();
    let later = slots.next().expect("another").clone();
    let call = json!({"operation": "calendars_create-appointment", "arguments": {"calendarId": calendar, "contactId": contact, "startTime": first}});
    let booked = desk.ask("call_send", call).await;
    let event = text(&booked, "/id").to_owned();
    let call = json!({"operation": "calendars_edit-appointment", "arguments": {"eventId": event, "startTime": later}});
    desk.ask("call_send", call).await;
    desk.write(
        "calendars_create-appointment-note",
        json!({"appointmentId": event, "body": "Prefers the morning."}),
    )
    .await;
    let call = json!({"operation": "calendars_edit-appointment", "arguments": {"eventId": event, "appointmentStatus": "cancelled"}});
    desk.ask("call_send", call).await;
    let held = desk
        .look(
            "call_read",
            json!({"operation": "calendars_get-appointment", "arguments": {"eventId": event}}),
        )
        .await;
    assert!(held.to_string().contains("cancelled"), "{held}");
}

async fn csv_of_tag(desk: &mut Desk) {
    let output = json!({
        "fields": ["contactName", "email", "phone"], "format": "csv", "allPages": true,
        "filter": [{"field": "tags", "op": "contains", "value": "vip"}],
    });
    let csv = desk
        .read("contacts_search-contacts-advanced", json!({}), output)
        .await;
    let csv = csv.as_str().expect("CSV");
    assert!(
        csv.starts_with("contactName,email,phone") && csv.lines().count() > 10,
        "{csv}"
    );
    assert!(csv.contains(",+1555"), "{csv}");
}

async fn untag(desk: &mut Desk) {
    let each = json!({
        "operation": "contacts_search-contacts-advanced",
        "filter": [{"field": "tags", "op": "contains", "value": "vip"}],
    });
    let call =
        json!({"operation": "contacts_remove-tags", "arguments": {"tags": ["vip"]}, "each": each});
    let preview = desk.ask("call_write", call).await;
    // The operation beside the confirm token does not make it another call.
    let call = json!({"operation": "contacts_remove-tags", "confirm": preview["confirm"]});
    let done = desk.ask("call_write", call).await;
    assert_eq!(done["done"], preview["calls"], "{done}");
}

/// A page of five has five rows, however many there are.
async fn tasks(desk: &mut Desk) {
    let each = json!({
        "operation": "contacts_search-contacts-advanced",
        "arguments": {"pageLimit": 5, "sort": [{"field": "dateAdded", "direction": "desc"}]},
    });
    let arguments =
        json!({"title": "Call back", "dueDate": "2030-01-07T09:00", "completed": false});
    let call = json!({"operation": "contacts_create-task", "arguments": arguments, "each": each});
    let preview = desk.ask("call_write", call).await;
    assert_eq!(preview["calls"], 5, "{preview}");
    desk.confirm("call_write", &preview).await;
    let open = desk.ask("call_read", json!({"operation": "locations_task-search", "arguments": {"completed": false}, "output": {"maxItems": 1, "fields": ["id", "contactId"], "filter": [{"field": "title", "op": "=", "value": "Call back"}]}})).await;
    let (task, contact) = (
        text(&open, "/tasks/0/id").to_owned(),
        text(&open, "/tasks/0/contactId").to_owned(),
    );
    desk.write(
        "contacts_update-task-completed",
        json!({"contactId": contact, "taskId": task, "completed": true}),
    )
    .await;
}

async fn do_not_disturb(desk: &mut Desk) {
    let id = find(desk, "Ben").await;
    desk.write(
        "contacts_update-contact",
        json!({"contactId": id, "dnd": true}),
    )
    .await;
    let message = json!({"type": "SMS", "contactId": id, "message": "Hello"});
    let refused = desk
        .ask(
            "call_send",
            json!({"operation": "conversations_send-a-new-message", "arguments": message}),
        )
        .await;
    assert_eq!(refused["class"], "dnd", "{refused}");
    // This refusal is the expected answer of the job.
    desk.errors.clear();
}

async fn email(desk: &mut Desk) {
    let id = find(desk, "Ada").await;
    let message = json!({"type": "Email", "contactId": id, "subject": "Your visit", "html": "<p>See you soon.</p>"});
    let sent = desk
        .ask(
            "call_send",
            json!({"operation": "conversations_send-a-new-message", "arguments": message}),
        )
        .await;
    text(&sent, "/messageId");
}

async fn delete_contact(desk: &mut Desk) {
    let id = find(desk, "Ada").await;
    let call = json!({"operation": "contacts_delete-contact", "arguments": {"contactId": id}});
    let preview = desk.ask("call_destructive", call).await;
    assert!(preview.to_string().contains("Ada"), "{preview}");
    desk.confirm("call_destructive", &preview).await;
}

async fn submissions(desk: &mut Desk) {
    let arguments = json!({"startAt": day(-30)});
    let found = desk
        .read(
            "forms_get-forms-submissions",
            arguments,
            json!({"fields": ["name", "email", "createdAt"]}),
        )
        .await;
    assert!(!list(&found, "/submissions").is_empty(), "{found}");
}

async fn workflow(desk: &mut Desk) {
    let workflows = desk
        .read(
            "workflows_list-workflows",
            json!({}),
            json!({"fields": ["id", "name"]}),
        )
        .await;
    let workflow = text(&workflows, "/workflows/0/id").to_owned();
    let id = find(desk, "Ada").await;
    let call = json!({"operation": "contacts_add-contact-to-workflow", "arguments": {"contactId": id, "workflowId": workflow}});
    desk.ask("call_send", call).await;
}

async fn note(desk: &mut Desk) {
    let id = find(desk, "Ada").await;
    let made = desk
        .write(
            "contacts_create-note",
            json!({"contactId": id, "body": "Called."}),
        )
        .await;
    let note = text(&made, "/note/id").to_owned();
    desk.write(
        "contacts_update-note",
        json!({"contactId": id, "id": note, "body": "Called twice."}),
    )
    .await;
    let notes = desk
        .read(
            "contacts_get-all-notes",
            json!({"contactId": id}),
            json!({"fields": ["body"]}),
        )
        .await;
    assert!(notes.to_string().contains("Called twice."), "{notes}");
}

async fn trigger_link(desk: &mut Desk) {
    let made = desk
        .write(
            "links_create-link",
            json!({"name": "Offer", "redirectTo": "https://example.com/offer"}),
        )
        .await;
    text(&made, "/link/id");
    let links = desk
        .read("links_get-links", json!({}), json!({"fields": ["name"]}))
        .await;
    assert!(links.to_string().contains("Offer"), "{links}");
}
