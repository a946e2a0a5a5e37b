//! Checks that the locations and sections of rules in a command exist.

use state::Store;
use state::rule_sections::RuleSections;
use state::vault::{Vault, VaultLocation};

use super::CliError;
use crate::call::read_rules;
use crate::config::Config;
use tool::nearest;

/// Fails if one of them cannot be given to others: it is neither in the settings nor connected for everybody. A
/// location that a person connected belongs to that person.
pub(super) fn check_given(
    config: &Config,
    store: &Store,
    aliases: &[String],
) -> Result<(), CliError> {
    check(config, store, aliases, |location| location.owner.is_none())
}

/// Fails if one of them is not a location.
pub(super) fn check_known(
    config: &Config,
    store: &Store,
    aliases: &[String],
) -> Result<(), CliError> {
    check(config, store, aliases, |_| true)
}

fn check(
    config: &Config,
    store: &Store,
    aliases: &[String],
    counts: impl Fn(&VaultLocation) -> bool,
) -> Result<(), CliError> {
    let unknown = |alias: &&String| !config.locations.contains_key(*alias);
    if !aliases.iter().any(|alias| unknown(&alias)) {
        return Ok(());
    }
    let connected = Vault::new(store).list().wait()?;
    let is_connected = |alias: &String| {
        let mut connected = connected.iter();
        connected.any(|location| location.alias == *alias && counts(location))
    };
    match aliases
        .iter()
        .filter(unknown)
        .find(|alias| !is_connected(alias))
    {
        Some(alias) => {
            let connected = connected.iter().filter(|location| counts(location));
            let connected = connected.map(|location| location.alias.as_str());
            let known = config.locations.keys().map(String::as_str);
            Err(no_location(alias, known.chain(connected)))
        }
        None => Ok(()),
    }
}

/// The error for an alias that is not in `known`.
pub(super) fn no_location<'a>(alias: &str, known: impl IntoIterator<Item = &'a str>) -> CliError {
    let remedy = match nearest(alias, known.into_iter().map(|one| (one, one))) {
        Some(near) => format!("did you mean {near}?"),
        None => "`highlevel-mcp locations list` shows them".to_owned(),
    };
    CliError(format!("there is no location {alias}; {remedy}"))
}

/// Fails if neither the file of rules nor the store has such a section.
pub(super) fn check_policy(
    config: &Config,
    store: &Store,
    policy: Option<&str>,
) -> Result<(), CliError> {
    let Some(name) = policy else {
        return Ok(());
    };
    let file = &config.policy.file;
    if !file.as_os_str().is_empty() && read_rules(file)?.has_policy(name) {
        return Ok(());
    }
    let stored = RuleSections::new(store).read().wait()?;
    if stored.iter().any(|section| section.name == name) {
        return Ok(());
    }
    Err(CliError(format!(
        "policy.file {:?} has no [policies.{name}], and the store has no such section",
        file.display().to_string()
    )))
}
