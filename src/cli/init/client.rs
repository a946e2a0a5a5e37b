//! The client that `init` connects, as `connect` would.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::CliError;
use crate::cli::connect::{Client, ClientSetup, Connect};
use crate::config::{Config, Flags};

/// The names of clients that `connect` knows. Those that need a server on the internet come last.
pub(super) fn names() -> Vec<String> {
    let mut all = Client::value_variants().to_vec();
    all.sort_by_key(|client| !client.can_send_token());
    let values = all.iter().filter_map(Client::to_possible_value);
    values.map(|value| value.get_name().to_owned()).collect()
}

/// Does what `connect CLIENT --write` does for a server that holds the account itself; for a client without a file,
/// what `connect CLIENT` does.
pub(super) fn connect(
    client: &str,
    is_sandbox: bool,
    config: &Config,
    flags: &Flags,
) -> Result<ClientSetup, CliError> {
    let client = Client::from_str(client, true).map_err(CliError)?;
    // It starts the program itself, and the program finds the settings itself.
    if client == Client::ClaudeDesktop && !is_sandbox {
        return ClientSetup::of_own_program();
    }
    let url = format!("http://{}/mcp", config.server.listen);
    let connect = |write: Option<Option<PathBuf>>| {
        Connect::without_token(client, url.clone(), write).setup(flags)
    };
    connect(Some(None)).or_else(|_| connect(None))
}
