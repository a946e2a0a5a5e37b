//! `policy`: whether a file of rules is sound, and what it says of one tool.

mod sections;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use jiff::Timestamp;
use serde_json::json;
use state::vault::Vault;

use super::CliError;
use super::output::{OutputFlags, note};
use crate::call::{has_store, open_store, read_rules, rule_defaults};
use crate::config::{Config, Flags};
use crate::surfaces::tools_in;
use ::policy::Policy as Rules;
use sections::SectionsCommand;
use tool::nearest;

#[derive(Subcommand)]
pub(super) enum PolicyCommand {
    /// Name everything that is wrong with a file of rules.
    Check {
        /// File of rules.
        file: PathBuf,
        #[command(flatten)]
        output: OutputFlags,
    },
    /// What the rules say of one tool: listed or not, confirmation, caps, arguments and quiet hours.
    Explain {
        /// Tool name; `highlevel-mcp tools list` shows them.
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
        #[command(flatten)]
        output: OutputFlags,
    },
    /// Sections of rules that the store keeps, beside those of the file. They only take away.
    Sections {
        #[command(subcommand)]
        command: SectionsCommand,
    },
}

impl PolicyCommand {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        match self {
            PolicyCommand::Check { file, output } => check(flags, &file, output)?,
            PolicyCommand::Explain {
                tool,
                location,
                policy,
                file,
                output,
            } => {
                let tool = super::tools::find(&tools_in("all")?, &tool)?;
                let config = Config::load(flags)?;
                let file = file.as_ref().unwrap_or(&config.policy.file);
                let rules = rules(&config, file)?;
                if let Some(name) = policy.as_deref().filter(|name| !rules.has_policy(name)) {
                    return Err(unknown(
                        "the rules have no policy",
                        name,
                        rules.policy_names(),
                    ));
                }
                let known = KnownAliases::read(&config)?;
                let alias = location.as_deref();
                if let Some(alias) = alias.filter(|alias| !known.has(alias, &rules)) {
                    return Err(known.problem("there is no location", alias, &rules));
                }
                for alias in known.typos(&rules) {
                    let place = format!("{} has rules for the location", file.display());
                    let CliError(what) = known.problem(&place, alias, &rules);
                    note(format_args!("Careful: {what}"));
                }
                let over = rules.over(alias, policy.as_deref());
                let text = over.explain(tool, Timestamp::now());
                let lines: Vec<&str> = text.lines().collect();
                let record = json!({
                    "tool": tool.name, "alias": alias, "policy": policy, "explanation": lines,
                });
                output.record(&record, &text)?;
            }
            PolicyCommand::Sections { command } => return command.run(flags),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Fails where the file is wrong, and where it names locations that the settings, if they can be read, do not have.
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
                // It may be one that somebody connects one day.
                typos if config.oauth.is_on() => {
                    for what in typos {
                        note(format_args!("Careful: {what}"));
                    }
                }
                typos => return Err(CliError(typos.join("\n"))),
            }
        }
        Err(error) => note(format_args!(
            "The settings cannot be read, so that locations of the rules were not looked up there: {error}"
        )),
    }
    let text = format!("{}: the rules are valid\n", file.display());
    output.record(&json!({"file": file, "is_valid": true}), text)
}

/// The aliases that rules may name.
struct KnownAliases(Vec<String>);

impl KnownAliases {
    /// Of the settings, and of what people connected.
    fn read(config: &Config) -> Result<Self, CliError> {
        let mut aliases: Vec<String> = config.locations.keys().cloned().collect();
        if has_store(config)? {
            let connected = Vault::new(&open_store(config)?).list().wait()?;
            aliases.extend(connected.into_iter().map(|location| location.alias));
        }
        Ok(Self(aliases))
    }

    /// Settings without any location say nothing of what the rules name.
    fn has(&self, alias: &str, rules: &Rules) -> bool {
        match self.0.is_empty() {
            true => rules.has_location(alias),
            false => self.0.iter().any(|known| known == alias),
        }
    }

    /// What the rules name and nobody has.
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

/// The rules of `file`, with what the settings hold calls to besides; without a file nothing else holds.
fn rules(config: &Config, file: &Path) -> Result<Rules, CliError> {
    let rules = match file.as_os_str().is_empty() {
        true => Rules::default(),
        false => read_rules(file)?,
    };
    Ok(rules.with_defaults(rule_defaults(&config.policy)))
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> CliError {
    let known = Vec::from_iter(known);
    let hint = match (
        nearest(name, known.iter().map(|one| (*one, *one))),
        known.as_slice(),
    ) {
        (Some(near), _) => format!("did you mean {near}?"),
        (None, []) => "there are none".to_owned(),
        (None, known) => format!("there are {}", known.join(", ")),
    };
    CliError(format!("{what} {name}; {hint}"))
}
