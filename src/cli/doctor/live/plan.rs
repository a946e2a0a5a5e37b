//! The calls of a live report, in an order in which earlier answers name the records of later ones.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

/// One call.
pub(super) struct PlannedCall {
    pub tool: &'static str,
    arguments: &'static [(&'static str, CallInput)],
    /// The paths in the answer that name records for later calls.
    tells: &'static [(&'static str, &'static str)],
}

/// The source of an argument.
enum CallInput {
    Text(&'static str),
    Count(u32),
    /// A record of this kind from an earlier answer.
    Record(&'static str),
    /// The same, as a list of one.
    Records(&'static str),
    MonthAgo,
    InAMonth,
}

use CallInput::{Count, InAMonth, MonthAgo, Record, Records, Text};

macro_rules! steps {
    ($($tool:literal [$($name:literal = $input:expr),*] [$($kind:literal $pointer:literal),*];)*) => {
        &[$(PlannedCall {
            tool: $tool,
            arguments: &[$(($name, $input)),*],
            tells: &[$(($kind, $pointer)),*],
        }),*]
    };
}

/// Every read of the official 36.
pub(super) const READS: &[PlannedCall] = steps! {
    "locations_get-location" [] [];
    "locations_get-custom-fields" [] [];
    "contacts_get-contacts" ["limit" = Count(3)] ["contact" "/contacts/0/id", "user" "/contacts/0/assignedTo"];
    "contacts_get-contact" ["contactId" = Record("contact")] [];
    "contacts_get-all-tasks" ["contactId" = Record("contact")] [];
    "conversations_search-conversation" ["limit" = Count(3)] ["conversation" "/conversations/0/id"];
    "conversations_get-messages" ["conversationId" = Record("conversation"), "limit" = Count(3)] [];
    "opportunities_get-pipelines" [] [];
    "opportunities_search-opportunity" ["limit" = Count(3)] ["opportunity" "/opportunities/0/id", "user" "/opportunities/0/assignedTo"];
    "opportunities_get-opportunity" ["id" = Record("opportunity")] [];
    "calendars_get-calendar-events" ["userId" = Record("user"), "startTime" = MonthAgo, "endTime" = InAMonth] ["appointment" "/events/0/id"];
    "calendars_get-appointment-notes" ["appointmentId" = Record("appointment"), "limit" = Count(3), "offset" = Count(0)] [];
    "payments_list-transactions" ["limit" = Count(3)] ["order" "/data/0/entityId"];
    "payments_get-order-by-id" ["orderId" = Record("order")] [];
    "blogs_get-blogs" ["skip" = Count(0), "limit" = Count(3)] ["blog" "/data/0/_id"];
    "blogs_get-all-blog-authors-by-location" ["limit" = Count(3), "offset" = Count(0)] [];
    "blogs_get-all-categories-by-location" ["limit" = Count(3), "offset" = Count(0)] [];
    "blogs_get-blog-post" ["blogId" = Record("blog"), "limit" = Count(3), "offset" = Count(0)] [];
    "blogs_check-url-slug-exists" ["urlSlug" = Text("highlevel-mcp-live-report")] [];
    "emails_fetch-template" ["limit" = Text("3"), "offset" = Text("0")] [];
    "social-media-posting_get-account" [] ["profile" "/results/accounts/0/profileId"];
    "social-media-posting_get-posts" ["limit" = Text("3"), "skip" = Text("0"), "fromDate" = MonthAgo, "toDate" = InAMonth, "includeUsers" = Text("true")] ["post" "/results/posts/0/_id"];
    "social-media-posting_get-post" ["id" = Record("post")] [];
    "social-media-posting_get-social-media-statistics" ["profileIds" = Records("profile")] [];
};

/// The steps for the throw-away contact between making and deleting it.
pub(super) const WRITES: &[PlannedCall] = steps! {
    "contacts_update-contact" ["contactId" = Record("made"), "city" = Text("Nowhere")] [];
    "contacts_add-tags" ["contactId" = Record("made"), "tags" = Records("tag")] [];
    "contacts_create-note" ["contactId" = Record("made"), "body" = Text("Made by a live report of highlevel-mcp.")] [];
    "contacts_get-contact" ["contactId" = Record("made")] [];
    "contacts_remove-tags" ["contactId" = Record("made"), "tags" = Records("tag")] [];
};

/// Replaces an unknown record: it has the length of HighLevel's ids and belongs to nobody.
const NOBODY: &str = "doctor00000000000000";

/// Ids of records by their kinds.
pub(super) type KnownRecords = HashMap<&'static str, String>;

impl PlannedCall {
    /// The arguments, and whether one of them names a made-up record.
    pub(super) fn arguments(&self, known: &KnownRecords) -> (Map<String, Value>, bool) {
        let now = Timestamp::now();
        let month = SignedDuration::from_hours(30 * 24);
        let mut is_made_up = false;
        let mut record = |kind: &str| match known.get(kind) {
            Some(id) => id.clone(),
            None => {
                is_made_up = true;
                NOBODY.to_owned()
            }
        };
        let arguments = self.arguments.iter().map(|(name, input)| {
            let value = match input {
                Text(text) => json!(text),
                Count(count) => json!(count),
                Record(kind) => json!(record(kind)),
                Records(kind) => json!([record(kind)]),
                MonthAgo => json!((now - month).to_string()),
                InAMonth => json!((now + month).to_string()),
            };
            ((*name).to_owned(), value)
        });
        let arguments = arguments.collect();
        (arguments, is_made_up)
    }

    /// Keeps the records that an answer names.
    pub(super) fn learn(&self, answer: &Value, known: &mut KnownRecords) {
        for (kind, pointer) in self.tells {
            if let Some(id) = answer.pointer(pointer).and_then(Value::as_str) {
                known.entry(kind).or_insert_with(|| id.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::READS;
    use crate::surfaces::{OFFICIAL_36, tools_in};
    use tool::Effect;

    #[test]
    fn every_read_of_the_36_is_made_and_no_write() {
        let tools = tools_in(OFFICIAL_36).expect("the 36");
        assert_eq!(tools.len(), 36);
        let reads = tools.iter().filter(|tool| tool.effect == Effect::Read);
        let mut reads: Vec<&str> = reads.map(|tool| tool.name).collect();
        let mut steps: Vec<&str> = READS.iter().map(|step| step.tool).collect();
        reads.sort_unstable();
        steps.sort_unstable();
        assert_eq!(steps, reads);
    }
}
