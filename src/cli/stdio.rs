//! `stdio`: MCP over stdin and stdout for one account, or for a remote server.

mod keeper;
mod relay;
mod sse;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use secrecy::ExposeSecret;

use super::connect::is_key;
use super::invocation::program;
use super::login::highlevel;
use super::output::note;
use super::sandbox::SandboxListener;
use super::web::ServerAddress;
use super::{CliError, StateFlags, prepared_by, principal, rehearsal, runtime};
use crate::config::{Config, Flags};
use crate::http::own_account;
use crate::mcp;
use crate::surfaces::{Endpoint, USUAL};
use crate::telemetry::Telemetry;
use keeper::{LoginKeeper, RelayCredential};
use relay::{Relay, patient_client};
use state::logins::Logins;

#[derive(Args)]
pub(super) struct Stdio {
    /// Tools to serve: official, official-36, orchestrator, legacy, compat, all, or toolsets joined by `+`, such as
    /// contacts+calendars. Each may have /readonly behind it. Without it: the 21 official ones and the orchestrator.
    #[arg(long, value_name = "SURFACE", default_value = USUAL, hide_default_value = true)]
    tools: String,
    /// Act in one of the server's own locations, by its alias. Without it and without HIGHLEVEL_TOKEN, each call names
    /// its location in `location`.
    #[arg(long, value_name = "ALIAS")]
    location: Option<String>,
    /// Serve a simulated HighLevel with made-up records instead of an account.
    #[arg(long)]
    sandbox: bool,
    /// Serve the tools of a remote server, with the access key in HIGHLEVEL_TOKEN or the sign-in of `highlevel-mcp
    /// login`. The address may choose the tools, such as https://mcp.example.com/mcp/orchestrator.
    #[arg(long, value_name = "URL", conflicts_with_all = ["tools", "location", "sandbox"])]
    url: Option<String>,
}

impl Stdio {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        if std::io::stdin().is_terminal() {
            note(format_args!(
                "This waits for an MCP client on stdin. Clients start it themselves: `{0} connect claude-desktop` \
                 prints the configuration. `{0} call` calls tools by hand. Ctrl-C ends this.",
                program()
            ));
        }
        if let Some(url) = &self.url {
            return relay(url, flags);
        }
        let endpoint = Endpoint::parse(&self.tools)?;
        let config = Config::load(flags)?;
        refuse_key(&config, self.sandbox)?;
        let sandbox = SandboxListener::when(self.sandbox)?;
        if let Some((config, pipeline)) = rehearsal(&config, sandbox.as_ref())? {
            principal(&config, &pipeline, self.location.as_deref())?;
        }
        let (config, pipeline) = prepared_by(config, sandbox.as_ref(), Telemetry::start)?;
        let principal = principal(&config, &pipeline, self.location.as_deref())?;
        let telemetry = pipeline.telemetry().clone();
        let own = match own_account(&config.account)? {
            None => highlevel::caller(&config, &pipeline)?,
            own => own,
        };
        let handler = mcp::Handler::new(endpoint, pipeline.clone(), Some(principal));
        let limits = limits(&config);
        runtime()?.block_on(async {
            sandbox.as_ref().map(SandboxListener::serve).transpose()?;
            tokio::spawn(pipeline.clone().follow_rules());
            tokio::spawn(pipeline.clone().follow_tokens());
            pipeline.controls().join(&config);
            let store = pipeline.controls().store.clone();
            tokio::spawn(pipeline.clone().follow_instances());
            pipeline.transport().meet_valkey();
            tokio::spawn(pipeline.run_approvals(own));
            mcp::serve(handler, limits).await?;
            // A failure does not matter: other instances soon notice its absence.
            let _ = store.leave().await;
            Ok::<_, CliError>(())
        })?;
        telemetry.finish();
        Ok(ExitCode::SUCCESS)
    }
}

/// An access key is for a remote server, and here none is named.
fn refuse_key(config: &Config, is_sandbox: bool) -> Result<(), CliError> {
    if is_sandbox || !is_key(config.account.token.expose_secret()) {
        return Ok(());
    }
    Err(CliError(format!(
        "HIGHLEVEL_TOKEN holds an access key, which belongs to a server. Give the server's address, such as `{} stdio \
         --url http://127.0.0.1:8100/mcp`, or a HighLevel token",
        program()
    )))
}

fn limits(config: &Config) -> mcp::StdioLimits {
    mcp::StdioLimits {
        frame_bytes: config.server.largest_request(),
        bytes_in_flight: config.server.max_bytes_in_flight,
        grace: Duration::from_millis(config.server.shutdown_grace_ms),
    }
}

/// Serves the tools of a remote server.
fn relay(url: &str, flags: &Flags) -> Result<ExitCode, CliError> {
    let address = ServerAddress::parse(url)?;
    let config = Config::load(flags)?;
    let telemetry = Telemetry::start(&config).map_err(CliError)?;
    let runtime = runtime()?;
    let key = config.account.token.clone();
    runtime.block_on(async {
        let credential = if is_key(key.expose_secret()) {
            if !address.is_private() {
                return Err(CliError(format!(
                    "{} begins with http:// and is on another machine: everybody on the way there can read the access \
                     key. Give https://",
                    address.origin
                )));
            }
            RelayCredential::Key(key)
        } else {
            // What was kept for the upstream of the settings; the login is no matter of that.
            let (_, store) = StateFlags { sandbox: false }.look(flags)?;
            let logins = Logins::new(&store);
            let keeper = LoginKeeper::open(super::web::client()?, logins, &address.origin);
            RelayCredential::Login(Box::new(keeper.await?))
        };
        Relay::run(patient_client()?, address, credential, limits(&config)).await
    })?;
    telemetry.finish();
    // The thread that reads stdin cannot be ended.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}
