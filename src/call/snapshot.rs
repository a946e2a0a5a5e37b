//! What the server knows of its own locations and of the rules over them at one moment; a call sees one of both.

use std::sync::Arc;

use crate::config::Config;
use crate::highlevel::accounts::Accounts;
use crate::highlevel::company::Oauth;
use crate::policy::{Policy, PolicyDefaults};

/// Locations and rules that belong together; read again while the server runs.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub locations: Accounts,
    pub rules: Policy,
}

impl Snapshot {
    /// Fails with a sentence where a location or the file of rules is not usable, or the one names what
    /// the other does not have.
    pub fn read(config: &Config, oauth: &Oauth) -> Result<Arc<Self>, String> {
        let locations = Accounts::new(config, oauth).map_err(|error| error.to_string())?;
        let file = &config.policy.file;
        let rules = match file.as_os_str().is_empty() {
            true => Policy::default(),
            false => Policy::read(file).map_err(|error| error.to_string())?,
        };
        let rules = rules.with_defaults(PolicyDefaults::new(&config.policy));
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
