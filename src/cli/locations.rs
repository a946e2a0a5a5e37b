//! `locations`: the server's own locations, and whether each can be reached.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use secrecy::SecretString;
use serde_json::{Map, json};
use toml_edit::{DocumentMut, InlineTable, Item, Table, value};

use super::terminal::{Text, table, waiting};
use super::text::sentences;
use super::{CliError, prepared, print, runtime};
use crate::call::{CallContext, Pipeline, missing_store, open_store};
use crate::config::{Config, Flags, SecretSource, read_stdin, read_text, trimmed};
use crate::surfaces::{OFFICIAL, tools_in};
use crate::telemetry::Telemetry;
use crate::upstream::accounts::is_alias;
use crate::upstream::caller::Credential;
use state::vault::{CredentialKind, CredentialStatus, Vault, VaultLocation};

/// Reads the location itself.
const PROBE: &str = "locations_get-location";

#[derive(Subcommand)]
pub(super) enum LocationsCommand {
    /// Every location of the settings, and those that people connected.
    List,
    /// Add one to the file of settings.
    Add(Add),
    /// Take one out of the file of settings.
    Remove { alias: String },
    /// Read each location, or those named, and say whether it can be reached. Changes nothing.
    Test { aliases: Vec<String> },
}

#[derive(Args)]
pub(super) struct Add {
    /// What calls, endpoints and policies call it: a-z, 0-9, - and _.
    alias: String,
    /// Its id in HighLevel; it stands in the URL of the sub-account.
    #[arg(long)]
    location_id: String,
    /// What people call it.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    credential: From,
}

/// Where the token is.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct From {
    /// File that holds the token.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Environment variable that holds it where the server runs.
    #[arg(long, value_name = "NAME")]
    token_env: Option<String>,
    /// Read the token from stdin and keep it in the system's keyring.
    #[arg(long)]
    token_keyring: bool,
    /// Company of the settings whose token reaches it.
    #[arg(long, value_name = "ALIAS")]
    company: Option<String>,
}

pub(super) fn run(command: Option<LocationsCommand>, flags: &Flags) -> Result<ExitCode, CliError> {
    match command.unwrap_or(LocationsCommand::List) {
        LocationsCommand::List => list(&Config::load(flags)?)?,
        LocationsCommand::Add(add) => add.run(flags)?,
        LocationsCommand::Remove { alias } => remove(&alias, flags)?,
        LocationsCommand::Test { aliases } => return test(&aliases, flags),
    }
    Ok(ExitCode::SUCCESS)
}

fn list(config: &Config) -> Result<(), CliError> {
    let of_settings = config.locations.iter().map(|(alias, location)| {
        let credential = match (&location.token, &location.company) {
            (Some(source), _) => source.to_string(),
            (None, Some(company)) => format!("company {company}"),
            (None, None) => "none".to_owned(),
        };
        [
            Text::from(alias.as_str()),
            location.name.as_str().into(),
            location.location_id.as_str().into(),
            credential.into(),
            "settings".into(),
            "".into(),
        ]
    });
    let mut rows: Vec<_> = of_settings.collect();
    rows.extend(connected(config)?.into_iter().map(|location| {
        let credential = match location.kind {
            CredentialKind::Pit => "private integration".to_owned(),
            CredentialKind::Location => "app".to_owned(),
            CredentialKind::Company => {
                format!("app of company {}", location.company.unwrap_or_default())
            }
        };
        let source = match location.owner {
            Some(owner) => format!("connected by {owner}"),
            None => "connected for all".to_owned(),
        };
        let status = location.status.word();
        [
            location.alias.into(),
            location.name.into(),
            location.location.into(),
            credential.into(),
            source.into(),
            match location.status {
                CredentialStatus::Good => Text::good(status),
                _ => Text::bad(status),
            },
        ]
    }));
    let columns = [
        "Alias",
        "Name",
        "Location",
        "Credential",
        "Source",
        "Status",
    ];
    table(columns, rows)?;
    Ok(())
}

/// What people connected, where they may.
fn connected(config: &Config) -> Result<Vec<VaultLocation>, CliError> {
    let has_store = config.state.folder()?.is_some() && missing_store(config)?.is_none();
    if !config.oauth.is_on() || !has_store {
        return Ok(Vec::new());
    }
    let store = open_store(config)?;
    Ok(Vault::new(&store).list().wait()?)
}

/// Exit code 1 where one cannot be reached.
fn test(aliases: &[String], flags: &Flags) -> Result<ExitCode, CliError> {
    let (_, pipeline) = prepared(flags, None, |_| Ok(Telemetry::default()))?;
    let snapshot = pipeline.snapshot();
    if let Some(unknown) = aliases
        .iter()
        .find(|alias| snapshot.locations.find(alias).is_none())
    {
        return Err(CliError(format!(
            "there is no [locations.{unknown}] in the settings"
        )));
    }
    let wanted = snapshot
        .locations
        .iter()
        .filter(|account| aliases.is_empty() || aliases.contains(&account.configured.alias));
    let mut failed = 0;
    let mut rows = Vec::new();
    let runtime = runtime()?;
    for account in wanted {
        let tried = reach(&pipeline, CallContext::local(account.caller()));
        let (mark, what) = match runtime.block_on(waiting("asking HighLevel", tried))? {
            Ok(name) => (Text::good("ok"), name),
            Err(what) => {
                failed += 1;
                (Text::bad("fault"), what)
            }
        };
        rows.push([mark, account.configured.alias.as_str().into(), what.into()]);
    }
    table(["", "Alias", "Finding"], rows)?;
    Ok(ExitCode::from(u8::from(failed > 0)))
}

/// The name that HighLevel has for the location, or what it said instead.
async fn reach(
    pipeline: &Pipeline,
    context: CallContext,
) -> Result<Result<String, String>, CliError> {
    let probe = super::tools::find(&tools_in(OFFICIAL)?, PROBE)?;
    let account = context.principal.account.as_ref();
    let location = account.and_then(|account| account.location.as_ref());
    let location = location.map(|bound| bound.location().as_str().to_owned());
    let arguments = Map::from_iter([("locationId".to_owned(), json!(location))]);
    let answer = pipeline.call(probe, arguments, &context).await;
    let told: serde_json::Value = serde_json::from_str(&answer.text).unwrap_or_default();
    let text = |pointer: &str| told.pointer(pointer).and_then(|value| value.as_str());
    Ok(if answer.is_error {
        let parts = [text("/error"), text("/message"), text("/remedy")];
        Err(sentences(parts.into_iter().flatten()))
    } else {
        Ok(text("/location/name")
            .or(text("/name"))
            .unwrap_or("reached")
            .to_owned())
    })
}

impl Add {
    fn run(self, flags: &Flags) -> Result<(), CliError> {
        if !is_alias(&self.alias) {
            return Err(CliError(format!(
                "{:?} is no alias: use a-z, 0-9, - and _",
                self.alias
            )));
        }
        let (path, mut document) = settings(flags)?;
        let locations = section(&mut document)?;
        if locations.contains_key(&self.alias) {
            let what = format!("{} has [locations.{}] already", path.display(), self.alias);
            return Err(CliError(what));
        }
        let mut location = Table::new();
        if let Some(name) = &self.name {
            location["name"] = value(name);
        }
        location["location_id"] = value(&self.location_id);
        match (&self.credential.company, self.source()?) {
            (Some(company), _) => location["company"] = value(company),
            (None, Some((key, text))) => {
                let mut source = InlineTable::new();
                source.insert(key, text.into());
                location["token"] = value(source);
            }
            (None, None) => {}
        }
        locations.insert(&self.alias, Item::Table(location));
        replace(&path, &document.to_string(), flags)?;
        print(format_args!(
            "{} is in {}; `highlevel-mcp locations test {0}` tries it, SIGHUP has a running server read it\n",
            self.alias,
            path.display()
        ))
    }

    /// Key and value of the table that says where the token is.
    fn source(&self) -> Result<Option<(&'static str, String)>, CliError> {
        let from = &self.credential;
        if let Some(file) = &from.token_file {
            // A server runs elsewhere than this command.
            let path = std::path::absolute(file)?;
            return Ok(Some(("file", path.display().to_string())));
        }
        if let Some(name) = &from.token_env {
            return Ok(Some(("env", name.clone())));
        }
        if !from.token_keyring {
            return Ok(None);
        }
        let secret = SecretString::from(trimmed(&read_stdin()?));
        if Credential::from_secret(&secret).is_none() {
            let what = "stdin holds no HighLevel token: it is neither pit-… nor a JWT";
            return Err(CliError(what.to_owned()));
        }
        SecretSource::Keyring(self.alias.clone()).keep(&secret)?;
        Ok(Some(("keyring", self.alias.clone())))
    }
}

fn remove(alias: &str, flags: &Flags) -> Result<(), CliError> {
    let (path, mut document) = settings(flags)?;
    if section(&mut document)?.remove(alias).is_none() {
        let what = format!("{} has no [locations.{alias}]", path.display());
        return Err(CliError(what));
    }
    replace(&path, &document.to_string(), flags)?;
    print(format_args!("{alias} is no longer in {}\n", path.display()))
}

/// The file of settings with its comments; a new one where it does not exist yet.
fn settings(flags: &Flags) -> Result<(PathBuf, DocumentMut), CliError> {
    let path = Config::file(flags).ok_or_else(|| {
        CliError(
            "there is no file of settings: give --config FILE or set HIGHLEVEL_MCP_CONFIG"
                .to_owned(),
        )
    })?;
    let text = match read_text(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => {
            read.map_err(|error| CliError(format!("{} cannot be read: {error}", path.display())))?
        }
    };
    let document = text.parse();
    let document =
        document.map_err(|error| CliError(format!("{} is no TOML: {error}", path.display())))?;
    Ok((path, document))
}

/// `[locations]`, which is made where there is none.
fn section(document: &mut DocumentMut) -> Result<&mut Table, CliError> {
    let mut fresh = Table::new();
    fresh.set_implicit(true);
    let item = document.entry("locations").or_insert(Item::Table(fresh));
    let table = item.as_table_mut();
    table.ok_or_else(|| CliError("`locations` in the file of settings is no table".to_owned()))
}

/// Puts `text` in the place of the file once it makes valid settings.
fn replace(path: &Path, text: &str, flags: &Flags) -> Result<(), CliError> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let fresh = tempfile::NamedTempFile::new_in(folder)?;
    std::fs::write(fresh.path(), text)?;
    let flags = Flags {
        config: Some(fresh.path().to_owned()),
        ..flags.clone()
    };
    Config::load(&flags)?;
    if let Ok(before) = std::fs::metadata(path) {
        std::fs::set_permissions(fresh.path(), before.permissions())?;
    }
    fresh.persist(path)?;
    Ok(())
}
