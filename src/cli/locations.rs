//! `locations`: the server's own locations, and whether each can be reached.

pub(super) mod add;
pub(super) mod document;
pub(super) mod import;
pub(super) mod trial;

use std::process::ExitCode;

use clap::Subcommand;

use self::document::SettingsDocument;
use super::terminal::{Text, table};
use super::{CliError, print, reach};
use crate::call::{missing_store, open_store};
use crate::config::{Config, Flags};
use crate::upstream::Transport;
use crate::upstream::accounts::Accounts;
use crate::upstream::caller::Credential;
use state::Store;
use state::vault::{CredentialKind, CredentialStatus, Vault, VaultLocation};

#[derive(Subcommand)]
pub(super) enum LocationsCommand {
    /// Every location of the settings, and those that people connected.
    List,
    /// Add one to the file of settings, once its token reaches it.
    Add(add::Add),
    /// Add many, from a CSV file or from an agency's app.
    Import(import::LocationImport),
    /// Take one out of the file of settings.
    Remove { alias: String },
    /// Read each location, or those named, and say whether it can be reached. Changes nothing.
    Test { aliases: Vec<String> },
}

pub(super) fn run(command: LocationsCommand, flags: &Flags) -> Result<ExitCode, CliError> {
    match command {
        LocationsCommand::List => list(&Config::load(flags)?)?,
        LocationsCommand::Add(add) => add.run(flags)?,
        LocationsCommand::Import(import) => return import.run(flags),
        LocationsCommand::Remove { alias } => remove(&alias, flags)?,
        LocationsCommand::Test { aliases } => return trial::test(&aliases, flags),
    }
    Ok(ExitCode::SUCCESS)
}

fn list(config: &Config) -> Result<(), CliError> {
    let accounts = accounts(config)?;
    let of_settings = config.locations.iter().map(|(alias, location)| {
        let credential = match (&location.token, &location.company) {
            (Some(source), _) => source.to_string(),
            (None, Some(company)) => format!("company {company}"),
            (None, None) => "none".to_owned(),
        };
        [
            Text::from(alias.as_str()),
            location.name.as_str().into(),
            location.location_id.as_str().into(),
            credential.into(),
            "settings".into(),
            match is_unusable(&accounts, alias) {
                true => Text::bad("unusable"),
                false => "".into(),
            },
        ]
    });
    let mut rows: Vec<_> = of_settings.collect();
    rows.extend(connected(config)?.into_iter().map(|location| {
        let credential = match location.kind {
            CredentialKind::Pit => "private integration".to_owned(),
            CredentialKind::Location => "app".to_owned(),
            CredentialKind::Company => {
                format!("app of company {}", location.company.unwrap_or_default())
            }
        };
        let source = match location.owner {
            Some(owner) => format!("connected by {owner}"),
            None => "connected for all".to_owned(),
        };
        let status = location.status.word();
        [
            location.alias.into(),
            location.name.into(),
            location.location.into(),
            credential.into(),
            source.into(),
            match location.status {
                CredentialStatus::Good => Text::good(status),
                _ => Text::bad(status),
            },
        ]
    }));
    let columns = [
        "Alias",
        "Name",
        "Location",
        "Credential",
        "Source",
        "Status",
    ];
    if rows.is_empty() {
        eprintln!(
            "There is no location yet; `highlevel-mcp locations add --help` says how one is added."
        );
    }
    table(columns, rows)?;
    for fault in accounts.faults() {
        eprintln!("{fault}");
    }
    Ok(())
}

/// The locations of the settings, without the server's state.
fn accounts(config: &Config) -> Result<Accounts, CliError> {
    let transport = Transport::new(&config.upstream, &config.limits);
    let oauth = transport.map_err(CliError)?.oauth();
    Ok(Accounts::new(config, &oauth, &Store::in_memory()?))
}

fn is_unusable(accounts: &Accounts, alias: &str) -> bool {
    let account = accounts.find(alias);
    account.is_none_or(|account| matches!(account.credential, Credential::Unusable(_)))
}

/// What people connected, where they may.
fn connected(config: &Config) -> Result<Vec<VaultLocation>, CliError> {
    let has_store = config.state.folder()?.is_some() && missing_store(config)?.is_none();
    if !config.oauth.is_on() || !has_store {
        return Ok(Vec::new());
    }
    let store = open_store(config)?;
    Ok(Vault::new(&store).list().wait()?)
}

fn remove(alias: &str, flags: &Flags) -> Result<(), CliError> {
    let mut document = SettingsDocument::open(flags)?;
    if !document.remove_location(alias)? {
        let known = document.location_aliases()?;
        let CliError(what) = reach::no_location(alias, known.iter().map(String::as_str));
        return Err(CliError(format!("{}: {what}", document.path().display())));
    }
    document.save(flags)?;
    print(format_args!(
        "{alias} is no longer in {}\n",
        document.path().display()
    ))
}
