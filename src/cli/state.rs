//! `state`: the place of the state, its backups, and its keys.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use secrecy::SecretString;
use serde_json::json;

use super::output::{CardField, ListFlags, OutputFlags};
use super::{CliError, StateFlags};
use crate::call::{copy_store, restore_store};
use crate::config::Flags;

#[derive(Subcommand)]
pub(super) enum StateCommand {
    /// Show the place and size of the state, and its number of records of each kind.
    Info(ListFlags),
    /// Copy the whole state while servers continue. The copy does not contain the key that opens it.
    Backup {
        /// A file that does not exist yet.
        file: PathBuf,
        #[command(flatten)]
        output: OutputFlags,
        #[command(flatten)]
        of: StateFlags,
    },
    /// Replace the state by a copy while no server runs. The replaced state is kept beside it.
    Restore {
        /// A file that `state backup` made.
        file: PathBuf,
        #[command(flatten)]
        output: OutputFlags,
        #[command(flatten)]
        of: StateFlags,
    },
    /// Copy the state from its file into an empty PostgreSQL database while no server runs. The file stays as it is.
    /// This is for servers on several machines, which then name the database in state.url.
    Copy {
        /// postgres://USER@HOST/DATABASE. The password may be in PGPASSWORD.
        #[arg(long, value_name = "URL")]
        to: SecretString,
        #[command(flatten)]
        output: OutputFlags,
        #[command(flatten)]
        of: StateFlags,
    },
    /// Seal everything with the first key of state.keys. The other keys are not needed afterwards. Before this, start
    /// every server with the new key: a server that has only the old one can then open nothing.
    Rekey(ListFlags),
}

impl StateCommand {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        match self {
            Self::Info(info) => show(&info, flags)?,
            Self::Backup { file, output, of } => {
                let (_, store) = of.open(flags)?;
                let bytes = store.backup(&file)?;
                let text = format!(
                    "{} holds a copy of {bytes} bytes. Keep the key that opens it elsewhere\n",
                    file.display()
                );
                output.record(&json!({"file": file, "bytes": bytes}), text)?;
            }
            Self::Restore { file, output, of } => {
                let config = of.config(flags)?;
                let before = restore_store(&config, &file)?;
                let kept = before
                    .as_ref()
                    .map(|path| format!(". The replaced state is in {} now", path.display()));
                let text = format!(
                    "{} is restored{}\n",
                    file.display(),
                    kept.unwrap_or_default()
                );
                output.record(&json!({"file": file, "before": before}), text)?;
            }
            Self::Copy { to, output, of } => {
                let copied = copy_store(&of.config(flags)?, &to)?;
                let rows: usize = copied.iter().map(|(_, rows)| rows).sum();
                let tables: serde_json::Map<_, _> = copied
                    .iter()
                    .map(|(table, rows)| ((*table).to_owned(), json!(rows)))
                    .collect();
                let text = format!(
                    "{rows} rows are copied. Now give every server the database in state.url and the key of this store \
                     in state.keys\n"
                );
                output.record(&json!({"rows": rows, "tables": tables}), text)?;
            }
            Self::Rekey(rekey) => {
                let (_, store) = rekey.of.open(flags)?;
                let (sealed, of_all) = store.rekey()?;
                let text = format!(
                    "{sealed} of {of_all} sealed values were sealed again. The first key opens everything now\n"
                );
                let record = json!({"sealed_anew": sealed, "sealed": of_all});
                rekey.output.record(&record, text)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn show(info: &ListFlags, flags: &Flags) -> Result<(), CliError> {
    let (_, store) = info.of.open(flags)?;
    let held = store.info().wait()?;
    let path = store.shown();
    let counts: serde_json::Map<_, _> = held
        .counts
        .iter()
        .map(|(name, count)| ((*name).to_owned(), json!(count)))
        .collect();
    let record = json!({
        "file": store.path(), "database": store.database(), "bytes": held.bytes, "tables": held.schema, "keys": held.keys, "holds": counts,
    });
    let mut fields: Vec<CardField> = vec![
        (
            if store.database().is_some() {
                "Database"
            } else {
                "File"
            },
            path.into(),
        ),
        ("Bytes", held.bytes.to_string().into()),
        ("Tables", format!("version {}", held.schema).into()),
        ("Keys", held.keys.join(", ").into()),
    ];
    let counts = held.counts.iter();
    fields.extend(counts.map(|(name, count)| (*name, count.to_string().into())));
    info.output.fields(&record, fields)
}
