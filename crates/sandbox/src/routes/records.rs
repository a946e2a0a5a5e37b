//! Records with simple operations: create, list, show, change and delete. One row per operation.

use serde_json::{Value, json};

use crate::call::{SandboxCall, milliseconds};
use crate::refusal::Refusal;
use crate::state::{RecordKind, Records};

/// The action of an operation.
#[derive(Clone, Copy)]
enum RecordAction {
    /// Lists all of a kind under the name, of the parent or the location.
    List,
    Make,
    Show,
    Change,
    /// The name in the answer says that it worked.
    Delete,
}

pub(super) struct Row {
    key: &'static str,
    act: RecordAction,
    kind: RecordKind,
    /// The name in the answer of the record or list; empty: the answer is the record.
    name: &'static str,
    /// The path parameter with the record's id.
    id: &'static str,
    /// The path parameter with the id of the parent record, and the parent's kind.
    parent: Option<(&'static str, RecordKind)>,
}

const CONTACT: Option<(&str, RecordKind)> = Some(("contactId", "contact"));
const APPOINTMENT: Option<(&str, RecordKind)> = Some(("appointmentId", "event"));

macro_rules! rows {
    ($($key:literal $act:ident $kind:literal $name:literal $id:literal $parent:expr;)*) => {
        &[$(Row { key: $key, act: RecordAction::$act, kind: $kind, name: $name, id: $id, parent: $parent }),*]
    };
}

const ROWS: &[Row] = rows! {
    "GET /contacts/{contactId}/tasks" List "task" "tasks" "" CONTACT;
    "POST /contacts/{contactId}/tasks" Make "task" "task" "" CONTACT;
    "GET /contacts/{contactId}/tasks/{taskId}" Show "task" "task" "taskId" CONTACT;
    "PUT /contacts/{contactId}/tasks/{taskId}" Change "task" "task" "taskId" CONTACT;
    "PUT /contacts/{contactId}/tasks/{taskId}/completed" Change "task" "task" "taskId" CONTACT;
    "DELETE /contacts/{contactId}/tasks/{taskId}" Delete "task" "succeded" "taskId" CONTACT;
    "GET /contacts/{contactId}/notes" List "note" "notes" "" CONTACT;
    "POST /contacts/{contactId}/notes" Make "note" "note" "" CONTACT;
    "GET /contacts/{contactId}/notes/{id}" Show "note" "note" "id" CONTACT;
    "PUT /contacts/{contactId}/notes/{id}" Change "note" "note" "id" CONTACT;
    "DELETE /contacts/{contactId}/notes/{id}" Delete "note" "succeded" "id" CONTACT;
    "GET /contacts/{contactId}" Show "contact" "contact" "contactId" None;
    "POST /calendars/appointments/{appointmentId}/notes" Make "appointmentNote" "note" "" APPOINTMENT;
    "PUT /calendars/appointments/{appointmentId}/notes/{noteId}" Change "appointmentNote" "note" "noteId" APPOINTMENT;
    "DELETE /calendars/appointments/{appointmentId}/notes/{noteId}" Delete "appointmentNote" "success" "noteId" APPOINTMENT;
    "GET /calendars/" List "calendar" "calendars" "" None;
    "POST /calendars/" Make "calendar" "calendar" "" None;
    "GET /calendars/{calendarId}" Show "calendar" "calendar" "calendarId" None;
    "PUT /calendars/{calendarId}" Change "calendar" "calendar" "calendarId" None;
    "DELETE /calendars/{calendarId}" Delete "calendar" "success" "calendarId" None;
    "GET /calendars/groups" List "group" "groups" "" None;
    "POST /calendars/groups" Make "group" "group" "" None;
    "PUT /calendars/groups/{groupId}" Change "group" "group" "groupId" None;
    "DELETE /calendars/groups/{groupId}" Delete "group" "success" "groupId" None;
    "POST /calendars/events/block-slots" Make "block" "" "" None;
    "PUT /calendars/events/block-slots/{eventId}" Change "block" "" "eventId" None;
    "GET /calendars/events/appointments/{eventId}" Show "event" "event" "eventId" None;
    "DELETE /conversations/{conversationId}" Delete "conversation" "success" "conversationId" None;
    "GET /conversations/messages/{id}" Show "message" "" "id" None;
    "GET /opportunities/pipelines" List "pipeline" "pipelines" "" None;
    "GET /opportunities/{id}" Show "opportunity" "opportunity" "id" None;
    "DELETE /opportunities/{id}" Delete "opportunity" "succeded" "id" None;
    "GET /locations/{locationId}" Show "location" "location" "locationId" None;
    "GET /locations/{locationId}/tags" List "tag" "tags" "" None;
    "POST /locations/{locationId}/tags" Make "tag" "tag" "" None;
    "GET /locations/{locationId}/tags/{tagId}" Show "tag" "tag" "tagId" None;
    "PUT /locations/{locationId}/tags/{tagId}" Change "tag" "tag" "tagId" None;
    "DELETE /locations/{locationId}/tags/{tagId}" Delete "tag" "succeded" "tagId" None;
    "GET /locations/{locationId}/customFields/{id}" Show "customField" "customField" "id" None;
    "DELETE /locations/{locationId}/customFields/{id}" Delete "customField" "succeded" "id" None;
    "GET /locations/{locationId}/customValues" List "customValue" "customValues" "" None;
    "POST /locations/{locationId}/customValues" Make "customValue" "customValue" "" None;
    "GET /locations/{locationId}/customValues/{id}" Show "customValue" "customValue" "id" None;
    "PUT /locations/{locationId}/customValues/{id}" Change "customValue" "customValue" "id" None;
    "DELETE /locations/{locationId}/customValues/{id}" Delete "customValue" "succeded" "id" None;
    "GET /users/{userId}" Show "user" "" "userId" None;
    "DELETE /users/{userId}" Delete "user" "succeded" "userId" None;
    "GET /links/" List "link" "links" "" None;
    "GET /links/id/{linkId}" Show "link" "link" "linkId" None;
    "PUT /links/{linkId}" Change "link" "link" "linkId" None;
    "DELETE /links/{linkId}" Delete "link" "succeded" "linkId" None;
    "GET /workflows/" List "workflow" "workflows" "" None;
    "GET /payments/orders/{orderId}" Show "order" "" "orderId" None;
    "GET /payments/transactions/{transactionId}" Show "transaction" "" "transactionId" None;
    "GET /invoices/{invoiceId}" Show "invoice" "" "invoiceId" None;
    "POST /products/" Make "product" "" "" None;
    "GET /products/{productId}" Show "product" "" "productId" None;
    "PUT /products/{productId}" Change "product" "" "productId" None;
    "GET /products/{productId}/price/{priceId}" Show "price" "" "priceId" None;
    "PUT /products/{productId}/price/{priceId}" Change "price" "" "priceId" None;
    "DELETE /products/{productId}/price/{priceId}" Delete "price" "status" "priceId" None;
};

/// The row of an operation.
pub(super) fn row(key: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.key == key)
}

/// `None` if the operation has no row.
pub(super) fn answer(state: &mut Records, call: &SandboxCall) -> Option<Result<Value, Refusal>> {
    row(&call.operation.key).map(|row| done(row, state, call))
}

/// Adds an id, the owner and the dates to a new record and stores it.
pub(super) fn make(
    state: &mut Records,
    call: &SandboxCall,
    kind: RecordKind,
    mut record: Value,
) -> Value {
    let id = state.new_id();
    if let Value::Object(members) = &mut record {
        let id_name = match kind {
            "invoice" | "transaction" | "product" | "price" | "media" | "blogPost"
            | "socialPost" => "_id",
            _ => "id",
        };
        members.insert(id_name.to_owned(), json!(id));
        members.insert("~location".to_owned(), json!(call.location()));
        members.insert("locationId".to_owned(), json!(call.location()));
        for name in ["dateAdded", "dateUpdated", "createdAt", "updatedAt"] {
            members.insert(name.to_owned(), json!(call.date()));
        }
    }
    state.put(kind, &id, record.clone());
    record
}

/// The location's records of a kind, oldest first.
pub(super) fn of_location<'s>(
    state: &'s Records,
    kind: RecordKind,
    location: &'s str,
) -> impl Iterator<Item = &'s Value> {
    state.of_location(kind, location)
}

/// Whether one of the texts at `pointers` contains the lower-case `needle`; an empty one always matches.
pub(super) fn mentions(record: &Value, pointers: &[&str], needle: &str) -> bool {
    needle.is_empty()
        || pointers.iter().any(|pointer| {
            // As `Value::pointer` does, which makes two texts of each name.
            let mut names = pointer.split('/').skip(1);
            let value = names.try_fold(record, |value, name| value.get(name));
            let text = value.and_then(Value::as_str);
            text.is_some_and(|text| holds(text, needle))
        })
}

/// Without a copy if possible: a search tests every record.
fn holds(text: &str, needle: &str) -> bool {
    if text.is_ascii() {
        let needle = needle.as_bytes();
        let first = needle.first().copied().unwrap_or_default();
        let mut windows = text.as_bytes().windows(needle.len());
        return windows.any(|window| {
            let begins = window
                .first()
                .is_some_and(|letter| letter.eq_ignore_ascii_case(&first));
            begins && window.eq_ignore_ascii_case(needle)
        });
    }
    text.to_lowercase().contains(needle)
}

/// Whether a record was created between the days `startAt` and `endAt` of the query, both included [E].
pub(super) fn in_days(call: &SandboxCall, record: &Value) -> bool {
    let day = |name: &str| {
        let text = format!("{}T00:00:00Z", call.query(name)?);
        Some(text.parse::<jiff::Timestamp>().ok()?.as_millisecond())
    };
    let at = || milliseconds(&record["createdAt"]);
    day("startAt").is_none_or(|start| at() >= start)
        && day("endAt").is_none_or(|end| at() < end + 86_400_000)
}

fn done(row: &Row, state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    if let Some((parameter, kind)) = row.parent {
        call.record(state, kind, call.path(parameter))?;
    }
    let belongs = |record: &Value| {
        row.parent
            .is_none_or(|(name, _)| record[name] == call.path(name))
    };
    if !row.id.is_empty() {
        let id = call.path(row.id);
        let record = call.record(state, row.kind, id)?;
        if !belongs(record) {
            return Err(Refusal::not_found(row.name, id));
        }
    }
    let id = call.path(row.id);
    let record = match row.act {
        RecordAction::List => {
            let location = call.location().to_owned();
            let list = of_location(state, row.kind, &location).filter(|record| belongs(record));
            let list: Vec<Value> = list.cloned().collect();
            return Ok(json!({row.name: list}));
        }
        RecordAction::Make => {
            let mut members = call.members();
            if let Some((name, _)) = row.parent {
                members.insert(name.to_owned(), json!(call.path(name)));
            }
            Some(make(state, call, row.kind, Value::Object(members)))
        }
        RecordAction::Show => state.get(row.kind, id).cloned(),
        RecordAction::Change => {
            let mut members = call.members();
            members.insert("dateUpdated".to_owned(), json!(call.date()));
            state.change(row.kind, id, members)
        }
        RecordAction::Delete => {
            state.remove(row.kind, id);
            return Ok(json!({row.name: true}));
        }
    };
    let record = record.unwrap_or_default();
    Ok(if row.name.is_empty() {
        record
    } else {
        json!({row.name: record})
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_an_operation_with_these_parameters() {
        for row in ROWS {
            let mut operations = crate::documents().operations.iter();
            let operation = operations.find(|operation| operation.key == row.key);
            let operation = operation.unwrap_or_else(|| panic!("no operation {}", row.key));
            let parent = row.parent.map_or("", |(name, _)| name);
            for name in [row.id, parent] {
                let part = format!("{{{name}}}");
                assert!(
                    name.is_empty() || operation.path.contains(&part),
                    "{}",
                    row.key
                );
            }
        }
    }
}
