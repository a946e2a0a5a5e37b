//! `login --highlevel`: the sign-in at HighLevel by the operator's app, whose redirect address is on another machine.
//!
//! HighLevel accepts no address of this machine for an app, so nothing can listen: the person pastes the address at which
//! the browser ended. Nobody else can use it, because only the app's secret exchanges a code.

use std::process::ExitCode;

use serde_json::json;

use super::{CliError, Login, Logout, random_text, read_address};
use crate::call::Pipeline;
use crate::cli::output::note;
use crate::cli::{StateFlags, runtime};
use crate::config::{Config, Flags, MARKETPLACE_CALLBACK};
use crate::upstream::company::{App, HighLevelLogin, consent_page};
use crate::upstream::{Caller, Failure, TenantId, Transport};

/// The server's name in sentences and in the JSON of `login`.
const NAME: &str = "HighLevel";

pub(super) fn sign_in(login: &Login, flags: &Flags) -> Result<ExitCode, CliError> {
    let config = login.of.config(flags)?;
    let app = app(&config)?;
    let redirect = redirect(login, &config)?;
    let state = random_text()?;
    let page = consent_page(&config.marketplace, &redirect, &state)?;
    login.show(page.as_str());
    let how_it_ends = format!(
        "Choose a sub-account there. Your browser ends at an address that begins with {redirect}, whatever that page shows."
    );
    let code = read_address(&how_it_ends, &redirect)?.code(&state, NAME)?;
    let oauth = Transport::open(&config).map_err(CliError)?.oauth();
    // Without a code there is nothing to store.
    let (config, store) = StateFlags::open_or_make(config)?;
    let kept = HighLevelLogin::new(&store);
    let begun = kept.begin(&oauth, &app, (&code, &redirect));
    let install = runtime()?.block_on(begun).map_err(sentence)?;
    if !config.account.is_empty() {
        note("HIGHLEVEL_TOKEN is set, so `stdio` and `call` use that token until you unset it.");
    }
    let location = install.location().map(TenantId::as_str);
    let company = install.company().map(TenantId::as_str);
    let place = match (location, company) {
        (Some(location), _) => format!("for the sub-account {location}"),
        (None, Some(company)) => format!("for the agency {company}"),
        (None, None) => "for an agency".to_owned(),
    };
    let next = match (location, install.approved.len()) {
        (Some(_), _) | (None, 1) => "",
        (None, _) => " Set HIGHLEVEL_LOCATION_ID to a sub-account, or name one in each call.",
    };
    let text = format!(
        "You are signed in at {NAME}, {place}. `highlevel-mcp stdio` and `highlevel-mcp call` act there unless \
         HIGHLEVEL_TOKEN is set; `highlevel-mcp logout --highlevel` removes the sign-in.{next}\n"
    );
    let record = json!({
        "server": NAME, "is_signed_in": true, "location": location, "company": company,
    });
    login.output.record(&record, text)?;
    Ok(ExitCode::SUCCESS)
}

/// HighLevel has no call that ends tokens. Only uninstalling the app does.
pub(super) fn sign_out(logout: &Logout, flags: &Flags) -> Result<ExitCode, CliError> {
    let (_, store) = logout.of.look(flags)?;
    if !HighLevelLogin::new(&store).forget()? {
        return Err(CliError(format!("you are not signed in at {NAME}")));
    }
    let why = "HighLevel ends the access only when the app is uninstalled";
    let text = format!(
        "The sign-in at {NAME} is removed here. The app is still installed: uninstall it in {NAME} to end its access.\n"
    );
    let record = json!({"server": NAME, "is_signed_in": false, "server_knows": false, "why": why});
    logout.output.record(&record, text)?;
    Ok(ExitCode::SUCCESS)
}

/// The caller of that sign-in; `None` if the settings have a token or nobody is signed in.
pub(in crate::cli) fn caller(
    config: &Config,
    pipeline: &Pipeline,
) -> Result<Option<Caller>, CliError> {
    let login = HighLevelLogin::new(&pipeline.controls().store);
    if !config.account.is_empty() || !login.is_kept()? {
        return Ok(None);
    }
    let named =
        match config.account.location_id.as_str() {
            "" => None,
            text => Some(TenantId::parse(text).ok_or_else(|| {
                CliError("HIGHLEVEL_LOCATION_ID is not a HighLevel id".to_owned())
            })?),
        };
    let oauth = pipeline.transport().oauth();
    let found = login.caller(&oauth, app(config)?, named);
    found.map_err(sentence)
}

fn app(config: &Config) -> Result<App, CliError> {
    if !config.marketplace.is_on() {
        return Err(CliError(
            "the settings name no app of HighLevel's Marketplace, which the sign-in needs. Set marketplace.client_id \
             and marketplace.client_secret"
                .to_owned(),
        ));
    }
    App::from_settings(config).map_err(CliError)
}

fn redirect(login: &Login, config: &Config) -> Result<String, CliError> {
    match (&login.redirect, config.oauth.url.as_str()) {
        (Some(own), _) => match own.parse::<reqwest::Url>() {
            Ok(url) if url.scheme() == "https" && url.fragment().is_none() => Ok(own.clone()),
            _ => Err(CliError(format!(
                "HighLevel does not accept --redirect {own:?}. The address must begin with https:// and have no #"
            ))),
        },
        (None, "") => Err(CliError(
            "give --redirect with the redirect address of the app, exactly as on its page in the \
             Marketplace"
                .to_owned(),
        )),
        (None, url) => Ok(format!("{url}{MARKETPLACE_CALLBACK}")),
    }
}

fn sentence(failure: Failure) -> CliError {
    let remedy = failure.remedy.as_deref().unwrap_or_default();
    CliError(
        format!("{} {remedy}", failure.sentence)
            .trim_end()
            .to_owned(),
    )
}
