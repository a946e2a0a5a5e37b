//! `policy explain`: the effect of the rules on one tool, for one caller.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::{KnownAliases, unknown};
use crate::call::{
    AccessKeyRef, AccessRef, GrantRef, GrantTerms, HolderRef, has_store, open_grants, open_store,
    read_rules, rule_defaults, with_stored,
};
use crate::cli::output::{OutputFlags, fitted_sentences, note};
use crate::cli::tools::EndpointTool;
use crate::cli::{CliError, StateFlags};
use crate::config::{Config, Flags};
use policy::Policy;
use state::Store;
use state::grants::{GrantHolder, GrantRecord};
use state::keys::{KeyLocations, KeyRecord, Keys};
use state::people::People;
use state::rule_sections::RuleSections;

/// A tool that rules often mention.
const EXAMPLE: &str = "conversations_send-a-new-message";

/// In a connection: every location of its holder.
const EVERY: &str = "*";

#[derive(Args)]
pub(in crate::cli) struct Explain {
    /// Tool name; `highlevel-mcp tools list` shows them.
    tool: String,
    /// Alias of the location of the call.
    #[arg(long, value_name = "ALIAS")]
    location: Option<String>,
    /// Section of rules that the access key has.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["key", "connection"])]
    policy: Option<String>,
    /// Name or id of the calling access key, whose rules apply.
    #[arg(long, value_name = "NAME", conflicts_with = "connection")]
    key: Option<String>,
    /// Id of the calling connection, whose rules apply. The client's name is enough if it has only one connection.
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
    /// File of rules. The default is the setting policy.file.
    #[arg(long)]
    file: Option<PathBuf>,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    of: StateFlags,
}

impl Explain {
    pub(super) fn run(self, flags: &Flags) -> Result<(), CliError> {
        let found = EndpointTool::find(&self.tool, None)?;
        let Some(tool) = found.operation() else {
            return Err(CliError(format!(
                "{} calls any operation, and the rules judge the operation that it calls. Explain that one, such as {}",
                found.name(),
                EXAMPLE
            )));
        };
        let (config, store) = match self.key.is_some() || self.connection.is_some() {
            true => {
                let (config, store) = self.of.open(flags)?;
                (config, Some(store))
            }
            false => {
                let mut config = Config::load(flags)?;
                config.upstream.simulated = self.of.sandbox;
                let store = find_store(&config)?;
                (config, store)
            }
        };
        let file = self.file.as_ref().unwrap_or(&config.policy.file);
        let rules = rules(&config, file, store.as_ref())?;
        let policy = self.policy.as_deref();
        if let Some(name) = policy.filter(|name| !rules.has_policy(name)) {
            return Err(unknown(
                "the rules have no policy",
                name,
                rules.policy_names(),
            ));
        }
        let known = KnownAliases::read(&config)?;
        let alias = self.location.as_deref();
        if let Some(alias) = alias.filter(|alias| !known.has(alias, &rules)) {
            return Err(known.problem("there is no location", alias, &rules));
        }
        for alias in known.typos(&rules) {
            let place = format!("{} has rules for the location", file.display());
            let CliError(what) = known.problem(&place, alias, &rules);
            note(format_args!("Careful: {what}"));
        }
        let caller = self.caller(&config, store.as_ref())?;
        if let Some(what) = caller.as_ref().and_then(|caller| caller.obstacle(alias)) {
            note(format_args!("Careful: {what}"));
        }
        let access = caller.as_ref().map(|caller| &caller.access);
        let over = match access {
            Some(access) => rules.over_all(alias, access.rules(alias)),
            None => rules.over(alias, policy),
        };
        let text = over.explain(tool, Timestamp::now());
        let lines: Vec<&str> = text.lines().collect();
        let record = json!({
            "tool": tool.name, "alias": alias, "policy": policy, "who": access.map(AccessRef::who),
            "explanation": lines,
        });
        self.output.record(&record, fitted_sentences(&text))
    }

    /// The named key or connection.
    fn caller(
        &self,
        config: &Config,
        store: Option<&Store>,
    ) -> Result<Option<CallerStanding>, CliError> {
        let Some(store) = store else {
            return Ok(None);
        };
        match (&self.key, &self.connection) {
            (Some(named), _) => key(store, named).map(Some),
            (None, Some(named)) => connection(config, store, named).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// A key or connection, with its name and its reach.
struct CallerStanding {
    access: AccessRef,
    name: String,
    /// The reason that it gives no access any more.
    ended: Option<&'static str>,
    /// Aliases; `None`: all, or locations without known aliases.
    locations: Option<Vec<String>>,
}

impl CallerStanding {
    /// The reason that no call gets through, whatever the rules say.
    fn obstacle(&self, alias: Option<&str>) -> Option<String> {
        let name = &self.name;
        if let Some(why) = self.ended {
            return Some(format!("{name} {why}: all its calls are refused"));
        }
        let (alias, locations) = (alias?, self.locations.as_ref()?);
        let is_within = locations.iter().any(|known| known == alias);
        (!is_within)
            .then(|| format!("{name} does not reach {alias}: all its calls there are refused"))
    }
}

fn key(store: &Store, named: &str) -> Result<CallerStanding, CliError> {
    let keys = Keys::new(store).list().wait()?;
    let found = find_key(&keys, named).ok_or_else(|| {
        let names = keys.iter().map(|key| key.name.as_str());
        unknown("there is no access key", named, names)
    })?;
    let is_expired = found.expires.is_some_and(|at| at <= Timestamp::now());
    Ok(CallerStanding {
        access: AccessRef::Key(AccessKeyRef::from(found)),
        name: format!("the key {}", found.name),
        ended: match (found.revoked, is_expired) {
            (Some(_), _) => Some("is revoked"),
            (None, true) => Some("has expired"),
            (None, false) => None,
        },
        locations: match &found.locations {
            KeyLocations::Only(aliases) => Some(aliases.clone()),
            KeyLocations::All | KeyLocations::Connected(_) => None,
        },
    })
}

/// Finds a key by its id, else by its name. Among keys of the same name, the valid one.
fn find_key<'a>(keys: &'a [KeyRecord], named: &str) -> Option<&'a KeyRecord> {
    let by_id = keys.iter().find(|key| key.id == named);
    let mut by_name: Vec<&KeyRecord> = keys.iter().filter(|key| key.name == named).collect();
    by_name.sort_by_key(|key| key.revoked.is_some());
    by_id.or(by_name.first().copied())
}

fn connection(config: &Config, store: &Store, named: &str) -> Result<CallerStanding, CliError> {
    let grants = open_grants(&config.oauth, store).list(None).wait()?;
    let by_id = grants.iter().find(|grant| grant.id == named);
    let by_client = |grant: &&GrantRecord| {
        let is_it = grant.client == named || grant.client_name.eq_ignore_ascii_case(named);
        is_it && grant.ended.is_none()
    };
    let of_client: Vec<&GrantRecord> = grants.iter().filter(by_client).collect();
    let found = match (by_id, of_client.as_slice()) {
        (Some(found), _) => found,
        (None, [only]) => only,
        (None, []) => {
            return Err(CliError(format!(
                "there is no connection {named}; `highlevel-mcp connections list` shows all"
            )));
        }
        (None, several) => {
            return Err(CliError(format!(
                "{named} has {} connections; `highlevel-mcp connections list` shows their ids",
                several.len()
            )));
        }
    };
    let holder = holder(store, &found.holder)?;
    let terms = GrantTerms::from(found);
    Ok(CallerStanding {
        access: AccessRef::Grant(Arc::new(GrantRef::new(&terms, holder))),
        name: format!("the connection {}", found.id),
        ended: found.ended.map(|_| "has ended"),
        locations: (!found.locations.iter().any(|alias| alias == EVERY))
            .then(|| found.locations.clone()),
    })
}

fn holder(store: &Store, holder: &GrantHolder) -> Result<HolderRef, CliError> {
    let found = match holder {
        GrantHolder::Person(id) => {
            let people = People::new(store).list().wait()?;
            let person = people.into_iter().find(|person| person.id == *id);
            person.map(|person| HolderRef::Person(Arc::new(person)))
        }
        GrantHolder::Key(id) => {
            let keys = Keys::new(store).list().wait()?;
            let key = keys.into_iter().find(|key| key.id == *id);
            key.map(|key| HolderRef::Key(Arc::new(key)))
        }
    };
    found.ok_or_else(|| {
        CliError(
            "the person or key behind the connection no longer exists, so that it has \
                                  ended"
                .to_owned(),
        )
    })
}

/// The store, if it exists: looking at the rules creates none.
fn find_store(config: &Config) -> Result<Option<Store>, CliError> {
    Ok(has_store(config)?.then(|| open_store(config)).transpose()?)
}

/// The rules of `file` and the stored sections, with the limits of the settings. Without a file only the latter apply.
fn rules(config: &Config, file: &Path, store: Option<&Store>) -> Result<Policy, CliError> {
    let rules = match file.as_os_str().is_empty() {
        true => Policy::default(),
        false => read_rules(file)?,
    };
    let rules = rules.with_defaults(rule_defaults(&config.policy));
    Ok(match store {
        Some(store) => with_stored(rules, &RuleSections::new(store).read().wait()?),
        None => rules,
    })
}
