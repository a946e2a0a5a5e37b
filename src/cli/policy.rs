//! `policy`: checks a file of rules, and explains its effect on one tool.

mod explain;
mod sections;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;
use state::vault::Vault;

use super::CliError;
use super::output::{OutputFlags, note};
use crate::call::{has_store, open_store, read_rules};
use crate::config::{Config, Flags};
use ::policy::Policy as Rules;
use explain::Explain;
use sections::SectionsCommand;
use tool::{first_names, nearest};

#[derive(Subcommand)]
pub(super) enum PolicyCommand {
    /// Report every fault of a file of rules.
    Check {
        /// File of rules.
        file: PathBuf,
        #[command(flatten)]
        output: OutputFlags,
    },
    /// Explain what the rules say about one tool: listed or not, confirmation, caps, arguments and quiet hours.
    Explain(Explain),
    /// Manage sections of rules in the store, in addition to those of the file. They can only restrict.
    Sections {
        #[command(subcommand)]
        command: SectionsCommand,
    },
}

impl PolicyCommand {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        match self {
            PolicyCommand::Check { file, output } => check(flags, &file, output)?,
            PolicyCommand::Explain(explain) => explain.run(flags)?,
            PolicyCommand::Sections { command } => return command.run(flags),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Fails if the file is faulty, or names locations that the settings, if they can be read, do not have.
fn check(flags: &Flags, file: &Path, output: OutputFlags) -> Result<(), CliError> {
    let rules = read_rules(file)?;
    match Config::load(flags) {
        Ok(config) => {
            let known = KnownAliases::read(&config)?;
            let place = format!("{} has rules for the location", file.display());
            let typos = known.typos(&rules).into_iter();
            let typos: Vec<String> = typos
                .map(|alias| known.problem(&place, alias, &rules).0)
                .collect();
            match typos.as_slice() {
                [] => {}
                // It may be a location that somebody connects later.
                typos if config.oauth.is_on() => {
                    for what in typos {
                        note(format_args!("Careful: {what}"));
                    }
                }
                typos => return Err(CliError(typos.join("\n"))),
            }
        }
        Err(error) => note(format_args!(
            "The settings cannot be read, so the locations in the rules were not checked: {error}"
        )),
    }
    let text = format!("{}: the rules are valid\n", file.display());
    output.record(&json!({"file": file, "is_valid": true}), text)
}

/// The aliases that rules may name.
struct KnownAliases(Vec<String>);

impl KnownAliases {
    /// The aliases of the settings and of connected locations.
    fn read(config: &Config) -> Result<Self, CliError> {
        let mut aliases: Vec<String> = config.locations.keys().cloned().collect();
        if has_store(config)? {
            let connected = Vault::new(&open_store(config)?).list().wait()?;
            aliases.extend(connected.into_iter().map(|location| location.alias));
        }
        Ok(Self(aliases))
    }

    /// Settings without any location cannot tell which names are wrong.
    fn has(&self, alias: &str, rules: &Rules) -> bool {
        match self.0.is_empty() {
            true => rules.has_location(alias),
            false => self.0.iter().any(|known| known == alias),
        }
    }

    /// Aliases in the rules that no location has.
    fn typos<'a>(&self, rules: &'a Rules) -> Vec<&'a str> {
        let named = rules.location_names();
        named.filter(|alias| !self.has(alias, rules)).collect()
    }

    fn problem(&self, what: &str, alias: &str, rules: &Rules) -> CliError {
        match self.0.is_empty() {
            true => unknown(what, alias, rules.location_names()),
            false => unknown(what, alias, self.0.iter().map(String::as_str)),
        }
    }
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> CliError {
    let known = Vec::from_iter(known);
    let hint = match (
        nearest(name, known.iter().map(|one| (*one, *one))),
        known.as_slice(),
    ) {
        (Some(near), _) => format!("did you mean {near}?"),
        (None, []) => "there are none".to_owned(),
        (None, known) => format!("there are {}", first_names(known.iter().copied())),
    };
    CliError(format!("{what} {name}; {hint}"))
}
