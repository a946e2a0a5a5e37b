//! The kind of value of an argument or field, derived from its name: an id, an email address, a phone number, a date.

use tool::name_words;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Id,
    Email,
    Phone,
    Date,
    Other,
}

/// Names of user ids that do not say so.
pub(super) const USERS: [&str; 4] = ["assignedTo", "assigned_to", "followers", "mentions"];

/// Last words of names that hold an address or a number, if the first word says which.
const ADDRESSES: [&str; 5] = ["address", "from", "to", "cc", "bcc"];

/// First words of names of phone numbers that end in "number".
const PHONES: [&str; 5] = ["phone", "from", "to", "inbound", "outbound"];

/// Last words of names of dates that begin with "date".
const DATES: [&str; 5] = ["birth", "added", "updated", "from", "to"];

/// The kind of value that `name` holds.
pub(super) fn meaning(name: &str) -> Meaning {
    if USERS.contains(&name) {
        return Meaning::Id;
    }
    let words = name_words(name);
    let (first, last) = match words.as_slice() {
        [] => return Meaning::Other,
        [one] => (one.as_str(), one.as_str()),
        [first, .., last] => (first.as_str(), last.as_str()),
    };
    match last {
        "id" | "ids" => Meaning::Id,
        "email" | "emails" => Meaning::Email,
        "phone" | "phones" => Meaning::Phone,
        last if first == "email" && ADDRESSES.contains(&last) => Meaning::Email,
        "date" => Meaning::Date,
        last if first == "date" && DATES.contains(&last) => Meaning::Date,
        "number" if words.len() > 1 && PHONES.contains(&first) => Meaning::Phone,
        _ => Meaning::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_arguments_show_their_content() {
        #[track_caller]
        fn check(names: &[&str], expected: Meaning) {
            for name in names {
                assert_eq!(meaning(name), expected, "{name}");
            }
        }
        check(
            &[
                "id",
                "contactId",
                "contact_id",
                "locationID",
                "ids",
                "userIds",
                "emailMessageId",
                "assignedTo",
            ],
            Meaning::Id,
        );
        check(
            &[
                "email",
                "replyToEmail",
                "emails",
                "emailFrom",
                "emailAddress",
            ],
            Meaning::Email,
        );
        check(&["dueDate", "dateOfBirth", "date"], Meaning::Date);
        check(
            &["phone", "contactPhone", "phoneNumber", "fromNumber"],
            Meaning::Phone,
        );
        check(
            &[
                "",
                "paid",
                "name",
                "emailSubject",
                "phoneType",
                "invoiceNumber",
                "number",
                "valid",
                "to",
                "idea",
                "dateFormat",
                "update",
                "query",
            ],
            Meaning::Other,
        );
    }
}
