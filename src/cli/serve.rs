//! `serve`: MCP over HTTP until a signal, or the end of its terminal, stops it.

mod first_steps;
mod signals;
mod summary;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use self::signals::Signals;
use self::summary::Summary;
use super::ports::cannot_listen;
use super::running_server::{Announcement, reachable};
use super::sandbox::SandboxListener;
use super::{CliError, INTERRUPTED, console, prepared_by, rehearsal, runtime};
use crate::call::{Pipeline, Snapshot, wait_for_database};
use crate::config::{self, Config, Flags, Tls};
use crate::http;
use crate::surfaces::{Endpoint, USUAL};
use crate::telemetry::Telemetry;

#[derive(Args)]
pub(super) struct Serve {
    /// Address and port to listen on. The default is the setting server.listen, 127.0.0.1:8100 by default.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Only the port. The address stays as it is.
    #[arg(long, value_name = "NUMBER", conflicts_with = "listen")]
    port: Option<u16>,
    /// Host name to serve in addition to localhost. May be repeated.
    #[arg(long = "allowed-host", value_name = "HOST")]
    allowed_hosts: Vec<String>,
    /// Web page that may call, such as https://app.example.com. May be repeated.
    #[arg(long = "allowed-origin", value_name = "ORIGIN")]
    allowed_origins: Vec<String>,
    /// Protection of tokens on a network: `proxy` is a reverse proxy with TLS in front, `off` is no protection.
    /// `required`, the default, serves only this machine.
    #[arg(long, value_name = "WHAT")]
    tls: Option<String>,
    /// Serve a simulated HighLevel with made-up records instead of an account.
    #[arg(long)]
    sandbox: bool,
}

impl Serve {
    pub(super) fn run(self, flags: Flags) -> Result<ExitCode, CliError> {
        let flags = Flags {
            listen: self.listen,
            port: self.port,
            allowed_hosts: self.allowed_hosts,
            allowed_origins: self.allowed_origins,
            tls: self.tls,
            ..flags
        };
        let sandbox = SandboxListener::when(self.sandbox)?;
        let config = Config::load(&flags)?;
        refuse_plain_text(&config.server)?;
        let runtime = runtime()?;
        let listen = config.server.listen;
        let listener = runtime.block_on(async { http::listen(listen) });
        let listener = listener.map_err(|error| cannot_listen(listen, &error))?;
        rehearsal(&config, sandbox.as_ref())?;
        // The log tells what it waits for.
        let telemetry = |config: &Config| {
            let telemetry = Telemetry::start(config)?;
            wait_for_database(config)?;
            Ok(telemetry)
        };
        let (config, pipeline) = prepared_by(config, sandbox.as_ref(), telemetry)?;
        let keys = pipeline.controls().keys.clone();
        let mut access = http::Access::new(&config.server, &config.account, Some(keys))?;
        if pipeline.is_simulated() {
            access = access.before_sandbox();
        }
        let tools = Endpoint::parse(USUAL)?.list().count();
        let stopping = http::Stopping::default();
        let sign_in = http::SignIn::open(&config, &pipeline).map_err(CliError)?;
        let router = http::router(&pipeline, access, sign_in.clone(), &stopping, &config);
        let interrupted = AtomicBool::new(false);
        runtime.block_on(async {
            let signals = Signals::take()?;
            sandbox.as_ref().map(SandboxListener::serve).transpose()?;
            let address = listener.local_addr()?;
            let _announcement = Announcement::make(&config, address);
            let url = format!("http://{}/mcp", reachable(address));
            Summary::new(&config, &pipeline, url.clone(), tools)?.show(config.log.format);
            if pipeline.is_simulated() {
                first_steps::show(&url, &config, &pipeline).await?;
            }
            let names_hosts = config.oauth.is_on() || !config.server.allowed_hosts.is_empty();
            if !address.ip().is_loopback() && !names_hosts {
                tracing::warn!(
                    "only localhost is served. Give --allowed-host with the name that clients use"
                );
            }
            if let Some(fault) = config.audit.file_fault() {
                tracing::warn!("{fault}. Its lines are only in the store");
            }
            for warning in config.sign_in_warnings() {
                tracing::warn!("{warning}");
            }
            pipeline.controls().join(&config);
            let store = pipeline.controls().store.clone();
            let hangup = Arc::<Notify>::default();
            tokio::spawn(reload(flags, pipeline.clone(), Arc::clone(&hangup)));
            let own = http::own_account(&config.account)?;
            tokio::spawn(pipeline.clone().run_approvals(own));
            tokio::spawn(pipeline.clone().follow_connected());
            tokio::spawn(pipeline.clone().follow_rules());
            tokio::spawn(pipeline.clone().follow_tokens());
            tokio::spawn(pipeline.clone().follow_instances());
            console::announce_first_link(&config, &pipeline.controls().store);
            sign_in.map(|sign_in| tokio::spawn(sign_in.catch_up()));
            pipeline.transport().meet_valkey();
            metrics(&config, &pipeline).await?;
            let interrupted = &interrupted;
            let drain = Duration::from_millis(config.server.drain_ms);
            http::run(
                listener,
                router,
                stopping,
                &config.server,
                &pipeline.telemetry().metrics,
                signals.until_stop(&hangup, drain, interrupted),
            )
            .await;
            // A failure does not matter: other instances soon notice its absence.
            let _ = store.leave().await;
            Ok::<_, CliError>(())
        })?;
        pipeline.telemetry().finish();
        Ok(match interrupted.into_inner() {
            true => ExitCode::from(INTERRUPTED),
            false => ExitCode::SUCCESS,
        })
    }
}

/// Reloads locations and rules at each hangup. Unusable ones change nothing.
async fn reload(flags: Flags, pipeline: Pipeline, hangup: Arc<Notify>) {
    loop {
        hangup.notified().await;
        let (flags, joined) = (flags.clone(), pipeline.clone());
        // The keyring blocks, and may ask its user.
        let read = tokio::task::spawn_blocking(move || {
            let config = Config::load(&flags).map_err(|error| error.to_string())?;
            // By accident more often than on purpose, and it would open everything.
            let has_rules = !joined.snapshot().rules_text.is_empty();
            if has_rules && config.policy.file.as_os_str().is_empty() {
                let what = "policy.file is no longer set. Set it again, or restart the server to serve without rules";
                return Err(what.to_owned());
            }
            let (controls, oauth) = (joined.controls(), joined.transport().oauth());
            controls.join(&config);
            Snapshot::read(&config, &oauth, &controls.store, controls.sign_in.as_ref())
        });
        match read.await.map_err(|error| error.to_string()).flatten() {
            Ok(snapshot) => {
                let locations = snapshot.locations.iter().count();
                pipeline.replace_snapshot(snapshot);
                tracing::info!(locations, "read locations and rules again");
            }
            Err(error) => tracing::error!(%error, "locations and rules stay as they were"),
        }
    }
}

/// Refuses to serve a network without TLS, where tokens could be read.
fn refuse_plain_text(server: &config::ServerSettings) -> Result<(), CliError> {
    if server.tls != Tls::Required || server.listen.ip().is_loopback() {
        return Ok(());
    }
    Err(CliError(format!(
        "other machines can reach {}, but this server has no TLS. Put a proxy with TLS in front of it and give --tls \
         proxy. Or give --tls off if everybody on the network may read the tokens",
        server.listen
    )))
}

/// Serves metrics. Another instance on this machine may have the port, which must not prevent serving.
async fn metrics(config: &Config, pipeline: &Pipeline) -> Result<(), CliError> {
    let settings = &config.metrics;
    if settings.listen.is_empty() {
        return Ok(());
    }
    let listen: SocketAddr = settings.listen.parse().map_err(|_| {
        CliError(format!(
            "metrics.listen {:?} is not an address and port, such as 127.0.0.1:8101",
            settings.listen
        ))
    })?;
    match TcpListener::bind(listen).await {
        Ok(listener) => {
            tracing::info!("metrics at http://{}/metrics", listener.local_addr()?);
            tokio::spawn(http::serve_metrics(
                listener,
                pipeline.clone(),
                config.server.clone(),
            ));
        }
        Err(error) => tracing::warn!(
            "no metrics: cannot listen on {listen}: {error}; give another HIGHLEVEL_MCP_METRICS_LISTEN, or an empty one"
        ),
    }
    Ok(())
}
