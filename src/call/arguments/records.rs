//! The records that the ids of arguments and fields name, and the operations that list them.

use super::roles::{USERS, words};

/// The word before "id", the record, and the operation with the ids.
const RECORDS: [(&str, &str, &str); 12] = [
    ("contact", "contact", "contacts_search-contacts-advanced"),
    ("user", "user", "users_get-user-by-location"),
    ("pipeline", "pipeline", "opportunities_get-pipelines"),
    ("stage", "stage", "opportunities_get-pipelines"),
    (
        "opportunity",
        "opportunity",
        "opportunities_search-opportunity",
    ),
    ("calendar", "calendar", "calendars_get-calendars"),
    ("form", "form", "forms_get-forms"),
    ("survey", "survey", "surveys_get-surveys"),
    ("workflow", "workflow", "workflows_list-workflows"),
    ("campaign", "campaign", "campaigns_get-campaigns"),
    (
        "business",
        "business",
        "businesses_get-businesses-by-location",
    ),
    ("product", "product", "products_list-products"),
];

/// The record whose id `name` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::call) struct NamedRecord {
    pub record: &'static str,
    /// The operation that lists such records with their ids.
    pub list: &'static str,
}

impl NamedRecord {
    /// By the last part of a dotted path, such as `contactId`, `pipeline_stage_ids` or `assignedTo`.
    pub(in crate::call) fn in_field(name: &str) -> Option<Self> {
        let name = name.rsplit('.').next().unwrap_or(name);
        let words = words(name);
        let word = match words.as_slice() {
            _ if USERS.contains(&name) => "user",
            [.., word, last] if matches!(last.as_str(), "id" | "ids") => word,
            _ => return None,
        };
        let found = RECORDS.iter().find(|(known, ..)| *known == word);
        found.map(|(_, record, list)| Self { record, list })
    }

    /// Why `shown` is refused in place of an id, to be read after the name of the field.
    pub(in crate::call) fn instead_of(self, shown: &str) -> String {
        let Self { record, list } = self;
        format!("must be the id of a {record}, not {shown}; take it from {list}")
    }
}

/// Whether a text is a name of several words, or an address: no id of HighLevel's has a blank or an at sign.
pub(super) fn is_name(text: &str) -> bool {
    let is_word = |word: &&str| word.chars().filter(|letter| letter.is_alphabetic()).count() > 1;
    text.contains('@') || text.split_whitespace().filter(is_word).count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::TOOLS;

    #[test]
    fn each_list_is_an_operation() {
        for (word, _, list) in RECORDS {
            let is_tool = TOOLS.iter().any(|tool| tool.name == list);
            assert!(is_tool, "{word}: {list}");
        }
    }

    #[test]
    fn names_and_addresses_are_no_ids() {
        for (text, expected) in [
            ("Carla Ito", true),
            ("carla@example.com", true),
            ("王 小明", false),
            ("OBj007Z8b4yV08OJdaWh", false),
            ("c1", false),
            ("m 1", false),
            ("", false),
        ] {
            assert_eq!(is_name(text), expected, "{text}");
        }
    }

    #[test]
    fn names_of_fields_tell_their_records() {
        for (name, expected) in [
            ("contactId", Some("contact")),
            ("contact_ids", Some("contact")),
            ("pipelineStageId", Some("stage")),
            ("opportunities.assignedTo", Some("user")),
            ("followers", Some("user")),
            ("id", None),
            ("externalId", None),
            ("contact", None),
            ("messageId", None),
        ] {
            let record = NamedRecord::in_field(name).map(|one| one.record);
            assert_eq!(record, expected, "{name}");
        }
    }
}
