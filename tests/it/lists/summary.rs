//! The summary of every list shows the record's id, its person and its amount.

use super::{lists, none};
use tool::Tool;

/// Groups of documented fields: a summary shows one of each group, and all of the others whenever they are documented.
const ANY: [&[&str]; 3] = [
    &["id", "_id"],
    &[
        "name",
        "title",
        "firstName",
        "lastName",
        "contactName",
        "fullName",
        "fileName",
        "label",
        "subject",
        "summary",
        "question",
        "tag",
        "agentName",
        "body",
        "content",
    ],
    &[
        "amount",
        "total",
        "monetaryValue",
        "amountCharged",
        "commissionAmount",
        "discountValue",
        "grandTotal",
        "revenue",
    ],
];
const EACH: [&str; 3] = ["email", "phone", "amountPaid"];

fn shows(tool: &Tool, field: &str) -> bool {
    let mut fields = tool.summary_fields.iter();
    fields.any(|shown| *shown == field || shown.split('.').next() == Some(field))
}

#[test]
fn every_list_shows_fields_that_distinguish_its_rows() {
    let mut faults = Vec::new();
    for tool in lists().filter(|tool| !tool.answers.is_empty()) {
        for group in ANY {
            let mut documented = group.iter().filter(|field| tool.answers.contains(field));
            let shown = group.iter().any(|field| shows(tool, field));
            if let (Some(field), false) = (documented.next(), shown) {
                faults.push(format!("{} does not show {field} or its like", tool.name));
            }
        }
        for field in EACH {
            if tool.answers.contains(&field) && !shows(tool, field) {
                faults.push(format!("{} does not show {field}", tool.name));
            }
        }
    }
    none(&faults);
}

/// The documents of these lists do not describe their rows.
#[test]
fn messages_and_invoices_show_what_their_own_hints_need() {
    let check = |name: &str, fields: &[&str]| {
        let tool = super::tool(name);
        let lacks: Vec<&&str> = fields
            .iter()
            .filter(|field| !tool.summary_fields.contains(field))
            .collect();
        assert!(lacks.is_empty(), "{name} lacks {lacks:?}");
    };
    check(
        "conversations_get-messages",
        &["id", "meta.email.messageIds"],
    );
    check(
        "conversations_search-conversation",
        &["id", "phone", "email"],
    );
    check(
        "affiliate-manager_list-affiliates",
        &["_id", "phone", "email"],
    );
    check(
        "invoices_list-invoices",
        &["_id", "title", "total", "amountPaid", "amountDue"],
    );
}
