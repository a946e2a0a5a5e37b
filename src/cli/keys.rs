//! `keys`: access keys, which bind a client to locations and a policy.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use url::Url;

use super::connect::{self, Client};
use super::invocation::program;
use super::terminal::{Text, table, visible};
use super::{CliError, StateFlags, print, reach};
use crate::config::Flags;
use state::keys::{KeyLocations, KeyRecord, Keys, NewKey};

#[derive(Subcommand)]
pub(super) enum KeysCommand {
    /// Make a key and show it, once.
    Create(Create),
    /// Every key, revoked ones too; never its secret.
    List(StateFlags),
    /// Let nobody in by this key any more.
    Revoke {
        /// Its id or name.
        id: String,
        #[command(flatten)]
        of: StateFlags,
    },
}

#[derive(Args)]
pub(super) struct Create {
    /// Who gets it, such as n8n.
    #[arg(long)]
    name: String,
    /// Alias of a location that it reaches; several by commas, or repeated.
    #[arg(
        long = "location",
        value_name = "ALIAS",
        num_args = 1..,
        value_delimiter = ',',
        required_unless_present_any = ["all_locations", "return_urls"]
    )]
    locations: Vec<String>,
    /// It reaches every location.
    #[arg(long, conflicts_with = "locations")]
    all_locations: bool,
    /// Name of the policy that holds for it.
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// After so many days, such as 90d, or at a time, such as 2026-12-31T00:00:00Z; without it never.
    #[arg(long, value_name = "WHEN", value_parser = future)]
    expires: Option<Timestamp>,
    /// It may act with the agency's own token: on all sub-accounts, users and settings of the agency.
    #[arg(long)]
    agency: bool,
    /// It may make links by which customers connect a location of theirs, and fetch keys for those. They return to this
    /// address, with any query; may be repeated.
    #[arg(long = "connect-links", value_name = "RETURN_URL", value_parser = return_url)]
    return_urls: Vec<String>,
    /// Print what this client needs to use it, as `highlevel-mcp connect` does, in place of the header.
    #[arg(long, value_name = "NAME")]
    client: Option<Client>,
    #[command(flatten)]
    of: StateFlags,
}

impl KeysCommand {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        match self {
            Self::Create(create) => create.run(flags)?,
            Self::List(of) => {
                let keys = Keys::new(&of.open(flags)?.1);
                let rows = keys.list().wait()?.iter().map(row).collect();
                table(
                    [
                        "Id",
                        "Name",
                        "State",
                        "Expires",
                        "Policy",
                        "Agency",
                        "Locations",
                    ],
                    rows,
                )?;
            }
            Self::Revoke { id, of } => {
                let keys = Keys::new(&of.open(flags)?.1);
                let record = keys.revoke(&id).wait()?;
                print(format_args!(
                    "{} ({}) is revoked; running servers refuse it within 0.2 seconds\n",
                    record.id, record.name
                ))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Create {
    fn run(self, flags: &Flags) -> Result<(), CliError> {
        let (config, store) = self.of.make(flags)?;
        if let Some(client) = self.client {
            // Before a key is made that nobody is shown.
            connect::check_takes_key(client)?;
        }
        reach::check_given(&config, &store, &self.locations)?;
        reach::check_policy(&config, self.policy.as_deref())?;
        let locations = if self.all_locations {
            KeyLocations::All
        } else {
            KeyLocations::Only(self.locations)
        };
        let made = Keys::new(&store).make(NewKey {
            name: &self.name,
            locations,
            policy: self.policy.as_deref(),
            expires: self.expires,
            agency: self.agency,
            rules: None,
            return_urls: self.return_urls,
        });
        let (record, key) = made.wait()?;
        let configuration = self
            .client
            .map(|client| connect::with_key(client, &key, &config))
            .transpose()?;
        let key = key.expose_secret();
        if record.agency {
            eprintln!(
                "Careful: this key acts with the agency's own token. Whoever has it reaches every sub-account and every \
                 user of the agency, whatever locations it names."
            );
        }
        if !record.return_urls.is_empty() {
            eprintln!(
                "Careful: this key makes links for customers and gets the keys of what they connect. It belongs on a server of \
                 yours, never into a browser or an app. Customers see its name: {}.",
                record.name
            );
        }
        eprintln!(
            "The key of {}, {}, is shown now and never again. {}",
            record.name,
            record.id,
            match self.client {
                Some(_) => "It stands in this:",
                None => "The client sends it with every request:",
            }
        );
        if let Some(configuration) = configuration {
            return print(configuration);
        }
        print(format_args!("Authorization: Bearer {key}\n"))?;
        eprintln!(
            "For a client's own form: {} connect NAME --key {key}",
            program()
        );
        Ok(())
    }
}

fn row(record: &KeyRecord) -> [Text; 7] {
    let expires = record.expires.map(|expires| format!("{expires:.0}"));
    let has_expired = record
        .expires
        .is_some_and(|expires| expires <= Timestamp::now());
    let state = if record.revoked.is_some() {
        Text::bad("revoked")
    } else if has_expired {
        Text::warning("expired")
    } else {
        Text::good("valid")
    };
    let locations = match &record.locations {
        KeyLocations::All => "all".to_owned(),
        KeyLocations::Only(aliases) if aliases.is_empty() => "none, makes connect links".to_owned(),
        KeyLocations::Only(aliases) => aliases.join(", "),
        KeyLocations::Connected(ids) => ids.join(", "),
    };
    [
        visible(&record.id).into(),
        visible(&record.name).into(),
        state,
        expires.unwrap_or_else(|| "never".to_owned()).into(),
        visible(record.policy.as_deref().unwrap_or("-")).into(),
        if record.agency {
            Text::warning("yes")
        } else {
            "no".to_owned().into()
        },
        visible(&locations).into(),
    ]
}

/// https, or http on this machine; without a query, which each link may add.
fn return_url(text: &str) -> Result<String, String> {
    let wrong =
        "give an address that begins with https:// (or http:// on this machine), without ? and #";
    let url: Url = text.parse().map_err(|_| wrong.to_owned())?;
    let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let is_safe = url.scheme() == "https" || url.scheme() == "http" && is_local;
    let is_plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    (is_safe && is_plain)
        .then(|| url.into())
        .ok_or_else(|| wrong.to_owned())
}

fn future(text: &str) -> Result<Timestamp, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
    let time = match days {
        Some(days) => i64::checked_mul(days, 24)
            .and_then(SignedDuration::try_from_hours)
            .and_then(|span| Timestamp::now().checked_add(span).ok()),
        None => text.parse().ok(),
    };
    time.ok_or_else(|| "give days, such as 90d, or a time, such as 2026-12-31T00:00:00Z".to_owned())
}
