//! OAuth: tokens by code and by refresh token, location tokens from a company's, installed locations.

use serde_json::{Value, json};

use crate::call::SandboxCall;
use crate::refusal::Refusal;
use crate::state::Records;
use crate::tokens::{KnownToken, KnownTokens, TokenKind};
use crate::{COMPANY, LOCATION};

/// Authorization codes that the sandbox takes, as often as they come.
const COMPANY_CODE: &str = "sandbox-code-company";
const LOCATION_CODE: &str = "sandbox-code-location";
const CLIENT: (&str, &str) = ("sandbox-client", "sandbox-secret");

pub(super) fn answer(
    state: &Records,
    tokens: &mut KnownTokens,
    call: &SandboxCall,
) -> Option<Result<Value, Refusal>> {
    Some(match call.operation.key.as_str() {
        "POST /oauth/token" => token(tokens, call),
        "POST /oauth/locationToken" => location_token(tokens, call),
        "GET /oauth/installedLocations" => Ok(installed(state, call)),
        _ => return None,
    })
}

/// [M] the code is looked at before the client.
fn token(tokens: &mut KnownTokens, call: &SandboxCall) -> Result<Value, Refusal> {
    let account = |location: &str| KnownToken {
        class: if location.is_empty() {
            TokenKind::Company
        } else {
            TokenKind::Location
        },
        company: COMPANY.to_owned(),
        location: location.to_owned(),
        scopes: None,
        expires: None,
    };
    let refresh = call.text("refresh_token").unwrap_or_default();
    let code = match call.text("grant_type") {
        Some("refresh_token") => None,
        _ => Some(match call.text("code") {
            Some(COMPANY_CODE) => account(""),
            Some(LOCATION_CODE) => account(LOCATION),
            _ => return Err(Refusal::oauth("Authorization code not found")),
        }),
    };
    let client = (call.text("client_id"), call.text("client_secret"));
    if client != (Some(CLIENT.0), Some(CLIENT.1)) {
        return Err(Refusal::oauth("Invalid client credentials!"));
    }
    match code {
        Some(account) => Ok(tokens.mint(account, call.now)),
        None => tokens.renew(refresh, call.now),
    }
}

/// [E] a company's token is exchanged for one of its locations'.
fn location_token(tokens: &mut KnownTokens, call: &SandboxCall) -> Result<Value, Refusal> {
    let location = call.text("locationId").unwrap_or_default().to_owned();
    let account = KnownToken {
        class: TokenKind::Location,
        company: call.token.company.clone(),
        location,
        scopes: call.token.scopes.clone(),
        expires: None,
    };
    Ok(tokens.mint(account, call.now))
}

fn installed(state: &Records, call: &SandboxCall) -> Value {
    let own = state
        .all("location")
        .filter(|location| location["companyId"] == *call.token.company);
    let rows = own.map(|location| {
        json!({
            "_id": location["id"], "name": location["name"], "address": location["address"],
            "isInstalled": true,
        })
    });
    let rows: Vec<Value> = rows.collect();
    let (skip, limit) = (
        call.number("skip").unwrap_or(0),
        call.number("limit").unwrap_or(20),
    );
    let count = rows.len();
    let page: Vec<Value> = rows.into_iter().skip(skip).take(limit).collect();
    json!({"locations": page, "count": count, "installToFutureLocations": false})
}
