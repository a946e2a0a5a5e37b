//! `config`: the effective settings with their sources, whether they are valid, and the list of all.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use toml_edit::{DocumentMut, RawString};

use super::output::{OutputFlags, fitted_sentences};
use super::terminal::visible;
use super::{CliError, check_rules, print};
use crate::call::Snapshot;
use crate::config::{
    Config, ConfigError, DEFAULTS, Flags, SecretSource, Setting, SettingOrigin, WebhookSettings,
};
use crate::http::{SignIn, own_account};
use crate::telemetry::Telemetry;
use crate::upstream::Transport;
use state::Store;

#[derive(Subcommand)]
pub(super) enum ConfigCommand {
    /// Show all settings with their source: default, file, variable or flag. Secrets are not shown.
    Show(Show),
    /// Print every setting with its comment and default, in the form of a settings file.
    Defaults(OutputFlags),
    /// Validate flags, environment and file, and name the file that was read.
    Check(OutputFlags),
}

#[derive(Args)]
pub(super) struct Show {
    /// `config defaults` is its name.
    #[arg(long, hide = true)]
    defaults: bool,
    /// Print a JSON array.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: ConfigCommand, flags: &Flags) -> Result<ExitCode, CliError> {
    match command {
        ConfigCommand::Show(Show {
            defaults: true,
            json,
        }) => defaults(json)?,
        ConfigCommand::Show(Show { json, .. }) => show(Config::settings(flags)?, json, flags)?,
        ConfigCommand::Defaults(output) => defaults(output.is_json())?,
        ConfigCommand::Check(output) => check(flags, output)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn defaults(as_json: bool) -> Result<(), CliError> {
    if !as_json {
        return print(DEFAULTS);
    }
    let document: DocumentMut = DEFAULTS.parse()?;
    let sections = document.iter();
    let sections = sections.filter_map(|(section, item)| Some((section, item.as_table()?)));
    let all: Vec<Value> = sections
        .flat_map(|(section, table)| {
            let keys = table.iter();
            keys.map(move |(key, item)| {
                let comment = table.key(key).and_then(|key| key.leaf_decor().prefix());
                let comment = comment.and_then(RawString::as_str).unwrap_or_default();
                json!({
                    "setting": format!("{section}.{key}"),
                    "value": item.to_string().trim(),
                    "comment": words_of(comment),
                })
            })
        })
        .collect();
    print(format_args!("{:#}\n", Value::Array(all)))
}

/// A comment without its markers, on one line.
fn words_of(comment: &str) -> String {
    let lines = comment
        .lines()
        .map(|line| line.trim_start_matches('#').trim());
    let words: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    words.join(" ")
}

fn show(settings: Vec<Setting>, as_json: bool, flags: &Flags) -> Result<(), CliError> {
    let origin = |setting: &Setting| setting.origin.to_string();
    if as_json {
        let all: Vec<Value> = settings
            .iter()
            .map(|one| json!({"setting": one.name, "value": one.value, "from": origin(one)}))
            .collect();
        return print(format_args!("{:#}\n", Value::Array(all)));
    }
    if !std::io::stdout().is_terminal() {
        let lines = settings.iter().map(|one| {
            let (name, value) = (visible(&one.name), visible(&one.value));
            format!("{name}\t{value}\t{}\n", origin(one))
        });
        return print(lines.collect::<String>());
    }
    // Chosen settings come last, so that they stay on the screen.
    let mut sources: BTreeMap<SettingOrigin, Vec<String>> = BTreeMap::new();
    for one in &settings {
        let line = format!("  {} = {}\n", visible(&one.name), visible(&one.value));
        sources.entry(one.origin.clone()).or_default().push(line);
    }
    let mut text = String::new();
    for (origin, lines) in sources {
        let heading = match &origin {
            SettingOrigin::Default => "Defaults".to_owned(),
            SettingOrigin::File(path) => format!("From {}", path.display()),
            SettingOrigin::Variable(name) => format!("From the variable {name}"),
            SettingOrigin::Flag(name) => format!("From {name}"),
        };
        text += &format!("{heading}\n{}\n", lines.concat());
    }
    print(fitted_sentences(&(text + &read_from(flags)? + "\n")))
}

fn check(flags: &Flags, output: OutputFlags) -> Result<(), CliError> {
    let config = Config::load(flags)?;
    match faults(&config)?.as_slice() {
        [] => {
            let file = Config::file(flags)?.map(|file| file.path);
            let places = Config::places(flags);
            let record = json!({
                "is_valid": true, "file": file, "places": places.iter().collect::<Vec<_>>(),
            });
            let text = format!("the settings are valid; {}\n", read_from(flags)?);
            output.record(&record, text)
        }
        [one] => Err(CliError(one.clone())),
        several => Err(CliError(format!(
            "the settings have {} faults\n  {}",
            several.len(),
            several.join("\n  ")
        ))),
    }
}

/// Everything about these settings with which a server would not start, or would not do all that they say.
fn faults(config: &Config) -> Result<Vec<String>, CliError> {
    let sentence = |error: ConfigError| error.to_string();
    let secret = |name: &str, source: &SecretSource| {
        let read = config.secret(source).map(drop);
        read.map_err(|error| format!("{name}: {error}"))
    };
    let account = own_account(&config.account).map(drop);
    let mut checked = vec![
        account.map_err(|error| error.to_string()),
        config.database().map(drop).map_err(sentence),
        config.check_state_keys().map_err(sentence),
        config.audit.file_fault().map_or(Ok(()), Err),
        Telemetry::silent(config).map(drop),
        SignIn::check(config),
    ];
    let app = config.marketplace.client_secret.iter();
    checked.extend(app.map(|source| secret("marketplace.client_secret", source)));
    let webhooks = config.approvals.webhooks.iter();
    let webhooks = webhooks.flat_map(WebhookSettings::sources);
    checked.extend(webhooks.map(|source| secret("approvals.webhooks", source)));
    let mut faults: Vec<String> = checked.into_iter().filter_map(Result::err).collect();
    let oauth = match Transport::open(config) {
        Ok(transport) => transport.oauth(),
        Err(fault) => {
            faults.push(fault);
            return Ok(faults);
        }
    };
    if let Err(CliError(fault)) = check_rules(config) {
        faults.push(fault);
        return Ok(faults);
    }
    // The check does not need the server's state.
    match Snapshot::read(config, &oauth, &Store::in_memory()?, None) {
        Ok(snapshot) => faults.extend_from_slice(snapshot.locations.faults()),
        Err(fault) => faults.push(fault),
    }
    Ok(faults)
}

/// The file that the settings were read from, or where one was looked for.
fn read_from(flags: &Flags) -> Result<String, CliError> {
    if let Some(file) = Config::file(flags)? {
        return Ok(format!("read from {}", file.path.display()));
    }
    let places = Config::places(flags);
    let places: Vec<String> = places
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    Ok(format!(
        "no settings file: there is no {}",
        places.join(" and no ")
    ))
}
