//! Each contact's history before the sandbox began: tasks, messages, deals, appointments, payments.

use serde_json::{Value, json};

use super::catalogue::answered;
use super::{Agency, DAY, HOUR, SeedLocation, pick, put};
use crate::call::{date, milliseconds};
use crate::routes::{fresh_conversation, keep_message, message};
use crate::state::{RecordKind, Records};

const ASKED: [&str; 6] = [
    "Hi, do you have anything free this week?",
    "What does the consultation cost?",
    "Can I move my appointment to Friday?",
    "Thanks, that was quick!",
    "Is parking available nearby?",
    "Please call me back when you can.",
];
const ANSWERED: [&str; 5] = [
    "Thanks for reaching out! We will get back to you shortly.",
    "Your appointment is confirmed.",
    "The first consultation is free.",
    "See you on Friday!",
    "Here is the link to book a time.",
];

/// The history of one contact so far.
pub(super) fn history(
    state: &mut Records,
    place: &SeedLocation,
    agency: &Agency,
    number: usize,
    contact: &Value,
) {
    let added = milliseconds(&contact["dateAdded"]);
    let user = agency.users[number % agency.users.len()].clone();
    if number.is_multiple_of(4) {
        // Due tomorrow, today, long ago, next week.
        let due = [1, 0, -2, 7][number / 8 % 4];
        let record = json!({
            "title": "Call back", "body": "Ask about the offer", "assignedTo": user,
            "dueDate": date(place.at_hour(due, 17)), "completed": number.is_multiple_of(8), "contactId": contact["id"],
        });
        put(state, place, "task", record);
    }
    if number.is_multiple_of(5) {
        let record = json!({
            "body": "Met at the counter, wants a quote.", "userId": user, "dateAdded": date(added + HOUR),
            "contactId": contact["id"],
        });
        put(state, place, "note", record);
    }
    if number.is_multiple_of(3) {
        conversation(state, place, number, contact, added);
    }
    if number % 6 == 1 {
        // Every fifth deal came by a referral.
        let pipeline = &agency.pipelines[usize::from(number % 30 == 25)];
        opportunity(state, place, number, contact, &user, pipeline, added);
    }
    if number % 9 == 2 {
        let calendar = &agency.calendars[usize::from(number % 27 == 20)];
        appointment(state, place, number, contact, &user, calendar);
    }
    if number % 7 == 3 {
        payment(state, place, number, contact, added);
    }
    if number % 8 == 5 {
        answered(
            state,
            place,
            agency.catalogue,
            number,
            contact,
            added + HOUR,
        );
    }
}

fn conversation(
    state: &mut Records,
    place: &SeedLocation,
    number: usize,
    contact: &Value,
    added: i64,
) {
    let record = fresh_conversation(contact, added);
    let conversation = put(state, place, "conversation", record);
    let channel = ["SMS", "SMS", "Email", "Call"][number / 3 % 4];
    let first = added + HOUR;
    for turn in 0..4 {
        let at = first + turn * HOUR / 2;
        let (direction, text) = if turn % 2 == 0 {
            ("inbound", *pick(state, &ASKED))
        } else {
            ("outbound", *pick(state, &ANSWERED))
        };
        // Some wait for an answer.
        if turn == 3 && number.is_multiple_of(2) {
            break;
        }
        let mut message = message(&conversation, channel, direction, text, at);
        if channel == "Call" {
            message["meta"] = json!({"callDuration": 60 + turn, "callStatus": "completed"});
            message["body"] = json!("");
            message["status"] = json!("connected");
        }
        keep_message(state, &conversation, message, at);
    }
    if number % 2 == 1 {
        let id = conversation["id"].as_str().unwrap_or_default();
        let read = json!({"unreadCount": 0});
        state.change(
            "conversation",
            id,
            read.as_object().cloned().unwrap_or_default(),
        );
    }
}

fn opportunity(
    state: &mut Records,
    place: &SeedLocation,
    number: usize,
    contact: &Value,
    user: &str,
    pipeline: &Value,
    added: i64,
) {
    let stages = pipeline["stages"].as_array().map_or(1, Vec::len);
    let stage = &pipeline["stages"][number / 6 % stages];
    let status = ["open", "open", "open", "won", "lost"][number / 6 % 5];
    let record = json!({
        "name": format!("{} – consultation", contact["contactName"].as_str().unwrap_or_default()),
        "monetaryValue": (number % 40 + 1) * 50, "pipelineId": pipeline["id"],
        "pipelineStageId": stage["id"], "assignedTo": user, "status": status, "source": "website",
        "createdAt": date(added), "updatedAt": date(added), "lastStatusChangeAt": date(added),
        "lastStageChangeAt": date(added), "contactId": contact["id"], "customFields": [],
        "followers": [],
    });
    put(state, place, "opportunity", record);
}

fn appointment(
    state: &mut Records,
    place: &SeedLocation,
    number: usize,
    contact: &Value,
    user: &str,
    calendar: &Value,
) {
    // No two at the same time: first the days around this one from ten to three, then earlier ones.
    let days = i64::try_from(number / 9 % 10).unwrap_or_default() - 3;
    let earlier = i64::try_from(number / 540 * 10).unwrap_or_default();
    let hours = i8::try_from(number / 90 % 6).unwrap_or_default();
    let days = days - earlier;
    let start = place.at_hour(days, 10 + hours);
    let record = json!({
        "title": contact["contactName"], "calendarId": calendar["id"], "contactId": contact["id"],
        "groupId": calendar["groupId"], "appointmentStatus": if days < 0 { "showed" } else { "confirmed" },
        "assignedUserId": user, "users": [user], "address": "1 Main Street", "isRecurring": false,
        "startTime": date(start), "endTime": date(start + HOUR / 2), "dateAdded": date(place.today - 10 * DAY),
        "dateUpdated": date(place.today - 10 * DAY),
    });
    let event = put(state, place, "event", record);
    let note = json!({
        "body": "Bring the earlier documents.", "userId": user, "contactId": contact["id"],
        "appointmentId": event["id"], "dateAdded": date(place.today - 9 * DAY),
    });
    put(state, place, "appointmentNote", note);
}

fn payment(state: &mut Records, place: &SeedLocation, number: usize, contact: &Value, added: i64) {
    let amount = (number % 30 + 1) * 15;
    let owner = json!({
        "altId": place.id, "altType": "location", "contactId": contact["id"],
        "contactName": contact["contactName"], "contactEmail": contact["email"], "currency": "USD",
        "amount": amount, "liveMode": true, "createdAt": date(added + DAY), "updatedAt": date(added + DAY),
    });
    let mut with = |kind: RecordKind, more: Value| {
        let id: String = state.new_id();
        let mut record = owner.as_object().cloned().unwrap_or_default();
        record.extend(more.as_object().cloned().unwrap_or_default());
        record.retain(|_, value| !value.is_null());
        record.insert("_id".to_owned(), json!(id));
        record.insert("~location".to_owned(), json!(place.id));
        state.put(kind, &id, Value::Object(record));
        id
    };
    let paid = number % 21 != 17;
    // Some were refunded completely, some a third. [I] the words for it.
    let refunded = match number % 35 {
        10 => amount,
        24 => amount / 3,
        _ => 0,
    };
    let item = json!({"name": "Consultation", "currency": "USD", "amount": amount, "qty": 1});
    if paid {
        let order = with(
            "order",
            json!({
                "status": "completed", "subtotal": amount, "discount": 0, "totalProducts": 1,
                "sourceType": "invoice", "sourceId": "consultation", "sourceName": "Consultation",
                "amountSummary": {"subtotal": amount, "discount": 0}, "items": [],
                "source": {"type": "invoice", "id": "consultation", "name": "Consultation"},
            }),
        );
        with(
            "transaction",
            json!({
                "status": if refunded == amount { "refunded" } else { "succeeded" }, "entityType": "order", "entityId": order, "entitySourceType": "invoice",
                "entitySource": {"type": "invoice", "id": "consultation", "name": "Consultation"},
                "paymentProviderType": "stripe", "amountRefunded": refunded, "fulfilledAt": date(added + DAY),
            }),
        );
    }
    with(
        "invoice",
        json!({
            "status": if paid { "paid" } else { "sent" }, "name": "Consultation", "title": "INVOICE", "invoiceNumber": number + 1,
            "amountPaid": if paid { amount } else { 0 }, "amountDue": if paid { 0 } else { amount }, "total": amount, "businessDetails": {"name": place.id},
            "contactDetails": {"id": contact["id"], "name": contact["contactName"], "email": contact["email"]},
            "issueDate": date(added).get(..10), "dueDate": date(added + 14 * DAY).get(..10),
            "discount": {"type": "percentage", "value": 0}, "invoiceItems": [item],
            "totalSummary": {"subTotal": amount, "discount": 0, "tax": 0},
        }),
    );
}
