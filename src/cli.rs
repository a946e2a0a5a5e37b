//! The commands: one file each.

mod approvals;
mod audit;
mod call;
mod clients;
mod completions;
mod config;
mod connect;
mod connections;
mod console;
mod doctor;
mod help;
mod init;
mod invite;
mod invocation;
mod json;
mod keys;
mod known_names;
mod locations;
mod login;
mod logs;
mod man;
mod output;
mod pager;
mod pause;
mod people;
mod policy;
mod ports;
mod question;
mod reach;
mod running_server;
mod sandbox;
mod serve;
mod sign_in;
mod state;
mod status;
mod stdio;
mod table;
mod terminal;
mod text;
mod tools;
mod usage;
mod version;
mod web;

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, FromArgMatches, Parser, Subcommand};

use self::sandbox::SandboxListener;
use crate::call::{
    CallerKind, Controls, LocationScope, Pipeline, Principal, missing_store, open_store, read_rules,
};
use crate::config::{Config, Flags};
use crate::http::own_account;
use crate::telemetry::{Telemetry, flush_log};
use crate::upstream::accounts::Account;
use crate::upstream::caller::Credential;
use crate::upstream::{Caller, Transport};
use ::state::Store;

const EXIT_CODES: &str = "Exit codes: 0 done; 1 a tool failed, doctor found a fault, or status found no server; 2 \
                          wrong use or wrong settings; 130 ended by Ctrl-C.";

/// The exit code of shells for Ctrl-C.
const INTERRUPTED: u8 = 130;

/// MCP server for the HighLevel (GoHighLevel, LeadConnector) CRM.
#[derive(Parser)]
#[command(name = "highlevel-mcp", version = version::version(), after_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    sources: SettingFlags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct SettingFlags {
    /// Settings file, instead of ./highlevel-mcp.toml and ~/.config/highlevel-mcp/config.toml; `highlevel-mcp
    /// config defaults` prints every setting.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address of HighLevel's API.
    #[arg(long, global = true, value_name = "URL")]
    base_url: Option<String>,
    /// State folder. With `none`, nothing is stored and calls that change something are refused, except in a sandbox.
    #[arg(long, global = true, value_name = "FOLDER")]
    state: Option<String>,
}

/// Whose state a command is about.
#[derive(Args)]
struct StateFlags {
    /// Use the state of servers that were started with --sandbox.
    #[arg(long)]
    sandbox: bool,
}

impl StateFlags {
    /// As a command for the same state takes it, after a space.
    fn flag(&self) -> &'static str {
        if self.sandbox { " --sandbox" } else { "" }
    }

    /// Opens an existing store. With a new empty one, a command would stop, show or copy nothing, and report success.
    fn open(&self, flags: &Flags) -> Result<(Config, Store), CliError> {
        let config = self.config(flags)?;
        if let Some(path) = missing_store(&config)? {
            return Err(CliError(format!(
                "there is no store {}: no server has stored anything there. Give the same --state, --base-url or \
                 --sandbox as the server has",
                path.display()
            )));
        }
        Self::open_or_make(config)
    }

    /// The same for what may come before the first server. Where there is no store yet, `change` is made in one in
    /// memory
    /// first: what is refused there leaves nothing behind.
    fn change<T>(
        &self,
        flags: &Flags,
        change: impl Fn(&Config, &Store) -> Result<T, CliError>,
    ) -> Result<(Config, T), CliError> {
        let config = self.config(flags)?;
        if missing_store(&config)?.is_some() {
            change(&config, &Store::in_memory()?)?;
        }
        let (config, store) = Self::open_or_make(config)?;
        let made = change(&config, &store)?;
        Ok((config, made))
    }

    /// What is there, or an empty store in memory: for what only looks.
    fn look(&self, flags: &Flags) -> Result<(Config, Store), CliError> {
        let config = self.config(flags)?;
        match missing_store(&config)? {
            Some(_) => Ok((config, Store::in_memory()?)),
            None => Self::open_or_make(config),
        }
    }

    fn config(&self, flags: &Flags) -> Result<Config, CliError> {
        let mut config = Config::load(flags)?;
        config.upstream.simulated = self.sandbox;
        match config.keeps_state()? {
            true => Ok(config),
            false => Err(CliError(
                "there is no state, because state.folder is none. Give --state FOLDER".to_owned(),
            )),
        }
    }

    fn open_or_make(config: Config) -> Result<(Config, Store), CliError> {
        config.check_state_keys()?;
        let store = open_store(&config)?;
        if let Some(imported) = store.imported() {
            eprintln!("{imported}");
        }
        Ok((config, store))
    }
}

#[derive(Subcommand)]
enum Command {
    /// Set up an account and a client: asks questions, tests the answers, writes the settings.
    Init(init::Init),
    /// Serve MCP over HTTP.
    Serve(serve::Serve),
    /// Serve MCP over stdin and stdout, for the account of HIGHLEVEL_TOKEN.
    Stdio(stdio::Stdio),
    /// Serve a simulated HighLevel: made-up records, no account needed.
    Sandbox(sandbox::Sandbox),
    /// Find tools, show one, and print the scopes that they need.
    Tools {
        #[command(subcommand)]
        command: tools::ToolsCommand,
    },
    /// Call one tool for the account of HIGHLEVEL_TOKEN and print its answer. Asks before a call that needs a
    /// confirmation.
    Call(call::CallCommand),
    /// Check settings, state, network, clock, token and location, and try what the token can read. Writes nothing at
    /// HighLevel.
    Doctor(doctor::Doctor),
    /// Show, validate and list settings.
    Config {
        #[command(subcommand)]
        command: config::ConfigCommand,
    },
    /// Print the configuration that a client needs to reach the server, or write it to the client's file.
    Connect(connect::Connect),
    /// List, add, remove and test the server's own locations.
    Locations {
        #[command(subcommand)]
        command: locations::LocationsCommand,
    },
    /// Sign in at a remote server, so that `stdio --url` serves its tools, or at HighLevel.
    Login(login::Login),
    /// Sign out of a remote server or of HighLevel.
    Logout(login::Logout),
    /// Manage access keys, which limit a client to locations and rules.
    Keys {
        #[command(subcommand)]
        command: keys::KeysCommand,
    },
    /// Create an invitation link for a person.
    Invite(invite::Invite),
    /// List the people who may sign in, and end their access.
    People {
        #[command(subcommand)]
        command: people::PeopleCommand,
    },
    /// List and end connections, the rights that people gave their clients.
    Connections {
        #[command(subcommand)]
        command: connections::ConnectionsCommand,
    },
    /// Manage the programs that connect by sign-in.
    Clients {
        #[command(subcommand)]
        command: clients::ClientsCommand,
    },
    /// Open the web console in the browser, with a link that works once.
    #[command(visible_alias = "open")]
    Console(console::Console),
    /// Show whether a server runs on this state folder, and which calls wait there. Exit code 1 if none runs.
    Status(status::StatusCommand),
    /// Show changes, refusals, and calls that wait for a person.
    ///
    /// Shows calls that change something, refusals, calls that wait for a person, decisions, and events about people,
    /// keys and connections. Reads, retries and warnings are only in the server's own log (its stderr).
    Logs(logs::Logs),
    /// Validate a file of rules, and explain what the rules say about a tool.
    Policy {
        #[command(subcommand)]
        command: policy::PolicyCommand,
    },
    /// List, approve and deny calls that wait for a person.
    Approvals {
        #[command(subcommand)]
        command: approvals::ApprovalsCommand,
    },
    /// Emergency stop: every running server refuses everything except reads, at once and until `resume`.
    Pause(pause::PauseCommand),
    /// End an emergency stop that `pause` began.
    Resume(pause::Resume),
    /// Read the audit of calls that change something.
    Audit {
        #[command(subcommand)]
        command: audit::AuditCommand,
    },
    /// Show the number of calls by day (UTC), caller, location and effect.
    ///
    /// A call counts if at least one request was sent to HighLevel; reads count too. Refused calls, previews and dry
    /// runs do not count. Requests are all HTTP requests to HighLevel, including further pages and retries. A running
    /// server adds its counts each minute, and when it stops.
    Usage(usage::UsageCommand),
    /// Show, copy and restore the state, and change its keys.
    State {
        #[command(subcommand)]
        command: state::StateCommand,
    },
    /// Print the shell script that completes commands, tools and locations.
    Completions(completions::Completions),
    /// Write the manual pages into a folder.
    Man(man::Man),
}

/// Runs the command. `EXIT_CODES` explains the exit codes.
pub fn run() -> ExitCode {
    completions::answer_shell();
    let mut given = help::command().get_matches();
    let cli = Cli::from_arg_matches_mut(&mut given).unwrap_or_else(|error| error.exit());
    let flags = Flags {
        config: cli.sources.config,
        base_url: cli.sources.base_url,
        state: cli.sources.state,
        ..Flags::default()
    };
    let done = match cli.command {
        Command::Init(command) => command.run(&flags),
        Command::Serve(command) => command.run(flags),
        Command::Stdio(command) => command.run(&Flags {
            skips_current_folder: true,
            ..flags
        }),
        Command::Sandbox(command) => command.run(),
        Command::Tools { command } => command.run(),
        Command::Call(command) => command.run(&flags),
        Command::Config { command } => config::run(command, &flags),
        Command::Doctor(command) => command.run(&flags),
        Command::Connect(command) => command.run(&flags),
        Command::Locations { command } => locations::run(command, &flags),
        Command::Login(command) => command.run(&flags),
        Command::Logout(command) => command.run(&flags),
        Command::Keys { command } => command.run(&flags),
        Command::Invite(command) => command.run(&flags),
        Command::People { command } => command.run(&flags),
        Command::Connections { command } => command.run(&flags),
        Command::Clients { command } => command.run(&flags),
        Command::Console(command) => command.run(&flags),
        Command::Status(command) => command.run(&flags),
        Command::Logs(command) => command.run(&flags),
        Command::Policy { command } => command.run(&flags),
        Command::Approvals { command } => command.run(&flags),
        Command::Pause(command) => command.run(&flags),
        Command::Resume(command) => command.run(&flags),
        Command::Audit { command } => command.run(&flags),
        Command::Usage(command) => command.run(&flags),
        Command::State { command } => command.run(&flags),
        Command::Completions(command) => command.run(),
        Command::Man(command) => command.run(),
    };
    flush_log();
    done.unwrap_or_else(|CliError(what)| {
        output::note(format_args!("highlevel-mcp: {what}"));
        ExitCode::from(2)
    })
}

/// The reason that a command did not run: a sentence for the person at the terminal.
#[derive(Debug)]
struct CliError(String);

impl<E: Display> From<E> for CliError {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Writes to stdout. A reader may close its pipe early, which is not a failure here; `println!` panics then.
fn print(text: impl Display) -> Result<(), CliError> {
    unless_closed(write!(std::io::stdout(), "{text}"))
}

fn print_bytes(bytes: &[u8]) -> Result<(), CliError> {
    let mut stdout = std::io::stdout();
    unless_closed(stdout.write_all(bytes).and_then(|()| stdout.flush()))
}

fn unless_closed(written: std::io::Result<()>) -> Result<(), CliError> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Settings and the way to HighLevel, or to the sandbox: what every command that calls tools needs.
fn prepared_by(
    mut config: Config,
    sandbox: Option<&SandboxListener>,
    telemetry: impl Fn(&Config) -> Result<Telemetry, String>,
) -> Result<(Config, Pipeline), CliError> {
    if let Some(sandbox) = sandbox {
        sandbox.stands_in(&mut config);
        // Nobody chose that folder, and made-up records need none. A container may have no home that can be written.
        let is_chosen = !config.state.folder.as_os_str().is_empty() || config.database()?.is_some();
        if !is_chosen && let Err(what) = open_store(&config) {
            output::note(format_args!("Nothing of this sandbox is stored: {what}"));
            config.state.keep_nothing();
        }
    }
    config.check_state_keys()?;
    check_rules(&config)?;
    let transport = Transport::open(&config).map_err(CliError)?;
    let telemetry = telemetry(&config).map_err(CliError)?;
    if config.upstream.is_plain_text() {
        tracing::warn!(
            "upstream.base_url begins with http:// and is on another machine: everybody on the way there can read the \
             tokens. Give https://"
        );
    }
    let controls = Controls::open(&config, &transport).map_err(CliError)?;
    let tools = crate::catalog::TOOLS;
    let pipeline = Pipeline::new(tools, transport, &config, telemetry, controls);
    Ok((config, pipeline?))
}

/// Fails if the rules cannot be read, with the setting that names them.
fn check_rules(config: &Config) -> Result<(), CliError> {
    let file = &config.policy.file;
    if file.as_os_str().is_empty() {
        return Ok(());
    }
    let read = read_rules(file).map(drop);
    read.map_err(|error| CliError(format!("policy.file: {error}")))
}

/// The same on a store in memory, where there is no store yet: what fails there leaves nothing behind.
fn rehearsal(
    config: &Config,
    sandbox: Option<&SandboxListener>,
) -> Result<Option<(Config, Pipeline)>, CliError> {
    let mut config = config.clone();
    if let Some(sandbox) = sandbox {
        sandbox.stands_in(&mut config);
    }
    let (Ok(true), Ok(Some(_))) = (config.keeps_state(), missing_store(&config)) else {
        return Ok(None);
    };
    config.state.keep_nothing();
    prepared_by(config, None, |_| Ok(Telemetry::default())).map(Some)
}

/// The same for what only reads: it makes no store, unless a company's tokens are renewed meanwhile. `check` comes
/// before.
fn prepared_to_read(
    config: Config,
    check: impl Fn(&Pipeline) -> Result<(), CliError>,
) -> Result<(Config, Pipeline), CliError> {
    if let Some((config, pipeline)) = rehearsal(&config, None)? {
        check(&pipeline)?;
        if config.companies.is_empty() {
            return Ok((config, pipeline));
        }
    }
    let prepared = prepared_by(config, None, |_| Ok(Telemetry::default()))?;
    check(&prepared.1)?;
    Ok(prepared)
}

/// Whom a command acts for: the location of this alias, the account of the environment, or the only location there is.
fn account(
    config: &Config,
    pipeline: &Pipeline,
    location: Option<&str>,
) -> Result<Caller, CliError> {
    if let Some(alias) = location {
        let snapshot = pipeline.snapshot();
        let account = snapshot.locations.find(alias).ok_or_else(|| {
            let known = snapshot.locations.iter();
            reach::no_location(alias, known.map(|one| one.configured.alias.as_str()))
        })?;
        return usable(account);
    }
    if let Some(own) = own_account(&config.account)? {
        return Ok(own);
    }
    let snapshot = pipeline.snapshot();
    let mut all = snapshot.locations.iter();
    match (all.next(), all.next()) {
        (Some(only), None) => usable(only),
        (Some(one), Some(_)) => Err(CliError(format!(
            "the settings have several locations. Name one by --location, such as --location {}; `highlevel-mcp \
             locations list` shows them",
            one.configured.alias
        ))),
        (None, _) => Err(CliError(
            "there is no HighLevel token. Set HIGHLEVEL_TOKEN to a private integration token (HighLevel: Settings, \
             Private Integrations) and HIGHLEVEL_LOCATION_ID to its location, or run `highlevel-mcp init`. If the \
             settings have a Marketplace app, `highlevel-mcp login --highlevel` signs in"
                .to_owned(),
        )),
    }
}

/// Fails with the fault of a location that no call can reach.
fn usable(account: &Account) -> Result<Caller, CliError> {
    match &account.credential {
        Credential::Unusable(why) => Err(CliError(why.to_string())),
        _ => Ok(account.caller()),
    }
}

/// Whoever typed the command: the account of the location of this alias, of the environment, or of `login --highlevel`,
/// or, where there is none, somebody who names one of the server's locations in each call.
fn principal(
    config: &Config,
    pipeline: &Pipeline,
    location: Option<&str>,
) -> Result<Principal, CliError> {
    if location.is_none()
        && let Some(own) = login::highlevel::caller(config, pipeline)?
    {
        return Ok(Principal::with_account(CallerKind::Local, own));
    }
    let has_account = location.is_some() || !config.account.is_empty();
    if !has_account && !pipeline.snapshot().locations.is_empty() {
        return Ok(Principal::with_scope(CallerKind::Local, LocationScope::All));
    }
    let account = account(config, pipeline, location)?;
    Ok(Principal::with_account(CallerKind::Local, account))
}

fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}
