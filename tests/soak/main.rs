//! Several instances of the program under load, killed and started again. HighLevel's side, the audit and the agents'
//! answers must agree in the end: `cargo test --test soak -- --help`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod agent;
mod client;
mod comparison;
mod evidence;
mod fleet;
mod intent;
mod network;
mod options;
mod report;
mod sandbox;
mod services;
mod settings;
mod sweep;
mod trouble;
mod upgrade;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use tokio::time::sleep;

use agent::Agent;
use comparison::compare;
use evidence::Evidence;
use fleet::Fleet;
use intent::Ledger;
use options::Options;
use sandbox::SandboxProcess;
use settings::Settings;
use trouble::Stores;

/// A call counts as running for this long without a sign from its process. Then its outcome is unknown.
const UNTIL_UNKNOWN: Duration = Duration::from_secs(17);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let options = Options::parse();
    let folder = tempfile::tempdir().expect("a folder");
    let path = match &options.keep {
        Some(path) => path.clone(),
        None => folder.path().to_owned(),
    };
    let sandbox = SandboxProcess::start(&options, &path).await;
    let stores = Arc::new(Stores::start(&options).await);
    let settings = Arc::new(Settings::write(&options, &path, (&sandbox.url, &stores)));
    let keys = settings.make_keys(options.agents).await;
    let fleet = Fleet::start(&options, &settings).await;

    let begun = Instant::now();
    let until = begun + Duration::from_secs(options.seconds);
    let agents = keys.into_iter().enumerate().map(|(number, key)| {
        let agent = Agent::new(number, key, &fleet, &options);
        tokio::spawn(agent.work(until))
    });
    let agents: Vec<_> = agents.collect();
    let kill_every = if options.is_upgrade() {
        0
    } else {
        options.kill_every
    };
    let killer = tokio::spawn(Arc::clone(&fleet).kill_some(kill_every, until));
    let troubles = tokio::spawn(Arc::clone(&stores).trouble(until));
    let upgrade = tokio::spawn(upgrade::roll(Arc::clone(&fleet), options.clone(), until));
    let mut ledger = Ledger::default();
    for agent in agents {
        ledger.merge(agent.await.expect("an agent"));
    }
    ledger.kills = killer.await.expect("a killer");
    ledger.troubles = troubles.await.expect("troubles");
    ledger.replaced = upgrade.await.expect("an upgrade");
    ledger.lasted = begun.elapsed();
    ledger.ends = fleet.ends();

    fleet.wait_until_ready().await;
    sleep(UNTIL_UNKNOWN).await;
    let before = Evidence::read(&settings, &sandbox).await;
    let repeats = sweep::repeat(&ledger, &before, &fleet).await;
    let after = Evidence::read(&settings, &sandbox).await;
    let faults = compare(&ledger, &after, &repeats, &options);
    report::print(&ledger, &after, &repeats, &faults);
    match faults.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
