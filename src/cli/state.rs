//! `state`: where what outlives the process is, copies of it, and its keys.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{CliError, StateFlags, print};
use crate::call::restore_store;
use crate::config::Flags;

#[derive(Subcommand)]
pub(super) enum StateCommand {
    /// Where it is, how large, and how much of what it holds.
    Info(Info),
    /// A copy of it, whole, while servers go on writing; the key that opens it is not in it.
    Backup {
        /// A file that is not there yet.
        file: PathBuf,
        #[command(flatten)]
        of: StateFlags,
    },
    /// Put a copy in the place of it, while no server runs; what was there is kept beside it.
    Restore {
        /// A file that `state backup` made.
        file: PathBuf,
        #[command(flatten)]
        of: StateFlags,
    },
    /// Seal everything under the first of state.keys; the others are not needed afterwards. Start every server with the
    /// new key before: a server that has only the old one opens nothing afterwards.
    Rekey(StateFlags),
}

#[derive(Args)]
pub(super) struct Info {
    /// As one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    of: StateFlags,
}

impl StateCommand {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        match self {
            Self::Info(info) => info.run(flags)?,
            Self::Backup { file, of } => {
                let (_, store) = of.open(flags)?;
                let bytes = store.backup(&file)?;
                print(format_args!(
                    "{} holds a copy of {bytes} bytes; keep the key that opens it elsewhere\n",
                    file.display()
                ))?;
            }
            Self::Restore { file, of } => {
                let config = of.config(flags)?;
                let before = restore_store(&config, &file)?;
                let before =
                    before.map(|path| format!("; what was there is {} now", path.display()));
                print(format_args!(
                    "{} is restored{}\n",
                    file.display(),
                    before.unwrap_or_default()
                ))?;
            }
            Self::Rekey(of) => {
                let (_, store) = of.open(flags)?;
                let (sealed, of_all) = store.rekey()?;
                print(format_args!(
                    "{sealed} of {of_all} sealed values were sealed anew; the first key opens everything now\n"
                ))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Info {
    fn run(&self, flags: &Flags) -> Result<(), CliError> {
        let (_, store) = self.of.open(flags)?;
        let info = store.info().wait()?;
        let path = store.path().map(|path| path.display().to_string());
        let path = path.unwrap_or_default();
        if self.json {
            let counts: serde_json::Map<_, _> = info
                .counts
                .iter()
                .map(|(name, count)| ((*name).to_owned(), json!(count)))
                .collect();
            return print(format_args!(
                "{}\n",
                json!({"file": path, "bytes": info.bytes, "tables": info.schema, "keys": info.keys, "holds": counts})
            ));
        }
        let mut text = format!(
            "File    {path}\nBytes   {}\nTables  version {}\nKeys    {}\n",
            info.bytes,
            info.schema,
            info.keys.join(", ")
        );
        for (name, count) in &info.counts {
            text += &format!("{count:>9} {name}\n");
        }
        print(text)
    }
}
