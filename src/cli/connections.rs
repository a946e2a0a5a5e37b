//! `connections`: lists and ends what people allowed their clients.

use std::collections::HashMap;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use state::Store;
use state::grants::{EndedGrants, GrantHolder, GrantRecord, GrantScope};
use state::keys::Keys;
use state::people::People;

use super::output::{Column, OutputFlags, TableRow, Text};
use super::people::day;
use super::{CliError, StateFlags, sign_in};
use crate::call::open_grants;
use crate::config::Flags;

#[derive(Subcommand)]
pub(super) enum ConnectionsCommand {
    /// List connected clients, with the person and the rights of each.
    List(ConnectionList),
    /// End one connection, or those of a client or a person, or all.
    End(End),
}

#[derive(Args)]
pub(super) struct ConnectionList {
    /// Also connections that have ended.
    #[arg(long)]
    ended: bool,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    of: StateFlags,
}

#[derive(Args)]
pub(super) struct End {
    #[command(flatten)]
    which: WhichGrants,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    of: StateFlags,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct WhichGrants {
    /// Id of one connection, from `connections list`.
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
        let keys = Keys::new(&store).list().wait()?;
        let keys: HashMap<&str, &str> = keys
            .iter()
            .map(|key| (key.id.as_str(), key.name.as_str()))
            .collect();
        let grants = open_grants(&config.oauth, &store).list(None).wait()?;
        let rows = grants
            .iter()
            .filter(|grant| self.ended || grant.ended.is_none());
        let rows: Vec<GrantRow> = rows
            .map(|grant| GrantRow::new(grant, &people, &keys))
            .collect();
        let none = match self.ended {
            false => {
                "No client is connected. Give people the address of this server: `highlevel-mcp connect` prints the \
                 configuration of each client."
            }
            true => "No client was ever connected.",
        };
        self.output.rows(&rows, none)
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
        let text = match (ended, one) {
            (0, Some(id)) => {
                return Err(CliError(format!(
                    "there is no open connection {id}; `highlevel-mcp connections list` shows all"
                )));
            }
            (0, None) => "there is no such connection. Nothing has changed\n".to_owned(),
            (1, _) => {
                "1 connection has ended. Running servers refuse it within 0.2 seconds\n".to_owned()
            }
            (several, _) => format!(
                "{several} connections have ended. Running servers refuse them within 0.2 seconds\n"
            ),
        };
        self.output.record(&json!({"ended": ended}), text)
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
            // One of the two is given.
            return Ok(EndedGrants::All);
        };
        let people = People::new(store).list().wait()?;
        // Finds people who may sign in. An ended person has no connections left.
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

/// A connection as a list shows it.
#[derive(Serialize)]
struct GrantRow<'a> {
    id: &'a str,
    client: &'a str,
    client_name: &'a str,
    /// The id of the person who allowed it, or of its access key.
    holder: &'a str,
    holder_name: String,
    /// Aliases; `*`: every location, future ones included.
    locations: &'a [String],
    rules: &'a str,
    /// Further rules, which took rights away later.
    narrowings: &'a [String],
    scope: &'static str,
    created: Timestamp,
    used: Option<Timestamp>,
    expires: Timestamp,
    ended: Option<Timestamp>,
    ended_why: Option<&'a str>,
    #[serde(skip)]
    may: String,
}

impl<'a> GrantRow<'a> {
    fn new(
        grant: &'a GrantRecord,
        people: &HashMap<&str, &str>,
        keys: &HashMap<&str, &str>,
    ) -> Self {
        let (holder, holder_name) = match &grant.holder {
            GrantHolder::Person(id) => {
                let name = people.get(id.as_str()).copied().unwrap_or(id);
                (id, name.to_owned())
            }
            GrantHolder::Key(id) => {
                let name = keys.get(id.as_str()).copied().unwrap_or(id);
                (id, format!("key {name}"))
            }
        };
        Self {
            id: &grant.id,
            client: &grant.client,
            client_name: &grant.client_name,
            holder,
            holder_name,
            locations: &grant.locations,
            rules: &grant.rules,
            narrowings: &grant.narrowings,
            scope: match grant.scope {
                GrantScope::Read => "read",
                GrantScope::Write => "write",
            },
            created: grant.created,
            used: grant.used,
            expires: grant.idle_until.min(grant.hard_until),
            ended: grant.ended,
            ended_why: grant.ended_why.as_deref(),
            may: describe(grant),
        }
    }
}

impl TableRow<5> for GrantRow<'_> {
    const COLUMNS: [Column; 5] = [
        Column::shortened("Client"),
        Column::shortened("Of").least(8),
        Column::copied("Used").rank(1),
        Column::copied("Id"),
        Column::wrapped("May"),
    ];

    fn cells(&self) -> [Text; 5] {
        let may = match self.ended {
            None => self.may.as_str().into(),
            Some(ended) => {
                let why = self.ended_why.unwrap_or("ended");
                Text::bad(format!("ended {}: {why}", day(ended)))
            }
        };
        [
            self.client_name.into(),
            self.holder_name.as_str().into(),
            Text::time_or(self.used, "never"),
            self.id.into(),
            may,
        ]
    }
}

/// Its locations and rules.
fn describe(grant: &GrantRecord) -> String {
    let locations = match grant.locations.as_slice() {
        [one] if one == "*" => "every location, future ones too".to_owned(),
        aliases => aliases.join(", "),
    };
    let rules = grant
        .all_rules()
        .map(|rules| match rules.strip_prefix("section:") {
            Some(section) => format!("rules {section}"),
            None => rules.replace('-', " "),
        });
    let rules = rules.collect::<Vec<_>>().join(", only ");
    let reads = if grant.scope == GrantScope::Read && grant.rules != "read-only" {
        "; asked to read only"
    } else {
        ""
    };
    format!("{locations}; {rules}{reads}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::tests::check_fits;

    #[test]
    fn connections_fit_a_terminal() {
        let time = "2026-11-28T04:48:54Z".parse().expect("a time");
        let grant = GrantRecord {
            id: "gra_0123456789abcdefghij".to_owned(),
            holder: GrantHolder::Key("28xsrwfb".to_owned()),
            client: "https://clients.example.com/claude-code.json".to_owned(),
            client_name: "Claude Code of Anthropic, by its document".to_owned(),
            resource: "https://mcp.example.com/mcp".to_owned(),
            scope: GrantScope::Read,
            rules: "section:front-desk-of-the-western-branches".to_owned(),
            narrowings: Vec::new(),
            locations: (1..=40)
                .map(|number| format!("branch-{number:02}"))
                .collect(),
            created: time,
            used: Some(time),
            idle_until: time,
            hard_until: time,
            ended: None,
            ended_why: None,
        };
        let keys = HashMap::from([("28xsrwfb", "front-desk of the western branches")]);
        let row = GrantRow::new(&grant, &HashMap::new(), &keys);
        assert_eq!(row.holder_name, "key front-desk of the western branches");
        check_fits(&GrantRow::COLUMNS, &[row.cells().into()]);
    }
}
