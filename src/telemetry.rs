//! Logging to stderr: stdout belongs to MCP frames and to what commands print.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts logging; a second call changes nothing.
pub fn start(settings: &Log) {
    // Below `warn` the libraries say what they do with every request, which is not for this log.
    let filter = EnvFilter::new(format!("warn,highlevel_mcp={}", settings.level.name()));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let _ = match settings.format {
        LogFormat::Text => subscriber.with_target(false).try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    };
}
