//! `init`: sets up an account and a client: asks for what is needed, tries it, writes it, connects the client.

mod client;
mod questions;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::connect::ClientSetup;
use super::locations::add::{check_alias, location_id, warn_of_open_file};
use super::locations::document::{
    NewLocation, ReachedBy, SettingsDocument, make_private_folder, write_token,
};
use super::locations::import::csv_rows::alias_of_name;
use super::locations::trial;
use super::output::{OutputFlags, note};
use super::question::can_ask;
use super::{CliError, print};
use crate::config::{Config, Flags, SecretSource};
use crate::upstream::TenantId;
use questions::{Interview, Work};
use tool::first_names;

/// The alias of the only location while it has no name yet.
const UNNAMED: &str = "main";

#[derive(Args)]
pub(super) struct Init {
    /// Work with made-up records. This needs no account and writes no settings file.
    #[arg(long, conflicts_with_all = ["token_file", "token_env", "location"])]
    sandbox: bool,
    /// File with the token of the sub-account's private integration.
    #[arg(long, value_name = "FILE", conflicts_with = "token_env")]
    token_file: Option<PathBuf>,
    /// Environment variable with the token, here and where the server runs.
    #[arg(long, value_name = "NAME")]
    token_env: Option<String>,
    /// Id of the sub-account, or the address of any of its pages.
    #[arg(long, value_name = "ID")]
    location: Option<String>,
    /// Short name of the sub-account for calls. By default it is derived from the sub-account's name.
    #[arg(long)]
    alias: Option<String>,
    /// Client to connect. `highlevel-mcp connect --help` lists them.
    #[arg(long)]
    client: Option<String>,
    /// Ask no questions and use only the flags. --json does the same.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    output: OutputFlags,
}

/// What was set up.
#[derive(Serialize)]
struct InitRecord<'a> {
    location: Option<InitLocation<'a>>,
    client: Option<ClientSetup>,
    /// The command that starts the server; `None` if the client starts it.
    serve: Option<&'static str>,
}

#[derive(Serialize)]
struct InitLocation<'a> {
    alias: &'a str,
    /// False if the settings had it already.
    is_new: bool,
    /// HighLevel's id.
    location: &'a str,
    location_name: &'a str,
    /// The file of settings.
    file: PathBuf,
}

/// A sub-account that accepted the token, or that the settings have already.
struct InitAccount {
    alias: String,
    name: String,
    id: TenantId,
    /// `None`: the settings have it.
    token: Option<GivenToken>,
}

/// The place of the token.
enum GivenToken {
    /// Typed in; it has no file yet.
    Typed(SecretString),
    Place(SecretSource),
}

impl Init {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        let asks = !self.yes && !self.output.is_json() && can_ask();
        let person = asks.then_some(Interview);
        let document = SettingsDocument::open(flags)?;
        let config = document.settings(flags)?;
        if let Some(client) = &self.client {
            client::parse(client, &config)?;
        }
        let Some(work) = self.work(person, &document, &config)? else {
            print("nothing was changed\n")?;
            return Ok(ExitCode::SUCCESS);
        };
        let account = match work {
            Work::Sandbox => None,
            Work::Account => Some(self.account(person, &document, &config, flags)?),
        };
        let file = document.path().to_owned();
        let client = match (&self.client, person) {
            (Some(client), _) => Some(client.clone()),
            (None, Some(person)) => person.client(&client::names(&config))?,
            (None, None) => None,
        };
        if let Some(account) = account.as_ref().filter(|account| account.token.is_none()) {
            let alias = &account.alias;
            note(format_args!(
                "This location is configured already, as {alias}, and stays as it is. To give it another token, remove \
                 it first: `highlevel-mcp locations remove {alias}`"
            ));
        } else if let Some(account) = &account {
            if let Some(person) = person
                && !person.agrees(&document, account)?
            {
                print("nothing was changed\n")?;
                return Ok(ExitCode::SUCCESS);
            }
            write(document, account, flags)?;
            if !self.output.is_json() {
                let file = file.display();
                print(format_args!(
                    "{} ({}) is in {file}\n",
                    account.name, account.alias
                ))?;
            }
        }
        let client = client
            .map(|client| {
                let client = client::parse(&client, &config)?;
                client::connect(client, account.is_none(), &config, flags)
            })
            .transpose()?;
        let (serve, doctor) = match account {
            None => (
                "highlevel-mcp serve --sandbox",
                "highlevel-mcp doctor --sandbox",
            ),
            Some(_) => ("highlevel-mcp serve", "highlevel-mcp doctor"),
        };
        let starts_program = client.as_ref().is_some_and(|client| client.starts_program);
        let (client, unwritten) = match client {
            Some(client) => (Some(client.setup), client.unwritten),
            None => (None, None),
        };
        let done = unwritten.map_or(Ok(ExitCode::SUCCESS), Err);
        if self.output.is_json() {
            let location = account.as_ref().map(|account| InitLocation {
                alias: &account.alias,
                is_new: account.token.is_some(),
                location: account.id.as_str(),
                location_name: &account.name,
                file,
            });
            let record = InitRecord {
                location,
                client,
                serve: (!starts_program).then_some(serve),
            };
            self.output.record(&record, "")?;
            return done;
        }
        if let Some(client) = client {
            client.show(self.output)?;
        }
        print(match starts_program {
            true => format!("The client starts the server itself; `{doctor}` checks everything\n"),
            false => format!("Start the server with `{serve}`; `{doctor}` checks everything\n"),
        })?;
        done
    }

    /// The kind of work that the client will do; `None` if nothing is to change. First shows the present set-up.
    fn work(
        &self,
        person: Option<Interview>,
        document: &SettingsDocument,
        config: &Config,
    ) -> Result<Option<Work>, CliError> {
        let known: Vec<&str> = config.locations.keys().map(String::as_str).collect();
        if !known.is_empty() {
            eprintln!(
                "{} has {}",
                document.path().display(),
                match known.as_slice() {
                    [one] => format!("the location {one}"),
                    several => {
                        format!(
                            "{} locations: {}",
                            several.len(),
                            first_names(several.iter().copied())
                        )
                    }
                }
            );
        }
        let has_token = self.token_file.is_some() || self.token_env.is_some();
        match (self.sandbox, has_token, person) {
            (true, ..) => Ok(Some(Work::Sandbox)),
            (_, true, _) => Ok(Some(Work::Account)),
            (.., Some(_)) if self.location.is_some() => Ok(Some(Work::Account)),
            (.., Some(person)) => person.work(!known.is_empty()),
            (.., None) => Err(CliError(
                "nobody can be asked here. Give --sandbox, or --token-file FILE and --location ID. --client NAME \
                 connects a client"
                    .to_owned(),
            )),
        }
    }

    /// The sub-account, once HighLevel has accepted the token, or as the settings have it.
    fn account(
        &self,
        person: Option<Interview>,
        document: &SettingsDocument,
        config: &Config,
        flags: &Flags,
    ) -> Result<InitAccount, CliError> {
        let mut token = match (&self.token_file, &self.token_env, person) {
            (Some(file), ..) => {
                let path = std::path::absolute(file)?;
                warn_of_open_file(&path);
                GivenToken::Place(SecretSource::File(path))
            }
            (None, Some(name), _) => GivenToken::Place(SecretSource::Env(name.clone())),
            (None, None, Some(person)) => GivenToken::Typed(person.token()?),
            (None, None, None) => return Err(CliError("give --token-file FILE".to_owned())),
        };
        let mut id = match (&self.location, person) {
            (Some(given), _) => location_id(given)?,
            (None, Some(person)) => person.location(None)?,
            (None, None) => {
                let what = "give --location: the id of the sub-account, or the address of any of its pages";
                return Err(CliError(what.to_owned()));
            }
        };
        if let Some(alias) = &self.alias {
            check_alias(alias)?;
        }
        let name = loop {
            let mut known = config.locations.iter();
            if let Some((alias, known)) = known.find(|(_, known)| known.location_id == id.as_str())
            {
                return Ok(InitAccount {
                    alias: alias.clone(),
                    name: known.name.clone(),
                    id,
                    token: None,
                });
            }
            match (try_token(document, &id, &token, flags), person, &token) {
                // A person corrects one of the two, and loses no other answer.
                (Err(CliError(what)), Some(person), GivenToken::Typed(_)) => {
                    note(what);
                    token = GivenToken::Typed(person.token()?);
                    id = person.location(Some(&id))?;
                }
                (name, ..) => break name?,
            }
        };
        let usual = alias_of_name(&name).unwrap_or_else(|| UNNAMED.to_owned());
        let mut taken = document.clone();
        let taken = taken.location_aliases()?;
        let alias = match (&self.alias, person) {
            (Some(alias), _) => alias.clone(),
            (None, Some(person)) => person.alias(&name, &usual)?,
            (None, None) => usual,
        };
        match taken.contains(&alias) {
            true => Err(CliError(format!(
                "there is already a location {alias}. Give another --alias"
            ))),
            false => Ok(InitAccount {
                alias,
                name,
                id,
                token: Some(token),
            }),
        }
    }
}

/// HighLevel's name for the location, once the token was accepted. Writes only into a folder of its own.
fn try_token(
    document: &SettingsDocument,
    id: &TenantId,
    token: &GivenToken,
    flags: &Flags,
) -> Result<String, CliError> {
    let folder = tempfile::tempdir()?;
    let mut alias = UNNAMED.to_owned();
    let mut document = document.clone();
    while document.location_aliases()?.contains(&alias) {
        alias.push('x');
    }
    let of_typed;
    let source = match token {
        GivenToken::Place(source) => source,
        GivenToken::Typed(token) => {
            let path = folder.path().join("token");
            write_token(&path, token.expose_secret())?;
            of_typed = SecretSource::File(path);
            &of_typed
        }
    };
    document.add_location(&NewLocation {
        alias: &alias,
        name: None,
        id,
        reached_by: ReachedBy::Token(source),
    })?;
    trial::try_alias(document.settings(flags)?, &alias)?
        .map_err(|what| CliError(format!("nothing was written: {what}")))
}

/// Writes token and settings. If the settings cannot be written, no token is left behind.
fn write(
    mut document: SettingsDocument,
    account: &InitAccount,
    flags: &Flags,
) -> Result<(), CliError> {
    let of_typed;
    let mut written = None;
    let source = match &account.token {
        None => return Ok(()),
        Some(GivenToken::Place(source)) => source,
        Some(GivenToken::Typed(token)) => {
            let folder = std::path::absolute(document.folder())?.join("tokens");
            make_private_folder(&folder)?;
            let path = folder.join(format!("{}.token", account.alias));
            write_token(&path, token.expose_secret())?;
            written = Some(path.clone());
            of_typed = SecretSource::File(path);
            &of_typed
        }
    };
    document.add_location(&NewLocation {
        alias: &account.alias,
        name: Some(&account.name),
        id: &account.id,
        reached_by: ReachedBy::Token(source),
    })?;
    if let Err(error) = document.save(flags) {
        if let Some(path) = written {
            // The file was just made, so a failure to remove it is ignored: the reported error says more.
            let _ = std::fs::remove_file(path);
        }
        return Err(error);
    }
    Ok(())
}
