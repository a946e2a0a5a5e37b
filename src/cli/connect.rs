//! `connect`: prints or writes what a client needs to reach the server, under the name `ghl`.

mod address;
mod clients;
mod entries;
mod file;
mod notes;
mod python;
mod repeated;
mod secret;
mod setup;
mod texts;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use state::keys::Keys;
use state::vault::Vault;

use super::CliError;
use super::output::{OutputFlags, note as note_on_terminal};
use crate::call::{has_store, open_store};
use crate::config::{Config, Flags};
use address::{check, is_elsewhere, usual_url};
pub(super) use clients::Client;
use file::{ClientFile, WriteOutcome};
pub(super) use secret::is_key;
use secret::{ClientSecret, access_key};
pub(super) use setup::ClientSetup;
use setup::SetupOutcome;

/// Name of the server in every client.
const NAME: &str = "ghl";

#[derive(Args)]
pub(super) struct Connect {
    client: Client,
    /// Address of the server. By default oauth.url of the settings if people sign in, otherwise the address of the
    /// running server, or server.listen.
    #[arg(long)]
    url: Option<String>,
    /// Access key (`highlevel-mcp keys create`). The output then contains it. Without this flag the client sends the
    /// value of HIGHLEVEL_TOKEN, which is a key or a HighLevel token. It sends none if that is not set and the server
    /// has locations of its own for programs of this machine.
    #[arg(long, value_name = "KEY", value_parser = access_key, conflicts_with_all = ["sign_in", "sandbox"])]
    key: Option<SecretString>,
    /// The client signs in and sends no token (docs/connect.md). This is the default if oauth.url is set and neither
    /// --url nor --key is given.
    #[arg(long, conflicts_with = "sandbox")]
    sign_in: bool,
    /// The client sends no token, because the server has an account of its own, such as the sandbox.
    #[arg(long)]
    sandbox: bool,
    /// Add the configuration to the client's own file, or to FILE. The previous content is kept as FILE.bak.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    write: Option<Option<PathBuf>>,
    /// Show what --write would add and where, and write nothing.
    #[arg(long, requires = "write")]
    dry_run: bool,
    #[command(flatten)]
    output: OutputFlags,
    /// Catches `--write FILE`.
    #[arg(hide = true)]
    stray: Option<PathBuf>,
}

/// How a client gets access.
#[derive(Clone)]
enum ClientAccess {
    /// It sends a token or a key in a header.
    Token(ClientSecret),
    /// A sandbox serves it, without headers.
    Sandbox,
    /// The server serves it with its own account, without headers. The file of its settings, if a flag named it.
    OwnAccount(Option<PathBuf>),
    /// It signs in, without headers.
    SignIn,
}

/// The facts about the server that a client needs.
pub(super) struct Server {
    url: String,
    access: ClientAccess,
    /// `HIGHLEVEL_LOCATION_ID`; without it the client's headers name no location.
    location: Option<String>,
}

impl ClientAccess {
    /// The secret itself, if the client sends one that is known here.
    fn literal(&self) -> Option<&str> {
        match self {
            Self::Token(secret) => secret.literal(),
            Self::Sandbox | Self::OwnAccount(_) | Self::SignIn => None,
        }
    }
}

impl Connect {
    /// For `init`: a client of a server that holds the account itself, or at which people sign in.
    pub(super) fn without_token(
        client: Client,
        url: Option<String>,
        write: Option<Option<PathBuf>>,
    ) -> Self {
        Self {
            client,
            sign_in: url.is_none(),
            sandbox: url.is_some(),
            url,
            key: None,
            write,
            dry_run: false,
            output: OutputFlags::default(),
            stray: None,
        }
    }

    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        let output = self.output;
        self.setup(flags)?.show(output)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Takes address, location and token from the settings unless a flag gives them.
    pub(super) fn setup(self, flags: &Flags) -> Result<ClientSetup, CliError> {
        let client = self.client;
        if let Some(stray) = &self.stray {
            let stray = stray.display();
            return Err(CliError(match self.write {
                Some(None) => format!("give the file after an equals sign: --write={stray}"),
                _ => format!(
                    "{stray} is not a flag. To add the configuration to that file give --write={stray}"
                ),
            }));
        }
        let mut config = Config::load(flags)?;
        config.upstream.simulated |= self.sandbox;
        let signs_in = self.sign_in
            || (config.oauth.is_on()
                && self.url.is_none()
                && self.key.is_none()
                && !self.sandbox
                && client.can_sign_in());
        if signs_in && !client.can_sign_in() {
            return Err(CliError(format!(
                "{} cannot sign in. Create an access key (`highlevel-mcp keys create`) and give --key, and --url with \
                 the host of oauth.header_host",
                client.name()
            )));
        }
        if !signs_in && !client.can_send_token() {
            return Err(CliError(format!(
                "{0} connects over the internet and signs in. Set oauth.url and run this again, or give --sign-in and \
                 --url with the address at which {0} reaches the server",
                client.name()
            )));
        }
        let secret = ClientSecret::new(self.key, &config.account.token);
        let access = match (self.sandbox, signs_in, secret) {
            // The sandbox is open only to addresses of this machine; elsewhere its own token opens it.
            (true, ..)
                if self.url.as_deref().is_some_and(is_elsewhere) && starts_nothing(client) =>
            {
                sandbox::LOCATION.clone_into(&mut config.account.location_id);
                ClientAccess::Token(ClientSecret::Given(sandbox::TOKEN.to_owned().into()))
            }
            (true, ..) => ClientAccess::Sandbox,
            (false, true, _) => ClientAccess::SignIn,
            (false, false, ClientSecret::Missing)
                if self.url.is_none() && serves_without_token(&config)? =>
            {
                ClientAccess::OwnAccount(flags.config.clone())
            }
            (false, false, secret) => ClientAccess::Token(secret),
        };
        let url = match &self.url {
            Some(url) => check(url, &config)?,
            None => usual_url(&config, &access)?,
        };
        let server = Server::new(url, access, &config);
        if let Some(note) = server.missing_secret() {
            note_on_terminal(note);
        }
        match self.write {
            Some(path) => server.write(client, path, self.dry_run),
            None => server.setup_by_hand(client),
        }
    }
}

impl Server {
    fn new(url: String, access: ClientAccess, config: &Config) -> Self {
        let location = &config.account.location_id;
        Self {
            url,
            access,
            location: (!location.is_empty()).then(|| location.clone()),
        }
    }

    /// Writes nothing: a person follows the printed steps.
    fn setup_by_hand(&self, client: Client) -> Result<ClientSetup, CliError> {
        let text = self.printed(client)?;
        Ok(ClientSetup {
            file: client.file().and_then(|file| file.path),
            text: Some(text.clone()),
            notes: self.notes(client),
            shown: text,
            ..self.setup(client, SetupOutcome::Printed)
        })
    }

    fn write(
        &self,
        client: Client,
        path: Option<PathBuf>,
        dry_run: bool,
    ) -> Result<ClientSetup, CliError> {
        let file = ClientFile::new(client, path)?;
        let place = file.path.display().to_string();
        if dry_run {
            let entry = self.shown_entry(client)?.unwrap_or_default();
            let text = entries::in_form_of(client, &entry);
            return Ok(ClientSetup {
                shown: format!("{place} would get\n{text}"),
                text: Some(text),
                file: Some(file.path),
                ..self.setup(client, SetupOutcome::WouldBeAdded)
            });
        }
        let Some(entry) = self.written_entry(client)? else {
            return Err(CliError(format!(
                "the file of {} contains the token itself. Set HIGHLEVEL_TOKEN or give --key, and run this again",
                client.name()
            )));
        };
        let file = file.with_secret(self.access.literal(), &entry);
        let notes = file.is_too_open().then(|| {
            format!("Only you can read {place} now, because it contains the key or token.")
        });
        let then = client.after_write();
        let (outcome, backup, shown) = match file.add(&entry)? {
            WriteOutcome::Already => (
                SetupOutcome::AlreadyThere,
                None,
                format!("{place} has {NAME} already\n"),
            ),
            WriteOutcome::New => (
                SetupOutcome::Added,
                None,
                format!("{place} has {NAME} now; {then}\n"),
            ),
            WriteOutcome::Backed(backup) => {
                let shown = format!(
                    "{place} has {NAME} now; {then}. The previous file is {}\n",
                    backup.display()
                );
                (SetupOutcome::Added, Some(backup), shown)
            }
            WriteOutcome::Replaced(backup) => {
                let shown = format!(
                    "{place} has {NAME} now, in place of another server of that name; {then}. The previous file is {}\n",
                    backup.display()
                );
                (SetupOutcome::Added, Some(backup), shown)
            }
        };
        Ok(ClientSetup {
            file: Some(file.path),
            backup,
            notes: notes.into_iter().collect(),
            shown,
            ..self.setup(client, outcome)
        })
    }

    fn setup(&self, client: Client, outcome: SetupOutcome) -> ClientSetup {
        ClientSetup {
            outcome,
            url: Some(self.url.clone()),
            ..ClientSetup::nothing_of(client)
        }
    }
}

/// Whether the client connects to a running server. Claude Desktop starts a sandbox of its own.
fn starts_nothing(client: Client) -> bool {
    client != Client::ClaudeDesktop
}

/// Whether the server of these settings serves clients of this machine with a location of its own, without a token.
fn serves_without_token(config: &Config) -> Result<bool, CliError> {
    let server = &config.server;
    let has_access_key = !server.access_key.expose_secret().is_empty();
    if config.oauth.is_on() || !server.opens_own_account() || has_access_key {
        return Ok(false);
    }
    if !has_store(config)? {
        return Ok(!config.locations.is_empty());
    }
    let store = open_store(config)?;
    let keys = Keys::new(&store).list().wait()?;
    let connected = Vault::new(&store).list().wait()?;
    let has_location =
        !config.locations.is_empty() || connected.iter().any(|one| one.owner.is_none());
    Ok(has_location && keys.iter().all(|key| key.revoked.is_some()))
}

/// The printed set-up of two clients for a server on the sandbox. A server that other machines reach asks for the
/// sandbox's token.
pub(super) fn to_the_sandbox(url: &str, config: &Config) -> Result<String, CliError> {
    let is_open = config.server.opens_own_account();
    let access = match is_open {
        true => ClientAccess::Sandbox,
        false => ClientAccess::Token(ClientSecret::Given(config.account.token.clone())),
    };
    let server = Server::new(url.to_owned(), access, config);
    let claude = server.printed(Client::ClaudeCode)?;
    let cursor = server.shown_entry(Client::Cursor)?.unwrap_or_default();
    let program = super::invocation::program();
    let authority = match is_open {
        true => server.local_authority().unwrap_or_else(|| url.to_owned()),
        false => "HOST".to_owned(),
    };
    Ok(format!(
        "Claude Code, in a terminal:\n  {claude}Cursor, add this to ~/.cursor/mcp.json:\n  {cursor}\n\
         Other clients (connect --help lists them):\n  {program} connect NAME --sandbox --url {authority}\n"
    ))
}

/// Fails where `client` sends no keys.
pub(super) fn check_takes_key(client: Client) -> Result<(), CliError> {
    match client.can_send_token() {
        true => Ok(()),
        false => Err(CliError(format!(
            "{} sends no keys. It signs in: see `highlevel-mcp connect --help`",
            client.name()
        ))),
    }
}

/// The set-up of `client` for an access key that was just made, with notes for the person.
pub(super) fn with_key(
    client: Client,
    key: &SecretString,
    config: &Config,
) -> Result<(String, Vec<String>), CliError> {
    let access = ClientAccess::Token(ClientSecret::Given(key.clone()));
    let url = usual_url(config, &access)?;
    let server = Server::new(url, access, config);
    Ok((server.printed(client)?, server.notes(client)))
}
