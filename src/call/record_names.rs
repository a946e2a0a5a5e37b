//! Which records a call is about: their names beside their ids, for whoever is asked to agree.

use std::pin::Pin;

use serde_json::{Map, Value, json};

use super::message_target::{MessageTarget, refuses_all};
use super::output::value_at;
use super::strangers::visible;
use super::{Answer, CallContext, ConsentSource, Facts, Pipeline, Subject, Validated};
use crate::catalog;
use crate::catalog::decoding::from_json;
use crate::catalog::masking::mask_secrets;
use crate::upstream::Reply;
use tool::{Effect, Place, Tool, is_blank};

/// Each is a read; a person who looks at a preview reads no more names.
pub(super) const MOST_NAMED: usize = 5;

/// Longest name that is shown, in characters.
const LONGEST_NAME: usize = 80;

/// Arguments that name a record by its id, wherever they stand, and the read that names it.
const BY_ARGUMENT: [(&str, &str); 8] = [
    ("contactId", "/contacts/{contactId}"),
    ("opportunityId", "/opportunities/{id}"),
    ("appointmentId", "/calendars/events/appointments/{eventId}"),
    ("invoiceId", "/invoices/{invoiceId}"),
    ("userId", "/users/{userId}"),
    ("calendarId", "/calendars/{calendarId}"),
    ("productId", "/products/{productId}"),
    ("conversationId", "/conversations/{conversationId}"),
];

/// Paths of writes whose record is read by another path than their own.
const BY_PATH: [(&str, &str); 1] = [(
    "/calendars/events/{eventId}",
    "/calendars/events/appointments/{eventId}",
)];

/// Fields that name a record, the first that it has.
const NAMES: [&str; 8] = [
    "name",
    "contactName",
    "fullName",
    "title",
    "invoiceNumber",
    "subject",
    "email",
    "body",
];

/// What else tells a record from its like.
const TELLING: [&str; 7] = [
    "invoiceNumber",
    "total",
    "currency",
    "monetaryValue",
    "startTime",
    "dueDate",
    "status",
];

/// What of a shown record names what is deleted with it.
const DELETES_TOO: &str = "deletesToo";

const DELETE_CONTACT: &str = "/contacts/{contactId}";
const SEARCH_OPPORTUNITIES: &str = "/opportunities/search";

/// A record that a call is about, and the read that names it.
#[derive(Clone)]
pub(super) struct RecordRef {
    facts: Facts,
    tool: &'static Tool,
    /// Of the read.
    arguments: Map<String, Value>,
    /// Argument of the call that holds the id.
    argument: String,
    id: String,
}

impl RecordRef {
    /// The records that a call is about: the one at its path, then those that its arguments name.
    pub(super) fn in_call(validated: &Validated) -> Vec<Self> {
        let facts = validated.facts();
        if facts.is_read() {
            return Vec::new();
        }
        let mut found: Vec<Self> = Self::at_path(validated).into_iter().collect();
        for (argument, path) in BY_ARGUMENT {
            let Some(id) = given(validated, argument) else {
                continue;
            };
            if found.iter().any(|one| one.id == id) {
                continue;
            }
            found.extend(catalog::get(path).and_then(|tool| {
                let own = tool.arguments.iter().find(|one| one.place == Place::Path)?;
                let mut arguments = shared_arguments(validated, tool);
                arguments.insert(own.name.to_owned(), json!(id));
                Some(Self {
                    facts: facts.clone(),
                    tool,
                    arguments,
                    argument: argument.to_owned(),
                    id: id.to_owned(),
                })
            }));
        }
        found
    }

    /// The record that the path of a call leads to, where the same path is one that reads it.
    fn at_path(validated: &Validated) -> Option<Self> {
        let facts = validated.facts();
        let path = facts.variant.path;
        let ends = path.match_indices('}').map(|(end, _)| end + 1);
        let (tool, part) = ends.rev().find_map(|end| {
            let part = path.get(..end)?;
            let other = BY_PATH.iter().find(|(write, _)| *write == part);
            let tool = catalog::get(other.map_or(part, |(_, read)| read))?;
            Some((tool, part))
        })?;
        let start = part.rfind('{')?;
        let argument = part.get(start + 1..part.len() - 1)?;
        let id = validated.arguments().path.0.get(argument)?.as_str()?;
        Some(Self {
            facts: facts.clone(),
            tool,
            arguments: shared_arguments(validated, tool),
            argument: argument.to_owned(),
            id: id.to_owned(),
        })
    }

    /// Where the record is the contact that a message goes to.
    fn message(&self) -> Option<MessageTarget> {
        let is_contact = self.argument == "contactId";
        MessageTarget::new(self.facts.tool, &self.facts.arguments).filter(|_| is_contact)
    }

    pub(super) fn is_deleted_contact(&self) -> bool {
        let (tool, path) = (self.facts.tool, self.facts.variant.path);
        tool.effect == Effect::Destructive && path == DELETE_CONTACT
    }

    fn is_same(&self, other: &Self) -> bool {
        self.tool.address() == other.tool.address() && self.id == other.id
    }
}

impl Pipeline {
    /// Reads the names of the first records that the calls are about, as their caller and under its rules. What cannot
    /// be read is shown by its id: no such failure hinders the question.
    pub(super) async fn name_records(&self, subject: &mut Subject, context: &CallContext) {
        let mut named: Vec<RecordRef> = Vec::new();
        for record in subject.record_refs() {
            if named.len() < MOST_NAMED && !named.iter().any(|one| one.is_same(record)) {
                named.push(record.clone());
            }
        }
        let mut records = Vec::new();
        for record in &named {
            let mut shown = Map::new();
            shown.insert(record.argument.clone(), json!(record.id));
            let facts = reading(&record.facts, record.tool, record.arguments.clone(), self);
            if let Some(found) = self.read_beside(facts, context).await {
                let found = inner(&found);
                shown.extend(name_in(found).map(|name| ("name".to_owned(), json!(name))));
                shown.extend(telling(found, record.message().as_ref()));
            }
            let deleted = self.deleted_with(record, context).await;
            shown.extend(deleted.map(|deleted| (DELETES_TOO.to_owned(), deleted)));
            records.push(Value::Object(shown));
        }
        subject.set_records(records);
        subject.note_deleted();
    }

    /// Adds what is deleted with the first records, which are shown as the rows of a read.
    pub(super) async fn name_deleted(
        &self,
        records: &mut [Value],
        subject: &mut Subject,
        context: &CallContext,
    ) {
        subject.note_deleted();
        for record in subject.record_refs() {
            let is_it = |shown: &&mut Value| shown[record.argument.as_str()] == record.id;
            if let Some(shown) = records.iter_mut().find(is_it)
                && let Some(deleted) = self.deleted_with(record, context).await
            {
                shown[DELETES_TOO] = deleted;
            }
        }
    }

    /// What is deleted with the record, and how many of each: the opportunities of a contact.
    async fn deleted_with(&self, record: &RecordRef, context: &CallContext) -> Option<Value> {
        if !record.is_deleted_contact() {
            return None;
        }
        let tool = catalog::get(SEARCH_OPPORTUNITIES)?;
        let asked = json!({"contactId": record.id, "status": "all", "limit": 1});
        let arguments = asked.as_object().cloned().unwrap_or_default();
        let facts = reading(&record.facts, tool, arguments, self);
        let found = self.read_beside(facts, context).await?;
        let deals = value_at(&found, tool.paging.total)?.as_u64()?;
        Some(json!({"opportunities": deals}))
    }

    async fn read_beside(&self, facts: Facts, context: &CallContext) -> Option<Value> {
        let rules = facts.rules(context);
        rules.shows(facts.tool).ok()?;
        if !rules.asks_nobody(facts.tool) {
            return None;
        }
        let reply = self.read_name(facts, context).await.ok()?;
        from_json(mask_secrets(reply.body).as_bytes()).ok()
    }

    /// Its type is written out, for this read is judged like the call that it is about.
    fn read_name<'a>(
        &'a self,
        facts: Facts,
        context: &'a CallContext,
    ) -> Pin<Box<dyn Future<Output = Result<Reply, Answer>> + Send + 'a>> {
        Box::pin(self.read(facts, ConsentSource::Caller(None), context))
    }
}

/// The name of a record, from the fields that name one.
pub(super) fn name_in(record: &Value) -> Option<String> {
    let part = |name: &str| {
        let text = record.get(name)?.as_str()?.trim();
        (!text.is_empty()).then_some(text)
    };
    let whole = || {
        let parts: Vec<&str> = ["firstName", "lastName"]
            .into_iter()
            .filter_map(part)
            .collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    };
    let first = |names: &[&str]| names.iter().copied().find_map(part).map(str::to_owned);
    let name = first(&NAMES[..2])
        .or_else(whole)
        .or_else(|| first(&NAMES[2..]))?;
    let shown: String = name.chars().take(LONGEST_NAME).collect();
    Some(visible(&shown).into_owned())
}

/// What tells a record from its like, and hinders a message to it.
fn telling(record: &Value, message: Option<&MessageTarget>) -> Map<String, Value> {
    let fields = TELLING.iter().filter_map(|name| {
        let value = record.get(*name)?;
        let is_short = value.is_number() || value.as_str().is_some_and(|text| text.len() <= 40);
        is_short.then(|| ((*name).to_owned(), value.clone()))
    });
    let mut told: Map<String, Value> = fields.collect();
    if refuses_all(record) || message.is_some_and(|message| message.is_refused_by(record)) {
        told.insert("doNotDisturb".to_owned(), json!(true));
    }
    let address = message.and_then(MessageTarget::address);
    if address.is_some_and(|field| is_blank(&record[field])) {
        told.insert("noAddress".to_owned(), json!(true));
    }
    told
}

/// The record itself: HighLevel puts most into an object of their own.
fn inner(answer: &Value) -> &Value {
    let members = answer.as_object().into_iter().flat_map(Map::values);
    let mut objects = members.filter(|member| member.is_object() && name_in(member).is_some());
    match name_in(answer) {
        Some(_) => answer,
        None => objects.next().unwrap_or(answer),
    }
}

fn reading(
    facts: &Facts,
    tool: &'static Tool,
    arguments: Map<String, Value>,
    pipeline: &Pipeline,
) -> Facts {
    let (variant, version) = tool.variant(pipeline.transport().preferred());
    Facts {
        tool,
        variant,
        version,
        arguments,
        once: None,
        answer_by: None,
        idempotency_key: None,
        ..facts.clone()
    }
}

/// What of a call's arguments the read takes by the same name.
fn shared_arguments(validated: &Validated, read: &Tool) -> Map<String, Value> {
    let own = read
        .arguments
        .iter()
        .filter(|one| one.place != Place::Header);
    let shared = own.filter_map(|one| {
        let value = given_value(validated, one.wire_name)?;
        Some((one.name.to_owned(), value.clone()))
    });
    shared.collect()
}

fn given<'v>(validated: &'v Validated, name: &str) -> Option<&'v str> {
    given_value(validated, name)?
        .as_str()
        .filter(|id| !id.is_empty())
}

fn given_value<'v>(validated: &'v Validated, name: &str) -> Option<&'v Value> {
    let arguments = validated.arguments();
    let places = [&arguments.path, &arguments.query];
    let in_body = || arguments.body.as_ref()?.get(name);
    let found = places.iter().find_map(|values| values.0.get(name));
    found.or_else(in_body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_has_a_read_that_names_it() {
        let reads = BY_ARGUMENT.iter().map(|(_, read)| *read);
        let reads = reads.chain(BY_PATH.iter().map(|(_, read)| *read));
        for path in reads.chain([DELETE_CONTACT, SEARCH_OPPORTUNITIES]) {
            let tool = catalog::get(path);
            assert!(
                tool.is_some_and(|tool| tool.effect == Effect::Read),
                "{path}"
            );
        }
        let deals = catalog::get(SEARCH_OPPORTUNITIES).expect("an operation");
        assert!(!deals.paging.total.is_empty());
        for (write, _) in BY_PATH {
            assert!(
                catalog::get(write).is_none(),
                "{write} names its record itself"
            );
        }
    }

    #[test]
    fn a_record_is_named_by_its_own_fields() {
        #[track_caller]
        fn check(record: Value, name: Option<&str>) {
            assert_eq!(name_in(inner(&record)).as_deref(), name, "{record}");
        }
        check(
            json!({"contact": {"firstName": "Ada", "lastName": "Abbott", "email": "a@x.example"}}),
            Some("Ada Abbott"),
        );
        check(
            json!({"contact": {"contactName": "Ada A", "firstName": "Ada"}, "traceId": "t"}),
            Some("Ada A"),
        );
        check(
            json!({"_id": "i", "invoiceNumber": "12", "name": "Roof"}),
            Some("Roof"),
        );
        check(json!({"event": {"title": "Visit"}}), Some("Visit"));
        check(
            json!({"contact": {"email": "a@x.example", "firstName": " "}}),
            Some("a@x.example"),
        );
        check(json!({"contact": {"id": "c"}}), None);
        check(json!({"name": "x".repeat(500)}), Some(&"x".repeat(80)));
        check(json!([]), None);
    }
}
