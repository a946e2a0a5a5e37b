//! The effective settings, one by one, without secrets.

use toml::{Table, Value};

use super::layers::{Layers, SettingOrigin};

/// Settings whose value gives access: webhook addresses are as good as passwords, and those of a database and a Valkey
/// contain one.
const SECRETS: [&str; 5] = [
    "account.token",
    "server.access_key",
    "approvals.webhooks",
    "state.url",
    "windows.url",
];

/// One effective setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Section and key, such as `server.listen`.
    pub name: String,
    /// In the syntax of a file of settings; `set` for a secret.
    pub value: String,
    pub origin: SettingOrigin,
}

/// Sorted by name.
pub(super) fn settings(layers: Layers) -> Vec<Setting> {
    let Layers { table, origins, .. } = layers;
    let sections = table.iter().filter_map(|(section, keys)| {
        let keys: &Table = keys.as_table()?;
        Some((section, keys))
    });
    let all = sections.flat_map(|(section, keys)| keys.iter().map(move |one| (section, one)));
    let settings = all.map(|(section, (key, value))| {
        let origin = origins.get(&(section.clone(), key.clone()));
        let name = format!("{section}.{key}");
        Setting {
            value: shown(&name, value),
            name,
            origin: origin.cloned().unwrap_or(SettingOrigin::Default),
        }
    });
    settings.collect()
}

fn shown(name: &str, value: &Value) -> String {
    let is_empty = value.as_str() == Some("");
    match SECRETS.contains(&name) && !is_empty {
        true => "set".to_owned(),
        false => value.to_string(),
    }
}
