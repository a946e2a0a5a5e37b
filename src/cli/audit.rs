//! `audit`: the recorded calls, with their callers and outcomes.

mod events;
mod row;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};

use self::events::EventList;
use self::row::AuditRow;
use super::known_names::KnownNames;
use super::output::{GrowingTable, OutputFlags, note};
use super::pager::PagerFlags;
use super::terminal::print_relayed;
use super::tools::EndpointTool;
use super::{CliError, StateFlags, reach};
use crate::config::{Config, Flags};
use state::Store;
use state::audit::{AuditQuery, AuditRecord, Follow, lines, records};
use tool::{first_names, nearest};

/// The interval at which the store is read.
const PAUSE: Duration = Duration::from_millis(500);

/// Outcomes that any call can have.
const OUTCOMES: [&str; 2] = ["ok", "cut_off"];

const NO_CALLS: &str =
    "The audit is empty. It holds calls that change something, and refusals, but no reads.";

#[derive(Subcommand)]
pub(super) enum AuditCommand {
    /// Show the last calls.
    Tail(Tail),
    /// Find calls that match all conditions. A text that ends with * matches every text with that beginning.
    Search(AuditSearch),
    /// Show one call, with everything that is known about it.
    Show(AuditShow),
    /// Print every line as it was written, one JSON object each, oldest first.
    Export(Export),
    /// Show recent events about people, links, clients, connections and locations.
    Events(EventList),
}

#[derive(Args)]
pub(super) struct Tail {
    /// Number of calls.
    #[arg(short = 'n', value_name = "N", default_value_t = 10)]
    count: usize,
    /// Continue with new lines as they come.
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    pager: PagerFlags,
    #[command(flatten)]
    of: StateFlags,
}

#[derive(Args)]
pub(super) struct AuditShow {
    /// Id of the call from the list, or the beginning of it.
    id: String,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    of: StateFlags,
}

#[derive(Args)]
pub(super) struct Export {
    /// Not before this time: 2026-11-25T08:00:00Z, or 12h or 7d ago.
    #[arg(long, value_name = "TIME", value_parser = past)]
    since: Option<Timestamp>,
    /// Not after this time, in the form of --since.
    #[arg(long, value_name = "TIME", value_parser = past)]
    until: Option<Timestamp>,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    of: StateFlags,
}

#[derive(Args)]
pub(super) struct AuditSearch {
    /// Tool name, such as contacts_*.
    #[arg(long)]
    tool: Option<String>,
    /// Id or alias of the location.
    #[arg(long)]
    location: Option<String>,
    /// Name of an access key, client or person, or an id such as key:ID or credential:HMAC.
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// `ok`, the class of a failure or refusal, or `cut_off`.
    #[arg(long)]
    outcome: Option<String>,
    /// Not before this time: 2026-11-25T08:00:00Z, or 12h or 7d ago.
    #[arg(long, value_name = "TIME", value_parser = past)]
    since: Option<Timestamp>,
    /// Not after this time, in the form of --since.
    #[arg(long, value_name = "TIME", value_parser = past)]
    until: Option<Timestamp>,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    pager: PagerFlags,
    #[command(flatten)]
    of: StateFlags,
}

impl AuditCommand {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        match self {
            Self::Tail(tail) => tail.run(flags)?,
            Self::Export(export) => {
                let (_, store) = export.of.open(flags)?;
                lines(&store, export.since, export.until, |lines| {
                    print_all(&lines).map_err(|CliError(what)| what.into())
                })?;
            }
            Self::Events(events) => events.run(flags)?,
            Self::Show(show) => show.run(flags)?,
            Self::Search(search) => search.run(flags)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Tail {
    fn run(self, flags: &Flags) -> Result<(), CliError> {
        let (config, store) = self.of.open(flags)?;
        if self.follow {
            return follow(&config, &store, self.count, self.output);
        }
        let query = AuditQuery {
            last: Some(self.count),
            ..AuditQuery::default()
        };
        let found = records(&store, &query)?;
        tell(&found.unreadable);
        let rows = rows(&found.records, &config, &store)?;
        self.output.paged_rows(&rows, NO_CALLS, &self.pager)
    }
}

impl AuditSearch {
    fn run(self, flags: &Flags) -> Result<(), CliError> {
        let (config, store) = self.of.open(flags)?;
        let query = AuditQuery {
            tool: self.tool.clone(),
            location: self.location.clone(),
            outcome: self.outcome.clone(),
            since: self.since,
            until: self.until,
            ..AuditQuery::default()
        };
        let mut found = records(&store, &query)?;
        tell(&found.unreadable);
        if found.records.is_empty() {
            self.refuse_typos(&config, &store)?;
        }
        let mut none =
            "No call matches. `highlevel-mcp audit tail` shows the last calls.".to_owned();
        if let Some(name) = self.who {
            let queries: Vec<AuditQuery> = KnownNames::read(&config, &store)?
                .callers_named(&name)
                .into_iter()
                .map(|who| AuditQuery {
                    who: Some(who),
                    ..AuditQuery::default()
                })
                .collect();
            let is_by = |record: &AuditRecord| queries.iter().any(|query| query.fits(record));
            found.records.retain(is_by);
            none = format!(
                "No call of {name} matches. `highlevel-mcp keys list`, `connections list` and `people list` show the \
                 known names."
            );
        }
        let rows = rows(&found.records, &config, &store)?;
        self.output.paged_rows(&rows, none, &self.pager)
    }
}

impl AuditSearch {
    /// Fails if a condition names what neither this program nor any recorded call has.
    fn refuse_typos(&self, config: &Config, store: &Store) -> Result<(), CliError> {
        let exact = |given: &Option<String>| given.clone().filter(|given| !given.ends_with('*'));
        let all = records(store, &AuditQuery::default())?.records;
        let calls = || all.iter().map(|record| &record.call);
        if let Some(tool) = exact(&self.tool)
            && !calls().any(|call| call.tool == tool)
        {
            EndpointTool::find(&tool, None)?;
        }
        if let Some(location) = exact(&self.location)
            && !calls().any(|call| call.location.as_ref() == Some(&location))
            && !config
                .locations
                .values()
                .any(|known| known.location_id == location)
        {
            let aliases: BTreeSet<&String> =
                calls().filter_map(|call| call.alias.as_ref()).collect();
            if !aliases.contains(&location) {
                reach::check_known(config, store, &[location])?;
            }
        }
        if let Some(outcome) = exact(&self.outcome) {
            let refusals = calls().filter_map(|call| call.class.as_deref());
            let outcomes = all.iter().filter_map(|record| record.outcome.as_deref());
            let known: BTreeSet<&str> = OUTCOMES
                .into_iter()
                .chain(refusals)
                .chain(outcomes)
                .collect();
            if let Some(near) = nearest(&outcome, known.iter().map(|one| (*one, one)))
                && !known.contains(outcome.as_str())
            {
                return Err(CliError(format!(
                    "no call has the outcome {outcome}; did you mean {near}?"
                )));
            }
            if !known.contains(outcome.as_str()) {
                return Err(CliError(format!(
                    "no call has the outcome {outcome}; the calls of this audit have {}",
                    first_names(known)
                )));
            }
        }
        Ok(())
    }
}

impl AuditShow {
    fn run(self, flags: &Flags) -> Result<(), CliError> {
        let (config, store) = self.of.open(flags)?;
        let found = records(&store, &AuditQuery::default())?;
        let is_it = |record: &&AuditRecord| record.call.id.starts_with(&self.id);
        let mut fitting = found.records.iter().filter(is_it);
        let (Some(record), other) = (fitting.next(), fitting.next()) else {
            return Err(CliError(format!(
                "there is no call {} in the audit; `highlevel-mcp audit tail` shows the last ones with their ids",
                self.id
            )));
        };
        if other.is_some() {
            return Err(CliError(format!(
                "several ids begin with {}. Give more of the id",
                self.id
            )));
        }
        let row = AuditRow::new(record, &KnownNames::read(&config, &store)?, &config)?;
        self.output.fields(&row, row.fields())
    }
}

/// The calls as a list shows them. Prints a note if they went to the sandbox.
fn rows<'a>(
    records: &'a [AuditRecord],
    config: &Config,
    store: &Store,
) -> Result<Vec<AuditRow<'a>>, CliError> {
    let names = KnownNames::read(config, store)?;
    let rows = records
        .iter()
        .map(|record| AuditRow::new(record, &names, config));
    let rows: Vec<AuditRow> = rows.collect::<Result<_, CliError>>()?;
    if config.upstream.simulated && !rows.is_empty() {
        eprintln!("These calls went to the sandbox and reached nobody.");
    }
    Ok(rows)
}

/// Ends when nobody reads the rows any more.
fn follow(
    config: &Config,
    store: &Store,
    count: usize,
    output: OutputFlags,
) -> Result<(), CliError> {
    let query = AuditQuery::default();
    let mut follow = Follow::new(store);
    let mut count = Some(count);
    let mut table = GrowingTable::default();
    loop {
        let found = follow.more(&query)?;
        tell(&found.unreadable);
        let most = count.take().unwrap_or(usize::MAX);
        let known = found.records.len().saturating_sub(most);
        if found.records.len() > known {
            let names = KnownNames::read(config, store)?;
            let new = found.records.iter().skip(known);
            let rows: Result<Vec<AuditRow>, CliError> = new
                .map(|record| AuditRow::new(record, &names, config))
                .collect();
            if !output.still_read(&rows?, &mut table)? {
                return Ok(());
            }
        }
        sleep(PAUSE);
    }
}

/// In one write: there may be millions of lines.
fn print_all(lines: &[String]) -> Result<(), CliError> {
    print_relayed(&(lines.join("\n") + "\n"))
}

fn tell(unreadable: &[i64]) {
    for line in unreadable {
        note(format_args!(
            "line {line} of the audit cannot be read: a later version wrote it, or the store is damaged"
        ));
    }
}

fn past(text: &str) -> Result<Timestamp, String> {
    let hours = |(digits, unit): (&str, char)| {
        let count: i64 = digits.parse().ok().filter(|count| *count >= 0)?;
        match unit {
            'h' => Some(count),
            'd' => count.checked_mul(24),
            _ => None,
        }
    };
    let last = text.chars().next_back();
    let ago = last.and_then(|last| hours((text.strip_suffix(last)?, last)));
    let time = match ago {
        Some(hours) => SignedDuration::try_from_hours(hours)
            .and_then(|ago| Timestamp::now().checked_sub(ago).ok()),
        None => text.parse().ok(),
    };
    time.ok_or_else(|| "give a time such as 2026-11-25T08:00:00Z, or 12h or 7d ago".to_owned())
}
