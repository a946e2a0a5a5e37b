//! A plausible agency to start with: companies, locations, people, conversations, deals, appointments, payments.

mod catalogue;
mod history;
mod marketing;
mod people;
mod setup;

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::{Value, json};

use catalogue::{SeedCatalogue, catalogue};
use history::history;
use marketing::marketing;
use people::contact;
use setup::{calendars, fields, location, pipelines, users};

use super::state::{RecordKind, Records};
use super::tokens::{KnownToken, KnownTokens, TokenKind};
use super::{COMPANY, LOCATION, SandboxOptions, TOKEN_AS_ISSUED};

const DAY: i64 = 86_400_000;
const HOUR: i64 = 3_600_000;

const OTHER_COMPANY: &str = "comNorthstar00000001";
/// For each further location.
const CONTACTS_OF_A_BRANCH: usize = 3;

/// City, state, postal code and time zone of each location; branches are spread over them.
const TOWNS: [(&str, &str, &str, &str); 5] = [
    ("Portland", "OR", "97201", "America/Los_Angeles"),
    ("Denver", "CO", "80202", "America/Denver"),
    ("Boston", "MA", "02108", "America/New_York"),
    ("Chicago", "IL", "60601", "America/Chicago"),
    ("Phoenix", "AZ", "85004", "America/Phoenix"),
];

/// The plan of a location.
struct LocationPlan {
    /// Part of its token.
    slug: String,
    id: String,
    name: String,
    town: (&'static str, &'static str, &'static str, &'static str),
    company: &'static str,
    contacts: usize,
    /// An account like HighLevel's own sandboxes, with lower limits.
    is_small: bool,
    /// Two contacts may share an email or a phone.
    allows_duplicates: bool,
}

/// Fills an empty sandbox by the options. Dates are relative to `now`.
pub(crate) fn seed(state: &mut Records, now: i64, options: &SandboxOptions) {
    for (id, name) in [
        (COMPANY, "Brightside Agency"),
        (OTHER_COMPANY, "Northstar Partners"),
    ] {
        state.put("company", id, json!({"id": id, "name": name}));
    }
    let plans = plans(options);
    for plan in &plans {
        let place = SeedLocation::new(plan, now);
        location(state, &place, plan);
        let users = users(state, &place, &plan.slug);
        let budget = fields(state, &place);
        let pipelines = pipelines(state, &place);
        let calendars = calendars(state, &place, &users);
        let catalogue = catalogue(state, &place);
        for number in 0..plan.contacts {
            contact(state, &place, plan, number, &users, &budget);
        }
        let people: Vec<Value> = records_of(state, "contact", place.id);
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
    // Last, so that earlier records are the same with and without it.
    for plan in &plans {
        marketing(state, &SeedLocation::new(plan, now));
    }
}

/// The usual locations, and further ones of the first company: `branch-01` and so on.
fn plans(options: &SandboxOptions) -> Vec<LocationPlan> {
    let usual = [
        ("harbor", LOCATION, "Harbor Dental", COMPANY, 220),
        (
            "summit",
            "locSummitFitness0001",
            "Summit Fitness",
            COMPANY,
            120,
        ),
        ("maple", "locMapleRealty000001", "Maple Realty", COMPANY, 90),
        (
            "cedar",
            "locCedarLegal0000001",
            "Cedar Legal",
            OTHER_COMPANY,
            50,
        ),
        (
            "orchid",
            "locOrchidSpa00000001",
            "Orchid Spa",
            OTHER_COMPANY,
            20,
        ),
    ];
    let usual = usual.into_iter().zip(TOWNS);
    let usual = usual.map(|((slug, id, name, company, contacts), town)| LocationPlan {
        slug: slug.to_owned(),
        id: id.to_owned(),
        name: name.to_owned(),
        town,
        company,
        contacts: options
            .contacts
            .filter(|_| id == LOCATION)
            .unwrap_or(contacts),
        is_small: slug == "maple",
        allows_duplicates: slug == "summit",
    });
    let towns = TOWNS.iter().cycle().skip(1);
    let further = (1..=options.branches)
        .zip(towns)
        .map(|(number, town)| LocationPlan {
            slug: format!("branch-{number:02}"),
            id: format!("locBranch{number:011}"),
            name: format!("Branch {number:02}"),
            town: *town,
            company: COMPANY,
            contacts: CONTACTS_OF_A_BRANCH,
            is_small: false,
            allows_duplicates: false,
        });
    usual.chain(further).collect()
}

/// The location that is being filled.
struct SeedLocation<'a> {
    id: &'a str,
    company: &'static str,
    zone: &'static str,
    /// Midnight UTC of the day, in milliseconds.
    today: i64,
    /// The local day of the location.
    date: Date,
}

impl<'a> SeedLocation<'a> {
    fn new(plan: &'a LocationPlan, now: i64) -> Self {
        let zone = plan.town.3;
        let at = Timestamp::from_millisecond(now).unwrap_or_default();
        let local = at
            .in_tz(zone)
            .unwrap_or_else(|_| at.to_zoned_datetime(TimeZone::UTC));
        Self {
            id: &plan.id,
            company: plan.company,
            zone,
            today: now - now.rem_euclid(DAY),
            date: local.date(),
        }
    }

    /// This many days from today, at a full hour of local time.
    fn at_hour(&self, days: i64, hour: i8) -> i64 {
        let day = self.date.checked_add(Span::new().days(days));
        let local = day.and_then(|day| day.at(hour, 0, 0, 0).in_tz(self.zone));
        local.map_or(self.today, |at| at.timestamp().as_millisecond())
    }
}

/// The records that the contacts' history refers to.
struct Agency<'a> {
    users: &'a [String],
    pipelines: &'a [Value],
    calendars: &'a [Value],
    catalogue: &'a SeedCatalogue,
}

/// The tokens of every location, and the agency's. All are invented, and none looks real.
pub(crate) fn tokens(tokens: &mut KnownTokens, options: &SandboxOptions) {
    let scopes = super::documents()
        .operations
        .iter()
        .flat_map(|operation| &operation.scopes);
    let reading: BTreeSet<&str> = scopes
        .copied()
        .filter(|scope| scope.ends_with(".readonly"))
        .collect();
    let reading: Vec<String> = reading.into_iter().map(str::to_owned).collect();
    for (number, plan) in plans(options).into_iter().enumerate() {
        let LocationPlan {
            slug, id, company, ..
        } = plan;
        let token = KnownToken {
            class: TokenKind::LocationPit,
            company: company.to_owned(),
            location: id,
            scopes: None,
            expires: None,
            grant: None,
        };
        let reader = KnownToken {
            scopes: Some(reading.clone()),
            ..token.clone()
        };
        tokens.add(&format!("pit-sandbox-{slug}-readonly"), reader);
        let (issued, _) = TOKEN_AS_ISSUED.rsplit_once('-').unwrap_or_default();
        tokens.add(&format!("{issued}-{:012}", number + 1), token.clone());
        tokens.add(&format!("pit-sandbox-{slug}"), token);
    }
    let agency = KnownToken {
        class: TokenKind::AgencyPit,
        company: COMPANY.to_owned(),
        location: String::new(),
        scopes: None,
        expires: None,
        grant: None,
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
