//! What the server knows of its own locations and of the rules over them; read again while it runs.

use std::sync::Arc;

use crate::config::Config;
use crate::highlevel::accounts::Accounts;
use crate::highlevel::company::Oauth;
use crate::policy::{Policy, PolicyDefaults};

/// Locations and rules that belong together: a call sees both of the same moment.
#[derive(Debug, Default)]
pub struct Tenancy {
    pub accounts: Accounts,
    pub policy: Policy,
}

impl Tenancy {
    /// Fails with a sentence where a location or the policy file is not usable, or the one names what
    /// the other does not have.
    pub fn read(config: &Config, oauth: &Oauth) -> Result<Arc<Self>, String> {
        let accounts = Accounts::new(config, oauth).map_err(|error| error.to_string())?;
        let file = &config.policy.file;
        let policy = match file.as_os_str().is_empty() {
            true => Policy::default(),
            false => Policy::read(file).map_err(|error| error.to_string())?,
        };
        let policy = policy.with_defaults(PolicyDefaults::new(&config.policy));
        if let Some(unknown) = policy
            .location_names()
            .find(|alias| accounts.find(alias).is_none())
        {
            return Err(format!(
                "{} has rules for [locations.{unknown}], which the settings do not have; correct the alias or add the location",
                file.display()
            ));
        }
        Ok(Arc::new(Self { accounts, policy }))
    }
}
