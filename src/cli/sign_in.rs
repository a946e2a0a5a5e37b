//! The address at which people sign in, for the commands about them.

use super::CliError;
use crate::config::Config;

const OFF: &str = "oauth.url is not set, so nobody can sign in at this server";

/// Fails if nobody can sign in.
pub(super) fn url(config: &Config) -> Result<&str, CliError> {
    if config.oauth.is_on() {
        return Ok(&config.oauth.url);
    }
    Err(CliError(format!(
        "{OFF}. Set it to the address that people and clients use, such as \"https://mcp.example.com\""
    )))
}

/// Warns on the terminal if nobody can sign in. What is stored can still be listed and ended.
pub(super) fn warn_when_off(config: &Config) {
    if !config.oauth.is_on() {
        eprintln!("Note: {OFF}.");
    }
}
