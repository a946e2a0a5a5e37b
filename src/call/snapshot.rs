//! The server's own locations and the rules over them at one moment; a call sees one of both.

use std::path::Path;
use std::sync::Arc;

use super::{AccessRef, GrantControls, with_stored};
use crate::catalog::TOOLS;
use crate::config::{self, Config};
use crate::upstream::accounts::{Account, Accounts};
use crate::upstream::company::Oauth;
use crate::upstream::{ConfiguredLocation, connected};
use policy::{EffectiveRules, NamedRules, Policy, PolicyDefaults, PolicyErrors};
use state::Store;
use state::rule_sections::{RuleSection, RuleSections};

/// Locations and rules that belong together; read again while the server runs.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub locations: Accounts,
    /// The file's, with the sections that the store keeps.
    pub rules: Arc<Policy>,
    /// Without them.
    pub(super) file_rules: Arc<Policy>,
    /// These sections.
    sections: Vec<RuleSection>,
    /// The file as it was read; empty where there is none.
    pub rules_text: Arc<str>,
}

impl Snapshot {
    /// Fails with a sentence where the file of rules is not usable, or names what the settings do not have. A location that
    /// is not usable is warned of.
    pub fn read(
        config: &Config,
        oauth: &Oauth,
        store: &Store,
        sign_in: Option<&GrantControls>,
    ) -> Result<Arc<Self>, String> {
        let mut locations = Accounts::new(config, oauth, store);
        for fault in locations.faults() {
            tracing::warn!("{fault}; calls there are refused until this is corrected");
        }
        if let Some(sign_in) = sign_in {
            let rows = sign_in.vault.read().wait();
            let rows = rows.map_err(|error| error.to_string())?;
            let installs = sign_in.installs.as_ref();
            locations = locations.with_connected(connected::accounts(rows, installs));
        }
        let file = &config.policy.file;
        let (rules, rules_text) = match file.as_os_str().is_empty() {
            true => (Policy::default(), String::new()),
            false => read_rules_and_text(file).map_err(|error| error.to_string())?,
        };
        let rules = rules.with_defaults(rule_defaults(&config.policy));
        if let Some(unknown) = rules
            .location_names()
            .find(|alias| locations.find(alias).is_none())
        {
            let what = format!(
                "{} has rules for [locations.{unknown}], which the settings do not have; correct the alias or add the location",
                file.display()
            );
            match config.oauth.is_on() {
                // It may be one that somebody connects, or no longer does.
                true => tracing::warn!("{what}"),
                false => return Err(what),
            }
        }
        let sections = RuleSections::new(store).read().wait();
        let sections = sections.map_err(|error| error.to_string())?;
        let file_rules = Arc::new(rules);
        Ok(Arc::new(Self {
            locations,
            rules: Arc::new(with_stored((*file_rules).clone(), &sections)),
            file_rules,
            sections,
            rules_text: rules_text.into(),
        }))
    }

    /// The same with these in place of the locations that were connected before.
    pub(super) fn with_connected(&self, connected: Vec<Account>) -> Self {
        Self {
            locations: self.locations.with_connected(connected),
            rules: Arc::clone(&self.rules),
            file_rules: Arc::clone(&self.file_rules),
            sections: self.sections.clone(),
            rules_text: Arc::clone(&self.rules_text),
        }
    }

    /// The same with these in place of the sections that the store kept before. `None` if they are the same: calls under
    /// way would be refused, because their rules seem to have changed.
    pub(super) fn with_stored_rules(&self, sections: &[RuleSection]) -> Option<Self> {
        let file_rules = Arc::clone(&self.file_rules);
        (self.sections != sections).then(|| Self {
            locations: self.locations.clone(),
            rules: Arc::new(with_stored((*file_rules).clone(), sections)),
            file_rules,
            sections: sections.to_vec(),
            rules_text: Arc::clone(&self.rules_text),
        })
    }

    /// What holds for calls in a location, or in none of the server's, by a caller of this key or grant.
    pub(super) fn rules_over<'a>(
        &'a self,
        location: Option<&ConfiguredLocation>,
        access: Option<&'a AccessRef>,
    ) -> EffectiveRules<'a> {
        const INSTALLED: &NamedRules = &NamedRules::Installed;
        let alias = location.map(|location| location.alias.as_str());
        let own = access.into_iter().flat_map(|access| access.rules(alias));
        let is_ruled = || {
            own.clone().next().is_some()
                || alias.is_some_and(|alias| self.rules.has_location(alias))
        };
        let stored = location.and_then(|location| location.stored.as_ref());
        let is_open = stored.is_some_and(|stored| stored.is_install) && !is_ruled();
        self.rules
            .over_all(alias, own.chain(is_open.then_some(INSTALLED)))
    }

    /// Whether a call in the location of this alias, or in none of the server's, is judged alike by both.
    pub(super) fn is_same_for(&self, other: &Self, alias: Option<&str>) -> bool {
        // Rules and settings are read together.
        let same_place = |alias| self.locations.is_same_in(&other.locations, alias);
        Arc::ptr_eq(&self.rules, &other.rules) && alias.is_none_or(same_place)
    }
}

/// The rules of one file; everything that is wrong with it at once.
pub fn read_rules(file: &Path) -> Result<Policy, PolicyErrors> {
    read_rules_and_text(file).map(|(rules, _)| rules)
}

fn read_rules_and_text(file: &Path) -> Result<(Policy, String), PolicyErrors> {
    let place = file.display().to_string();
    let wrong = |what: String| PolicyErrors(vec![format!("{place} {what}")]);
    let text = config::read_text(file).map_err(|error| {
        wrong(format!(
            "cannot be read: {error}; correct the path or the file's permissions"
        ))
    })?;
    let rules = Policy::parse(&text, &place, TOOLS)?;
    // A file that was cut short, or not written yet, must not open everything.
    if rules.has_no_rule() {
        let what = "has no rule. Write some into it, or leave policy.file empty if you want none";
        return Err(wrong(what.to_owned()));
    }
    Ok((rules, text))
}

/// What the settings hold calls to where the rules say nothing.
pub fn rule_defaults(settings: &config::PolicySettings) -> PolicyDefaults {
    PolicyDefaults {
        sends_per_hour: settings.sends_per_hour,
        preview_above: settings.preview_above,
    }
}
