//! Long texts on a terminal, through the person's own pager.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};

use clap::Args;

use super::{CliError, print, runtime, unless_closed};
use crate::config::variable;

/// Quits where all fits on one screen, keeps colours, and leaves the text on the screen.
const USUAL: &str = "less -FRX";

/// How a command with a long output shows it.
#[derive(Args, Default)]
pub(super) struct PagerFlags {
    /// Print long output at once, without a pager; an empty variable PAGER does the same.
    #[arg(long)]
    no_pager: bool,
}

impl PagerFlags {
    /// For what is short.
    pub(super) fn none() -> Self {
        Self { no_pager: true }
    }

    /// Prints `text`: on a terminal through the pager of the variable PAGER, or less where there is none.
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
            // By itself it shows colours as letters.
            command.env("LESS", "FRX");
        }
        let Ok(mut child) = command.spawn() else {
            // There is no such program here.
            return print(text);
        };
        // Ctrl-C is the pager's: were this program to end, both the pager and the shell would read the keyboard.
        let runtime = runtime()?;
        runtime.spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} });
        if let Some(mut stdin) = child.stdin.take() {
            // Whoever has read enough closes the pager.
            unless_closed(write!(stdin, "{text}"))?;
        }
        child.wait()?;
        Ok(())
    }
}
