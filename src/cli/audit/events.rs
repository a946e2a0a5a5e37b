//! `audit events`: what happened to people, links, clients, connections and locations.

use std::collections::HashMap;

use clap::Args;
use state::Store;
use state::events::Events;
use state::people::People;

use crate::cli::terminal::{Text, table, visible};
use crate::cli::{CliError, StateFlags};
use crate::config::Flags;

#[derive(Args)]
pub(in crate::cli) struct EventList {
    /// How many of the newest.
    #[arg(short = 'n', value_name = "N", default_value_t = 20)]
    count: usize,
    #[command(flatten)]
    of: StateFlags,
}

impl EventList {
    pub(super) fn run(&self, flags: &Flags) -> Result<(), CliError> {
        let (_, store) = self.of.open(flags)?;
        let names = names(&store)?;
        let shown = |id: &str| visible(names.get(id).map_or(id, String::as_str));
        let events = Events::new(&store).list(self.count).wait()?;
        let rows = events.iter().rev().map(|event| {
            let actor = event.actor.as_deref();
            [
                Text::aside(format!("{:.0}", event.at)),
                visible(&event.kind).into(),
                actor.map_or_else(|| "-".to_owned(), shown).into(),
                event
                    .subject
                    .as_deref()
                    .map_or_else(|| "-".to_owned(), shown)
                    .into(),
                visible(&event.detail).into(),
            ]
        });
        table(["At", "Event", "By", "Of", "Detail"], rows.collect())
    }
}

/// Of people by their ids.
fn names(store: &Store) -> Result<HashMap<String, String>, CliError> {
    let people = People::new(store).list().wait()?;
    Ok(people
        .into_iter()
        .map(|person| (person.id, person.name))
        .collect())
}
