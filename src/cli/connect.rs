//! `connect`: prints or writes what a client needs to reach the server, under the name `ghl`.

mod file;
mod snippet;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use secrecy::{ExposeSecret, SecretString};

use super::{CliError, print};
use crate::config::{Config, Flags};
use file::{ClientFile, WriteOutcome};

/// Name of the server in every client.
const NAME: &str = "ghl";

#[derive(Args)]
pub(super) struct Connect {
    client: Client,
    /// Where the server answers.
    #[arg(long, default_value = "http://127.0.0.1:8100/mcp")]
    url: String,
    /// For a server that holds an account itself, such as one on the sandbox: the client sends no token.
    #[arg(long)]
    sandbox: bool,
    /// Add it to the client's own file, or to FILE; what stood there is kept beside it as FILE.bak.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    write: Option<Option<PathBuf>>,
    /// Say what --write would add and where, and write nothing.
    #[arg(long, requires = "write")]
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Client {
    ClaudeCode,
    ClaudeDesktop,
    Cursor,
    Vscode,
    Windsurf,
    N8n,
    Langgraph,
    OpenaiAgents,
}

/// What a client is told of the server.
struct Server {
    url: String,
    /// The server's account serves the client: no headers.
    sandbox: bool,
    /// `HIGHLEVEL_LOCATION_ID`; without it the client's headers name none.
    location: Option<String>,
    /// `HIGHLEVEL_TOKEN`, for the one client that can neither read the environment nor ask.
    token: Option<SecretString>,
}

impl Connect {
    /// Takes the location, and for Claude Desktop the token, from the settings.
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        let account = Config::load(flags)?.account;
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let server = Server {
            url: self.url,
            sandbox: self.sandbox,
            location: some(&account.location_id),
            token: Some(account.token).filter(|token| !token.expose_secret().is_empty()),
        };
        let Some(path) = self.write else {
            print(server.printed(self.client)?)?;
            if let Ok(file) = ClientFile::new(self.client, None) {
                let place = file.path.display();
                eprintln!("--write adds it to {place}.");
            }
            return Ok(ExitCode::SUCCESS);
        };
        let Some(entry) = server.entry(self.client)? else {
            return Err(CliError(format!(
                "{} has no file of servers: run it without --write and do what it prints",
                self.client.name()
            )));
        };
        let holds_token = self.client == Client::ClaudeDesktop && !server.sandbox;
        if holds_token && server.token.is_none() && !self.dry_run {
            return Err(CliError(
                "Claude Desktop's file holds the token itself: set HIGHLEVEL_TOKEN and run this again".to_owned(),
            ));
        }
        let file = ClientFile::new(self.client, path)?;
        let place = file.path.display();
        if self.dry_run {
            let entry = server.without_token(self.client)?;
            print(format_args!("{place} would get\n{entry:#}\n"))?;
            return Ok(ExitCode::SUCCESS);
        }
        match file.add(&entry)? {
            WriteOutcome::Already => print(format_args!("{place} has {NAME} already\n"))?,
            WriteOutcome::New => {
                print(format_args!("{place} has {NAME} now; restart the client\n"))?
            }
            WriteOutcome::Backed(backup) => print(format_args!(
                "{place} has {NAME} now; restart the client. The file before is {}\n",
                backup.display()
            ))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// How two clients reach a server on the sandbox, to be shown where one starts.
pub(super) fn to_the_sandbox(url: &str) -> Result<String, CliError> {
    let server = Server {
        url: url.to_owned(),
        sandbox: true,
        location: None,
        token: None,
    };
    let claude = server.printed(Client::ClaudeCode)?;
    let cursor = server.entry(Client::Cursor)?.unwrap_or_default();
    Ok(format!(
        "Claude Code, in a terminal:\n  {claude}Cursor, in ~/.cursor/mcp.json:\n  {cursor}\n\
         Others: highlevel-mcp connect --help\n"
    ))
}

impl Client {
    fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "Claude Code",
            Self::ClaudeDesktop => "Claude Desktop",
            Self::Cursor => "Cursor",
            Self::Vscode => "VS Code",
            Self::Windsurf => "Windsurf",
            Self::N8n => "n8n",
            Self::Langgraph => "LangGraph",
            Self::OpenaiAgents => "OpenAI Agents",
        }
    }
}
