//! `locations`: the server's own locations, and whether each can be reached.

pub(super) mod add;
pub(super) mod document;
pub(super) mod import;
pub(super) mod trial;

use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use self::document::SettingsDocument;
use super::output::{Column, OutputFlags, TableRow, Text};
use super::{CliError, reach};
use crate::call::{has_store, open_store};
use crate::config::{Config, Flags};
use crate::upstream::Transport;
use crate::upstream::accounts::Accounts;
use crate::upstream::caller::Credential;
use state::Store;
use state::vault::{CredentialKind, CredentialStatus, Vault, VaultLocation};

#[derive(Subcommand)]
pub(super) enum LocationsCommand {
    /// List every location of the settings, and those that people connected.
    List(OutputFlags),
    /// Add a location to the settings file, after a test of its token.
    Add(add::Add),
    /// Add many locations, from a CSV file or from an agency's app.
    Import(import::LocationImport),
    /// Remove a location from the settings file.
    Remove {
        alias: String,
        #[command(flatten)]
        output: OutputFlags,
    },
    /// Test whether all locations, or the named ones, can be reached. Changes nothing.
    Test(trial::LocationTest),
}

pub(super) fn run(command: LocationsCommand, flags: &Flags) -> Result<ExitCode, CliError> {
    match command {
        LocationsCommand::List(output) => list(&Config::load(flags)?, output)?,
        LocationsCommand::Add(add) => add.run(flags)?,
        LocationsCommand::Import(import) => return import.run(flags),
        LocationsCommand::Remove { alias, output } => remove(&alias, output, flags)?,
        LocationsCommand::Test(test) => return test.run(flags),
    }
    Ok(ExitCode::SUCCESS)
}

/// A location as a list shows it.
#[derive(Serialize)]
struct LocationListRow {
    alias: String,
    /// HighLevel's id.
    location: String,
    location_name: String,
    credential: String,
    /// `settings`, or the owner of a connected location.
    source: String,
    /// `usable` or `unusable` for a location of the settings; for a connected one the status of its credential.
    state: &'static str,
}

impl TableRow<6> for LocationListRow {
    const COLUMNS: [Column; 6] = [
        Column::copied("Alias"),
        Column::shortened("Name").least(10),
        Column::copied("Location").rank(1),
        Column::shortened("Credential").least(10).rank(3),
        Column::shortened("Source").least(8).rank(2),
        Column::copied("State"),
    ];

    fn cells(&self) -> [Text; 6] {
        [
            self.alias.as_str().into(),
            self.location_name.as_str().into(),
            self.location.as_str().into(),
            self.credential.as_str().into(),
            self.source.as_str().into(),
            match self.state {
                USABLE => Text::good(self.state),
                word if word == CredentialStatus::Good.word() => Text::good(word),
                word => Text::bad(word),
            },
        ]
    }
}

const USABLE: &str = "usable";

fn list(config: &Config, output: OutputFlags) -> Result<(), CliError> {
    let accounts = accounts(config)?;
    let of_settings = config
        .locations
        .iter()
        .map(|(alias, location)| LocationListRow {
            alias: alias.clone(),
            location: location.location_id.clone(),
            location_name: location.name.clone(),
            credential: match (&location.token, &location.company) {
                (Some(source), _) => source.to_string(),
                (None, Some(company)) => format!("company {company}"),
                (None, None) => "none".to_owned(),
            },
            source: "settings".to_owned(),
            state: match is_unusable(&accounts, alias) {
                true => "unusable",
                false => USABLE,
            },
        });
    let mut rows: Vec<LocationListRow> = of_settings.collect();
    rows.extend(
        connected(config)?
            .into_iter()
            .map(|location| LocationListRow {
                credential: match location.kind {
                    CredentialKind::Pit => "private integration".to_owned(),
                    CredentialKind::Location => "app".to_owned(),
                    CredentialKind::Company => {
                        format!("app of company {}", location.company.unwrap_or_default())
                    }
                },
                source: match location.owner {
                    Some(owner) => format!("connected by {owner}"),
                    None => "connected for all".to_owned(),
                },
                state: location.status.word(),
                alias: location.alias,
                location: location.location,
                location_name: location.name,
            }),
    );
    output.rows(
        &rows,
        "There is no location yet. `highlevel-mcp locations add --help` shows how to add one.",
    )?;
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

/// The connected locations, if the settings allow connecting.
pub(super) fn connected(config: &Config) -> Result<Vec<VaultLocation>, CliError> {
    if !config.oauth.is_on() || !has_store(config)? {
        return Ok(Vec::new());
    }
    let store = open_store(config)?;
    Ok(Vault::new(&store).list().wait()?)
}

fn remove(alias: &str, output: OutputFlags, flags: &Flags) -> Result<(), CliError> {
    let mut document = SettingsDocument::open(flags)?;
    if !document.remove_location(alias)? {
        let known = document.location_aliases()?;
        let CliError(what) = reach::no_location(alias, known.iter().map(String::as_str));
        return Err(CliError(format!("{}: {what}", document.path().display())));
    }
    document.save(flags)?;
    let file = document.path();
    let text = format!("{alias} is no longer in {}\n", file.display());
    output.record(&json!({"alias": alias, "file": file}), text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::tests::check_fits;

    #[test]
    fn locations_fit_a_terminal() {
        let rows: Vec<Vec<Text>> = (1..=40)
            .map(|number| {
                let row = LocationListRow {
                    alias: format!("branch-of-a-long-name-{number}"),
                    location: "ve9EPM428h8vShlRW1KT".to_owned(),
                    location_name: "Harbor Dental & Spa of Portland, Oregon".to_owned(),
                    credential: "file /srv/highlevel/tokens/branch-of-a-long-name.token".to_owned(),
                    source: "connected by per_abcdefghijkl".to_owned(),
                    state: "unusable",
                };
                row.cells().into()
            })
            .collect();
        check_fits(&LocationListRow::COLUMNS, &rows);
    }
}
