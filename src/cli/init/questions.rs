//! The questions of `init` at a terminal.

use inquire::validator::Validation;
use inquire::{Confirm, InquireError, Password, PasswordDisplayMode, Select, Text};
use secrecy::SecretString;

use super::InitAccount;
use crate::cli::locations::add::{check_alias, location_id};
use crate::cli::locations::document::SettingsDocument;
use crate::cli::terminal::visible;
use crate::cli::{CliError, INTERRUPTED};
use crate::config::trimmed;
use crate::upstream::TenantId;
use crate::upstream::caller::Credential;

/// The questions at a terminal.
#[derive(Clone, Copy)]
pub(super) struct Interview;

/// The kind of work of a client.
#[derive(Clone, Copy)]
pub(super) enum Work {
    Sandbox,
    Account,
}

const SANDBOX: &str = "A sandbox: made-up records, no account needed";
const ACCOUNT: &str = "A sub-account of mine at HighLevel";
const NOTHING: &str = "Nothing: leave the settings unchanged";
const NO_CLIENT: &str = "None for now";

impl Interview {
    /// `None` if nothing is to change.
    pub(super) fn work(self, is_again: bool) -> Result<Option<Work>, CliError> {
        let (question, mut choices) = match is_again {
            true => ("What do you want to add?", vec![NOTHING]),
            false => ("What do you want to work with?", Vec::new()),
        };
        choices.extend([ACCOUNT, SANDBOX]);
        let chosen = Select::new(question, choices).prompt().map_err(ended)?;
        Ok(match chosen {
            SANDBOX => Some(Work::Sandbox),
            ACCOUNT => Some(Work::Account),
            _ => None,
        })
    }

    /// A token, typed without echo.
    pub(super) fn token(self) -> Result<SecretString, CliError> {
        let check = |text: &str| {
            let token = trimmed(text);
            Ok(match Credential::parse(token) {
                Some(_) => Validation::Valid,
                None => Validation::Invalid(Credential::problem(token).into()),
            })
        };
        let token = Password::new("Token of its private integration:")
            .with_help_message("HighLevel: Settings, Private Integrations. It is not shown here")
            .with_display_mode(PasswordDisplayMode::Hidden)
            .without_confirmation()
            .with_validator(check)
            .prompt()
            .map_err(ended)?;
        Ok(SecretString::from(trimmed(&token)))
    }

    /// `before`: the id that was given first.
    pub(super) fn location(self, before: Option<&TenantId>) -> Result<TenantId, CliError> {
        let check = |text: &str| {
            Ok(match location_id(text) {
                Ok(_) => Validation::Valid,
                Err(CliError(what)) => Validation::Invalid(what.into()),
            })
        };
        let question = Text::new("Address of any page of the sub-account, or its id:")
            .with_help_message("https://app.gohighlevel.com/v2/location/…")
            .with_validator(check);
        let question = match before {
            Some(before) => question.with_default(before.as_str()),
            None => question,
        };
        location_id(&question.prompt().map_err(ended)?)
    }

    pub(super) fn alias(self, name: &str, usual: &str) -> Result<String, CliError> {
        let check = |text: &str| {
            Ok(match check_alias(text) {
                Ok(()) => Validation::Valid,
                Err(CliError(what)) => Validation::Invalid(what.into()),
            })
        };
        let question = format!(
            "The token works: {}. Its short name in calls:",
            visible(name)
        );
        let text = Text::new(&question)
            .with_default(usual)
            .with_validator(check);
        text.prompt().map_err(ended)
    }

    /// The client to connect, if any.
    pub(super) fn client(self, clients: &[String]) -> Result<Option<String>, CliError> {
        let choices = clients.iter().map(String::as_str).chain([NO_CLIENT]);
        let question = "Which client will use it?";
        let chosen = Select::new(question, choices.collect()).prompt();
        let chosen = chosen.map_err(ended)?;
        Ok((chosen != NO_CLIENT).then(|| chosen.to_owned()))
    }

    pub(super) fn agrees(
        self,
        document: &SettingsDocument,
        account: &InitAccount,
    ) -> Result<bool, CliError> {
        let question = format!(
            "Write {} into {}?",
            account.alias,
            document.path().display()
        );
        Confirm::new(&question)
            .with_default(true)
            .prompt()
            .map_err(ended)
    }
}

/// Escape and Ctrl-C end the dialogue before anything is written. Ctrl-C has its usual exit code.
fn ended(error: InquireError) -> CliError {
    let nothing = "ended; nothing was written";
    CliError(match error {
        InquireError::OperationInterrupted => {
            eprintln!("highlevel-mcp: {nothing}");
            std::process::exit(INTERRUPTED.into())
        }
        InquireError::OperationCanceled => nothing.to_owned(),
        error => format!(
            "questions cannot be asked in this terminal: {error}. Give flags instead, see `highlevel-mcp init --help`"
        ),
    })
}
