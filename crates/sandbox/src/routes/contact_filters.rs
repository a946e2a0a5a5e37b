//! The filters of a contact search: the fields and operators, their values, and the contacts that pass.

use std::collections::BTreeMap;

use serde_json::Value;

use super::field_test::{ANY, CHOICE, DATE, FieldTest, ID, NUMBER, TEXT, wrong};
use super::records::of_location;
use crate::call::milliseconds;
use crate::refusal::Refusal;
use crate::state::Records;

/// [E] every field with its operators.
const FIELDS: [(&[&str], &[&str]); 5] = [
    (ID, &["id"]),
    (
        CHOICE,
        &[
            "contactName",
            "assignedTo",
            "country",
            "dnd",
            "email",
            "followers",
            "isValidWhatsapp",
            "timezone",
            "type",
            "validEmail",
            "website",
            "activeWorkflows",
            "finishedWorkflows",
        ],
    ),
    // [E: docs#279]
    (
        CHOICE,
        &[
            "dndSettings.Email.status",
            "dndSettings.SMS.status",
            "dndSettings.Call.status",
            "inboundDndSettings.all.status",
        ],
    ),
    (
        TEXT,
        &[
            "address",
            "businessName",
            "city",
            "companyName",
            "firstNameLowerCase",
            "lastNameLowerCase",
            "phone",
            "postalCode",
            "source",
            "state",
            "tags",
        ],
    ),
    (
        DATE,
        &[
            "dateAdded",
            "dateUpdated",
            "lastEmailClickedDate",
            "lastEmailOpenedDate",
            "dateOfBirth",
            "lastAppointment",
        ],
    ),
];
/// [E] the fields of a contact's opportunities in a nested filter.
const OF_OPPORTUNITY: [&str; 3] = ["pipelineId", "pipelineStageId", "status"];
/// The filters of one search, parsed before any contact is tested.
pub(super) struct ContactFilters<'s> {
    conditions: Vec<ContactCondition>,
    opportunities: BTreeMap<&'s str, Vec<&'s Value>>,
    /// Start of each contact's last appointment.
    appointments: BTreeMap<&'s str, &'s Value>,
}

enum ContactCondition {
    All(Vec<Self>),
    Any(Vec<Self>),
    Field(String, FieldTest),
    /// One opportunity of the contact passes every test.
    Opportunity(Vec<(String, FieldTest)>),
}

impl<'s> ContactFilters<'s> {
    /// [M: docs#279, docs#289] an unknown field is a 400; [I] so is a value that a field does not accept.
    pub(super) fn read(
        state: &'s Records,
        location: &'s str,
        filters: &Value,
    ) -> Result<Self, Refusal> {
        let conditions = conditions(state, location, filters)?;
        let (mut opportunities, mut appointments) = (BTreeMap::new(), BTreeMap::new());
        let text = filters.to_string();
        if text.contains("opportunities") {
            for one in of_location(state, "opportunity", location) {
                let contact = one["contactId"].as_str().unwrap_or_default();
                let own: &mut Vec<&Value> = opportunities.entry(contact).or_default();
                own.push(one);
            }
        }
        if text.contains("lastAppointment") {
            for one in of_location(state, "event", location) {
                let contact = one["contactId"].as_str().unwrap_or_default();
                let start = &one["startTime"];
                let last = appointments.entry(contact).or_insert(start);
                if milliseconds(last) < milliseconds(start) {
                    *last = start;
                }
            }
        }
        Ok(Self {
            conditions,
            opportunities,
            appointments,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }

    /// [E] all filters of the list hold.
    pub(super) fn pass(&self, contact: &Value) -> bool {
        self.conditions.iter().all(|one| self.holds(one, contact))
    }

    fn holds(&self, condition: &ContactCondition, contact: &Value) -> bool {
        let id = || contact["id"].as_str().unwrap_or_default();
        match condition {
            ContactCondition::All(inner) => inner.iter().all(|one| self.holds(one, contact)),
            ContactCondition::Any(inner) => inner.iter().any(|one| self.holds(one, contact)),
            ContactCondition::Field(field, test) if field == "lastAppointment" => {
                test.holds(self.appointments.get(id()).copied().unwrap_or(&Value::Null))
            }
            ContactCondition::Field(field, test) => test.holds(value_of(contact, field)),
            ContactCondition::Opportunity(tests) => {
                let own = self.opportunities.get(id()).into_iter().flatten();
                own.into_iter()
                    .any(|one| tests.iter().all(|(field, test)| test.holds(&one[field])))
            }
        }
    }
}

fn conditions(
    state: &Records,
    location: &str,
    filters: &Value,
) -> Result<Vec<ContactCondition>, Refusal> {
    let filters = filters.as_array().into_iter().flatten();
    filters
        .map(|filter| condition(state, location, filter))
        .collect()
}

fn condition(state: &Records, location: &str, filter: &Value) -> Result<ContactCondition, Refusal> {
    if let Some(group) = filter.get("group") {
        let inner = conditions(state, location, &filter["filters"])?;
        return match group.as_str() {
            Some("AND") => Ok(ContactCondition::All(inner)),
            Some("OR") => Ok(ContactCondition::Any(inner)),
            _ => Err(wrong("group must be one of the following values: AND, OR")),
        };
    }
    let field = filter["field"].as_str().unwrap_or_default();
    if field == "opportunities" {
        let parts = filter["value"].as_array().filter(|_| {
            // [E] the only field whose filters are nested.
            filter["operator"] == "nested"
        });
        let parts = parts.ok_or_else(|| wrong("Invalid operator for field opportunities"))?;
        let tests = parts.iter().map(|part| {
            let field = part["field"].as_str().unwrap_or_default();
            if !OF_OPPORTUNITY.contains(&field) {
                return Err(wrong(format!("Invalid field {field}")));
            }
            Ok((field.to_owned(), FieldTest::read(field, CHOICE, part)?))
        });
        return Ok(ContactCondition::Opportunity(
            tests.collect::<Result<_, _>>()?,
        ));
    }
    let operators =
        operators(state, location, field).ok_or_else(|| wrong(format!("Invalid field {field}")))?;
    let test = FieldTest::read(field, operators, filter)?;
    Ok(ContactCondition::Field(field.to_owned(), test))
}

/// The operators of a field; `None` if there is no such field. [M: docs#42] a custom field under another key than its
/// id finds nothing, and is not an error.
fn operators(state: &Records, location: &str, field: &str) -> Option<&'static [&'static str]> {
    let Some(id) = field.strip_prefix("customFields.") else {
        let known = FIELDS.iter().find(|(_, names)| names.contains(&field));
        return known.map(|(operators, _)| *operators);
    };
    let known = of_location(state, "customField", location).find(|one| one["id"] == id);
    // [E] the operators of each type; those of an unknown field are not known.
    Some(match known.and_then(|one| one["dataType"].as_str()) {
        Some("CHECKBOX" | "MULTIPLE_OPTIONS") => CHOICE,
        Some("NUMERICAL" | "MONETORY") => NUMBER,
        Some("DATE") => DATE,
        Some(_) => TEXT,
        None => ANY,
    })
}

/// The member of a field's name.
pub(super) fn value_of<'c>(contact: &'c Value, field: &str) -> &'c Value {
    if let Some(id) = field.strip_prefix("customFields.") {
        let mut fields = contact["customFields"].as_array().into_iter().flatten();
        let own = fields.find(|one| one["id"] == id);
        return own.map_or(&Value::Null, |one| &one["value"]);
    }
    if field.contains('.') {
        let pointer = format!("/{}", field.replace('.', "/"));
        return contact.pointer(&pointer).unwrap_or(&Value::Null);
    }
    match field {
        "address" => &contact["address1"],
        "activeWorkflows" => &contact["~activeWorkflows"],
        "finishedWorkflows" => &contact["~finishedWorkflows"],
        name => &contact[name],
    }
}
