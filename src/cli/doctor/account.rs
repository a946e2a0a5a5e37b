//! The checks of `doctor` on the server's own account: its token and location.

use jiff::Timestamp;

use super::{CheckMark, Finding};
use crate::call::Pipeline;
use crate::cli::CliError;
use crate::cli::login::highlevel;
use crate::config::Config;
use crate::http::own_account;
use crate::upstream::{Caller, Claims, LocationBinding, TenantId};

/// The account, if there is one. A server whose locations or people bring their own needs none.
pub(super) fn credential(config: &Config, findings: &mut Vec<Finding>) -> Option<Caller> {
    let finding = match own_account(&config.account) {
        Ok(Some(caller)) => return Some(caller),
        Ok(None) if !config.locations.is_empty() || config.oauth.is_on() => {
            let what = "the server has none of its own and needs none: calls name a location, or bring a token";
            Finding::new(CheckMark::Untried, "token", what)
        }
        Ok(None) => Finding::fault(
            "token",
            "none. Set HIGHLEVEL_TOKEN to a private integration token (HighLevel: Settings, Private Integrations), or \
             give --sandbox",
        ),
        Err(error) => Finding::fault("token", error.to_string()),
    };
    findings.push(finding);
    None
}

/// The sign-in of `login --highlevel`, where the settings have no token.
pub(super) fn login(
    config: &Config,
    pipeline: &Pipeline,
    findings: &mut Vec<Finding>,
) -> Result<Option<Caller>, CliError> {
    let login = highlevel::caller(config, pipeline)?;
    if login.is_some() {
        let what = "the sign-in of `highlevel-mcp login --highlevel`";
        findings.push(Finding::ok("token", what));
    }
    Ok(login)
}

/// What kind it is; whether HighLevel takes it is seen by the first read.
pub(super) fn token(claims: Option<&Claims>, is_pit: bool, findings: &mut Vec<Finding>) {
    let Some(claims) = claims else {
        let what = if is_pit {
            "a private integration token; its kind (location or agency) and its scopes cannot be determined"
        } else {
            "an OAuth access token without readable details"
        };
        findings.push(Finding::ok("token", what));
        return;
    };
    let class = claims.auth_class.as_deref().unwrap_or("unknown");
    findings.push(match class {
        "Company" => Finding::fault(
            "token",
            "an OAuth access token of a company, but the 21 tools need one of a location: exchange it at \
             /oauth/locationToken",
        ),
        _ => Finding::ok("token", format!("an OAuth access token, class {class}")),
    });
    let Some(expires) = claims.expires else {
        return;
    };
    let left = expires - Timestamp::now().as_second();
    findings.push(if left > 0 {
        let minutes = left / 60;
        Finding::ok("expiry", format!("in {minutes} minutes"))
    } else {
        let what = "the token has expired. Get a new one with its refresh token";
        Finding::fault("expiry", what)
    });
}

/// The location to ask for: that of the settings, else the token's own.
pub(super) fn location(
    caller: &mut Caller,
    claims: Option<&Claims>,
    findings: &mut Vec<Finding>,
) -> bool {
    let own = claims
        .filter(|claims| claims.auth_class.as_deref() == Some("Location"))
        .and_then(|claims| TenantId::parse(claims.auth_class_id.as_deref()?));
    match (&caller.location, own) {
        (None, None) => findings.push(Finding::fault(
            "location",
            "none. Set HIGHLEVEL_LOCATION_ID (the address of the sub-account's pages contains it)",
        )),
        (None, Some(own)) => caller.location = Some(LocationBinding::Pin(own)),
        (Some(LocationBinding::Pin(set) | LocationBinding::Default(set)), Some(own))
            if *set != own =>
        {
            let (set, own) = (set.as_str(), own.as_str());
            findings.push(Finding::fault(
                "location",
                format!("HIGHLEVEL_LOCATION_ID is {set}, but the token belongs to {own}. Set HIGHLEVEL_LOCATION_ID to \
                         {own}"),
            ));
        }
        _ => {}
    }
    caller.location.is_some()
}
