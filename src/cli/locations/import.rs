//! `locations import`: adds many locations to the file of settings at once, from a CSV file or an agency.

mod agency;
pub(in crate::cli) mod csv_rows;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::document::{NewLocation, ReachedBy, SettingsDocument, make_private_folder, write_token};
use super::trial::{self, Trial};
use crate::cli::output::{Column, OutputFlags, TableRow, Text};
use crate::cli::terminal::waiting;
use crate::cli::{CliError, runtime};
use crate::config::{Config, Flags, SecretSource};
use crate::upstream::TenantId;

#[derive(Args)]
pub(in crate::cli) struct LocationImport {
    /// CSV file, or - for stdin. Its first line names the columns: alias, location_id, one of token, token_file,
    /// token_env and company, and optionally name. Without an alias, it is derived from the name.
    #[arg(
        required_unless_present = "from_agency",
        conflicts_with = "from_agency"
    )]
    file: Option<PathBuf>,
    /// Add the locations where the app of this company of the settings is installed. Without a company, print the
    /// locations of the agency of HIGHLEVEL_TOKEN as CSV, where you fill in their tokens: the token of an agency's
    /// private integration reaches none of them.
    #[arg(long, value_name = "COMPANY", num_args = 0..=1)]
    from_agency: Option<Option<String>>,
    /// Folder for the tokens of the column `token`, one file each, readable only by its owner. The default is `tokens`
    /// beside the settings file.
    #[arg(long, value_name = "FOLDER")]
    tokens_in: Option<PathBuf>,
    /// Show what would be added, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not test the tokens.
    #[arg(long)]
    no_check: bool,
    #[command(flatten)]
    output: OutputFlags,
}

/// One location to import.
struct ImportRow {
    /// Its place in the file, such as `line 3`.
    label: String,
    alias: String,
    name: Option<String>,
    id: TenantId,
    source: ImportSource,
}

enum ImportSource {
    /// The token itself.
    Token(SecretString),
    Place(SecretSource),
    Company(String),
}

/// A row that cannot be imported, with the reason.
struct RowFault {
    label: String,
    alias: String,
    what: String,
}

/// The outcome of a row.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "finding")]
enum ImportOutcome {
    Added(String),
    Already(String),
    Fault(String),
}

/// A line of the report.
#[derive(Serialize)]
struct RowReport {
    /// Its place in the file, such as `line 3`.
    #[serde(rename = "row")]
    label: String,
    alias: String,
    #[serde(flatten)]
    outcome: ImportOutcome,
}

impl LocationImport {
    /// Exit code 1 if a row could not be imported.
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        let document = SettingsDocument::open(flags)?;
        let config = document.settings(flags)?;
        let rows = match (&self.file, &self.from_agency) {
            (_, Some(Some(company))) => agency::installed(config.clone(), company)?,
            (_, Some(None)) => return agency::print_locations(config, self.output),
            (Some(file), None) => csv_rows::read(file)?,
            (None, None) => return Err(CliError("give a CSV file or --from-agency".to_owned())),
        };
        let order: Vec<String> = rows.iter().map(label).collect();
        let (rows, mut reports) = sort_out(rows, &config);
        let trials = match self.no_check {
            true => Vec::new(),
            false => self.try_rows(&rows, &document, flags)?,
        };
        let mut trials = trials.into_iter();
        let mut sound = Vec::new();
        for row in rows {
            match trials.next() {
                Some(Err(what)) => reports.push(row.report(ImportOutcome::Fault(what))),
                Some(Ok(found)) => sound.push((row, found)),
                None => sound.push((row, "not tested".to_owned())),
            }
        }
        let file = document.path().display().to_string();
        if !self.dry_run && !sound.is_empty() {
            self.keep(document, &sound, flags)?;
        }
        let added = sound.len();
        let sound = sound.into_iter();
        reports.extend(sound.map(|(row, found)| row.report(ImportOutcome::Added(found))));
        let place = |report: &RowReport| order.iter().position(|label| *label == report.label);
        reports.sort_by_key(place);
        let faults = show(&reports, self.output)?;
        let would = if self.dry_run { "would be" } else { "are" };
        let more = match self.dry_run {
            false if added > 0 => ". On SIGHUP a running server reads them",
            _ => "",
        };
        eprintln!("{added} {would} added to {file}, {faults} cannot be{more}");
        Ok(ExitCode::from(u8::from(faults > 0)))
    }

    /// HighLevel's verdict on each row, under settings that are in no file yet.
    fn try_rows(
        &self,
        rows: &[ImportRow],
        document: &SettingsDocument,
        flags: &Flags,
    ) -> Result<Vec<Trial>, CliError> {
        let folder = tempfile::tempdir()?;
        let mut document = document.clone();
        for row in rows {
            document.add(row, folder.path())?;
            if let ImportSource::Token(token) = &row.source {
                write_token(
                    &token_path(folder.path(), &row.alias),
                    token.expose_secret(),
                )?;
            }
        }
        let config = document.settings(flags)?;
        let pipeline = trial::open(config.clone())?;
        let snapshot = pipeline.snapshot();
        let mut callers = Vec::new();
        for row in rows {
            let account = snapshot.locations.find(&row.alias);
            callers.push(account.map(|account| account.caller()));
        }
        let trials = trial::read_locations(&pipeline, callers);
        let trials = runtime()?.block_on(waiting("asking HighLevel", trials))?;
        let trials = trials
            .into_iter()
            .zip(rows)
            .map(|(trial, row)| match &row.source {
                // The variable is for the machine where the server runs.
                ImportSource::Place(source @ SecretSource::Env(name))
                    if config.secret(source).is_err() =>
                {
                    Ok(format!("not tested: {name} is not set here"))
                }
                _ => trial,
            });
        Ok(trials.collect())
    }

    /// Writes tokens and settings. If the settings cannot be written, no token is left behind.
    fn keep(
        &self,
        mut document: SettingsDocument,
        rows: &[(ImportRow, String)],
        flags: &Flags,
    ) -> Result<(), CliError> {
        let folder = match &self.tokens_in {
            Some(folder) => folder.clone(),
            None => document.folder().join("tokens"),
        };
        let folder = std::path::absolute(folder)?;
        let mut written = Vec::new();
        let done = rows.iter().try_for_each(|(row, _)| {
            if let ImportSource::Token(token) = &row.source {
                let path = token_path(&folder, &row.alias);
                make_private_folder(&folder)?;
                let is_new = !path.exists();
                write_token(&path, token.expose_secret())?;
                written.extend(is_new.then_some(path));
            }
            document.add(row, &folder)
        });
        let done = done.and_then(|()| document.save(flags));
        if done.is_err() {
            for path in written {
                // The file was just made, so a failure to remove it is ignored: the reported error says more.
                let _ = std::fs::remove_file(path);
            }
        }
        done
    }
}

impl ImportRow {
    fn report(self, outcome: ImportOutcome) -> RowReport {
        RowReport {
            label: self.label,
            alias: self.alias,
            outcome,
        }
    }
}

impl SettingsDocument {
    /// Adds the row, with its token in this folder if it brings one.
    fn add(&mut self, row: &ImportRow, folder: &Path) -> Result<(), CliError> {
        let of_token;
        let reached_by = match &row.source {
            ImportSource::Company(company) => ReachedBy::Company(company),
            ImportSource::Place(source) => ReachedBy::Token(source),
            ImportSource::Token(_) => {
                of_token = SecretSource::File(token_path(folder, &row.alias));
                ReachedBy::Token(&of_token)
            }
        };
        self.add_location(&NewLocation {
            alias: &row.alias,
            name: row.name.as_deref(),
            id: &row.id,
            reached_by,
        })
    }
}

fn label(row: &Result<ImportRow, RowFault>) -> String {
    match row {
        Ok(row) => row.label.clone(),
        Err(fault) => fault.label.clone(),
    }
}

fn token_path(folder: &Path, alias: &str) -> PathBuf {
    folder.join(format!("{alias}.token"))
}

/// The new rows, and reports on the others.
fn sort_out(
    rows: Vec<Result<ImportRow, RowFault>>,
    config: &Config,
) -> (Vec<ImportRow>, Vec<RowReport>) {
    let settings = config.locations.iter();
    let known: BTreeMap<&str, &str> = settings
        .map(|(alias, location)| (location.location_id.as_str(), alias.as_str()))
        .collect();
    let mut aliases: BTreeMap<String, String> = BTreeMap::new();
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    let (mut fresh, mut reports) = (Vec::new(), Vec::new());
    for row in rows {
        let row = match row {
            Ok(row) => row,
            Err(RowFault { label, alias, what }) => {
                let outcome = ImportOutcome::Fault(what);
                reports.push(RowReport {
                    label,
                    alias,
                    outcome,
                });
                continue;
            }
        };
        let outcome = if let Some(alias) = known.get(row.id.as_str()) {
            ImportOutcome::Already(format!("is in the settings as {alias}"))
        } else if config.locations.contains_key(&row.alias) {
            ImportOutcome::Fault("the settings use this alias for another location_id".to_owned())
        } else if let Some(other) = aliases.get(&row.alias) {
            ImportOutcome::Fault(format!("has the same alias as {other}"))
        } else if let Some(other) = ids.get(row.id.as_str()) {
            ImportOutcome::Fault(format!("has the same location_id as {other}"))
        } else {
            aliases.insert(row.alias.clone(), row.label.clone());
            ids.insert(row.id.as_str().to_owned(), row.label.clone());
            fresh.push(row);
            continue;
        };
        reports.push(row.report(outcome));
    }
    (fresh, reports)
}

/// Prints one line per row. Returns the number of faults.
fn show(reports: &[RowReport], output: OutputFlags) -> Result<usize, CliError> {
    let faults = reports.iter();
    let faults = faults.filter(|report| matches!(report.outcome, ImportOutcome::Fault(_)));
    output.rows(reports, "There is nothing to import.")?;
    Ok(faults.count())
}

impl TableRow<4> for RowReport {
    const COLUMNS: [Column; 4] = [
        Column::copied(""),
        Column::shortened("Row"),
        Column::copied("Alias"),
        Column::prose("Finding"),
    ];

    fn cells(&self) -> [Text; 4] {
        let (mark, what) = match &self.outcome {
            ImportOutcome::Added(what) => (Text::good("ok"), what),
            ImportOutcome::Already(what) => (Text::aside("already"), what),
            ImportOutcome::Fault(what) => (Text::bad("fault"), what),
        };
        [
            mark,
            self.label.as_str().into(),
            self.alias.as_str().into(),
            what.as_str().into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::tests::check_fits;

    #[test]
    fn a_report_fits_a_terminal() {
        let row = RowReport {
            label: "line 12".to_owned(),
            alias: "branch-40-in-san-francisco".to_owned(),
            outcome: ImportOutcome::Fault("has the location_id of line 3".to_owned()),
        };
        check_fits(&RowReport::COLUMNS, &[row.cells().into()]);
    }
}
