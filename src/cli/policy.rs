//! `policy`: whether a file of rules is sound, and what it says of one tool.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use jiff::Timestamp;

use super::{CliError, print};
use crate::call::{read_rules, rule_defaults};
use crate::config::{Config, Flags};
use crate::surfaces::tools_in;
use ::policy::Policy as Rules;

#[derive(Subcommand)]
pub(super) enum PolicyCommand {
    /// Name everything that is wrong with a file of rules.
    Check {
        /// File of rules.
        file: PathBuf,
    },
    /// What the rules say of one tool: listed or not, confirmation, caps, arguments and quiet hours.
    Explain {
        /// Tool name; `highlevel-mcp tools` lists them.
        tool: String,
        /// Alias of the location that is called for.
        #[arg(long, value_name = "ALIAS")]
        location: Option<String>,
        /// Policy of the access key.
        #[arg(long, value_name = "NAME")]
        policy: Option<String>,
        /// File of rules; without it the one of the setting policy.file.
        #[arg(long)]
        file: Option<PathBuf>,
    },
}

impl PolicyCommand {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        match self {
            PolicyCommand::Check { file } => {
                read_rules(&file)?;
                print(format_args!("{}: the rules are valid\n", file.display()))?;
            }
            PolicyCommand::Explain {
                tool,
                location,
                policy,
                file,
            } => {
                let tool = super::tools::find(&tools_in("all")?, &tool)?;
                let rules = rules(flags, file.as_deref())?;
                if let Some(name) = policy.as_deref().filter(|name| !rules.has_policy(name)) {
                    return Err(unknown("policy", name, rules.policy_names()));
                }
                let over = rules.over(location.as_deref(), policy.as_deref());
                print(over.explain(tool, Timestamp::now()))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The rules of `file`, or of the settings.
fn rules(flags: &Flags, file: Option<&Path>) -> Result<Rules, CliError> {
    let config = Config::load(flags)?;
    let rules = match file.unwrap_or(&config.policy.file) {
        // The settings hold calls to something without any rules.
        file if file.as_os_str().is_empty() => Rules::default(),
        file => read_rules(file)?,
    };
    Ok(rules.with_defaults(rule_defaults(&config.policy)))
}

fn unknown<'a>(kind: &str, name: &str, known: impl Iterator<Item = &'a str>) -> CliError {
    let known = Vec::from_iter(known).join(", ");
    let known = if known.is_empty() { "none" } else { &known };
    CliError(format!(
        "the rules have no {kind} {name}; there are {known}"
    ))
}
