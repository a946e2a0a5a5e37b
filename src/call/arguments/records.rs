//! The records that the ids of arguments and fields name, and the operations that list them.

use super::roles::USERS;
use tool::name_words;

/// The record, which is the word before "id", and the operation with the ids.
const RECORDS: [(&str, &str); 12] = [
    ("contact", "contacts_search-contacts-advanced"),
    ("user", "users_get-user-by-location"),
    ("pipeline", "opportunities_get-pipelines"),
    ("stage", "opportunities_get-pipelines"),
    ("opportunity", "opportunities_search-opportunity"),
    ("calendar", "calendars_get-calendars"),
    ("form", "forms_get-forms"),
    ("survey", "surveys_get-surveys"),
    ("workflow", "workflows_list-workflows"),
    ("campaign", "campaigns_get-campaigns"),
    ("business", "businesses_get-businesses-by-location"),
    ("product", "products_list-products"),
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
        let words = name_words(name);
        let word = match words.as_slice() {
            _ if USERS.contains(&name) => "user",
            [.., word, last] if matches!(last.as_str(), "id" | "ids") => word,
            _ => return None,
        };
        let found = RECORDS.iter().find(|(record, _)| *record == word);
        found.map(|(record, list)| Self { record, list })
    }

    /// Why `shown` is refused in place of an id, to be read after the name of the field.
    pub(in crate::call) fn instead_of(self, shown: &str) -> String {
        let Self { record, list } = self;
        format!("must be the id of a {record}, not {shown}; take it from {list}")
    }
}

/// Whether a text is an address, or a name of several words. A name of one word has the form of an id.
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
        for (record, list) in RECORDS {
            let is_tool = TOOLS.iter().any(|tool| tool.name == list);
            assert!(is_tool, "{record}: {list}");
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
