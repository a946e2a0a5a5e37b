//! `sandbox`: a simulated HighLevel over HTTP; and `--sandbox`, which starts one inside another command.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use url::Url;

use super::ports::cannot_listen;
use super::{CliError, print, runtime};
use crate::config::Config;
use ::sandbox::{
    self, CLIENT_ID, CLIENT_SECRET, CountingWindow, LOCATION, MarketplaceOptions, SandboxOptions,
    SandboxServer, TOKEN, TOKEN_AS_ISSUED,
};

#[derive(Args)]
pub(super) struct Sandbox {
    /// Address and port to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8200")]
    listen: SocketAddr,
    /// Seed of the made-up records. The same seed gives the same records on the same day.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// Number of further locations of the agency: locBranch00000000001 with the token pit-sandbox-branch-01, and so on.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = up_to(10_000))]
    branches: usize,
    /// Number of contacts in the first location, instead of 220. The oldest is at most two years old.
    #[arg(long, value_name = "NUMBER", value_parser = up_to(1_000_000))]
    contacts: Option<usize>,
    /// Delay of every answer, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency: u64,
    /// A status and the share of requests that get it, such as 503=0.01; may be repeated.
    #[arg(long = "fail", value_name = "STATUS=RATE", value_parser = fault)]
    faults: Vec<(u16, f64)>,
    /// How the rate limit counts its ten seconds.
    #[arg(long, value_enum, default_value_t = CountingWindow::Fixed)]
    window: CountingWindow,
    /// Calls that each location accepts in ten seconds, instead of HighLevel's 100 (and 200,000 a day).
    #[arg(long, value_name = "NUMBER")]
    calls_per_interval: Option<NonZeroUsize>,
    /// File that keeps the records between two runs (SQLite).
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// File to which a line of JSON is appended for each request, before it is answered: the request, its status and
    /// trace, and the number of changed records.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Redirect address of the Marketplace app. May be repeated. As at HighLevel it must begin with https://.
    #[arg(long = "redirect", value_name = "URL")]
    redirects: Vec<String>,
    /// Accept redirect addresses on this machine, which HighLevel refuses.
    #[arg(long)]
    loopback_redirects: bool,
    /// Address for the webhooks of the Marketplace app.
    #[arg(long, value_name = "URL", value_parser = web_address)]
    webhook: Option<String>,
}

/// A sandbox inside this process, on a free port.
pub(super) struct SandboxListener {
    listener: TcpListener,
    url: String,
}

impl Sandbox {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let listen = self.listen;
        let options = SandboxOptions {
            seed: self.seed,
            branches: self.branches,
            contacts: self.contacts,
            latency: Duration::from_millis(self.latency),
            faults: self.faults,
            window: self.window,
            calls_per_interval: self.calls_per_interval.map(NonZeroUsize::get),
            data: self.data,
            log: self.log,
            marketplace: MarketplaceOptions {
                redirects: self.redirects,
                allows_loopback: self.loopback_redirects,
                webhook: self.webhook,
                ..MarketplaceOptions::default()
            },
        };
        let key = sandbox::webhook_key(options.seed)?;
        let (operations, silent) = sandbox::coverage();
        runtime()?.block_on(async {
            let listener = tokio::net::TcpListener::bind(listen).await;
            let listener = listener.map_err(|error| cannot_listen(listen, &error))?;
            // Before anything is printed: the file of --data may not be a database.
            let server = SandboxServer::open(options)?;
            let address = listener.local_addr()?;
            print(format_args!(
                "a simulated HighLevel at http://{address}\n\
                 {operations} operations, {silent} of them without a documented answer\n\
                 token    {TOKEN}, or {TOKEN_AS_ISSUED} where its form is checked\nlocation {LOCATION}\n\
                 app      http://{address}/v2/oauth/chooselocation, client {CLIENT_ID}, secret {CLIENT_SECRET}\n\
                 webhooks signed by {key}\n"
            ))?;
            server.serve(listener).await?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

impl SandboxListener {
    /// Binds a free port; `serve` answers on it.
    pub(super) fn new() -> Result<Self, CliError> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        Ok(Self { listener, url })
    }

    /// A listener if `--sandbox` was given.
    pub(super) fn when(asked: bool) -> Result<Option<Self>, CliError> {
        asked.then(Self::new).transpose()
    }

    /// Makes the settings use the sandbox and its account instead of HighLevel and any other account.
    pub(super) fn stands_in(&self, config: &mut Config) {
        config.upstream.base_url.clone_from(&self.url);
        config.upstream.simulated = true;
        config.account.token = TOKEN.to_owned().into();
        LOCATION.clone_into(&mut config.account.location_id);
        config.account.company_id = sandbox::COMPANY.to_owned();
    }

    /// Answers in the background of the runtime that this is called in.
    pub(super) fn serve(&self) -> Result<(), CliError> {
        let listener = tokio::net::TcpListener::from_std(self.listener.try_clone()?)?;
        tokio::spawn(sandbox::serve(listener, SandboxOptions::default()));
        Ok(())
    }
}

/// A number of records that are made up in memory.
fn up_to(most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(0..=most)
}

fn web_address(text: &str) -> Result<String, String> {
    let url = text.parse::<Url>();
    match url.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
        true => Ok(text.to_owned()),
        false => Err(
            "give the address of a page, such as http://127.0.0.1:8100/webhooks/highlevel"
                .to_owned(),
        ),
    }
}

fn fault(text: &str) -> Result<(u16, f64), String> {
    let parsed = text.split_once('=').and_then(|(status, rate)| {
        let status = status
            .parse()
            .ok()
            .filter(|status| (400..600).contains(status))?;
        let rate = rate
            .parse()
            .ok()
            .filter(|rate| (0.0..=1.0).contains(rate))?;
        Some((status, rate))
    });
    parsed.ok_or_else(|| {
        "give a status from 400 to 599 and a rate from 0 to 1, such as 503=0.01".to_owned()
    })
}
