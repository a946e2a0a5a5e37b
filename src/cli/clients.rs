//! `clients`: programs that connect by signing in, and those that the operator makes, blocks or removes.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use oauth::RedirectUri;
use secrecy::ExposeSecret;
use state::clients::{ClientKind, ClientMethod, ClientRecord, Clients, NewClient};

use super::people::day;
use super::terminal::{Text, table, visible};
use super::{CliError, StateFlags, print, sign_in};
use crate::config::Flags;

#[derive(Subcommand)]
pub(super) enum ClientsCommand {
    /// Every client that is known.
    List(StateFlags),
    /// Make a client that does not register itself, and show its id.
    Add(NewStaticClient),
    /// Let a client connect no more, and end its connections.
    Block(WhichClient),
    /// Let a blocked client connect again.
    Unblock(WhichClient),
    /// Forget a client, and end its connections. One that registers itself may come back: block it to keep it out.
    Remove(WhichClient),
}

#[derive(Args)]
pub(super) struct NewStaticClient {
    /// What people are told who asks them.
    name: String,
    /// Address to which people go back when they have decided; may be repeated.
    #[arg(long = "redirect", value_name = "URI", required = true)]
    redirects: Vec<String>,
    /// Make a secret too, for a client that is asked for one.
    #[arg(long)]
    secret: bool,
    #[command(flatten)]
    of: StateFlags,
}

#[derive(Args)]
pub(super) struct WhichClient {
    /// As `clients list` shows it.
    id: String,
    #[command(flatten)]
    of: StateFlags,
}

impl ClientsCommand {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        match self {
            Self::List(of) => {
                let (config, store) = of.open(flags)?;
                sign_in::warn_when_off(&config);
                let clients = Clients::new(&store).list().wait()?;
                let rows = clients.iter().map(row).collect();
                table(["Name", "Known by", "Used", "Id"], rows)?;
            }
            Self::Add(add) => add.run(flags)?,
            Self::Block(which) => {
                let client = which.open(flags)?.block(&which.id, true).wait()?;
                print(format_args!(
                    "{} connects no more, and its connections have ended; running servers refuse them within 0.2 seconds\n",
                    visible(&client.name)
                ))?;
            }
            Self::Unblock(which) => {
                let client = which.open(flags)?.block(&which.id, false).wait()?;
                print(format_args!(
                    "{} may connect again; people have to allow it anew\n",
                    visible(&client.name)
                ))?;
            }
            Self::Remove(which) => {
                let client = which.open(flags)?.remove(&which.id).wait()?;
                print(format_args!(
                    "{} is forgotten, and its connections have ended; running servers refuse them within 0.2 seconds\n",
                    visible(&client.name)
                ))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl WhichClient {
    fn open(&self, flags: &Flags) -> Result<Clients, CliError> {
        Ok(Clients::new(&self.of.open(flags)?.1))
    }
}

impl NewStaticClient {
    fn run(self, flags: &Flags) -> Result<(), CliError> {
        let (config, store) = self.of.make(flags)?;
        let url = sign_in::url(&config)?;
        for redirect in &self.redirects {
            RedirectUri::parse(redirect)
                .map_err(|problem| CliError(format!("{}: {problem}", visible(redirect))))?;
        }
        let made = Clients::new(&store).add(NewClient {
            name: self.name,
            redirects: self.redirects,
            method: match self.secret {
                true => ClientMethod::Basic,
                false => ClientMethod::None,
            },
        });
        let (client, secret) = made.wait()?;
        eprintln!(
            "Give this to {}, with the address {url}/mcp.{}",
            visible(&client.name),
            match &secret {
                Some(_) => " The secret is not shown again.",
                None => "",
            }
        );
        print(format_args!("client_id: {}\n", client.id))?;
        match secret {
            Some(secret) => print(format_args!("client_secret: {}\n", secret.expose_secret())),
            None => Ok(()),
        }
    }
}

fn row(client: &ClientRecord) -> [Text; 4] {
    let known_by = match client.kind {
        _ if client.blocked.is_some() => Text::bad("blocked"),
        ClientKind::Document => Text::good("its site"),
        ClientKind::Registered => "itself".into(),
        ClientKind::Static => "operator".into(),
    };
    let used = client.used.map_or_else(|| "never".to_owned(), day);
    [
        visible(&client.name).into(),
        known_by,
        Text::aside(used),
        visible(&client.id).into(),
    ]
}
