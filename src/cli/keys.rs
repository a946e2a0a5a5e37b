//! `keys`: access keys, which bind a client to locations and a policy.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde::Serialize;
use url::Url;

use super::connect::{self, Client};
use super::invocation::program;
use super::output::{Column, ListFlags, OutputFlags, TableRow, Text, note};
use super::text::given_name;
use super::{CliError, StateFlags, print, reach};
use crate::config::Flags;
use state::keys::{KeyLocations, KeyRecord, Keys, NewKey};
use tool::nearest;

#[derive(Subcommand)]
pub(super) enum KeysCommand {
    /// Create a key and show it, once.
    Create(Create),
    /// List every key, revoked ones too. Their secrets are not shown.
    List(ListFlags),
    /// Revoke a key. It opens nothing afterwards.
    Revoke {
        /// Id or name of the key.
        id: String,
        #[command(flatten)]
        output: OutputFlags,
        #[command(flatten)]
        of: StateFlags,
    },
}

#[derive(Args)]
pub(super) struct Create {
    /// Name of the client that gets the key, such as n8n.
    #[arg(long, value_parser = given_name)]
    name: String,
    #[command(flatten)]
    reach: KeyReach,
    /// Section of rules that applies to the key.
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Number of days until it expires, such as 90d, or a time, such as 2026-12-31T00:00:00Z. By default it never
    /// expires.
    #[arg(long, value_name = "WHEN", value_parser = future)]
    expires: Option<Timestamp>,
    /// The key may act with the agency's own token, on all sub-accounts, users and settings of the agency.
    #[arg(long)]
    agency: bool,
    /// Print the configuration of this client with the key, as `highlevel-mcp connect` does, instead of the header.
    #[arg(long, value_name = "NAME")]
    client: Option<Client>,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    of: StateFlags,
}

/// A key with none of these opens nothing.
#[derive(Args)]
#[group(required = true, multiple = true)]
struct KeyReach {
    /// Alias of a location that the key reaches. Separate several by commas, or repeat the flag.
    #[arg(
        long = "location",
        value_name = "ALIAS",
        num_args = 1..,
        value_delimiter = ','
    )]
    locations: Vec<String>,
    /// The key reaches every location.
    #[arg(long, conflicts_with = "locations")]
    all_locations: bool,
    /// The key may create links with which customers connect their own locations, and fetch keys for those. Customers
    /// return to this address, with any query. May be repeated.
    #[arg(long = "connect-links", value_name = "RETURN_URL", value_parser = return_url)]
    return_urls: Vec<String>,
}

impl KeysCommand {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        match self {
            Self::Create(create) => create.run(flags)?,
            Self::List(list) => {
                let keys = Keys::new(&list.of.open(flags)?.1).list().wait()?;
                let rows: Vec<KeyRow> = keys.iter().map(KeyRow::new).collect();
                list.output.rows(
                    &rows,
                    "There are no access keys. `highlevel-mcp keys create --name NAME --location ALIAS` creates one.",
                )?;
            }
            Self::Revoke { id, output, of } => {
                let keys = Keys::new(&of.open(flags)?.1);
                let known = keys.list().wait()?;
                let record = keys.revoke(&find(&known, &id)?.id).wait()?;
                let text = format!(
                    "{} ({}) is revoked. Running servers refuse it within 0.2 seconds\n",
                    record.id, record.name
                );
                output.record(&KeyRow::new(&record), text)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Create {
    fn run(self, flags: &Flags) -> Result<(), CliError> {
        if let Some(client) = self.client {
            // Checked before a key is made that nobody would see.
            connect::check_takes_key(client)?;
        }
        let reach = self.reach;
        let locations = if reach.all_locations {
            KeyLocations::All
        } else {
            KeyLocations::Only(reach.locations.clone())
        };
        let (config, (record, key)) = self.of.change(flags, |config, store| {
            reach::check_given(config, store, &reach.locations)?;
            reach::check_policy(config, store, self.policy.as_deref())?;
            let made = Keys::new(store).make(NewKey {
                name: &self.name,
                locations: locations.clone(),
                policy: self.policy.as_deref(),
                expires: self.expires,
                agency: self.agency,
                rules: None,
                return_urls: reach.return_urls.clone(),
            });
            Ok(made.wait()?)
        })?;
        let configuration = self
            .client
            .map(|client| connect::with_key(client, &key, &config))
            .transpose()?;
        let (configuration, notes) = configuration.unzip();
        let key = key.expose_secret();
        if record.agency {
            note(
                "Careful: this key acts with the agency's own token. It reaches every sub-account and every user of \
                 the agency, whatever locations it names.",
            );
        }
        if !record.return_urls.is_empty() {
            note(format_args!(
                "Careful: this key creates links for customers and gets keys for the locations that they connect. Keep \
                 it on a server of yours, never in a browser or an app. Customers see its name: {}.",
                record.name
            ));
        }
        if !self.output.is_json() {
            notes.iter().flatten().for_each(note);
        }
        let place = match (self.output.is_json(), self.client) {
            (true, _) => "It is `key`:",
            (false, Some(_)) => "This contains it:",
            (false, None) => "The client sends it with every request:",
        };
        note(format_args!(
            "The key of {}, {}, is shown only once. {place}",
            record.name, record.id
        ));
        if self.output.is_json() {
            let made = KeyWithSecret {
                record: KeyRow::new(&record),
                key,
                configuration,
                notes: notes.unwrap_or_default(),
            };
            return self.output.record(&made, "");
        }
        if let Some(configuration) = configuration {
            return print(configuration);
        }
        print(format_args!("Authorization: Bearer {key}\n"))?;
        // If stdout goes elsewhere, the secret must not appear on the terminal or in the log of a job.
        let shown = match std::io::stdout().is_terminal() {
            true => key,
            false => "hlk_…",
        };
        eprintln!(
            "For the configuration of a client: {} connect NAME --key {shown}",
            program()
        );
        Ok(())
    }
}

/// The key of this id, or else of this name: the valid one, of revoked ones the last.
fn find<'a>(keys: &'a [KeyRecord], named: &str) -> Result<&'a KeyRecord, CliError> {
    let of_name = || keys.iter().filter(|key| key.name == named);
    let valid = || of_name().find(|key| key.revoked.is_none());
    let found = keys.iter().find(|key| key.id == named).or_else(valid);
    found.or_else(|| of_name().next_back()).ok_or_else(|| {
        let names = keys.iter().map(|key| (key.name.as_str(), &key.name));
        let remedy = match nearest(named, names) {
            Some(near) => format!("did you mean {near}?"),
            None => "`highlevel-mcp keys list` shows all".to_owned(),
        };
        CliError(format!("there is no key {named}; {remedy}"))
    })
}

/// A key with its secret, which is shown once.
#[derive(Serialize)]
struct KeyWithSecret<'a> {
    #[serde(flatten)]
    record: KeyRow<'a>,
    key: &'a str,
    /// The set-up of the client of --client, as `connect` prints it.
    configuration: Option<String>,
    /// Notes for the person.
    notes: Vec<String>,
}

/// A key as a list shows it.
#[derive(Serialize)]
struct KeyRow<'a> {
    id: &'a str,
    name: &'a str,
    /// `valid`, `expired` or `revoked`.
    state: &'static str,
    all_locations: bool,
    /// Aliases, or HighLevel's ids for connected locations.
    locations: &'a [String],
    policy: Option<&'a str>,
    rules: Option<&'a str>,
    agency: bool,
    return_urls: &'a [String],
    created: Timestamp,
    expires: Option<Timestamp>,
    revoked: Option<Timestamp>,
}

impl<'a> KeyRow<'a> {
    fn new(record: &'a KeyRecord) -> Self {
        let expires = record.expires;
        let state = match (record.revoked, expires) {
            (Some(_), _) => "revoked",
            (None, Some(expires)) if expires <= Timestamp::now() => "expired",
            (None, _) => "valid",
        };
        Self {
            id: &record.id,
            name: &record.name,
            state,
            all_locations: record.locations == KeyLocations::All,
            locations: match &record.locations {
                KeyLocations::All => &[],
                KeyLocations::Only(names) | KeyLocations::Connected(names) => names,
            },
            policy: record.policy.as_deref(),
            rules: record.rules.as_deref(),
            agency: record.agency,
            return_urls: &record.return_urls,
            created: record.created,
            expires,
            revoked: record.revoked,
        }
    }
}

impl TableRow<7> for KeyRow<'_> {
    const COLUMNS: [Column; 7] = [
        Column::copied("Id"),
        Column::shortened("Name").least(10),
        Column::copied("State"),
        Column::copied("Expires").rank(2),
        Column::shortened("Policy").least(8),
        Column::copied("Agency").rank(1),
        Column::wrapped("Locations"),
    ];

    fn cells(&self) -> [Text; 7] {
        let state = match self.state {
            "revoked" => Text::bad(self.state),
            "expired" => Text::warning(self.state),
            _ => Text::good(self.state),
        };
        let locations = match (self.all_locations, self.locations) {
            (true, _) => "all".into(),
            (false, []) => "none, creates connect links".into(),
            (false, names) => Text::names(names),
        };
        [
            self.id.into(),
            self.name.into(),
            state,
            self.expires.map_or_else(|| "never".into(), Text::time),
            Text::or_dash(self.policy),
            match self.agency {
                true => Text::warning("yes"),
                false => "no".into(),
            },
            locations,
        ]
    }
}

/// https, or http on this machine; without a query, because each link may add one.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::tests::check_fits;

    #[test]
    fn keys_fit_a_terminal() {
        let locations: Vec<String> = (1..=40)
            .map(|number| format!("branch-{number:02}"))
            .collect();
        let time = "2026-11-28T04:48:54Z".parse().expect("a time");
        let row = KeyRow {
            id: "28xsrwfb",
            name: "front desk of the western branches, by n8n",
            state: "revoked",
            all_locations: false,
            locations: &locations,
            policy: Some("front-desk-of-the-western-branches"),
            rules: None,
            agency: true,
            return_urls: &[],
            created: time,
            expires: Some(time),
            revoked: Some(time),
        };
        check_fits(&KeyRow::COLUMNS, &[row.cells().into()]);
    }
}
