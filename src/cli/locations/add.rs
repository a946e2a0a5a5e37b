//! `locations add`: adds one location to the file of settings, once it is known to work.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::document::{NewLocation, ReachedBy, SettingsDocument};
use super::{accounts, trial};
use crate::cli::CliError;
use crate::cli::output::{OutputFlags, note};
use crate::config::{Config, Flags, SecretSource, read_stdin, trimmed};
use crate::upstream::TenantId;
use crate::upstream::accounts::is_alias;
use crate::upstream::caller::Credential;

/// Permissions of others than the owner.
const OPEN: u32 = 0o077;

#[derive(Args)]
pub(in crate::cli) struct Add {
    /// Short name of the location for calls, endpoints and rules: a-z, 0-9, - and _.
    alias: String,
    /// Id of the location at HighLevel, or the address of any page of the sub-account, which contains the id.
    #[arg(long)]
    location_id: String,
    /// Name of the location for people.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    credential: TokenSource,
    /// Add the location without testing its token.
    #[arg(long)]
    no_check: bool,
    #[command(flatten)]
    output: OutputFlags,
}

/// A location that was added.
#[derive(Serialize)]
struct LocationRecord<'a> {
    alias: &'a str,
    /// HighLevel's id.
    location: &'a str,
    /// HighLevel's name for it, if that was read.
    location_name: Option<&'a str>,
    tried: bool,
    file: &'a Path,
}

/// The result of checking a location before it is added.
enum AddCheck {
    Known(String),
    /// Not checked, with the reason if there is one to report.
    Untried(String),
}

/// Where the token is.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct TokenSource {
    /// File with the token.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Environment variable with the token, where the server runs.
    #[arg(long, value_name = "NAME")]
    token_env: Option<String>,
    /// Read the token from stdin and keep it in the system's keyring.
    #[arg(long)]
    token_keyring: bool,
    /// Company of the settings whose token reaches the location.
    #[arg(long, value_name = "ALIAS")]
    company: Option<String>,
}

impl Add {
    pub(super) fn run(self, flags: &Flags) -> Result<(), CliError> {
        check_alias(&self.alias)?;
        let id = location_id(&self.location_id)?;
        let mut document = SettingsDocument::open(flags)?;
        let place = document.path().display().to_string();
        let is_there = document.location_aliases()?.contains(&self.alias);
        if is_there {
            let what = format!(
                "{place} already has [locations.{}]. Give another alias",
                self.alias
            );
            return Err(CliError(what));
        }
        let source = self.source()?;
        let reached_by = match (&self.credential.company, &source) {
            (Some(company), _) => ReachedBy::Company(company),
            (None, Some(source)) => ReachedBy::Token(source),
            (None, None) => return Err(CliError("give --token-file or --company".to_owned())),
        };
        document.add_location(&NewLocation {
            alias: &self.alias,
            name: self.name.as_deref(),
            id: &id,
            reached_by,
        })?;
        let config = document.settings(flags)?;
        let found = self.check(config, source.as_ref())?;
        document.save(flags)?;
        let alias = &self.alias;
        let (location_name, found) = match &found {
            AddCheck::Known(name) => (
                Some(name.as_str()),
                format!("and HighLevel calls it {name}"),
            ),
            AddCheck::Untried(why) => (
                None,
                format!("not tested{why}; `highlevel-mcp locations test {alias}` tests it"),
            ),
        };
        let record = LocationRecord {
            alias,
            location: id.as_str(),
            location_name,
            tried: location_name.is_some(),
            file: document.path(),
        };
        let text = format!("{alias} is in {place}, {found}. On SIGHUP a running server reads it\n");
        self.output.record(&record, text)
    }

    /// Checks the location. Fails if it could not work.
    fn check(&self, config: Config, source: Option<&SecretSource>) -> Result<AddCheck, CliError> {
        if let Some(SecretSource::Env(name)) = source
            && config.secret(&SecretSource::Env(name.clone())).is_err()
        {
            let why = format!(", because {name} is not set here: set it where the server runs");
            return Ok(AddCheck::Untried(why));
        }
        if let Some(SecretSource::File(path)) = source {
            warn_of_open_file(path);
        }
        let accounts = accounts(&config)?;
        let account = accounts.find(&self.alias);
        if let Some(Credential::Unusable(why)) = account.map(|account| &account.credential) {
            return Err(CliError(format!("nothing was added: {why}")));
        }
        if self.no_check {
            return Ok(AddCheck::Untried(String::new()));
        }
        match trial::try_alias(config, &self.alias)? {
            Ok(name) => Ok(AddCheck::Known(name)),
            Err(what) => Err(CliError(format!(
                "nothing was added: {what} --no-check adds it anyway."
            ))),
        }
    }

    fn source(&self) -> Result<Option<SecretSource>, CliError> {
        let from = &self.credential;
        if let Some(file) = &from.token_file {
            // The server may run in another folder than this command.
            return Ok(Some(SecretSource::File(std::path::absolute(file)?)));
        }
        if let Some(name) = &from.token_env {
            return Ok(Some(SecretSource::Env(name.clone())));
        }
        if !from.token_keyring {
            return Ok(None);
        }
        let secret = SecretString::from(trimmed(&read_stdin()?));
        if Credential::from_secret(&secret).is_none() {
            let why = Credential::problem(secret.expose_secret());
            return Err(CliError(format!("stdin holds no HighLevel token: {why}")));
        }
        let source = SecretSource::Keyring(self.alias.clone());
        source.keep(&secret)?;
        Ok(Some(source))
    }
}

pub(in crate::cli) fn check_alias(alias: &str) -> Result<(), CliError> {
    match is_alias(alias) {
        true => Ok(()),
        false => Err(CliError(format!(
            "{alias:?} is not an alias: use a-z, 0-9, - and _, 40 at most"
        ))),
    }
}

/// The id of a location, given alone or within the address of one of its pages.
pub(in crate::cli) fn location_id(given: &str) -> Result<TenantId, CliError> {
    let given = trimmed(given);
    if given.starts_with("pit-") {
        return Err(CliError(
            "this is a token, not the id of a location. Anybody who saw it here can use it: create another at HighLevel \
             if that may be. The address of the sub-account's pages contains the id after /location/"
                .to_owned(),
        ));
    }
    // https://app.gohighlevel.com/v2/location/<id>/dashboard, also under an agency's own host.
    let in_address = given.split_once("/location/").map(|(_, rest)| rest);
    let id = in_address.unwrap_or(given);
    let id = id.split(['/', '?', '#']).next().unwrap_or_default();
    let id = TenantId::parse(id).filter(|_| in_address.is_some() || id == given);
    id.ok_or_else(|| {
        let what = match given {
            "" => "the location id is empty".to_owned(),
            given => format!("{given:?} is not the id of a location"),
        };
        CliError(format!(
            "{what}. The id has 20 letters and digits; the address of the sub-account's pages contains it after \
             /location/"
        ))
    })
}

/// Warns if other users of this machine can read a token.
pub(in crate::cli) fn warn_of_open_file(path: &Path) {
    let mode = std::fs::metadata(path).map(|file| file.permissions().mode());
    if let Ok(mode) = mode
        && mode & OPEN != 0
    {
        note(format_args!(
            "warning: other users of this machine can read {} (mode {:o}); run `chmod 600` on it",
            path.display(),
            mode & 0o777
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_alone_or_within_an_address() {
        fn check(given: &str, expected: Option<&str>) {
            let id = location_id(given).ok();
            assert_eq!(id.as_ref().map(TenantId::as_str), expected, "{given}");
        }
        let id = Some("ve9EPM428h8vShlRW1KT");
        check("ve9EPM428h8vShlRW1KT", id);
        check(" ve9EPM428h8vShlRW1KT\n", id);
        check(
            "https://app.gohighlevel.com/v2/location/ve9EPM428h8vShlRW1KT/dashboard",
            id,
        );
        check(
            "https://crm.agency.example/location/ve9EPM428h8vShlRW1KT?tab=1",
            id,
        );
        check(
            "https://app.gohighlevel.com/v2/location/ve9EPM428h8vShlRW1KT",
            id,
        );
        check("", None);
        check("  ", None);
        check("https://app.gohighlevel.com/agency_dashboard/", None);
        check("https://app.gohighlevel.com/location/", None);
        check("a b", None);
        check("abc/dashboard", None);
        check("pit-0123456789abcdef", None);
    }
}
