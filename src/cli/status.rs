//! `status`: whether a server runs on a state folder, and what the folder holds.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use state::Store;
use state::approvals::Approvals;
use state::audit::{AuditQuery, AuditRecord, RecordState, records};
use state::keys::Keys;
use state::pause::{Pause, Pauses};
use state::people::People;
use state::vault::Vault;

use super::output::{CardField, OutputFlags, Text, note};
use super::running_server::{RunningServer, reachable};
use super::text::count;
use super::web::{WebAnswer, client_with};
use super::{CliError, StateFlags, runtime};
use crate::call::{missing_store, open_grants, open_store};
use crate::config::{Config, Flags};

/// Longest wait for a server's answer about its readiness.
const PATIENCE: Duration = Duration::from_secs(2);

/// This server's answers at `/readyz`.
const READY: [&str; 5] = ["ok", "paused", "stopping", "joining", "without its store"];

/// The answers of a server that takes calls; while paused it takes reads.
const SERVES: [&str; 2] = ["ok", "paused"];

/// The time in which failures are counted.
const LATELY: SignedDuration = SignedDuration::from_hours(24);

/// Most kinds of failures that are shown.
const MOST_KINDS: usize = 5;

#[derive(Args)]
pub(super) struct StatusCommand {
    /// Only check whether the server of these settings is ready for calls, without opening the store. Exit code 1 if it
    /// is not. This is for health checks of containers and services.
    #[arg(long, conflicts_with = "sandbox")]
    ready: bool,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    of: StateFlags,
}

/// The state of the servers of one state folder, and of its store.
#[derive(Serialize)]
struct ServerStatus {
    running: bool,
    servers: Vec<ReadyServer>,
    folder: String,
    store: Option<String>,
    sandbox: bool,
    paused: Vec<Pause>,
    waiting_approvals: usize,
    locations: usize,
    connected_locations: usize,
    keys: usize,
    people: usize,
    connections: usize,
    /// Calls that change something, in the last 24 hours.
    calls: usize,
    refused: usize,
    failed: usize,
    /// The number of failures and refusals by class; `rate_limited` is a 429 after all retries.
    failures: BTreeMap<String, usize>,
    last_failure: Option<LastFailure>,
}

#[derive(Serialize)]
struct ReadyServer {
    #[serde(flatten)]
    server: RunningServer,
    /// One of `READY`, or the reason that it does not answer.
    ready: String,
}

/// The readiness of the server of these settings, whatever its state folder.
#[derive(Serialize)]
struct HealthAnswer {
    address: SocketAddr,
    is_ready: bool,
    /// The answer of `/readyz`, or the reason that there is none.
    ready: String,
}

#[derive(Serialize)]
struct LastFailure {
    id: String,
    time: Timestamp,
    tool: String,
    outcome: String,
}

impl StatusCommand {
    /// Exit code 1 if no server runs.
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        if self.ready {
            return self.check_health(flags);
        }
        let config = self.of.config(flags)?;
        let found = RunningServer::find(&config)?;
        let (own, others): (Vec<_>, Vec<_>) = found
            .into_iter()
            .partition(|server| server.is_on_store_of(&config));
        let servers = runtime()?.block_on(async {
            let mut servers = Vec::new();
            for server in own {
                let ready = ask(server.address).await;
                servers.push(ReadyServer { server, ready });
            }
            Ok::<_, CliError>(servers)
        })?;
        let status = ServerStatus::read(&config, servers)?;
        self.output.fields(&status, status.fields())?;
        if !status.running {
            let address = config.server.listen;
            let stranger = runtime()?.block_on(ask(address));
            match READY.contains(&stranger.as_str()) {
                true => note(format_args!(
                    "No server runs on this store. The server at {address} keeps its state elsewhere, or has an \
                     earlier version."
                )),
                false => note(format_args!(
                    "No server runs on this store; `highlevel-mcp serve{}` starts one at {address}.",
                    self.of.flag()
                )),
            }
        }
        for other in others {
            note(format_args!(
                "{}; {} shows it.",
                other.elsewhere(),
                other.flag()
            ));
        }
        Ok(ExitCode::from(u8::from(!status.running)))
    }

    /// Opens no store: it runs every few seconds, and a missing database must not restart the server.
    fn check_health(self, flags: &Flags) -> Result<ExitCode, CliError> {
        let config = Config::load(flags)?;
        let address = match Config::is_default(flags, "server.listen")? {
            // Nobody chose a port here, so it is that of the server's own --listen. Without a folder none is known.
            true => RunningServer::listening(&config).unwrap_or(config.server.listen),
            false => config.server.listen,
        };
        let ready = runtime()?.block_on(ask(address));
        let answer = HealthAnswer {
            address,
            is_ready: SERVES.contains(&ready.as_str()),
            ready,
        };
        self.output
            .record(&answer, format_args!("{}\n", answer.ready))?;
        Ok(ExitCode::from(u8::from(!answer.is_ready)))
    }
}

impl ServerStatus {
    fn read(config: &Config, servers: Vec<ReadyServer>) -> Result<Self, CliError> {
        let folder = config.state.folder()?.unwrap_or_default();
        let nothing = Self {
            running: !servers.is_empty(),
            servers,
            folder: folder.display().to_string(),
            store: None,
            sandbox: config.upstream.simulated,
            paused: Vec::new(),
            waiting_approvals: 0,
            locations: config.locations.len(),
            connected_locations: 0,
            keys: 0,
            people: 0,
            connections: 0,
            calls: 0,
            refused: 0,
            failed: 0,
            failures: BTreeMap::new(),
            last_failure: None,
        };
        if missing_store(config)?.is_some() {
            return Ok(nothing);
        }
        nothing.with_store(config, &open_store(config)?)
    }

    fn with_store(self, config: &Config, store: &Store) -> Result<Self, CliError> {
        let now = Timestamp::now();
        let keys = Keys::new(store).list().wait()?;
        let keys = keys
            .iter()
            .filter(|key| key.revoked.is_none() && key.expires.is_none_or(|expires| expires > now));
        let people = People::new(store).list().wait()?;
        let people = people.iter().filter(|person| person.ended.is_none());
        let grants = open_grants(&config.oauth, store).list(None).wait()?;
        let grants = grants.iter().filter(|grant| grant.ended.is_none());
        let query = AuditQuery {
            since: now.checked_sub(LATELY).ok(),
            ..AuditQuery::default()
        };
        let lately = records(store, &query)?.records;
        let refused = lately
            .iter()
            .filter(|record| record.state == RecordState::Refused);
        let failed = lately.iter().filter(|record| failure(record).is_some());
        let refused = refused.count();
        let mut failures = BTreeMap::new();
        for class in lately.iter().filter_map(failure) {
            *failures.entry(class.to_owned()).or_insert(0) += 1;
        }
        let last = lately
            .iter()
            .rev()
            .find_map(|record| Some((record, failure(record)?)));
        Ok(Self {
            store: store.is_durable().then(|| store.shown()),
            paused: Pauses::new(store).list().wait()?,
            waiting_approvals: Approvals::new(store).waiting().wait()?.len(),
            connected_locations: Vault::new(store).list().wait()?.len(),
            keys: keys.count(),
            people: people.count(),
            connections: grants.count(),
            calls: lately.len(),
            refused,
            failed: failed.count() - refused,
            failures,
            last_failure: last.map(|(record, class)| LastFailure {
                id: record.call.id.clone(),
                time: record.call.time,
                tool: record.call.tool.clone(),
                outcome: class.to_owned(),
            }),
            ..self
        })
    }

    fn fields(&self) -> Vec<CardField> {
        let mut fields = Vec::new();
        if self.servers.is_empty() {
            fields.push(("Server", Text::bad("not running")));
        }
        for one in &self.servers {
            let ready = match one.ready.as_str() {
                "ok" => Text::good("running, and ready"),
                other => Text::warning(format!("running; it says: {other}")),
            };
            let server = &one.server;
            fields.extend([
                ("Server", ready),
                (
                    "Address",
                    format!("http://{}/mcp", reachable(server.address)).into(),
                ),
                ("Version", server.version.as_str().into()),
                (
                    "Since",
                    format!("{:.0}, process {}", server.since, server.pid).into(),
                ),
            ]);
        }
        let paused: Vec<&str> = self
            .paused
            .iter()
            .map(|pause| pause.location.as_deref().unwrap_or("everything"))
            .collect();
        fields.extend([
            (
                "Store",
                Text::or_dash(self.store.as_deref().or(Some(&self.folder))),
            ),
            (
                "Paused",
                match paused.as_slice() {
                    [] => "no".into(),
                    paused => Text::warning(paused.join(", ")),
                },
            ),
            (
                "Approvals",
                match self.waiting_approvals {
                    0 => "none waits".into(),
                    1 => Text::warning("1 waits; `highlevel-mcp approvals list` shows it"),
                    many => Text::warning(format!(
                        "{many} wait; `highlevel-mcp approvals list` shows them"
                    )),
                },
            ),
            (
                "Locations",
                format!(
                    "{} of the settings, {} connected",
                    self.locations, self.connected_locations
                )
                .into(),
            ),
            ("Keys", count(self.keys, "valid key").into()),
            ("People", self.people.to_string().into()),
            ("Connections", self.connections.to_string().into()),
            (
                "Last 24 h",
                format!(
                    "{} that change something or were refused: {} refused, {} failed",
                    count(self.calls, "call"),
                    self.refused,
                    self.failed
                )
                .into(),
            ),
        ]);
        if !self.failures.is_empty() {
            let mut kinds: Vec<(&String, &usize)> = self.failures.iter().collect();
            kinds.sort_by_key(|(_, many)| std::cmp::Reverse(**many));
            let kinds = kinds.into_iter().take(MOST_KINDS);
            let kinds: Vec<String> = kinds.map(|(kind, many)| format!("{kind} {many}")).collect();
            fields.push(("Failures", kinds.join(", ").into()));
        }
        if let Some(last) = &self.last_failure {
            let what = format!(
                "{:.0} {}: {}; `highlevel-mcp audit show {}`",
                last.time, last.tool, last.outcome, last.id
            );
            fields.push(("Last failure", what.into()));
        }
        fields
    }
}

/// The class of a call's failure.
fn failure(record: &AuditRecord) -> Option<&str> {
    match record.state {
        RecordState::Begun => None,
        RecordState::Refused => Some(record.call.class.as_deref().unwrap_or("refused")),
        RecordState::Done => record.outcome.as_deref().filter(|outcome| *outcome != "ok"),
    }
}

/// The server's answer about its readiness.
async fn ask(address: SocketAddr) -> String {
    let address = reachable(address);
    let client = client_with(|builder| builder.timeout(PATIENCE).no_proxy());
    let answer = match client {
        Ok(client) => WebAnswer::ask(client.get(format!("http://{address}/readyz"))).await,
        Err(CliError(error)) => Err(error),
    };
    match answer {
        Ok(answer) => String::from_utf8_lossy(&answer.body).trim().to_owned(),
        Err(why) => format!("http://{address}/readyz {why}"),
    }
}
