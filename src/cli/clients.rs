//! `clients`: programs that connect by sign-in, and those that the operator makes, blocks or removes.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use oauth::RedirectUri;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::json;
use state::clients::{ClientKind, ClientMethod, ClientRecord, Clients, NewClient};

use super::output::{Column, ListFlags, OutputFlags, TableRow, Text};
use super::text::{given_name, visible};
use super::{CliError, StateFlags, sign_in};
use crate::config::Flags;

#[derive(Subcommand)]
pub(super) enum ClientsCommand {
    /// List every known client.
    List(ListFlags),
    /// Add a client that cannot register itself, and show its id.
    Add(NewStaticClient),
    /// Stop a client from connecting, and end its connections.
    Block(WhichClient),
    /// Let a blocked client connect again.
    Unblock(WhichClient),
    /// Remove a client and end its connections. A client that registers itself can come back: block it to keep it out.
    Remove(WhichClient),
}

#[derive(Args)]
pub(super) struct NewStaticClient {
    /// Name of the client, as the page for people shows it.
    #[arg(value_parser = given_name)]
    name: String,
    /// Address to which the browser returns after the decision. May be repeated.
    #[arg(long = "redirect", value_name = "URI", required = true)]
    redirects: Vec<String>,
    /// Also create a secret, for a client that needs one.
    #[arg(long)]
    secret: bool,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    of: StateFlags,
}

#[derive(Args)]
pub(super) struct WhichClient {
    /// Id of the client, from `clients list`.
    id: String,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    of: StateFlags,
}

impl ClientsCommand {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        match self {
            Self::List(list) => {
                let (config, store) = list.of.open(flags)?;
                sign_in::warn_when_off(&config);
                let clients = Clients::new(&store).list().wait()?;
                let rows: Vec<ClientRow> = clients.iter().map(ClientRow::new).collect();
                list.output.rows(
                    &rows,
                    "No client is known yet. A client becomes known when it signs in. `highlevel-mcp clients add` adds \
                     one that cannot register itself.",
                )?;
            }
            Self::Add(add) => add.run(flags)?,
            Self::Block(which) => {
                let client = which.open(flags)?.block(&which.id, true).wait()?;
                which.report(&client, "is blocked, and its connections have ended. Running servers refuse them within \
                                       0.2 seconds")?;
            }
            Self::Unblock(which) => {
                let client = which.open(flags)?.block(&which.id, false).wait()?;
                which.report(&client, "may connect again. People have to allow it again")?;
            }
            Self::Remove(which) => {
                let client = which.open(flags)?.remove(&which.id).wait()?;
                which.report(&client, "is removed, and its connections have ended. Running servers refuse them within \
                                       0.2 seconds")?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl WhichClient {
    fn open(&self, flags: &Flags) -> Result<Clients, CliError> {
        Ok(Clients::new(&self.of.open(flags)?.1))
    }

    fn report(&self, client: &ClientRecord, what: &str) -> Result<(), CliError> {
        let text = format!("{} {what}\n", visible(&client.name));
        self.output.record(&ClientRow::new(client), text)
    }
}

impl NewStaticClient {
    fn run(self, flags: &Flags) -> Result<(), CliError> {
        for redirect in &self.redirects {
            RedirectUri::parse(redirect)
                .map_err(|problem| CliError(format!("{}: {problem}", visible(redirect))))?;
        }
        let (config, (client, secret)) = self.of.change(flags, |config, store| {
            sign_in::url(config)?;
            let made = Clients::new(store).add(NewClient {
                name: self.name.clone(),
                redirects: self.redirects.clone(),
                method: match self.secret {
                    true => ClientMethod::Basic,
                    false => ClientMethod::None,
                },
            });
            Ok(made.wait()?)
        })?;
        let url = sign_in::url(&config)?;
        eprintln!(
            "Give this to {}, with the address {url}/mcp.{}",
            visible(&client.name),
            match &secret {
                Some(_) => " The secret is not shown again.",
                None => "",
            }
        );
        let secret = secret.as_ref().map(ExposeSecret::expose_secret);
        let made = json!({"id": client.id, "name": client.name, "secret": secret});
        let secret = secret.map(|secret| format!("client_secret: {secret}\n"));
        let text = format!("client_id: {}\n{}", client.id, secret.unwrap_or_default());
        self.output.record(&made, text)
    }
}

/// A client as a list shows it.
#[derive(Serialize)]
struct ClientRow<'a> {
    id: &'a str,
    name: &'a str,
    /// How it became known: by a document of its site, by its own registration, or made by the operator.
    kind: &'static str,
    state: &'static str,
    redirects: &'a [String],
    created: Timestamp,
    used: Option<Timestamp>,
    blocked: Option<Timestamp>,
}

impl<'a> ClientRow<'a> {
    fn new(client: &'a ClientRecord) -> Self {
        Self {
            id: &client.id,
            name: &client.name,
            kind: client.kind.name(),
            state: match client.blocked {
                Some(_) => "blocked",
                None => "active",
            },
            redirects: &client.redirects,
            created: client.created,
            used: client.used,
            blocked: client.blocked,
        }
    }
}

impl TableRow<4> for ClientRow<'_> {
    const COLUMNS: [Column; 4] = [
        Column::shortened("Name").least(16),
        Column::shortened("Known by").least(8),
        Column::copied("Used").rank(1),
        Column::copied("Id"),
    ];

    fn cells(&self) -> [Text; 4] {
        let known_by = match self.kind {
            _ if self.blocked.is_some() => Text::bad("blocked"),
            kind if kind == ClientKind::Document.name() => Text::good("its site"),
            kind if kind == ClientKind::Registered.name() => "itself".into(),
            _ => "operator".into(),
        };
        [
            self.name.into(),
            known_by,
            Text::time_or(self.used, "never"),
            self.id.into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::tests::check_fits;

    #[test]
    fn clients_fit_a_terminal() {
        let time = "2026-11-28T04:48:54Z".parse().expect("a time");
        let row = ClientRow {
            id: "https://clients.example.com/of-a-long-name/claude-code/client-metadata.json",
            name: "Claude Code of Anthropic, by its document",
            kind: "document",
            state: "active",
            redirects: &[],
            created: time,
            used: Some(time),
            blocked: None,
        };
        check_fits(&ClientRow::COLUMNS, &[row.cells().into()]);
    }
}
