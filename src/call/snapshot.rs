//! What the server knows of its own locations and of the rules over them at one moment; a call sees one of both.

use std::path::Path;
use std::sync::Arc;

use crate::catalog::TOOLS;
use crate::config::{self, Config};
use crate::upstream::accounts::Accounts;
use crate::upstream::company::Oauth;
use policy::{Policy, PolicyDefaults, PolicyErrors};
use state::Store;

/// Locations and rules that belong together; read again while the server runs.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub locations: Accounts,
    pub rules: Policy,
}

impl Snapshot {
    /// Fails with a sentence where a location or the file of rules is not usable, or the one names what
    /// the other does not have.
    pub fn read(config: &Config, oauth: &Oauth, store: &Store) -> Result<Arc<Self>, String> {
        let locations = Accounts::new(config, oauth, store).map_err(|error| error.to_string())?;
        let file = &config.policy.file;
        let rules = match file.as_os_str().is_empty() {
            true => Policy::default(),
            false => read_rules(file).map_err(|error| error.to_string())?,
        };
        let rules = rules.with_defaults(rule_defaults(&config.policy));
        if let Some(unknown) = rules
            .location_names()
            .find(|alias| locations.find(alias).is_none())
        {
            return Err(format!(
                "{} has rules for [locations.{unknown}], which the settings do not have; correct the alias or add the location",
                file.display()
            ));
        }
        Ok(Arc::new(Self { locations, rules }))
    }
}

/// The rules of one file; everything that is wrong with it at once.
pub fn read_rules(file: &Path) -> Result<Policy, PolicyErrors> {
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
        let what =
            "holds no rule; write some into it, or leave policy.file empty where none are wanted";
        return Err(wrong(what.to_owned()));
    }
    Ok(rules)
}

/// What the settings hold calls to where the rules say nothing.
pub fn rule_defaults(settings: &config::PolicySettings) -> PolicyDefaults {
    PolicyDefaults {
        sends_per_hour: settings.sends_per_hour,
        preview_above: settings.preview_above,
    }
}
