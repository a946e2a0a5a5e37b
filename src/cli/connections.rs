//! `connections`: what people have allowed clients, and the end of that.

use std::collections::HashMap;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use state::Store;
use state::grants::{EndedGrants, GrantHolder, GrantRecord, GrantScope};
use state::people::People;

use super::people::day;
use super::terminal::{Text, table, visible};
use super::{CliError, StateFlags, print, sign_in};
use crate::call::open_grants;
use crate::config::Flags;

#[derive(Subcommand)]
pub(super) enum ConnectionsCommand {
    /// Which clients are connected, for whom, and what each may do.
    List(ConnectionList),
    /// End one connection, or those of a client or a person, or all.
    End(End),
}

#[derive(Args)]
pub(super) struct ConnectionList {
    /// Those too that have ended.
    #[arg(long)]
    ended: bool,
    #[command(flatten)]
    of: StateFlags,
}

#[derive(Args)]
pub(super) struct End {
    #[command(flatten)]
    which: WhichGrants,
    #[command(flatten)]
    of: StateFlags,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct WhichGrants {
    /// Of one connection, as `connections list` shows it.
    id: Option<String>,
    /// Every connection of the client with this id.
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Every connection of the person of this name or id.
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
    /// Every connection.
    #[arg(long)]
    all: bool,
}

impl ConnectionsCommand {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        match self {
            Self::List(list) => list.run(flags)?,
            Self::End(end) => end.run(flags)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl ConnectionList {
    fn run(self, flags: &Flags) -> Result<(), CliError> {
        let (config, store) = self.of.open(flags)?;
        sign_in::warn_when_off(&config);
        let people = People::new(&store).list().wait()?;
        let people: HashMap<&str, &str> = people
            .iter()
            .map(|person| (person.id.as_str(), person.name.as_str()))
            .collect();
        let grants = open_grants(&config.oauth, &store).list(None).wait()?;
        let rows = grants
            .iter()
            .filter(|grant| self.ended || grant.ended.is_none())
            .map(|grant| row(grant, &people));
        table(["Client", "Of", "Used", "Id", "May"], rows.collect())
    }
}

impl End {
    fn run(self, flags: &Flags) -> Result<(), CliError> {
        let (config, store) = self.of.open(flags)?;
        let which = self.which.choose(&store)?;
        let one = match &which {
            EndedGrants::One(id) => Some(id.clone()),
            _ => None,
        };
        let grants = open_grants(&config.oauth, &store);
        let ended = grants.end(which, "ended by the operator", None).wait()?;
        match (ended, one) {
            (0, Some(id)) => Err(CliError(format!(
                "there is no connection {id} that has not ended; `highlevel-mcp connections list` shows all"
            ))),
            (0, None) => print("there was no such connection; nothing has changed\n"),
            (1, _) => {
                print("1 connection has ended; running servers refuse it within 0.2 seconds\n")
            }
            (several, _) => print(format_args!(
                "{several} connections have ended; running servers refuse them within 0.2 seconds\n"
            )),
        }
    }
}

impl WhichGrants {
    fn choose(self, store: &Store) -> Result<EndedGrants, CliError> {
        if let Some(id) = self.id {
            return Ok(EndedGrants::One(id));
        }
        if let Some(client) = self.client {
            return Ok(EndedGrants::Client(client));
        }
        let Some(named) = self.person else {
            // One of them is given.
            return Ok(EndedGrants::All);
        };
        let people = People::new(store).list().wait()?;
        // A name is of one who may sign in; of an ended person nothing is left to end.
        let found = people
            .into_iter()
            .find(|person| person.ended.is_none() && (person.id == named || person.name == named));
        let person = found.ok_or_else(|| {
            CliError(format!(
                "there is no person {named} who may sign in; `highlevel-mcp people list` shows all"
            ))
        })?;
        Ok(EndedGrants::Person(person.id))
    }
}

fn row(grant: &GrantRecord, people: &HashMap<&str, &str>) -> [Text; 5] {
    let holder = match &grant.holder {
        GrantHolder::Person(id) => people.get(id.as_str()).copied().unwrap_or(id).to_owned(),
        GrantHolder::Key(id) => format!("key {id}"),
    };
    let used = grant.used.map_or_else(|| "never".to_owned(), day);
    let may = match (&grant.ended, &grant.ended_why) {
        (None, _) => visible(&describe(grant)).into(),
        (Some(at), why) => {
            let why = why.as_deref().unwrap_or("ended");
            Text::bad(visible(&format!("ended {}: {why}", day(*at))))
        }
    };
    [
        visible(&grant.client_name).into(),
        visible(&holder).into(),
        Text::aside(used),
        grant.id.as_str().into(),
        may,
    ]
}

/// Where, and under which rules.
fn describe(grant: &GrantRecord) -> String {
    let locations = match grant.locations.as_slice() {
        [one] if one == "*" => "every location, new ones too".to_owned(),
        aliases => aliases.join(", "),
    };
    let rules = match grant.rules.strip_prefix("section:") {
        Some(section) => format!("rules {section}"),
        None => grant.rules.replace('-', " "),
    };
    let reads = if grant.scope == GrantScope::Read && grant.rules != "read-only" {
        "; asked to read only"
    } else {
        ""
    };
    format!("{locations}; {rules}{reads}")
}
