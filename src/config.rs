//! Every setting of the server, from flags, environment, file and defaults. Only this module reads the environment.

mod accounts;
mod discovery;
mod environment;
mod layers;
mod listing;
mod misfit;
mod mistakes;
mod oauth;
mod server;
mod state;
mod text;
mod webhooks;
mod windows;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use self::layers::Layers;
use secrecy::SecretString;
use serde::Deserialize;
use tool::VersionPreference;

pub use self::state::{
    ApprovalSettings, AuditSettings, AuditedArguments, PolicySettings, StateSettings, UsageSettings,
};
pub use accounts::{CompanySettings, Location, SecretSource, SecretText, Variables};
pub use discovery::{SettingsFile, SettingsPlaces};
pub use layers::SettingOrigin;
pub use listing::Setting;
pub(crate) use oauth::parse_duration;
pub use oauth::{
    BrandSettings, HighLevelTokens, MARKETPLACE_CALLBACK, MarketplaceSettings, OauthSettings,
    Register, Who,
};
pub use server::{LocationHeader, OwnAccount, ServerSettings, Tls, parse_listen};
pub use text::{decode, read_stdin, read_text, trimmed};
pub use webhooks::{WebhookSettings, WebhookShape};
pub use windows::WindowSettings;

/// Every setting with its comment. The defaults are read from this text.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// The settings from all sources together. `config.default.toml` documents each one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: ServerSettings,
    pub upstream: UpstreamSettings,
    pub limits: LimitSettings,
    pub windows: WindowSettings,
    pub tools: ToolsSettings,
    pub account: AccountSettings,
    /// By alias.
    #[serde(default)]
    pub locations: BTreeMap<String, Location>,
    #[serde(default)]
    pub companies: BTreeMap<String, CompanySettings>,
    pub state: StateSettings,
    pub oauth: OauthSettings,
    pub marketplace: MarketplaceSettings,
    pub brand: BrandSettings,
    pub policy: PolicySettings,
    pub audit: AuditSettings,
    pub usage: UsageSettings,
    pub approvals: ApprovalSettings,
    pub log: Log,
    pub metrics: MetricsSettings,
    pub traces: TracesSettings,
    /// The environment variables that hold secrets of locations and companies.
    #[serde(skip)]
    variables: Variables,
    /// The file that it was read from.
    #[serde(skip)]
    pub file: Option<SettingsFile>,
}

/// The address of HighLevel, and time limits for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamSettings {
    pub base_url: String,
    pub prefer_version: VersionPreference,
    pub connect_timeout_ms: u64,
    /// From the first byte sent to the last byte read.
    pub total_timeout_ms: u64,
    /// Largest answer that is read, in bytes after decompression.
    pub max_response_bytes: usize,
    /// The upstream is the built-in sandbox. No setting says so; `--sandbox` does.
    #[serde(skip)]
    pub simulated: bool,
}

/// The rate limit of HighLevel for each location and app.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    pub calls_per_interval: u64,
    pub interval_ms: u64,
    /// The percentage of `calls_per_interval` that is used.
    pub percent: u64,
    pub calls_per_day: u64,
    /// Longest wait for a place in the window, in milliseconds.
    pub max_wait_ms: u64,
    /// Most calls that wait for one location.
    pub queue: usize,
}

/// Arguments and answers of tools.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolsSettings {
    /// Argument names that clients add on their own. They are dropped if a tool has no such argument.
    pub ignored_arguments: Vec<String>,
    /// Largest answer that a client gets, in bytes.
    pub max_answer_bytes: usize,
    /// Largest file in an answer, in bytes of base64.
    pub max_file_bytes: usize,
    pub mark_strangers_text: StrangersMark,
}

/// The surfaces that fence other people's words in their answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StrangersMark {
    Orchestrator,
    All,
    Off,
}

/// The server's own account; empty if it has none.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountSettings {
    pub token: SecretString,
    pub location_id: String,
    pub company_id: String,
    /// The keys whose values the settings file gives, and not a variable.
    #[serde(skip)]
    pub keys_of_file: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub level: Level,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    Text,
    Json,
}

/// The listener for Prometheus.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsSettings {
    /// Address and port; empty: no listener.
    pub listen: String,
}

/// The receiver of traces.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TracesSettings {
    /// URL of an OTLP receiver over HTTP; empty: no traces.
    pub endpoint: String,
}

/// Settings given as flags.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub config: Option<PathBuf>,
    pub listen: Option<String>,
    /// Replaces the port of `listen`.
    pub port: Option<u16>,
    pub base_url: Option<String>,
    pub allowed_hosts: Vec<String>,
    pub allowed_origins: Vec<String>,
    pub tls: Option<String>,
    pub state: Option<String>,
    /// Ignores a file of settings in the current folder: a client starts the program in whatever folder is open.
    pub skips_current_folder: bool,
}

/// A sentence for the person who set it: the place, the problem and the remedy.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

/// An environment variable that is none of ours, such as PAGER, if it is set to a text.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

const CONFIG_VARIABLE: &str = "HIGHLEVEL_MCP_CONFIG";

impl Config {
    /// Merges flags, this process's environment, the file that they name or that is found, and the defaults.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let file = Self::file(flags)?;
        Self::join(flags, file, std::env::vars_os())
    }

    /// The same with a given environment. Searches for no file.
    pub fn from_sources(
        flags: &Flags,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let environment: BTreeMap<_, _> = environment.into_iter().collect();
        let variable = |name: &str| environment.get(OsStr::new(name)).cloned();
        let file = SettingsFile::given(flags, variable);
        Self::join(flags, file, environment)
    }

    fn join(
        flags: &Flags,
        file: Option<SettingsFile>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let (own, others) = variables(environment)?;
        let layers = Layers::collect(flags, file.as_ref(), &own)?;
        let read: Result<Self, toml::de::Error> = layers.table.clone().try_into();
        let mut config = read.map_err(|error| {
            let what = error.to_string();
            ConfigError(format!("the settings: {}", what.trim().replace('\n', " ")))
        })?;
        config.account.trim();
        config.account.keys_of_file = layers.keys_of_file("account");
        let faults = config.faults();
        let faults = faults.iter().map(|fault| layers.located(fault));
        let all: Vec<String> = layers.mistakes.iter().cloned().chain(faults).collect();
        ConfigError::joined(all).map_or(Ok(()), Err)?;
        let all: BTreeMap<String, String> = others.into_iter().chain(own).collect();
        let tokens = config
            .locations
            .values()
            .filter_map(|one| one.token.as_ref());
        let secrets = config.companies.values().map(|one| &one.client_secret);
        let sources = tokens.chain(secrets).chain(&config.state.keys);
        let sources = sources.chain(&config.marketplace.client_secret);
        let sources = sources.chain(config.state.url.source());
        let sources = sources.chain(config.windows.url.source());
        let webhooks = config.approvals.webhooks.iter();
        let sources = sources.chain(webhooks.flat_map(WebhookSettings::sources));
        config.variables = Variables::collect(sources, &all);
        config.file = file;
        Ok(config)
    }

    /// Values that cannot be used, alone or together. Each sentence begins with the setting's name.
    fn faults(&self) -> Vec<String> {
        [
            self.server.faults(),
            self.upstream.faults(),
            self.state.faults(),
            self.oauth.faults(),
            self.marketplace.faults(),
            self.metrics.faults(),
        ]
        .concat()
    }

    /// The file of settings that flags or this process's environment name, or that is found.
    pub fn file(flags: &Flags) -> Result<Option<SettingsFile>, ConfigError> {
        SettingsFile::find(flags, &std::env::vars_os().collect())
    }

    /// The places that are searched for a file of settings.
    pub fn places(flags: &Flags) -> SettingsPlaces {
        SettingsPlaces::new(flags, &std::env::vars_os().collect())
    }

    /// Every setting with the source of its value, without secrets.
    pub fn settings(flags: &Flags) -> Result<Vec<Setting>, ConfigError> {
        let file = Self::file(flags)?;
        let (own, _) = variables(std::env::vars_os())?;
        let layers = Layers::collect(flags, file.as_ref(), &own)?;
        ConfigError::joined(layers.mistakes.clone()).map_or(Ok(()), Err)?;
        Ok(listing::settings(layers))
    }

    /// Whether nothing but the default gives the setting of this name, such as `server.listen`.
    pub fn is_default(flags: &Flags, name: &str) -> Result<bool, ConfigError> {
        let settings = Self::settings(flags)?;
        let mut named = settings.iter().filter(|one| one.name == name);
        Ok(named.all(|one| one.origin == SettingOrigin::Default))
    }

    /// The secret at `source`.
    pub fn secret(&self, source: &SecretSource) -> Result<SecretString, ConfigError> {
        source.read(&self.variables)
    }
}

impl Config {
    /// The name of the state: each upstream has its own. `None`: the sandbox's.
    pub fn state_name(&self) -> Option<String> {
        match (self.upstream.simulated, self.state.name.as_str()) {
            (true, _) => None,
            (false, "") => Some(self.upstream.name()),
            (false, name) => Some(name.to_owned()),
        }
    }
}

impl ConfigError {
    pub fn new(what: String) -> Self {
        Self(what)
    }

    /// All mistakes in one error; `None` if there are none.
    fn joined(mistakes: Vec<String>) -> Option<Self> {
        match mistakes.as_slice() {
            [] => None,
            [one] => Some(Self(one.clone())),
            several => Some(Self(format!(
                "the settings have {} mistakes\n  {}",
                several.len(),
                several.join("\n  ")
            ))),
        }
    }
}

impl UpstreamSettings {
    /// An address that no call can have. A password in it would appear in logs, and HighLevel takes none.
    fn faults(&self) -> Vec<String> {
        let given = &self.base_url;
        let Ok(url) = given.parse::<reqwest::Url>() else {
            return vec![format!(
                "upstream.base_url {given:?} is not an address. Give one such as \"https://services.leadconnectorhq.com\""
            )];
        };
        let mut faults = Vec::new();
        if !url.username().is_empty() || url.password().is_some() {
            faults.push(
                "upstream.base_url contains a user name or a password, which would be written to logs. Remove it: \
                 HighLevel needs only a token"
                    .to_owned(),
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            faults.push(
                "upstream.base_url has a query or fragment (? or #), to which no path can be added. Leave it out"
                    .to_owned(),
            );
        }
        faults
    }

    /// Host and port.
    fn name(&self) -> String {
        let url = self.base_url.parse::<reqwest::Url>().ok();
        let parts = url
            .as_ref()
            .and_then(|url| Some((url.host_str()?, url.port())));
        match parts {
            Some((host, Some(port))) => format!("{host}-{port}"),
            Some((host, None)) => host.to_owned(),
            // The connection fails later, with the reason.
            None => "unknown".to_owned(),
        }
    }

    /// Whether tokens are sent to another machine without TLS.
    pub fn is_plain_text(&self) -> bool {
        let url = self.base_url.parse::<reqwest::Url>().ok();
        url.is_some_and(|url| {
            let host = url.host_str().unwrap_or_default();
            let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
            let is_loopback =
                host == "localhost" || address.is_ok_and(|address| address.is_loopback());
            url.scheme() == "http" && !is_loopback
        })
    }
}

impl MetricsSettings {
    fn faults(&self) -> Vec<String> {
        if self.listen.is_empty() || self.listen.parse::<SocketAddr>().is_ok() {
            return Vec::new();
        }
        vec![format!(
            "metrics.listen {:?} is not an address and port, such as 127.0.0.1:8101. Leave it empty for no metrics",
            self.listen
        )]
    }
}

impl AccountSettings {
    /// Removes the line break of a token that a shell read from a file.
    fn trim(&mut self) {
        use secrecy::ExposeSecret;
        self.token = SecretString::from(trimmed(self.token.expose_secret()));
        self.location_id = trimmed(&self.location_id).to_owned();
        self.company_id = trimmed(&self.company_id).to_owned();
    }

    /// The name under which a person finds the value of `key`: the setting, or else its variable.
    pub fn place_of(&self, key: &str, variable: &str) -> String {
        match self.keys_of_file.iter().any(|one| one == key) {
            true => format!("account.{key} of the settings file"),
            false => variable.to_owned(),
        }
    }

    pub fn is_empty(&self) -> bool {
        use secrecy::ExposeSecret;
        self.token.expose_secret().is_empty()
    }
}

impl Level {
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Names and values, sorted by name.
type NamedValues = Vec<(String, String)>;

/// Our own variables, and all other readable ones. A whole section comes before its keys.
fn variables(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(NamedValues, NamedValues), ConfigError> {
    let (own, others): (Vec<_>, Vec<_>) = environment
        .into_iter()
        .partition(|(name, _)| name.to_string_lossy().starts_with("HIGHLEVEL_"));
    let own =
        own.into_iter().map(
            |(name, value)| match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => Ok((name, trimmed(&value).to_owned())),
                (name, _) => Err(ConfigError(format!(
                    "the environment variable {} is not UTF-8; correct it",
                    name.unwrap_or_else(|name| name.to_string_lossy().into_owned())
                ))),
            },
        );
    let mut own: NamedValues = own.collect::<Result<_, _>>()?;
    own.sort();
    let others = others
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Ok((own, others.collect()))
}

#[cfg(test)]
mod tests;
