//! Long texts on a terminal, through the person's own pager.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};

use clap::Args;

use super::{CliError, print, runtime, unless_closed};
use crate::config::variable;

/// Exits if everything fits on one screen, keeps colours, and leaves the text on the screen.
const USUAL: &str = "less -FRX";

/// How a command with a long output shows it.
#[derive(Args, Default)]
pub(super) struct PagerFlags {
    /// Print long output without a pager. An empty variable PAGER does the same.
    #[arg(long)]
    no_pager: bool,
}

impl PagerFlags {
    /// For short output.
    pub(super) fn none() -> Self {
        Self { no_pager: true }
    }

    /// Prints `text`: on a terminal through the pager of the variable PAGER, or else less.
    pub(super) fn print(&self, text: impl Display) -> Result<(), CliError> {
        let pager = variable("PAGER").unwrap_or_else(|| USUAL.to_owned());
        let mut words = pager.split_whitespace();
        let program = words
            .next()
            .filter(|_| !self.no_pager && std::io::stdout().is_terminal());
        let Some(program) = program else {
            return print(text);
        };
        let mut command = Command::new(program);
        command.args(words).stdin(Stdio::piped());
        if variable("LESS").is_none() {
            // Without this, it shows colour codes as characters.
            command.env("LESS", "FRX");
        }
        let Ok(mut child) = command.spawn() else {
            // The program does not exist here.
            return print(text);
        };
        // The pager handles Ctrl-C: if this program ended, pager and shell would both read the keyboard.
        let runtime = runtime()?;
        runtime.spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} });
        if let Some(mut stdin) = child.stdin.take() {
            // A reader may close the pager early.
            unless_closed(write!(stdin, "{text}"))?;
        }
        child.wait()?;
        Ok(())
    }
}
