//! `connect`: prints or writes what a client needs to reach the server, under the name `ghl`.

mod file;
mod snippet;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use secrecy::{ExposeSecret, SecretString};

use super::{CliError, print};
use crate::config::{Config, Flags, OauthSettings};
use file::{ClientFile, WriteOutcome};

/// Where a server of this machine is.
const USUAL_URL: &str = "http://127.0.0.1:8100/mcp";

/// Name of the server in every client.
const NAME: &str = "ghl";

#[derive(Args)]
pub(super) struct Connect {
    client: Client,
    /// Where the server answers; without it this machine's, or the address of oauth.url where that is set.
    #[arg(long)]
    url: Option<String>,
    /// The client signs in there, and sends no token of its own (docs/connect.md); so it is where --url is not given and
    /// oauth.url is set.
    #[arg(long, conflicts_with = "sandbox")]
    sign_in: bool,
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

/// How a client gets in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ClientAccess {
    /// It sends a token in a header.
    Token,
    /// The server's own account serves it: no headers.
    Sandbox,
    /// It signs in: no headers.
    SignIn,
}

/// What a client is told of the server.
struct Server {
    url: String,
    access: ClientAccess,
    /// `HIGHLEVEL_LOCATION_ID`; without it the client's headers name none.
    location: Option<String>,
    /// `HIGHLEVEL_TOKEN`, for the one client that can neither read the environment nor ask.
    token: Option<SecretString>,
}

impl Connect {
    /// Takes the location, and for Claude Desktop the token, from the settings.
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        let Config { account, oauth, .. } = Config::load(flags)?;
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let signs_in = self.sign_in
            || (oauth.is_on() && self.url.is_none() && !self.sandbox && self.client.can_sign_in());
        if signs_in && !self.client.can_sign_in() {
            return Err(CliError(format!(
                "{} does not sign in by itself: make an access key (`highlevel-mcp keys create`) and give --url with the \
                 host of oauth.header_host",
                self.client.name()
            )));
        }
        let access = match (self.sandbox, signs_in) {
            (true, _) => ClientAccess::Sandbox,
            (false, true) => ClientAccess::SignIn,
            (false, false) => ClientAccess::Token,
        };
        let usual = usual_url(&oauth, access);
        let server = Server {
            url: self.url.unwrap_or(usual),
            access,
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
        let holds_token =
            self.client == Client::ClaudeDesktop && server.access == ClientAccess::Token;
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

/// Where a client finds the server that the settings are of: what it sends a token to is not where it signs in.
fn usual_url(oauth: &OauthSettings, access: ClientAccess) -> String {
    let scheme = oauth.url.split("://").next().unwrap_or_default();
    match access {
        ClientAccess::SignIn if oauth.is_on() => format!("{}/mcp", oauth.url),
        ClientAccess::Token if oauth.is_on() && !oauth.header_host.is_empty() => {
            format!("{scheme}://{}/mcp", oauth.header_host)
        }
        _ => USUAL_URL.to_owned(),
    }
}

/// How two clients reach a server on the sandbox, to be shown where one starts.
pub(super) fn to_the_sandbox(url: &str) -> Result<String, CliError> {
    let server = Server {
        url: url.to_owned(),
        access: ClientAccess::Sandbox,
        location: None,
        token: None,
    };
    let claude = server.printed(Client::ClaudeCode)?;
    let cursor = server.entry(Client::Cursor)?.unwrap_or_default();
    let program = super::invocation::program();
    Ok(format!(
        "Claude Code, in a terminal:\n  {claude}Cursor, to be merged into ~/.cursor/mcp.json:\n  {cursor}\n\
         Others: {program} connect --help\n"
    ))
}

impl Client {
    /// Whether it signs in where the server says where. Libraries do so only in a program that shows a person the page.
    fn can_sign_in(self) -> bool {
        !matches!(self, Self::Langgraph | Self::OpenaiAgents)
    }

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
