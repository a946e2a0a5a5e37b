//! `audit`: who called what, and how it ended.

mod events;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};

use self::events::EventList;
use super::terminal::{Text, print_relayed, table, visible};
use super::{CliError, StateFlags};
use crate::config::Flags;
use state::Store;
use state::audit::{AuditQuery, AuditRecord, Follow, RecordState, lines, records};

/// How often the store is looked at.
const PAUSE: Duration = Duration::from_millis(500);

const HEADER: [&str; 5] = ["Began", "Outcome", "Tool", "Location", "Who"];

#[derive(Subcommand)]
pub(super) enum AuditCommand {
    /// The last calls.
    Tail(Tail),
    /// The calls that fit everything that is asked for; a text that ends with * stands for all that begin so.
    Search(AuditSearch),
    /// Every line as it was written, one JSON object each, oldest first.
    Export(Export),
    /// What happened to people, links, clients, connections and locations lately.
    Events(EventList),
}

#[derive(Args)]
pub(super) struct Tail {
    /// How many.
    #[arg(short = 'n', value_name = "N", default_value_t = 10)]
    count: usize,
    /// Go on with new ones as they come.
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    of: StateFlags,
}

#[derive(Args)]
pub(super) struct Export {
    /// Not before: 2026-11-25T08:00:00Z, or 12h or 7d ago.
    #[arg(long, value_name = "TIME", value_parser = past)]
    since: Option<Timestamp>,
    /// Not after; as --since.
    #[arg(long, value_name = "TIME", value_parser = past)]
    until: Option<Timestamp>,
    #[command(flatten)]
    of: StateFlags,
}

#[derive(Args)]
pub(super) struct AuditSearch {
    /// Tool name, such as contacts_*.
    #[arg(long)]
    tool: Option<String>,
    /// Id or alias.
    #[arg(long)]
    location: Option<String>,
    /// key:ID or credential:HMAC, as it stands in the list.
    #[arg(long)]
    who: Option<String>,
    /// `ok`, the class of a failure or refusal, or `cut_off`.
    #[arg(long)]
    outcome: Option<String>,
    /// Not before: 2026-11-25T08:00:00Z, or 12h or 7d ago.
    #[arg(long, value_name = "TIME", value_parser = past)]
    since: Option<Timestamp>,
    /// Not after; as --since.
    #[arg(long, value_name = "TIME", value_parser = past)]
    until: Option<Timestamp>,
    /// Everything that is known of each, one JSON object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    of: StateFlags,
}

impl AuditCommand {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        match self {
            Self::Tail(tail) if tail.follow => follow(&tail.of.open(flags)?.1, tail.count)?,
            Self::Tail(tail) => {
                let last = Some(tail.count);
                let query = AuditQuery {
                    last,
                    ..AuditQuery::default()
                };
                show(&tail.of.open(flags)?.1, &query, false)?;
            }
            Self::Export(export) => {
                let (_, store) = export.of.open(flags)?;
                lines(&store, export.since, export.until, |lines| {
                    print_all(&lines).map_err(|CliError(what)| what.into())
                })?;
            }
            Self::Events(events) => events.run(flags)?,
            Self::Search(search) => {
                let query = AuditQuery {
                    tool: search.tool,
                    location: search.location,
                    who: search.who,
                    outcome: search.outcome,
                    since: search.since,
                    until: search.until,
                    ..AuditQuery::default()
                };
                show(&search.of.open(flags)?.1, &query, search.json)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn show(store: &Store, query: &AuditQuery, json: bool) -> Result<(), CliError> {
    let found = records(store, query)?;
    tell(&found.unreadable);
    if !json {
        return table(HEADER, found.records.iter().map(row).collect());
    }
    for record in &found.records {
        print_relayed(&(serde_json::to_string(record)? + "\n"))?;
    }
    Ok(())
}

/// Lines, for a table is as wide as what is still to come. Ends where nobody reads them any more.
fn follow(store: &Store, count: usize) -> Result<(), CliError> {
    let query = AuditQuery::default();
    let mut follow = Follow::new(store);
    let mut count = Some(count);
    loop {
        let found = follow.more(&query)?;
        tell(&found.unreadable);
        let most = count.take().unwrap_or(usize::MAX);
        let known = found.records.len().saturating_sub(most);
        for record in found.records.iter().skip(known) {
            let cells = row(record).map(Text::into_text);
            match writeln!(std::io::stdout(), "{}", cells.join("\t")) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                written => written?,
            }
        }
        sleep(PAUSE);
    }
}

/// By one write: there may be millions.
fn print_all(lines: &[String]) -> Result<(), CliError> {
    print_relayed(&(lines.join("\n") + "\n"))
}

fn tell(unreadable: &[i64]) {
    for line in unreadable {
        eprintln!(
            "line {line} of the audit is not understood: a later version wrote it, or the store is damaged"
        );
    }
}

fn row(record: &AuditRecord) -> [Text; 5] {
    let call = &record.call;
    let or_dash = |text: Option<&str>| visible(text.unwrap_or("-"));
    let outcome = match (record.state, record.outcome.as_deref()) {
        (RecordState::Begun, _) => Text::warning("no end"),
        (RecordState::Refused, _) => {
            let class = call.class.as_deref().into_iter();
            let why: Vec<&str> = class.chain(call.rule.as_deref()).collect();
            Text::bad(visible(&format!("refused: {}", why.join(", "))))
        }
        (RecordState::Done, Some("ok")) => Text::good("ok"),
        (RecordState::Done, outcome) => Text::bad(or_dash(outcome)),
    };
    let client = call.client.as_deref().into_iter();
    let who: Vec<&str> = [call.who.as_str()].into_iter().chain(client).collect();
    [
        Text::aside(format!("{:.0}", call.time)),
        outcome,
        visible(&call.tool).into(),
        or_dash(call.alias.as_deref().or(call.location.as_deref())).into(),
        visible(&who.join(" ")).into(),
    ]
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
