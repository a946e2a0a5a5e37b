//! Which locations a credential reaches, as far as HighLevel says.

use serde_json::{Map, Value, json};

use super::Request;
use crate::call::{CallContext, LocationScope};
use crate::generated::TOOLS;
use crate::highlevel::accounts::Accounts;
use crate::highlevel::caller::Credential;
use crate::highlevel::failure::Class;
use crate::highlevel::{Caller, Failure};
use crate::runtime::tool::Tool;
use crate::tools::dispatch::Answer;

/// What is told of each location.
const FIELDS: [&str; 6] = ["id", "name", "companyId", "city", "country", "timezone"];

/// The server's locations that the caller may name, and those of its own account.
pub async fn list(request: &Request<'_>) -> Result<Answer, Failure> {
    let principal = &request.asker.principal;
    let tenancy = request.dispatch.tenancy();
    let reachable = tenancy.accounts.iter().map(|account| &account.place);
    let reachable: Vec<Value> = reachable
        .filter(|place| principal.scope.contains(&place.alias))
        .map(|place| json!({"alias": place.alias, "id": place.location.as_str(), "name": place.name}))
        .collect();
    let Some(account) = &principal.account else {
        let mut locations = reachable;
        if principal.scope == LocationScope::All {
            installed(request, &tenancy.accounts, &mut locations).await;
        }
        return Ok(Answer::text(json!({"locations": locations}).to_string()));
    };
    let mut answer = match &account.location {
        None => of_company(request).await?,
        Some(bound) => one(request, bound.location().as_str()).await?,
    };
    if let (false, Ok(mut told)) = (answer.is_error, serde_json::from_str::<Value>(&answer.text)) {
        let rows = told.get_mut("locations").and_then(Value::as_array_mut);
        let known = |row: &Value| reachable.iter().any(|place| place["id"] == row["id"]);
        if let Some(rows) = rows {
            rows.retain(|row| !known(row));
            rows.extend(reachable);
        }
        answer.text = told.to_string();
    }
    Ok(answer)
}

/// Adds the locations that the server's companies have and its settings do not: they cannot be called
/// before they have an alias.
async fn installed(request: &Request<'_>, accounts: &Accounts, locations: &mut Vec<Value>) {
    let Ok(every) = operation("/oauth/installedLocations") else {
        return;
    };
    for company in accounts.companies() {
        let asker = CallContext {
            surface: request.asker.surface.clone(),
            ..CallContext::local(Caller {
                credential: Credential::Company(company.clone()),
                location: None,
                company: Some(company.id().clone()),
                place: None,
                home: None,
            })
        };
        let output = json!({"fields": ["_id", "name"], "allPages": true});
        let arguments = [
            ("output", output),
            ("appId", json!(company.app_id())),
            ("isInstalled", json!(true)),
        ];
        let arguments = arguments.map(|(name, value)| (name.to_owned(), value));
        let answer = request
            .dispatch
            .call(every, Map::from_iter(arguments), &asker)
            .await;
        let told: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        if answer.is_error {
            let id = company.id().as_str();
            locations.push(json!({"company": id, "error": told["error"]}));
            continue;
        }
        for row in told["locations"].as_array().into_iter().flatten() {
            if !locations.iter().any(|known| known["id"] == row["_id"]) {
                locations.push(json!({"id": row["_id"], "name": row["name"], "hint": "has no alias in the server's settings yet"}));
            }
        }
    }
}

async fn of_company(request: &Request<'_>) -> Result<Answer, Failure> {
    let every = operation("/locations/search")?;
    let output = json!({"fields": FIELDS});
    let arguments = Map::from_iter([("output".to_owned(), output)]);
    let mut answer = request.dispatch.call(every, arguments, request.asker).await;
    if answer.is_error {
        answer.text = hinted(&answer.text);
    }
    Ok(answer)
}

async fn one(request: &Request<'_>, location: &str) -> Result<Answer, Failure> {
    let own = operation("/locations/{locationId}")?;
    let arguments = Map::from_iter([("locationId".to_owned(), json!(location))]);
    let mut answer = request.dispatch.call(own, arguments, request.asker).await;
    if let (false, Ok(told)) = (answer.is_error, serde_json::from_str::<Value>(&answer.text)) {
        let told = told.get("location").unwrap_or(&told);
        let fields = FIELDS
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), told.get(name)?.clone())));
        let mut row: Map<String, Value> = fields.collect();
        let account = request.asker.principal.account.as_ref();
        if let Some(place) = account.and_then(|account| account.place.as_ref()) {
            row.insert("alias".to_owned(), json!(place.alias));
        }
        answer.text = json!({"locations": [row], "bound": true}).to_string();
    }
    Ok(answer)
}

fn operation(path: &str) -> Result<&'static Tool, Failure> {
    let found = TOOLS
        .iter()
        .find(|tool| tool.method == "GET" && tool.path == path);
    found.ok_or_else(|| {
        let what =
            format!("This server was built without GET {path}, by which locations are listed.");
        Failure::new(Class::Refused, what)
    })
}

/// A token of one location may not list locations; which one it belongs to, nobody can ask.
fn hinted(text: &str) -> String {
    let Ok(mut failure) = serde_json::from_str::<Map<String, Value>>(text) else {
        return text.to_owned();
    };
    let hint = "A token of one location reaches that one only: connect with its locationId header, or give locationId.";
    failure.insert("hint".to_owned(), json!(hint));
    Value::Object(failure).to_string()
}
