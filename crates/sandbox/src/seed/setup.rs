//! A location's set-up before its contacts: users, fields, tags, pipelines, calendars.

use serde_json::{Value, json};

use super::people::{FIRST, LAST, TAGS};
use super::{LocationPlan, SeedLocation, pick, put};
use crate::state::Records;

const PIPELINES: [(&str, &[&str]); 2] = [
    (
        "Sales",
        &["New lead", "Contacted", "Proposal", "Negotiation", "Closed"],
    ),
    ("Referrals", &["Asked", "Introduced", "Booked"]),
];
const CALENDARS: [&str; 2] = ["Consultation", "Follow-up"];

pub(super) fn location(state: &mut Records, place: &SeedLocation, plan: &LocationPlan) {
    let (town, region, postal, zone) = plan.town;
    let name = &plan.name;
    let slug = name.to_lowercase().replace(' ', "-");
    let record = json!({
        "id": place.id, "companyId": place.company, "name": name, "address": "1 Main Street",
        "city": town, "state": region, "country": "US", "postalCode": postal,
        "website": format!("https://{slug}.example.com"), "timezone": zone,
        "email": format!("hello@{slug}.example.com"), "phone": "+15550100",
        "business": {"name": name, "city": town, "state": region, "country": "US", "timezone": zone},
        "settings": {
            "allowDuplicateContact": plan.allows_duplicates, "allowDuplicateOpportunity": false,
        },
        "~sandboxAccount": plan.is_small,
    });
    put(state, place, "location", record);
}

pub(super) fn users(state: &mut Records, place: &SeedLocation, slug: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..4 {
        let first = *pick(state, &FIRST);
        let last = *pick(state, &LAST);
        let role = if number == 0 { "admin" } else { "user" };
        let record = json!({
            "name": format!("{first} {last}"), "firstName": first, "lastName": last,
            "email": format!("{}.{number}@{slug}.example.com", first.to_lowercase()),
            "phone": format!("+155502{:02}", number), "deleted": false,
            "roles": {"type": "account", "role": role, "locationIds": [place.id]},
            "~company": place.company,
        });
        let user = put(state, place, "user", record);
        ids.push(user["id"].as_str().unwrap_or_default().to_owned());
    }
    ids
}

/// Returns the id of the first, a budget.
pub(super) fn fields(state: &mut Records, place: &SeedLocation) -> Value {
    let fields = [
        ("Budget", "contact.budget", "MONETORY", json!([]), "contact"),
        (
            "Interest",
            "contact.interest",
            "SINGLE_OPTIONS",
            json!(["Basic", "Premium", "Family – 4+"]),
            "contact",
        ),
        (
            "Preferred day",
            "contact.preferred_day",
            "TEXT",
            json!([]),
            "contact",
        ),
        (
            "Deal type",
            "opportunity.deal_type",
            "TEXT",
            json!([]),
            "opportunity",
        ),
    ];
    let mut ids = Vec::new();
    for (position, (name, key, kind, options, model)) in fields.into_iter().enumerate() {
        let record = json!({
            "name": name, "fieldKey": key, "dataType": kind, "position": position,
            "picklistOptions": options, "model": model, "placeholder": "",
        });
        ids.push(put(state, place, "customField", record)["id"].clone());
    }
    let values = [
        ("Business hours", "Mo–Fr 9:00–17:00"),
        ("Booking link", "https://example.com/book"),
    ];
    for (name, value) in values {
        let key = format!(
            "{{{{ custom_values.{} }}}}",
            name.to_lowercase().replace(' ', "_")
        );
        put(
            state,
            place,
            "customValue",
            json!({"name": name, "fieldKey": key, "value": value}),
        );
    }
    for tag in TAGS {
        put(state, place, "tag", json!({"name": tag}));
    }
    ids.into_iter().next().unwrap_or_default()
}

pub(super) fn pipelines(state: &mut Records, place: &SeedLocation) -> [Value; 2] {
    PIPELINES.map(|(name, stages)| pipeline(state, place, name, stages))
}

fn pipeline(state: &mut Records, place: &SeedLocation, name: &str, stages: &[&str]) -> Value {
    let stages: Vec<Value> = stages
        .iter()
        .enumerate()
        .map(|(position, name)| json!({"id": state.new_id(), "name": name, "position": position}))
        .collect();
    let record = json!({
        "name": name, "stages": stages, "showInFunnel": true, "showInPieChart": true,
    });
    put(state, place, "pipeline", record)
}

pub(super) fn calendars(state: &mut Records, place: &SeedLocation, users: &[String]) -> [Value; 2] {
    CALENDARS.map(|name| calendar(state, place, users, name))
}

/// In a group of its own, open from nine to five on working days.
fn calendar(state: &mut Records, place: &SeedLocation, users: &[String], name: &str) -> Value {
    let slug = name.to_lowercase();
    let group = format!("{name} team");
    let group = json!({"name": group, "description": "Everybody", "slug": slug, "isActive": true});
    let group = put(state, place, "group", group);
    let members: Vec<Value> = users
        .iter()
        .map(|user| json!({"userId": user, "priority": 0.5, "isPrimary": true}))
        .collect();
    let hours = json!([{"openHour": 9, "openMinute": 0, "closeHour": 17, "closeMinute": 0}]);
    let open = json!([{"daysOfTheWeek": [1, 2, 3, 4, 5], "hours": hours}]);
    let record = json!({
        "name": name, "description": "A meeting", "slug": slug,
        "widgetSlug": slug, "calendarType": "round_robin", "isActive": true,
        "groupId": group["id"], "teamMembers": members, "slotDuration": 30,
        "slotDurationUnit": "mins", "slotInterval": 30, "slotIntervalUnit": "mins",
        "openHours": open, "eventTitle": "{{contact.name}}", "eventColor": "#039be5",
    });
    put(state, place, "calendar", record)
}
