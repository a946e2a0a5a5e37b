//! HighLevel's answers to the attacks. It knows some tokens, each of one location.

use std::time::Duration;

use axum::response::Response;
use serde_json::{Value, json};
use tokio::time::sleep;

use test_support::recording::{RecordedRequest, Recording, json as answer};

/// The agency's own token, and the agency.
pub(super) const AGENCY_TOKEN: &str = "agency-token";
pub(super) const AGENCY: &str = "comAgency00000000001";

/// `pit-of-X` and `pit-of-X-2` are tokens of the location X. `minted-X` is the result of the exchange of the agency's
/// token there. Every other token is unknown.
pub(super) async fn highlevel() -> Recording {
    Recording::start(|request| respond(request, |_| None)).await
}

/// The same HighLevel. For a known token it first asks `script` for the answer.
pub(super) async fn scripted(
    script: impl Fn(&RecordedRequest) -> Option<Response> + Send + Sync + 'static,
) -> Recording {
    Recording::start(move |request| respond(request, &script)).await
}

/// The same HighLevel with this delay.
pub(super) async fn slow(latency: Duration) -> Recording {
    Recording::start_async(move |request| async move {
        sleep(latency).await;
        respond(&request, |_| None)
    })
    .await
}

/// Every location in the request.
pub(super) fn locations(request: &RecordedRequest) -> Vec<String> {
    const NAMES: [&str; 3] = ["locationId", "location_id", "subAccountId"];
    let body = request.fields();
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    // In other requests altId is an id of the caller's own.
    let alternative = request.query("altType").or_else(|| text("altType"));
    let is_location = alternative.as_deref() == Some("location");
    let names = NAMES.iter().chain(is_location.then_some(&"altId"));
    let named = names.flat_map(|name| [request.query(name), text(name)]);
    let in_path = request.path().strip_prefix("/locations/");
    let in_path = in_path.and_then(|rest| rest.split('/').next());
    let in_path = in_path.filter(|id| !id.is_empty() && *id != "search");
    named.flatten().chain(in_path.map(str::to_owned)).collect()
}

/// The location of the token. `None` for the agency's token, `Err` for an unknown one.
fn location(token: &str) -> Result<Option<&str>, ()> {
    let of_one = token
        .strip_prefix("pit-of-")
        .or_else(|| token.strip_prefix("minted-"));
    match of_one {
        Some(named) => Ok(named.split('-').next()),
        None if token.starts_with(AGENCY_TOKEN) => Ok(None),
        None => Err(()),
    }
}

fn respond(
    request: &RecordedRequest,
    script: impl Fn(&RecordedRequest) -> Option<Response>,
) -> Response {
    let Ok(location) = location(request.token()) else {
        return refusal(401, "Invalid JWT");
    };
    if request.path() == "/oauth/locationToken" {
        let fields = request.fields();
        let location = fields["locationId"].as_str().unwrap_or_default();
        let token = json!({
            "access_token": format!("minted-{location}"), "token_type": "Bearer", "expires_in": 86_399,
            "scope": "contacts.readonly", "userType": "Location", "locationId": location, "companyId": AGENCY,
        });
        return answer(201, token.to_string());
    }
    if let Some(own) = location
        && locations(request).iter().any(|named| named != own)
    {
        return refusal(403, "The token does not have access to this location.");
    }
    if let Some(response) = script(request) {
        return response;
    }
    let contact = json!({"id": "c1", "locationId": location, "firstName": "Ada"});
    let is_list = request.method == "GET" && request.path().ends_with('/');
    let told: Value = match is_list {
        true => json!({"contacts": [contact], "meta": {"total": 1}}),
        false => json!({"contact": contact, "tags": ["a"], "succeeded": true, "messageId": "m1"}),
    };
    answer(200, told.to_string())
}

/// An error in HighLevel's format.
pub(super) fn refusal(status: u16, message: &str) -> Response {
    let body = json!({"statusCode": status, "message": message});
    answer(status, body.to_string())
}
