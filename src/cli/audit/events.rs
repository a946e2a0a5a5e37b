//! `audit events`: events about people, links, clients, connections and locations.

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use state::events::{Event, Events};

use crate::cli::known_names::KnownNames;
use crate::cli::output::{Column, OutputFlags, TableRow, Text};
use crate::cli::pager::PagerFlags;
use crate::cli::{CliError, StateFlags};
use crate::config::Flags;

#[derive(Args)]
pub(in crate::cli) struct EventList {
    /// Number of events, the newest first.
    #[arg(short = 'n', value_name = "N", default_value_t = 20)]
    count: usize,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    pager: PagerFlags,
    #[command(flatten)]
    of: StateFlags,
}

/// An event, with the names of its subjects.
#[derive(Serialize)]
pub(in crate::cli) struct EventRow {
    time: Timestamp,
    kind: String,
    actor: Option<String>,
    actor_name: Option<String>,
    subject: Option<String>,
    subject_name: Option<String>,
    detail: String,
}

impl EventList {
    pub(super) fn run(&self, flags: &Flags) -> Result<(), CliError> {
        let (config, store) = self.of.open(flags)?;
        let names = KnownNames::read(&config, &store)?;
        let events = Events::new(&store).list(self.count).wait()?;
        let rows = events.into_iter().rev();
        let rows: Vec<EventRow> = rows.map(|event| EventRow::new(event, &names)).collect();
        self.output.paged_rows(
            &rows,
            "Nothing has happened to people, links, clients, connections and locations yet.",
            &self.pager,
        )
    }
}

impl EventRow {
    pub(in crate::cli) fn new(event: Event, names: &KnownNames) -> Self {
        let name = |id: &Option<String>| id.as_deref().and_then(|id| names.thing(id));
        Self {
            time: event.at,
            kind: event.kind,
            actor_name: name(&event.actor).map(str::to_owned),
            subject_name: name(&event.subject).map(str::to_owned),
            actor: event.actor,
            subject: event.subject,
            detail: event.detail,
        }
    }
}

impl TableRow<5> for EventRow {
    const COLUMNS: [Column; 5] = [
        Column::copied("At"),
        Column::wrapped("Event").least(10),
        Column::shortened("By"),
        Column::shortened("Of").least(24),
        Column::wrapped("Detail"),
    ];

    fn cells(&self) -> [Text; 5] {
        let shown = |name: &Option<String>, id: &Option<String>| {
            Text::or_dash(name.as_deref().or(id.as_deref()))
        };
        [
            Text::time(self.time),
            self.kind.as_str().into(),
            shown(&self.actor_name, &self.actor),
            shown(&self.subject_name, &self.subject),
            self.detail.as_str().into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::tests::check_fits;

    #[test]
    fn events_fit_a_terminal() {
        let row = EventRow {
            time: "2026-11-28T04:48:54Z".parse().expect("a time"),
            kind: "client unblocked".to_owned(),
            actor: Some("per_0123456789abcdefghij".to_owned()),
            actor_name: Some("Ada Abbott-Featherstonehaugh".to_owned()),
            subject: Some("https://clients.example.com/documents/claude-code.json".to_owned()),
            subject_name: None,
            detail:
                "Claude Code of Anthropic, which registered itself as a client that reads alone"
                    .to_owned(),
        };
        check_fits(&EventRow::COLUMNS, &[row.cells().into()]);
    }
}
