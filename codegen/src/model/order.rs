//! The display order of arguments: required ones, then those that people mostly give, then the rest in the document's
//! order.

use crate::model::operation::OperationArgument;

/// Arguments that people mostly give or change, in HighLevel's names, the most useful first. A table's `first` precedes
/// them.
const TELLING: [&[&str]; 13] = [
    &["query", "search", "q"],
    &["name", "firstName", "lastName", "title", "subject"],
    &["email", "phone"],
    &[
        "startTime",
        "endTime",
        "startDate",
        "endDate",
        "startAt",
        "endAt",
        "fromDate",
        "toDate",
        "date",
        "dueDate",
        "issueDate",
        "scheduleDate",
    ],
    &[
        "status",
        "appointmentStatus",
        "completed",
        "isActive",
        "active",
    ],
    &["amount", "price", "monetaryValue", "currency"],
    &["message", "body", "html", "text", "content", "summary"],
    &["tags"],
    &["customFields"],
    &["description", "notes"],
    &[
        "pipelineId",
        "pipelineStageId",
        "contactId",
        "calendarId",
        "assignedTo",
        "assignedUserId",
        "userId",
    ],
    &["type", "items"],
    &["limit", "pageLimit", "page"],
];

/// `arguments` in display order. `first` are names that an operation's own table puts before its other optional
/// arguments.
pub(crate) fn shown_order<'a>(
    arguments: impl Iterator<Item = &'a OperationArgument>,
    must_be_given: impl Fn(&OperationArgument) -> bool,
    first: &[String],
) -> Vec<&'a OperationArgument> {
    let mut arguments: Vec<&OperationArgument> = arguments.collect();
    arguments.sort_by_key(|argument| {
        let own = first.iter().position(|name| *name == argument.name);
        let usual = TELLING.iter().position(|names| {
            let mut names = names.iter();
            names.any(|name| *name == argument.name)
        });
        (
            !must_be_given(argument),
            own.unwrap_or(first.len()),
            usual.unwrap_or(TELLING.len()),
        )
    });
    arguments
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tool::{Place, Rule};

    use super::*;
    use crate::annotations::TenantRole;

    fn argument(name: &str) -> OperationArgument {
        OperationArgument {
            name: name.to_owned(),
            wire_name: name.to_owned(),
            aliases: Vec::new(),
            place: Place::Body,
            required: false,
            text: None,
            role: TenantRole::None,
            rule: Rule::Fill,
            date: None,
            list: None,
            wide: false,
            default_sent: None,
            constant: None,
            file: false,
            schema: Value::Null,
        }
    }

    #[test]
    fn frequently_given_arguments_come_first() {
        fn check(required: &[&str], given: &[&str], first: &[&str], expected: &[&str]) {
            let arguments: Vec<OperationArgument> =
                given.iter().map(|name| argument(name)).collect();
            let first: Vec<String> = first.iter().map(ToString::to_string).collect();
            let must_be_given = |one: &OperationArgument| required.contains(&one.name.as_str());
            let shown = shown_order(arguments.iter(), must_be_given, &first);
            let names: Vec<&str> = shown.into_iter().map(|one| one.name.as_str()).collect();
            assert_eq!(names, expected);
        }
        let given = ["rrule", "address", "endTime", "tags", "id", "title"];
        check(
            &["id"],
            &given,
            &[],
            &["id", "title", "endTime", "tags", "rrule", "address"],
        );
        check(
            &[],
            &given,
            &["address", "rrule"],
            &["address", "rrule", "title", "endTime", "tags", "id"],
        );
        // In the document's order if nothing else decides.
        check(&["b", "a"], &["c", "b", "a"], &[], &["b", "a", "c"]);
    }
}
