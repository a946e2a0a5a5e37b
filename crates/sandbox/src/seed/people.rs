//! The people of a location: mostly ordinary contacts, some with a duplicate, some without a phone or an email.

use serde_json::{Value, json};

use super::{DAY, HOUR, LocationPlan, SeedLocation, pick, put};
use crate::call::date;
use crate::routes::complete_contact;
use crate::state::Records;

pub(super) const FIRST: [&str; 24] = [
    "Ada", "Ben", "Carla", "Dmitri", "Elena", "Farid", "Grace", "Hiro", "Ines", "Jonas", "Keiko",
    "Liam", "Maya", "Noor", "Oscar", "Priya", "Quentin", "Rosa", "Sven", "Tara", "Umar", "Vera",
    "Wei", "Zoë",
];
pub(super) const LAST: [&str; 23] = [
    "Abbott", "Baker", "Castillo", "Dawson", "Eriksen", "Fischer", "Gupta", "Hayes", "Ito",
    "Jensen", "Kowalski", "Lopez", "Moreau", "Nguyen", "Okafor", "Patel", "Quinn", "Romano",
    "Schmidt", "Tanaka", "Usman", "Vasquez", "Whitaker",
];
pub(super) const TAGS: [&str; 8] = [
    "new lead",
    "vip",
    "newsletter",
    "webinar",
    "no-show",
    "referral",
    "win-back",
    "customer",
];
const SOURCES: [&str; 4] = ["website", "facebook ads", "referral", "walk-in"];
const CITIES: [(&str, &str, &str); 5] = [
    ("Portland", "OR", "97201"),
    ("Seattle", "WA", "98101"),
    ("Boise", "ID", "83702"),
    ("Eugene", "OR", "97401"),
    ("Tacoma", "WA", "98402"),
];
/// The age in days of the oldest contact, if there are very many.
const DAYS: usize = 730;

/// A first and a last name.
fn name(number: usize) -> (&'static str, &'static str) {
    (
        FIRST[number % FIRST.len()],
        LAST[(number * 7 + number / FIRST.len()) % LAST.len()],
    )
}

/// For some contacts, the number of the same person's other contact, from before the location refused duplicates.
fn twin(number: usize) -> Option<usize> {
    (number >= 40 && number % 40 == 21).then(|| number - 20)
}

/// The contact of that number, newest first.
pub(super) fn contact(
    state: &mut Records,
    place: &SeedLocation,
    plan: &LocationPlan,
    number: usize,
    users: &[String],
    budget: &Value,
) {
    let twin = twin(number);
    let (first, last) = name(twin.unwrap_or(number));
    let (city, region, postal) = *pick(state, &CITIES);
    let source = *pick(state, &SOURCES);
    let user = pick(state, users).clone();
    let tag = *pick(state, &TAGS);
    // Two a day, so that the last week has some and the oldest are months old; very many are spread over two years.
    let days = (number / 2).min(number * DAYS / plan.contacts.max(1));
    let days = i64::try_from(days).unwrap_or_default();
    let added = place.today - days * DAY - state.random().i64(0..10) * HOUR;
    // A duplicate shares the email, the phone, or only the name.
    let shared = |kind: usize| twin.filter(|_| number / 40 % 3 == kind).unwrap_or(number);
    let email = format!(
        "{}.{}{}@example.com",
        first.to_lowercase(),
        last.to_lowercase(),
        shared(0)
    );
    let phone = format!("+1555{:02}{:05}", plan.slug.len(), shared(1));
    let record = json!({
        "firstName": first, "lastName": last,
        "companyName": format!("{last} & Co"), "address1": format!("{} Oak Avenue", number + 1),
        "city": city, "state": region, "postalCode": postal, "country": "US",
        "timezone": "America/Los_Angeles", "source": source, "assignedTo": user, "tags": [tag],
        "dateAdded": date(added), "dateUpdated": date(added),
        "customFields": [{"id": budget, "value": ((number % 20 + 1) * 250).to_string()}],
        "dnd": false,
        "dndSettings": if number % 17 == 11 { json!({"SMS": {"status": "active", "message": "", "code": ""}}) } else { json!({}) },
        "~replies": if number.is_multiple_of(3) { json!("Yes, that works for me. Thank you!") } else { Value::Null },
    });
    let mut record = record.as_object().cloned().unwrap_or_default();
    // Some have no email, some no phone; never those with messages.
    if number % 60 != 52 {
        record.insert("email".to_owned(), json!(email.replace('ë', "e")));
    }
    if number % 45 != 43 {
        record.insert("phone".to_owned(), json!(phone));
    }
    complete_contact(&mut record);
    put(state, place, "contact", Value::Object(record));
}
