//! The commands: one file each.

mod call;
mod serve;
mod stdio;
mod tools;

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, DEFAULTS, Flags};
use crate::highlevel::{Caller, Transport};
use crate::host::own_account;
use crate::telemetry;
use crate::tools::dispatch::Dispatch;

/// MCP server for the HighLevel (GoHighLevel, LeadConnector) CRM.
#[derive(Parser)]
#[command(name = "highlevel-mcp", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Settings {
    /// File of settings; `highlevel-mcp config` prints all of them with their defaults.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// HighLevel's API.
    #[arg(long, global = true, value_name = "URL")]
    base_url: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve MCP over HTTP.
    Serve(serve::Serve),
    /// Serve MCP over stdin and stdout, for the account of HIGHLEVEL_TOKEN.
    Stdio(stdio::Stdio),
    /// Show the tools.
    Tools {
        #[command(subcommand)]
        command: Option<tools::Tools>,
    },
    /// Call one tool for the account of HIGHLEVEL_TOKEN and print its answer.
    Call(call::Call),
    /// Print every setting with its comment and default.
    Config,
}

/// Exit code 0: done; 1: a tool failed; 2: used or set up wrongly.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let flags = Flags {
        config: cli.settings.config,
        base_url: cli.settings.base_url,
        ..Flags::default()
    };
    let done = match cli.command {
        Command::Serve(command) => command.run(flags),
        Command::Stdio(command) => command.run(&flags),
        Command::Tools { command } => tools::run(command),
        Command::Call(command) => command.run(&flags),
        Command::Config => {
            print!("{DEFAULTS}");
            Ok(ExitCode::SUCCESS)
        }
    };
    done.unwrap_or_else(|Refused(what)| {
        eprintln!("highlevel-mcp: {what}");
        ExitCode::from(2)
    })
}

/// Why a command did not run: a sentence for the person at the terminal.
struct Refused(String);

impl<E: Display> From<E> for Refused {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Settings, logging and the way to HighLevel: what every command that calls tools needs.
fn prepared(flags: &Flags) -> Result<(Config, Dispatch), Refused> {
    let config = Config::load(flags)?;
    telemetry::start(&config.log);
    let transport = Transport::new(&config.upstream).map_err(Refused)?;
    let dispatch = Dispatch::new(crate::generated::TOOLS, transport, &config.tools);
    Ok((config, dispatch))
}

/// The account of the environment, for commands that have no client to ask.
fn account(config: &Config) -> Result<Caller, Refused> {
    own_account(&config.account)?.ok_or_else(|| {
        Refused(
            "no HighLevel token: set HIGHLEVEL_TOKEN to a private integration token (HighLevel: Settings, \
             Private Integrations) and HIGHLEVEL_LOCATION_ID to its location"
                .to_owned(),
        )
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, Refused> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}
