//! `open`: the console in the browser of this machine, signed in.

use std::process::ExitCode;

use clap::Args;

use super::console::ConsoleLink;
use super::output::OutputFlags;
use super::{CliError, StateFlags};
use crate::config::Flags;

#[derive(Args)]
pub(super) struct OpenConsole {
    /// Name or id of the person who signs in by it.
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
    /// Print the address, and open nothing.
    #[arg(long)]
    no_browser: bool,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    of: StateFlags,
}

impl OpenConsole {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        let (config, store) = self.of.make(flags)?;
        let link = ConsoleLink::make(&config, &store, self.person.as_deref())?;
        // Printed in any case: the browser may be another's, or on another screen.
        self.output.record(&link, format_args!("{}\n", link.url))?;
        if !self.no_browser && open::that_detached(&link.url).is_err() {
            eprintln!("No browser was found here: open the address yourself.");
        }
        Ok(ExitCode::SUCCESS)
    }
}
