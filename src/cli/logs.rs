//! `logs`: calls, waiting approvals and decisions in one stream.

use std::collections::HashMap;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use comfy_table::Color;
use jiff::Timestamp;
use serde::Serialize;
use state::Store;
use state::approvals::{Approval, ApprovalState, Approvals};
use state::audit::{AuditQuery, AuditRecord, Follow, RecordState};
use state::events::{Event, EventKind, Events};

use super::known_names::KnownNames;
use super::output::{Column, GrowingTable, OutputFlags, TableRow, Text, note};
use super::pager::PagerFlags;
use super::text::count;
use super::{CliError, StateFlags};
use crate::config::{Config, Flags};

/// The interval at which the store is read.
const PAUSE: Duration = Duration::from_millis(500);

/// Most events that are read at once.
const EVENTS_AT_ONCE: usize = 500;

#[derive(Args)]
pub(super) struct Logs {
    /// Number of lines at the start.
    #[arg(short = 'n', value_name = "N", default_value_t = 20)]
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

/// One entry of the stream.
#[derive(Serialize)]
struct LogRow {
    time: Timestamp,
    /// `call`, `refused`, `approval` or `event`.
    kind: &'static str,
    /// The id of the call or approval; none for an event.
    id: Option<String>,
    /// The outcome or state, or the kind of event.
    what: String,
    tool: Option<String>,
    alias: Option<String>,
    location: Option<String>,
    who: Option<String>,
    who_name: Option<String>,
    detail: Option<String>,
}

impl Logs {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        let (config, store) = self.of.open(flags)?;
        let mut journal = Journal::new(&config, &store);
        let mut rows = journal.more()?;
        rows.drain(..rows.len().saturating_sub(self.count));
        let none = "Nothing has happened yet: no call changed something, none was refused, and none waited for a \
                    person.";
        if !self.follow {
            self.output.paged_rows(&rows, none, &self.pager)?;
            return Ok(ExitCode::SUCCESS);
        }
        if rows.is_empty() {
            note(format_args!(
                "{none} New entries appear here. Ctrl-C ends this."
            ));
        }
        let mut table = GrowingTable::default();
        loop {
            if !self.output.still_read(&rows, &mut table)? {
                return Ok(ExitCode::SUCCESS);
            }
            sleep(PAUSE);
            rows = journal.more()?;
        }
    }
}

/// The reader's position in the audit, the events and the approvals.
struct Journal<'a> {
    config: &'a Config,
    store: &'a Store,
    audit: Follow,
    last_event: Option<Event>,
    /// The last seen state of each approval that is not over.
    approvals: HashMap<String, ApprovalState>,
    is_first: bool,
}

impl<'a> Journal<'a> {
    fn new(config: &'a Config, store: &'a Store) -> Self {
        Self {
            config,
            store,
            audit: Follow::new(store),
            last_event: None,
            approvals: HashMap::new(),
            is_first: true,
        }
    }

    /// Everything since the last look, in order.
    fn more(&mut self) -> Result<Vec<LogRow>, CliError> {
        let calls = self.audit.more(&AuditQuery::default())?.records;
        let events = self.new_events()?;
        let approvals = self.changed_approvals()?;
        self.is_first = false;
        if calls.is_empty() && events.is_empty() && approvals.is_empty() {
            return Ok(Vec::new());
        }
        let names = KnownNames::read(self.config, self.store)?;
        let mut rows: Vec<LogRow> = calls
            .iter()
            .map(|call| LogRow::call(call, &names))
            .collect();
        rows.extend(events.iter().map(|event| LogRow::event(event, &names)));
        rows.extend(approvals.iter().map(|one| LogRow::approval(one, &names)));
        rows.sort_by_key(|row| row.time);
        Ok(rows)
    }

    fn new_events(&mut self) -> Result<Vec<Event>, CliError> {
        let newest = Events::new(self.store).list(EVENTS_AT_ONCE).wait()?;
        let last = self.last_event.take();
        let is_new = |event: &&Event| Some(*event) != last.as_ref();
        let new: Vec<Event> = newest.iter().take_while(is_new).cloned().collect();
        self.last_event = newest.into_iter().next();
        // The approval itself has the decision.
        let decided = EventKind::ApprovalDecided.name();
        Ok(new.into_iter().filter(|one| one.kind != decided).collect())
    }

    /// Approvals whose state has changed, in their present state.
    fn changed_approvals(&mut self) -> Result<Vec<Approval>, CliError> {
        let approvals = Approvals::new(self.store);
        let mut found = match self.is_first {
            true => approvals.list().wait()?,
            // Many are stored. Of the decided ones, only those that were waiting before are read.
            false => approvals.waiting().wait()?,
        };
        let open: Vec<String> = self.approvals.keys().cloned().collect();
        for handle in open {
            if found.iter().all(|one| one.handle != handle) {
                match approvals.get(&handle).wait()? {
                    Some(decided) => found.push(decided),
                    None => drop(self.approvals.remove(&handle)),
                }
            }
        }
        found.retain(|one| self.approvals.get(&one.handle) != Some(&one.state));
        for one in &found {
            self.approvals.insert(one.handle.clone(), one.state);
        }
        // An approval that is over does not change any more.
        self.approvals.retain(|_, state| {
            matches!(
                state,
                ApprovalState::Pending | ApprovalState::Approved | ApprovalState::Running
            )
        });
        Ok(found)
    }
}

impl LogRow {
    fn call(record: &AuditRecord, names: &KnownNames) -> Self {
        let call = &record.call;
        let (kind, what) = match (record.state, record.outcome.as_deref()) {
            (RecordState::Begun, _) => ("call", "begun".to_owned()),
            (RecordState::Done, outcome) => ("call", outcome.unwrap_or("-").to_owned()),
            (RecordState::Refused, _) => {
                let why = call.rule.as_deref().or(call.class.as_deref());
                ("refused", why.unwrap_or("-").to_owned())
            }
        };
        Self {
            kind,
            what,
            id: Some(call.id.clone()),
            time: record.ended.unwrap_or(call.time),
            tool: Some(call.tool.clone()),
            alias: call.alias.clone(),
            location: call.location.clone(),
            who_name: names.caller(&call.who),
            who: Some(call.who.clone()),
            detail: call.confirmation.as_ref().map(|one| {
                let by = one.by.as_deref().map(|by| format!(" {by}"));
                format!("confirmed by {}{}", one.mode, by.unwrap_or_default())
            }),
        }
    }

    fn event(event: &Event, names: &KnownNames) -> Self {
        let name = |id: &Option<String>| {
            let id = id.as_deref()?;
            Some(names.thing(id).unwrap_or(id).to_owned())
        };
        let subject = name(&event.subject);
        let about = [subject.as_deref(), Some(event.detail.as_str())];
        let about: Vec<&str> = about.into_iter().flatten().collect();
        Self {
            time: event.at,
            kind: "event",
            id: None,
            what: event.kind.clone(),
            tool: None,
            alias: None,
            location: None,
            who_name: name(&event.actor),
            who: event.actor.clone(),
            detail: Some(about.join(" ")).filter(|about| !about.trim().is_empty()),
        }
    }

    fn approval(approval: &Approval, names: &KnownNames) -> Self {
        let calls: usize = approval.locations.iter().map(|one| one.calls).sum();
        let by = approval.decided_by.as_deref();
        let what = match approval.state {
            ApprovalState::Pending => "waits for a person".to_owned(),
            state => match by {
                Some(by) => format!("{} by {by}", decision(approval, state)),
                None => state.name().to_owned(),
            },
        };
        Self {
            kind: "approval",
            what,
            id: Some(approval.handle.clone()),
            time: match approval.state {
                ApprovalState::Pending => approval.created,
                ApprovalState::Expired => approval.expires,
                _ => approval.decided_at.unwrap_or(approval.created),
            },
            tool: Some(approval.tool.clone()),
            alias: approval.alias.clone(),
            location: approval.location.clone(),
            who_name: names.caller(&approval.who),
            who: Some(approval.who.clone()),
            detail: Some(match approval.state {
                ApprovalState::Pending => {
                    format!(
                        "{} until {:.0}",
                        count(calls.max(1), "call"),
                        approval.expires
                    )
                }
                _ => count(calls.max(1), "call"),
            }),
        }
    }
}

fn decision(approval: &Approval, state: ApprovalState) -> &'static str {
    match state {
        ApprovalState::Done if approval.is_error => "failed, approved",
        ApprovalState::Done => "made, approved",
        other => other.name(),
    }
}

impl TableRow<7> for LogRow {
    const COLUMNS: [Column; 7] = [
        Column::copied("Time"),
        Column::copied("Kind"),
        Column::wrapped("What").least(12),
        Column::shortened("Tool").least(22),
        Column::shortened("Location").least(9),
        Column::wrapped("Who").least(10),
        Column::wrapped("Detail").rank(1),
    ];

    fn cells(&self) -> [Text; 7] {
        let what = match (self.kind, self.what.as_str()) {
            ("call", "ok") => Text::good("ok"),
            ("call", "begun") => "begun".into(),
            ("call", what) => Text::bad(what),
            ("refused", rule) if rule.starts_with('[') => {
                Text::brief("by a rule", rule).colored(Color::Red)
            }
            ("refused", what) => Text::bad(what),
            ("approval", what) => Text::warning(what),
            (_, what) => what.into(),
        };
        [
            Text::time(self.time),
            self.kind.into(),
            what,
            Text::or_dash(self.tool.as_deref()),
            Text::or_dash(self.alias.as_deref().or(self.location.as_deref())),
            Text::or_dash(self.who_name.as_deref().or(self.who.as_deref())),
            Text::or_dash(self.detail.as_deref()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::tests::check_fits;

    #[test]
    fn the_log_fits_a_terminal() {
        let row = |kind, what: &str| LogRow {
            time: "2026-11-28T04:48:54Z".parse().expect("a time"),
            kind,
            id: Some("apr_rYFS3WxHyfsMCnpdo8Mo".to_owned()),
            what: what.to_owned(),
            tool: Some("social-media-posting_set-statistics-of-a-social-account-group".to_owned()),
            alias: Some("branch-number-forty-in-san-francisco".to_owned()),
            location: None,
            who: Some("key:28xsrwfb".to_owned()),
            who_name: Some("Claude Code of Anthropic, for Ada Abbott-Featherstonehaugh".to_owned()),
            detail: Some("confirmed by human apr_rYFS3WxHyfsMCnpdo8Mo".to_owned()),
        };
        let rows = [
            row("approval", "waits for a person"),
            row(
                "refused",
                "[policies.front-desk-of-the-western-branches] allow toolset:contacts",
            ),
        ];
        let cells: Vec<Vec<Text>> = rows.iter().map(|row| row.cells().into()).collect();
        check_fits(&LogRow::COLUMNS, &cells);
    }
}
