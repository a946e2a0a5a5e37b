//! The locations that a credential reaches, as far as HighLevel lists them.

use serde_json::{Map, Value, json};

use crate::call::output::{AllPages, Output};
use crate::call::{Answer, CallContext, LocationScope, Options, Principal, Request};
use crate::catalog;
use crate::surfaces::Session;
use crate::upstream::accounts::Accounts;
use crate::upstream::caller::Credential;
use crate::upstream::errors::CONNECT_LOCATION;
use crate::upstream::failure::FailureClass;
use crate::upstream::{Caller, Failure};
use tool::Tool;

/// The shown fields of each location.
const FIELDS: [&str; 6] = ["id", "name", "companyId", "city", "country", "timezone"];

/// The note on locations that a list does not show.
const FURTHER: &str = "Name a location that is not shown by its alias or id in `location`.";

/// The server's locations that the caller may name, and those of its own account.
pub(crate) async fn list(session: &Session<'_>) -> Result<Answer, Failure> {
    let principal = &session.context.principal;
    let snapshot = session.pipeline.snapshot();
    let reachable = principal.scope.within(&snapshot.locations);
    let reachable: Vec<Value> = reachable
        .map(|account| &account.configured)
        .map(|location| json!({"alias": location.alias, "id": location.location.as_str(), "name": location.name}))
        .collect();
    let Some(account) = &principal.account else {
        let mut locations = reachable;
        // Only a caller that may act for the agency sees more than the server's settings.
        if principal.scope == LocationScope::All && session.pipeline.may_use_agency(principal) {
            installed(session, &snapshot.locations, &mut locations).await;
        }
        return Ok(list_within(
            json!({}),
            locations,
            session.pipeline.max_answer_bytes(),
        ));
    };
    let bound = account
        .location
        .as_ref()
        .map(|bound| bound.location().clone());
    let own = bound.or_else(|| session.pipeline.transport().own_location(account));
    let mut answer = match own {
        None => of_company(session).await?,
        Some(own) => one(session, own.as_str()).await?,
    };
    if let (false, Ok(mut told)) = (answer.is_error, serde_json::from_str::<Value>(&answer.text)) {
        let rows = told.get_mut("locations").and_then(Value::as_array_mut);
        let known = |row: &Value| reachable.iter().any(|location| location["id"] == row["id"]);
        if let Some(rows) = rows {
            rows.retain(|row| !known(row));
            rows.extend(reachable);
            let rows = std::mem::take(rows);
            let within = list_within(told, rows, session.pipeline.max_answer_bytes());
            answer.text = within.text;
        }
    }
    Ok(answer)
}

/// As many locations as fit into one answer.
fn list_within(mut answer: Value, mut locations: Vec<Value>, most: usize) -> Answer {
    let all = locations.len();
    loop {
        let shown = locations.len();
        answer["locations"] = json!(locations);
        if shown < all {
            answer["_cut"] =
                json!({"shown": shown, "of": all, "why": "The answer is full.", "next": FURTHER});
        }
        let text = answer.to_string();
        if text.len() <= most || shown == 0 {
            return Answer::text(text);
        }
        locations.truncate((shown * most / text.len()).min(shown - 1));
    }
}

/// Adds the locations of the server's companies that the settings lack: they cannot be called before they have an
/// alias.
async fn installed(session: &Session<'_>, accounts: &Accounts, locations: &mut Vec<Value>) {
    let Ok(every) = operation("/oauth/installedLocations") else {
        return;
    };
    for company in accounts.companies() {
        let account = Caller {
            credential: Credential::Company(company.clone()),
            location: None,
            company: Some(company.id().clone()),
            configured: None,
            home: None,
        };
        // The same caller, with another account.
        let asks = session.context;
        let context = CallContext {
            principal: Principal {
                account: Some(account),
                scope: LocationScope::None,
                ..asks.principal.clone()
            },
            parent: asks.parent.clone(),
            surface: asks.surface.clone(),
            client: asks.client.clone(),
            elicitation: asks.elicitation.clone(),
            pages: asks.pages.clone(),
            place: asks.place.clone(),
        };
        let output = Output {
            fields: Some(vec!["_id".to_owned(), "name".to_owned()]),
            all_pages: AllPages::Whether(true),
            ..Output::default()
        };
        let arguments = [
            ("appId", json!(company.app_id())),
            ("isInstalled", json!(true)),
        ];
        let arguments = arguments.map(|(name, value)| (name.to_owned(), value));
        let options = Options {
            output: Some(output),
            ..Options::default()
        };
        let request = Request {
            tool: every,
            arguments: Map::from_iter(arguments),
            options,
            context: &context,
            progress: session.progress,
        };
        let answer = session.pipeline.execute(request).await;
        let told: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        if answer.is_error {
            let id = company.id().as_str();
            locations.push(json!({"company": id, "error": told["error"]}));
            continue;
        }
        if !told["_cut"].is_null() {
            let id = company.id().as_str();
            locations.push(json!({"company": id, "hint": "has more locations than are listed"}));
        }
        for row in told["locations"].as_array().into_iter().flatten() {
            if !locations.iter().any(|known| known["id"] == row["_id"]) {
                locations.push(json!({"id": row["_id"], "name": row["name"], "hint": "has no alias in the server's settings yet"}));
            }
        }
    }
}

async fn of_company(session: &Session<'_>) -> Result<Answer, Failure> {
    let every = operation("/locations/search")?;
    let output = Output {
        fields: Some(FIELDS.map(str::to_owned).to_vec()),
        all_pages: AllPages::Whether(true),
        ..Output::default()
    };
    let options = Options {
        output: Some(output),
        ..Options::default()
    };
    let request = session.request(every, Map::new(), options);
    let mut answer = session.pipeline.execute(request).await;
    if answer.is_error {
        answer.text = hinted(&answer.text);
    } else if let Ok(mut told) = serde_json::from_str::<Map<String, Value>>(&answer.text) {
        // The tool that lists locations has no paging.
        if let (Some(_), Some(note)) = (told.shift_remove("next"), told.get_mut("_cut")) {
            note["next"] = json!(FURTHER);
        }
        let account = session.context.principal.account.as_ref();
        let is_private = account.is_some_and(|one| one.credential.is_private_integration());
        let rows = told.get("locations").and_then(Value::as_array);
        if is_private && rows.is_some_and(|rows| rows.len() > 1) {
            told.insert("hint".to_owned(), json!(CONNECT_LOCATION));
        }
        answer.text = Value::Object(told).to_string();
    }
    Ok(answer)
}

async fn one(session: &Session<'_>, location: &str) -> Result<Answer, Failure> {
    let own = operation("/locations/{locationId}")?;
    let arguments = Map::from_iter([("locationId".to_owned(), json!(location))]);
    let request = session.request(own, arguments, Options::default());
    let mut answer = session.pipeline.execute(request).await;
    if let (false, Ok(told)) = (answer.is_error, serde_json::from_str::<Value>(&answer.text)) {
        let told = told.get("location").unwrap_or(&told);
        let fields = FIELDS
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), told.get(name)?.clone())));
        let mut row: Map<String, Value> = fields.collect();
        let account = session.context.principal.account.as_ref();
        if let Some(configured) = account.and_then(|account| account.configured.as_ref()) {
            row.insert("alias".to_owned(), json!(configured.alias));
        }
        answer.text = json!({"locations": [row], "bound": true}).to_string();
    }
    Ok(answer)
}

fn operation(path: &str) -> Result<&'static Tool, Failure> {
    catalog::get(path).ok_or_else(|| {
        let what =
            format!("This server was built without GET {path}, by which locations are listed.");
        Failure::new(FailureClass::Refused, what)
    })
}

/// A token of one location may not list locations, and nothing can tell which location it belongs to.
fn hinted(text: &str) -> String {
    let Ok(mut failure) = serde_json::from_str::<Map<String, Value>>(text) else {
        return text.to_owned();
    };
    let hint =
        "A token of one location reaches that one only: ask for its id, and give locationId.";
    failure.insert("hint".to_owned(), json!(hint));
    Value::Object(failure).to_string()
}
