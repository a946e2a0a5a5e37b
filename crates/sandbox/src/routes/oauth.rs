//! OAuth: tokens by code and by refresh token, location tokens from a company's, installed locations.

use serde_json::Value;

use crate::call::SandboxCall;
use crate::marketplace::{Marketplace, install, installed_locations, is_client};
use crate::refusal::Refusal;
use crate::state::Records;
use crate::tokens::{Installation, KnownToken, KnownTokens, OauthOrigin, TokenKind};
use crate::{COMPANY, LOCATION};

/// Authorization codes that the sandbox always accepts: of an agency that installed the app everywhere, and of one
/// location.
const COMPANY_CODE: &str = "sandbox-code-company";
const LOCATION_CODE: &str = "sandbox-code-location";

pub(super) fn answer(
    state: &mut Records,
    tokens: &mut KnownTokens,
    marketplace: &mut Marketplace,
    call: &SandboxCall,
) -> Option<Result<Value, Refusal>> {
    Some(match call.operation.key.as_str() {
        "POST /oauth/token" => token(state, tokens, marketplace, call),
        "POST /oauth/locationToken" => location_token(state, tokens, call),
        "GET /oauth/installedLocations" => Ok(installed_locations(state, call)),
        _ => return None,
    })
}

/// [M] the code is checked before the client.
fn token(
    state: &mut Records,
    tokens: &mut KnownTokens,
    marketplace: &mut Marketplace,
    call: &SandboxCall,
) -> Result<Value, Refusal> {
    let renews = call.text("grant_type") == Some("refresh_token");
    let code = call.text("code").unwrap_or_default();
    let is_fixed = matches!(code, COMPANY_CODE | LOCATION_CODE);
    if !renews && !is_fixed && !marketplace.knows(code, call.now) {
        return Err(Refusal::code());
    }
    let client = call.text("client_id");
    if !is_client(client, call.text("client_secret")) {
        return Err(Refusal::client());
    }
    let client = client.unwrap_or_default();
    if renews {
        let refresh = call.text("refresh_token").unwrap_or_default();
        return tokens.renew(refresh, client, call.now);
    }
    let (installation, scopes) = if is_fixed {
        let installation = fixed(state, code == COMPANY_CODE);
        install(state, marketplace, &installation, call.now);
        (installation, None)
    } else {
        let redirect = call.text("redirect_uri");
        let (installation, mut scopes) = marketplace.redeem(code, client, redirect, call.now)?;
        // [M] the scopes of the exchange itself are always included.
        for own in ["oauth.readonly", "oauth.write"] {
            if !scopes.iter().any(|scope| scope == own) {
                scopes.push(own.to_owned());
            }
        }
        (installation, Some(scopes))
    };
    let location = installation.locations.first().cloned();
    let location = location.filter(|_| !installation.is_bulk);
    let account = KnownToken {
        class: if location.is_some() {
            TokenKind::Location
        } else {
            TokenKind::Company
        },
        company: installation.company.clone(),
        location: location.unwrap_or_default(),
        scopes,
        expires: None,
        grant: Some(OauthOrigin {
            client: client.to_owned(),
            installation,
        }),
    };
    Ok(tokens.mint(account, call.now))
}

/// The choice behind one of the fixed codes.
fn fixed(state: &Records, is_bulk: bool) -> Installation {
    let own = state
        .all("location")
        .filter(|one| one["companyId"] == COMPANY && (is_bulk || one["id"] == LOCATION));
    let locations = own.filter_map(|one| Some(one["id"].as_str()?.to_owned()));
    Installation {
        company: COMPANY.to_owned(),
        locations: locations.collect(),
        is_whole: is_bulk,
        is_bulk,
        user: "sandboxUser".to_owned(),
    }
}

/// [E] exchanges a company's token for one of its locations'. [I] only if the app is installed there, and the message.
fn location_token(
    state: &Records,
    tokens: &mut KnownTokens,
    call: &SandboxCall,
) -> Result<Value, Refusal> {
    let location = call.text("locationId").unwrap_or_default().to_owned();
    if state.get("install", &location).is_none() {
        let message = format!("The app is not installed in location {location}");
        return Err(Refusal::new(400, message));
    }
    let account = KnownToken {
        class: TokenKind::Location,
        company: call.token.company.clone(),
        location,
        scopes: call.token.scopes.clone(),
        expires: None,
        grant: call.token.grant.clone(),
    };
    Ok(tokens.mint(account, call.now))
}
