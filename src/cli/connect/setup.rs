//! The output of `connect` for a client: its set-up, or the result for its file.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::json;

use super::{Client, NAME};
use crate::cli::output::{self, OutputFlags};
use crate::cli::{CliError, print};

#[derive(Serialize)]
pub(in crate::cli) struct ClientSetup {
    /// The client's name on the command line.
    pub(super) client: String,
    /// None if the client starts the program itself.
    pub(super) url: Option<String>,
    pub(super) outcome: SetupOutcome,
    /// The client's file of servers, if it has one.
    pub(super) file: Option<PathBuf>,
    /// The file with the previous content.
    pub(super) backup: Option<PathBuf>,
    /// The text to paste or the steps to follow; none if the entry is in the file.
    pub(super) text: Option<String>,
    /// Further notes for the person.
    pub(super) notes: Vec<String>,
    /// The whole output for a terminal.
    #[serde(skip)]
    pub(super) shown: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum SetupOutcome {
    /// Nothing was written: a person follows the text.
    Printed,
    WouldBeAdded,
    Added,
    AlreadyThere,
}

impl ClientSetup {
    pub(super) fn nothing_of(client: Client) -> Self {
        Self {
            client: client.flag_value(),
            url: None,
            outcome: SetupOutcome::Printed,
            file: None,
            backup: None,
            text: None,
            notes: Vec::new(),
            shown: String::new(),
        }
    }

    /// Claude Desktop starts the program itself, and the program finds the settings itself.
    pub(in crate::cli) fn of_own_program() -> Result<Self, CliError> {
        let program = std::env::current_exe()?;
        let entry = json!({"command": program.display().to_string(), "args": ["stdio"]});
        let text = format!("\"{NAME}\": {entry}");
        let client = Client::ClaudeDesktop;
        Ok(Self {
            shown: format!(
                "Put this into Claude Desktop's claude_desktop_config.json, under mcpServers:\n  {text}\n"
            ),
            file: client.file().and_then(|file| file.path),
            text: Some(text),
            ..Self::nothing_of(client)
        })
    }

    /// The same where the notes of `connect` about its own flags do not apply.
    pub(in crate::cli) fn without_notes(self) -> Self {
        Self {
            notes: Vec::new(),
            ..self
        }
    }

    pub(in crate::cli) fn show(&self, output: OutputFlags) -> Result<(), CliError> {
        if output.is_json() {
            return output.record(self, "");
        }
        print(&self.shown)?;
        for note in &self.notes {
            output::note(note);
        }
        Ok(())
    }
}
