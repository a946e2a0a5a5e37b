//! The filters and the order of an opportunity search by body.

use std::cmp::Ordering;

use serde_json::Value;

use super::field_test::{ANY, CHOICE, DATE, FieldTest, ID, NUMBER, TEXT, search_text, wrong};
use crate::call::milliseconds;
use crate::refusal::Refusal;
use crate::state::Records;

/// What stands before the id of a custom field.
const CUSTOM: &str = "custom_fields.";

/// [M] every field, its operators, and the member of a deal; below `contact`, of its contact.
const FIELDS: [(&str, &[&str], &str); 19] = [
    ("id", ID, "id"),
    ("name", TEXT, "name"),
    ("monetary_value", NUMBER, "monetaryValue"),
    ("pipeline_id", CHOICE, "pipelineId"),
    ("pipeline_stage_id", CHOICE, "pipelineStageId"),
    ("status", CHOICE, "status"),
    ("lost_reason_id", CHOICE, "lostReasonId"),
    ("source", CHOICE, "source"),
    ("assigned_to", CHOICE, "assignedTo"),
    ("followers", TEXT, "followers"),
    ("contact_id", CHOICE, "contactId"),
    ("contact_name", TEXT, "contact.contactName"),
    ("company_name", TEXT, "contact.companyName"),
    ("email", TEXT, "contact.email"),
    ("phone", TEXT, "contact.phone"),
    ("date_added", DATE, "createdAt"),
    ("date_updated", DATE, "updatedAt"),
    ("last_status_change_date", DATE, "lastStatusChangeAt"),
    ("last_stage_change_date", DATE, "lastStageChangeAt"),
];

/// The filters of one search, parsed before any deal is tested.
pub(super) enum OpportunityFilter {
    All(Vec<Self>),
    Any(Vec<Self>),
    Field(String, FieldTest),
}

impl OpportunityFilter {
    /// [E] all filters of the list hold; [I] an unknown field is refused as in a search for contacts.
    pub(super) fn read(filters: &Value) -> Result<Self, Refusal> {
        let filters = filters.as_array().into_iter().flatten();
        let inner = filters.map(|filter| {
            if let Some(group) = filter.get("group") {
                return match (group.as_str(), Self::read(&filter["filters"])?) {
                    (Some("AND"), all) => Ok(all),
                    (Some("OR"), Self::All(inner)) => Ok(Self::Any(inner)),
                    _ => Err(wrong("group must be one of the following values: AND, OR")),
                };
            }
            let field = filter["field"].as_str().unwrap_or_default();
            let known = FIELDS.iter().find(|(name, ..)| *name == field);
            let operators = match known {
                Some((_, operators, _)) => operators,
                None if field.starts_with(CUSTOM) => ANY,
                None => return Err(wrong(format!("Invalid field {field}"))),
            };
            let test = FieldTest::read(field, operators, filter)?;
            Ok(Self::Field(field.to_owned(), test))
        });
        Ok(Self::All(inner.collect::<Result<_, _>>()?))
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::All(inner) if inner.is_empty())
    }

    pub(super) fn holds(&self, state: &Records, opportunity: &Value) -> bool {
        match self {
            Self::All(inner) => inner.iter().all(|one| one.holds(state, opportunity)),
            Self::Any(inner) => inner.iter().any(|one| one.holds(state, opportunity)),
            Self::Field(field, test) => test.holds(value_of(state, opportunity, field)),
        }
    }
}

/// Sorts by the fields of `order`, the first one foremost. [I] a field that there is not is refused.
pub(super) fn sort(state: &Records, found: &mut [&Value], order: &Value) -> Result<(), Refusal> {
    let order: Vec<&Value> = order.as_array().into_iter().flatten().collect();
    for order in order.into_iter().rev() {
        let field = order["field"].as_str().unwrap_or_default();
        if !field.starts_with(CUSTOM) && !FIELDS.iter().any(|(name, ..)| *name == field) {
            return Err(wrong(format!("Invalid field {field}")));
        }
        let is_falling = order["direction"] == "desc";
        found.sort_by(|a, b| {
            let [a, b] = [a, b].map(|one| value_of(state, one, field));
            let order = compare(a, b);
            if is_falling { order.reverse() } else { order }
        });
    }
    Ok(())
}

/// Numbers and dates by size, all else as text.
fn compare(a: &Value, b: &Value) -> Ordering {
    let is_date = |value: &Value| milliseconds(value) != 0;
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ if is_date(a) && is_date(b) => milliseconds(a).cmp(&milliseconds(b)),
        _ => search_text(a).cmp(&search_text(b)),
    }
}

/// The value of a field in a deal, or in its contact.
fn value_of<'v>(state: &'v Records, opportunity: &'v Value, field: &str) -> &'v Value {
    if let Some(id) = field.strip_prefix(CUSTOM) {
        let mut own = opportunity["customFields"].as_array().into_iter().flatten();
        let own = own.find(|one| one["id"] == id);
        return own.map_or(&Value::Null, |one| &one["fieldValue"]);
    }
    let known = FIELDS.iter().find(|(name, ..)| *name == field);
    let member = known.map_or("", |(_, _, member)| *member);
    match member.strip_prefix("contact.") {
        None => &opportunity[member],
        Some(member) => {
            let id = opportunity["contactId"].as_str().unwrap_or_default();
            let contact = state.get("contact", id);
            contact.map_or(&Value::Null, |contact| &contact[member])
        }
    }
}
