//! `console`: links by which the first operator, or a person who is signed out, gets in.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use state::Store;
use state::links::{FIRST_LASTS, LinkRecord, Links, Offer};
use state::people::{People, Person, PersonRole};

use super::output::OutputFlags;
use super::text::visible;
use super::{CliError, StateFlags, sign_in};
use crate::config::{Config, Flags};

#[derive(Subcommand)]
pub(super) enum ConsoleCommand {
    /// A link to sign in by, for the operator; the first who opens it becomes the operator where there is none.
    Link(SignInLink),
}

#[derive(Args)]
pub(super) struct SignInLink {
    /// Name or id of the person who signs in by it.
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    of: StateFlags,
}

/// An address that lets somebody in, once.
#[derive(Serialize)]
pub(super) struct ConsoleLink {
    pub(super) url: String,
    /// Whom it signs in; nobody yet, where it makes the first operator.
    name: Option<String>,
    expires: Timestamp,
}

impl ConsoleCommand {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        match self {
            Self::Link(link) => link.run(flags)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl SignInLink {
    fn run(self, flags: &Flags) -> Result<(), CliError> {
        let (config, store) = self.of.make(flags)?;
        let link = ConsoleLink::make(&config, &store, self.person.as_deref())?;
        self.output.record(&link, format_args!("{}\n", link.url))
    }
}

impl ConsoleLink {
    /// Says on stderr whom it lets in.
    pub(super) fn make(
        config: &Config,
        store: &Store,
        named: Option<&str>,
    ) -> Result<Self, CliError> {
        let url = sign_in::url(config)?;
        let people = People::new(store).list().wait()?;
        let Some(person) = choose(&people, named)? else {
            let (record, text) = make(store, Offer::First)?;
            eprintln!("Whoever opens this link within 30 minutes becomes the operator:");
            return Ok(Self {
                url: first_address(url, &text),
                name: None,
                expires: record.expires,
            });
        };
        let offer = Offer::Login {
            person: person.id.clone(),
        };
        let (record, text) = make(store, offer)?;
        eprintln!(
            "Whoever opens this link within 30 minutes is signed in as {} ({}):",
            visible(&person.name),
            person.role.name()
        );
        Ok(Self {
            url: format!("{url}/console/signin#{}", text.expose_secret()),
            name: Some(person.name.clone()),
            expires: record.expires,
        })
    }
}

/// At the start of a server where people can sign in and nobody is the operator yet: says once how somebody becomes it.
pub(super) fn announce_first_link(config: &Config, store: &Store) {
    if !config.oauth.is_on() || People::new(store).has_operator() {
        return;
    }
    match make(store, Offer::First) {
        // Not by the log, which may go elsewhere: whoever reads it first is the operator.
        Ok((_, text)) => eprintln!(
            "Open {} within 30 minutes to become its operator.",
            first_address(&config.oauth.url, &text)
        ),
        Err(CliError(error)) => tracing::warn!(
            %error,
            "no link for the first operator; `highlevel-mcp console link` makes one"
        ),
    }
}

/// Whom a link is for: the one who was named, or the only operator. `None`: there is no operator.
fn choose<'a>(people: &'a [Person], named: Option<&str>) -> Result<Option<&'a Person>, CliError> {
    let mut living = people.iter().filter(|person| person.ended.is_none());
    if let Some(named) = named {
        let found = living.find(|person| person.id == named || person.name == named);
        return found.map(Some).ok_or_else(|| {
            CliError(format!(
                "there is no person {named} who may sign in; `highlevel-mcp people list` shows all"
            ))
        });
    }
    let operators: Vec<&Person> = living
        .filter(|person| person.role == PersonRole::Operator)
        .collect();
    match operators.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        several => {
            let names: Vec<String> = several.iter().map(|person| visible(&person.name)).collect();
            Err(CliError(format!(
                "there are several operators; give --person with one of: {}",
                names.join(", ")
            )))
        }
    }
}

fn make(store: &Store, offer: Offer) -> Result<(LinkRecord, SecretString), CliError> {
    Ok(Links::new(store).make(offer, FIRST_LASTS, 1, None).wait()?)
}

fn first_address(url: &str, text: &SecretString) -> String {
    format!("{url}/console/first#{}", text.expose_secret())
}
