//! The client that `init` connects, as `connect` would.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::CliError;
use crate::cli::connect::{Client, ClientSetup, Connect};
use crate::config::{Config, Flags};
use tool::{first_names, nearest};

/// A client's set-up, and how its server starts.
pub(super) struct ConnectedClient {
    pub(super) setup: ClientSetup,
    /// The reason that the client's file was not written. A person adds the entry by hand.
    pub(super) unwritten: Option<CliError>,
    /// The client starts the program itself.
    pub(super) starts_program: bool,
}

/// The names of clients that can be connected with these settings. Those that need a server on the internet come last.
pub(super) fn names(config: &Config) -> Vec<String> {
    let mut all = Client::value_variants().to_vec();
    all.retain(|client| check(*client, config).is_ok());
    all.sort_by_key(|client| !client.can_send_token());
    all.iter().map(|client| client.flag_value()).collect()
}

/// Parses the value of --client. Fails if there is no such client, or it cannot be connected here.
pub(super) fn parse(name: &str, config: &Config) -> Result<Client, CliError> {
    let Ok(client) = Client::from_str(name, true) else {
        let known = names(config);
        let remedy = match nearest(name, known.iter().map(|one| (one.as_str(), one))) {
            Some(near) => format!("did you mean {near}?"),
            None => format!(
                "there are {}; `highlevel-mcp connect --help` has them all",
                first_names(known.iter().map(String::as_str))
            ),
        };
        return Err(CliError(format!("there is no client {name}; {remedy}")));
    };
    check(client, config).map(|()| client)
}

/// Fails for a client that only signs in, if nobody can.
fn check(client: Client, config: &Config) -> Result<(), CliError> {
    if client.can_send_token() || config.oauth.is_on() {
        return Ok(());
    }
    let name = client.flag_value();
    Err(CliError(format!(
        "{name} reaches only a server on the internet at which people sign in. Set oauth.url (docs/sign-in.md), and run \
         `highlevel-mcp connect {name}`"
    )))
}

/// Does what `connect CLIENT --write` does for a server that holds the account itself; for a client without a file,
/// what `connect CLIENT` does.
pub(super) fn connect(
    client: Client,
    is_sandbox: bool,
    config: &Config,
    flags: &Flags,
) -> Result<ConnectedClient, CliError> {
    let starts_program = client == Client::ClaudeDesktop;
    // It starts the program itself, and the program finds the settings itself.
    if starts_program && !is_sandbox {
        return Ok(ConnectedClient {
            setup: ClientSetup::of_own_program()?,
            unwritten: None,
            starts_program,
        });
    }
    let url = format!("http://{}/mcp", config.server.listen);
    let url = client.can_send_token().then_some(url);
    let connect = |write: Option<Option<PathBuf>>| {
        Connect::without_token(client, url.clone(), write).setup(flags)
    };
    let (setup, unwritten) = match client.has_file() {
        false => (connect(None)?, None),
        true => match connect(Some(None)) {
            Ok(setup) => (setup, None),
            Err(CliError(what)) => {
                let command = format!("highlevel-mcp connect {} --write", client.flag_value());
                let flag = if is_sandbox { " --sandbox" } else { "" };
                let what = format!(
                    "the client was not connected: {what}. Add the entry above by hand, or correct the file and run \
                     `{command}{flag}`"
                );
                (connect(None)?.without_notes(), Some(CliError(what)))
            }
        },
    };
    Ok(ConnectedClient {
        setup,
        unwritten,
        starts_program,
    })
}
