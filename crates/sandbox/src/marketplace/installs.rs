//! The app's installs: of locations, of companies with their future locations, and their ends.

use serde_json::{Value, json};

use super::webhooks::{AppEvent, payload};
use super::{APP, Marketplace};
use crate::call::{SandboxCall, date};
use crate::state::Records;
use crate::tokens::{Installation, KnownTokens};

/// Installs, and posts HighLevel's events: [M] one event of the company if it has many locations, and one of each
/// location, within seconds.
pub(crate) fn install(
    state: &mut Records,
    marketplace: &mut Marketplace,
    installation: &Installation,
    now: i64,
) {
    let company = installation.company.as_str();
    let name = state.get("company", company).map(|one| one["name"].clone());
    let event = |location: Option<&str>| {
        payload(
            &AppEvent {
                kind: "INSTALL".to_owned(),
                company: Some(company.to_owned()),
                location: location.map(str::to_owned),
                user: Some(installation.user.clone()),
                company_name: name.clone(),
            },
            now,
        )
    };
    let mut events = Vec::new();
    if installation.is_bulk {
        let whole = json!({"installToFutureLocations": installation.is_whole});
        state.put("companyInstall", company, whole);
        events.push(event(None));
    }
    for location in &installation.locations {
        put(state, company, location, now);
        events.push(event(Some(location)));
    }
    marketplace.post(events);
}

/// A location that was created after its company installed the app everywhere. [E] the event names neither user nor
/// company.
pub(crate) fn location_made(
    state: &mut Records,
    marketplace: &mut Marketplace,
    company: &str,
    location: &str,
    now: i64,
) {
    let whole = state.get("companyInstall", company);
    if whole.is_some_and(|whole| whole["installToFutureLocations"] == true) {
        put(state, company, location, now);
        let event = AppEvent {
            kind: "INSTALL".to_owned(),
            location: Some(location.to_owned()),
            ..AppEvent::default()
        };
        marketplace.post([payload(&event, now)]);
    }
}

/// Uninstalls the app from one location, or from a whole company; false if it is not installed. [I] the tokens are
/// revoked at once, and a company's end is one event.
pub(crate) fn uninstall(
    state: &mut Records,
    tokens: &mut KnownTokens,
    marketplace: &mut Marketplace,
    location: Option<&str>,
    company: Option<&str>,
    now: i64,
) -> bool {
    let was_there = match (location, company) {
        (Some(location), _) => state.remove("install", location).is_some(),
        (None, Some(company)) => {
            state.remove_where("install", |one| one["companyId"] == company);
            state.remove("companyInstall", company).is_some()
        }
        (None, None) => false,
    };
    if was_there {
        tokens.revoke(|token| match location {
            Some(location) => token.location == location,
            None => Some(token.company.as_str()) == company,
        });
        let event = AppEvent {
            kind: "UNINSTALL".to_owned(),
            // [M] for a location it names no company.
            company: company.filter(|_| location.is_none()).map(str::to_owned),
            location: location.map(str::to_owned),
            ..AppEvent::default()
        };
        marketplace.post([payload(&event, now)]);
    }
    was_there
}

/// [M] every location of the company, each with whether the app is installed; `count` includes them all.
pub(crate) fn installed_locations(state: &Records, call: &SandboxCall) -> Value {
    let own = state
        .all("location")
        .filter(|location| location["companyId"] == *call.token.company);
    let rows = own.filter_map(|location| {
        let install = state.get("install", location["id"].as_str()?);
        let mut row = json!({
            "_id": location["id"], "name": location["name"], "address": location["address"],
            "isInstalled": install.is_some(),
        });
        if let Some(install) = install {
            row["versionId"] = json!(APP);
            row["installedAt"] = install["installedAt"].clone();
        }
        Some(row)
    });
    // [I] the meaning of the parameters.
    let asked = call.query("isInstalled").map(|asked| asked == "true");
    let named = call.query("locationId");
    let words = call.query("query").map(str::to_lowercase);
    let rows = rows.filter(|row| {
        let name = row["name"].as_str().unwrap_or_default().to_lowercase();
        asked.is_none_or(|asked| row["isInstalled"] == asked)
            && named.is_none_or(|named| row["_id"] == named)
            && words.as_ref().is_none_or(|words| name.contains(words))
    });
    let rows: Vec<Value> = rows.collect();
    let (skip, limit) = (
        call.number("skip").unwrap_or(0),
        call.number("limit").unwrap_or(20),
    );
    let count = rows.len();
    let page: Vec<Value> = rows.into_iter().skip(skip).take(limit).collect();
    let whole = state.get("companyInstall", &call.token.company);
    let future = whole.is_some_and(|whole| whole["installToFutureLocations"] == true);
    json!({"locations": page, "count": count, "installToFutureLocations": future})
}

fn put(state: &mut Records, company: &str, location: &str, now: i64) {
    let record = json!({"companyId": company, "installedAt": date(now)});
    state.put("install", location, record);
}
