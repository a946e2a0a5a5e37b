//! `man`: the help of every command as manual pages.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{CliError, help, print};

#[derive(Args)]
pub(super) struct Man {
    /// Folder for the pages, such as ~/.local/share/man/man1. It is created if it does not exist.
    folder: PathBuf,
}

impl Man {
    pub(super) fn run(&self) -> Result<ExitCode, CliError> {
        let folder = self.folder.display();
        let unwritable = |error| CliError(format!("{folder}: pages cannot be written: {error}"));
        std::fs::create_dir_all(&self.folder).map_err(unwritable)?;
        clap_mangen::generate_to(help::command(), &self.folder).map_err(unwritable)?;
        print(format_args!(
            "the pages are in {folder}. `man {}` shows the first\n",
            self.folder.join("highlevel-mcp.1").display()
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
