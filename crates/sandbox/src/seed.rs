//! A believable agency to begin with: companies, locations, people, conversations, deals, appointments, payments.

mod catalogue;
mod history;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use catalogue::{SeedCatalogue, catalogue};
use history::history;

use super::call::date;
use super::routes::complete_contact;
use super::state::{RecordKind, Records};
use super::tokens::{KnownToken, KnownTokens, TokenKind};
use super::{COMPANY, LOCATION};

const DAY: i64 = 86_400_000;
const HOUR: i64 = 3_600_000;

const FIRST: [&str; 24] = [
    "Ada", "Ben", "Carla", "Dmitri", "Elena", "Farid", "Grace", "Hiro", "Ines", "Jonas", "Keiko",
    "Liam", "Maya", "Noor", "Oscar", "Priya", "Quentin", "Rosa", "Sven", "Tara", "Umar", "Vera",
    "Wei", "Zoë",
];
const LAST: [&str; 23] = [
    "Abbott", "Baker", "Castillo", "Dawson", "Eriksen", "Fischer", "Gupta", "Hayes", "Ito",
    "Jensen", "Kowalski", "Lopez", "Moreau", "Nguyen", "Okafor", "Patel", "Quinn", "Romano",
    "Schmidt", "Tanaka", "Usman", "Vasquez", "Whitaker",
];
const TAGS: [&str; 8] = [
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

/// Slug of the token, id, name, city, company, number of contacts, whether the account is a sandbox of HighLevel's own.
const LOCATIONS: [(&str, &str, &str, usize, &str, usize, bool); 5] = [
    ("harbor", LOCATION, "Harbor Dental", 0, COMPANY, 220, false),
    (
        "summit",
        "locSummitFitness0001",
        "Summit Fitness",
        1,
        COMPANY,
        120,
        false,
    ),
    (
        "maple",
        "locMapleRealty000001",
        "Maple Realty",
        2,
        COMPANY,
        90,
        true,
    ),
    (
        "cedar",
        "locCedarLegal0000001",
        "Cedar Legal",
        3,
        OTHER_COMPANY,
        50,
        false,
    ),
    (
        "orchid",
        "locOrchidSpa00000001",
        "Orchid Spa",
        4,
        OTHER_COMPANY,
        20,
        false,
    ),
];
const OTHER_COMPANY: &str = "comNorthstar00000001";
const PIPELINES: [(&str, &[&str]); 2] = [
    (
        "Sales",
        &["New lead", "Contacted", "Proposal", "Negotiation", "Closed"],
    ),
    ("Referrals", &["Asked", "Introduced", "Booked"]),
];
const CALENDARS: [&str; 2] = ["Consultation", "Follow-up"];

/// Of each further location.
const CONTACTS_OF_A_BRANCH: usize = 3;

/// Fills an empty sandbox, with so many branches beside the usual locations; dates count back and forth
/// from `now`.
pub(crate) fn seed(state: &mut Records, now: i64, branches: usize) {
    let today = now - now.rem_euclid(DAY);
    for (id, name) in [
        (COMPANY, "Brightside Agency"),
        (OTHER_COMPANY, "Northstar Partners"),
    ] {
        state.put("company", id, json!({"id": id, "name": name}));
    }
    for (slug, id, name, city, company, contacts, small) in locations(branches) {
        let (slug, id) = (slug.as_str(), id.as_str());
        let place = SeedLocation { id, company, today };
        location(state, &place, &name, city, small);
        let users = users(state, &place, slug);
        let budget = fields(state, &place);
        let pipelines = PIPELINES.map(|(name, stages)| pipeline(state, &place, name, stages));
        let calendars = CALENDARS.map(|name| calendar(state, &place, &users, name));
        let catalogue = catalogue(state, &place);
        for number in 0..contacts {
            contact(state, &place, slug, number, &users, &budget);
        }
        let people: Vec<Value> = records_of(state, "contact", id);
        for (number, person) in people.iter().enumerate() {
            let agency = Agency {
                users: &users,
                pipelines: &pipelines,
                calendars: &calendars,
                catalogue: &catalogue,
            };
            history(state, &place, &agency, number, person);
        }
    }
}

/// As `LOCATIONS`, and further ones of the first company: `branch-01` and so on.
fn locations(
    branches: usize,
) -> impl Iterator<Item = (String, String, String, usize, &'static str, usize, bool)> {
    let usual = LOCATIONS.map(|(slug, id, name, city, company, contacts, small)| {
        (
            slug.to_owned(),
            id.to_owned(),
            name.to_owned(),
            city,
            company,
            contacts,
            small,
        )
    });
    let further = (1..=branches).map(|number| {
        let slug = format!("branch-{number:02}");
        let (id, name) = (
            format!("locBranch{number:011}"),
            format!("Branch {number:02}"),
        );
        (
            slug,
            id,
            name,
            number % CITIES.len(),
            COMPANY,
            CONTACTS_OF_A_BRANCH,
            false,
        )
    });
    usual.into_iter().chain(further)
}

/// The location that is being filled.
struct SeedLocation<'a> {
    id: &'a str,
    company: &'static str,
    today: i64,
}

/// What the history of its contacts refers to.
struct Agency<'a> {
    users: &'a [String],
    pipelines: &'a [Value],
    calendars: &'a [Value],
    catalogue: &'a SeedCatalogue,
}

/// The tokens of every location, and the agency's: all of its own making, none looks real.
pub(crate) fn tokens(tokens: &mut KnownTokens, branches: usize) {
    let scopes = super::documents()
        .operations
        .iter()
        .flat_map(|operation| &operation.scopes);
    let reading: BTreeSet<&str> = scopes
        .copied()
        .filter(|scope| scope.ends_with(".readonly"))
        .collect();
    let reading: Vec<String> = reading.into_iter().map(str::to_owned).collect();
    for (slug, id, _, _, company, ..) in locations(branches) {
        let token = KnownToken {
            class: TokenKind::LocationPit,
            company: company.to_owned(),
            location: id,
            scopes: None,
            expires: None,
        };
        let reader = KnownToken {
            scopes: Some(reading.clone()),
            ..token.clone()
        };
        tokens.add(&format!("pit-sandbox-{slug}-readonly"), reader);
        tokens.add(&format!("pit-sandbox-{slug}"), token);
    }
    let agency = KnownToken {
        class: TokenKind::AgencyPit,
        company: COMPANY.to_owned(),
        location: String::new(),
        scopes: None,
        expires: None,
    };
    tokens.add("pit-sandbox-agency", agency);
}

fn put(state: &mut Records, place: &SeedLocation, kind: RecordKind, mut record: Value) -> Value {
    if record["id"].is_null() {
        record["id"] = json!(state.new_id());
    }
    record["locationId"] = json!(place.id);
    record["~location"] = json!(place.id);
    let id = record["id"].as_str().unwrap_or_default().to_owned();
    state.put(kind, &id, record.clone());
    record
}

fn records_of(state: &Records, kind: RecordKind, location: &str) -> Vec<Value> {
    let own = state.all(kind).filter(|one| one["~location"] == location);
    own.cloned().collect()
}

fn pick<'v, T>(state: &mut Records, values: &'v [T]) -> &'v T {
    let index = state.random().usize(..values.len());
    &values[index]
}

fn location(state: &mut Records, place: &SeedLocation, name: &str, city: usize, small: bool) {
    let (town, region, postal) = CITIES[city];
    let slug = name.to_lowercase().replace(' ', "-");
    let record = json!({
        "id": place.id, "companyId": place.company, "name": name, "address": "1 Main Street",
        "city": town, "state": region, "country": "US", "postalCode": postal,
        "website": format!("https://{slug}.example.com"), "timezone": "America/Los_Angeles",
        "email": format!("hello@{slug}.example.com"), "phone": "+15550100",
        "business": {"name": name, "city": town, "state": region, "country": "US", "timezone": "America/Los_Angeles"},
        "settings": {"allowDuplicateContact": false, "allowDuplicateOpportunity": false},
        "~sandboxAccount": small,
    });
    put(state, place, "location", record);
}

fn users(state: &mut Records, place: &SeedLocation, slug: &str) -> Vec<String> {
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

/// Gives the id of the first, a budget.
fn fields(state: &mut Records, place: &SeedLocation) -> Value {
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

/// In a group of its own.
fn calendar(state: &mut Records, place: &SeedLocation, users: &[String], name: &str) -> Value {
    let slug = name.to_lowercase();
    let group = format!("{name} team");
    let group = json!({"name": group, "description": "Everybody", "slug": slug, "isActive": true});
    let group = put(state, place, "group", group);
    let members: Vec<Value> = users
        .iter()
        .map(|user| json!({"userId": user, "priority": 0.5, "isPrimary": true}))
        .collect();
    let record = json!({
        "name": name, "description": "A meeting", "slug": slug,
        "widgetSlug": slug, "calendarType": "round_robin", "isActive": true,
        "groupId": group["id"], "teamMembers": members, "slotDuration": 30,
        "slotDurationUnit": "mins", "slotInterval": 30, "slotIntervalUnit": "mins",
        "eventTitle": "{{contact.name}}", "eventColor": "#039be5",
    });
    put(state, place, "calendar", record)
}

fn contact(
    state: &mut Records,
    place: &SeedLocation,
    slug: &str,
    number: usize,
    users: &[String],
    budget: &Value,
) {
    let first = FIRST[number % FIRST.len()];
    let last = LAST[(number * 7 + number / FIRST.len()) % LAST.len()];
    let (city, region, postal) = *pick(state, &CITIES);
    let source = *pick(state, &SOURCES);
    let user = pick(state, users).clone();
    let tag = *pick(state, &TAGS);
    // Two a day, so that the last week has some and the oldest are months back.
    let days = i64::try_from(number / 2).unwrap_or_default();
    let added = place.today - days * DAY - state.random().i64(0..10) * HOUR;
    let email = format!(
        "{}.{}{number}@example.com",
        first.to_lowercase(),
        last.to_lowercase()
    );
    let record = json!({
        "firstName": first, "lastName": last, "email": email.replace('ë', "e"),
        "phone": format!("+1555{:02}{number:05}", slug.len()),
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
    complete_contact(&mut record);
    put(state, place, "contact", Value::Object(record));
}
