//! `console`: links by which the first operator, or a signed-out person, gets in.

use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use state::Store;
use state::links::{FIRST_LASTS, LinkRecord, Links, Offer};
use state::people::{People, Person, PersonRole};

use super::output::{OutputFlags, note};
use super::running_server::RunningServer;
use super::text::visible;
use super::{CliError, StateFlags};
use crate::config::{Config, Flags, Tls};

/// How long a server of this machine may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Opens the web console in the browser, with a link that works once.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Console {
    #[command(subcommand)]
    command: Option<ConsoleCommand>,
    #[command(flatten)]
    link: SignInLink,
    /// Print the link and open no browser.
    #[arg(long)]
    no_browser: bool,
}

#[derive(Subcommand)]
enum ConsoleCommand {
    /// Print the link and open no browser. The link signs in the operator, or creates the first operator.
    Link(SignInLink),
}

#[derive(Args)]
struct SignInLink {
    /// Name or id of the person who signs in with the link.
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
    /// Address and port of the server. By default those of the running server, otherwise those of the settings.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    of: StateFlags,
}

impl Console {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        match self.command {
            Some(ConsoleCommand::Link(link)) => link.show(flags, false)?,
            None => self.link.show(flags, !self.no_browser)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl SignInLink {
    fn show(self, flags: &Flags, opens: bool) -> Result<(), CliError> {
        let is_given = self.listen.is_some();
        let flags = Flags {
            listen: self.listen,
            ..flags.clone()
        };
        let (config, (listen, link)) = self.of.change(&flags, |config, store| {
            let listen = match is_given {
                true => config.server.listen,
                false => RunningServer::listening(config)?,
            };
            let url = address(config, listen)?;
            let link = ConsoleLink::make(&url, store, self.person.as_deref())?;
            Ok((listen, link))
        })?;
        note_absent_server(&config, listen, self.of.flag());
        if opens && open::that_detached(&link.url).is_ok() {
            eprintln!("Your browser opens the page. If it does not, open this link yourself.");
        }
        eprintln!(
            "The person who opens this link within 30 minutes {}:",
            link.effect
        );
        // In any case: the browser may be another user's, or on another screen.
        self.output.record(&link, format_args!("{}\n", link.url))
    }
}

/// A link that signs somebody in once.
#[derive(Serialize)]
struct ConsoleLink {
    url: String,
    /// The person whom it signs in; `None` if it creates the first operator.
    name: Option<String>,
    expires: Timestamp,
    /// The effect of opening it.
    #[serde(skip)]
    effect: String,
}

impl ConsoleLink {
    fn make(url: &str, store: &Store, named: Option<&str>) -> Result<Self, CliError> {
        let people = People::new(store).list().wait()?;
        let Some(person) = choose(&people, named)? else {
            let (record, text) = make(store, Offer::First)?;
            return Ok(Self {
                url: first_address(url, &text),
                name: None,
                expires: record.expires,
                effect: "becomes the operator".to_owned(),
            });
        };
        let offer = Offer::Login {
            person: person.id.clone(),
        };
        let (record, text) = make(store, offer)?;
        let (name, role) = (visible(&person.name), person.role.name());
        Ok(Self {
            url: format!("{url}/console/signin#{}", text.expose_secret()),
            name: Some(person.name.clone()),
            expires: record.expires,
            effect: format!("is signed in as {name} ({role})"),
        })
    }
}

/// Where the pages are: at `oauth.url`, or on this machine.
fn address(config: &Config, listen: SocketAddr) -> Result<String, CliError> {
    if config.oauth.is_on() {
        return Ok(config.oauth.url.clone());
    }
    if !listen.ip().is_loopback() {
        return Err(CliError(format!(
            "other machines can reach the server at {listen}. The console then needs oauth.url, the address that \
             people and clients use, such as \"https://mcp.example.com\""
        )));
    }
    if config.server.tls == Tls::Proxy {
        return Err(CliError(
            "the server runs behind a proxy (--tls proxy). The console then needs oauth.url, the address that people \
             and clients use, such as \"https://mcp.example.com\""
                .to_owned(),
        ));
    }
    if listen.port() == 0 {
        return Err(CliError(
            "the system chooses the server's port (server.listen has port 0). Give --listen with the address that the \
             server printed at its start"
                .to_owned(),
        ));
    }
    Ok(format!("http://{listen}"))
}

/// Says on the terminal where no server of this machine shows the pages yet.
fn note_absent_server(config: &Config, listen: SocketAddr, flag: &str) {
    if !config.oauth.is_on() && TcpStream::connect_timeout(&listen, PATIENCE).is_err() {
        note(format_args!(
            "Note: no server answers at {listen} yet. Start `highlevel-mcp serve{flag}`, or give --listen."
        ));
    }
}

/// At the start of a server with sign-in but no operator: prints once how to become the operator.
pub(super) fn announce_first_link(config: &Config, store: &Store) {
    if !config.oauth.is_on() || People::new(store).has_operator() {
        return;
    }
    let url = &config.oauth.url;
    match make(store, Offer::First) {
        // Not in the log, which may go elsewhere: its first reader would become the operator.
        Ok((_, text)) => eprintln!(
            "Open {} within 30 minutes to become its operator.\n\
             Then connect a client in another terminal, for example:\n  \
             claude mcp add --transport http ghl {url}/mcp\n  claude mcp login ghl",
            first_address(url, &text)
        ),
        Err(CliError(error)) => tracing::warn!(
            %error,
            "there is no link for the first operator; `highlevel-mcp console link` creates one"
        ),
    }
}

/// The person for a link: the named one, or the only operator. `None`: there is no operator.
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
                tool::first_names(names.iter().map(String::as_str))
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
