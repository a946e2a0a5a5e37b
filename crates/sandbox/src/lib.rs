//! A simulated HighLevel: stateful, and as strict and quirky as its documents and users say. It shares only the
//! imported documents with the gateway, so that it catches the gateway's mistakes.

mod call;
mod check;
mod data;
mod documented;
mod documents;
mod exceptions;
mod files;
mod kind_records;
pub mod limits;
mod marketplace;
mod multipart;
mod refusal;
mod request_log;
mod routes;
mod sample;
mod seed;
mod server;
mod state;
mod tokens;
mod world;

pub use documented::{DocumentedShape, documented_answer};
use documents::documents;
pub use marketplace::{APP, CLIENT_ID, CLIENT_SECRET, MarketplaceOptions};
pub use server::{SandboxServer, serve, webhook_key};

use std::path::PathBuf;
use std::time::Duration;

/// The token of the first location, which has every right there.
pub const TOKEN: &str = "pit-sandbox-harbor";
/// The same in the form of HighLevel's own tokens, for programs that accept no other.
pub const TOKEN_AS_ISSUED: &str = "pit-5a4db0c0-0000-4000-8000-000000000001";
/// The first location.
pub const LOCATION: &str = "locHarborDental00001";
/// The company of the first location.
pub const COMPANY: &str = "comBrightside0000001";

/// The options of a sandbox.
#[derive(Clone, Debug, Default)]
pub struct SandboxOptions {
    /// The same seed makes the same records on the same day.
    pub seed: u64,
    /// Further locations of the first company, each with a few contacts and a token of its own:
    /// `locBranch00000000001`, `pit-sandbox-branch-01` and so on.
    pub branches: usize,
    /// Contacts of the first location; 220 if absent.
    pub contacts: Option<usize>,
    /// Added to every answer.
    pub latency: Duration,
    /// A status, and the share of requests, from 0 to 1, that get it instead of an answer.
    pub faults: Vec<(u16, f64)>,
    pub window: CountingWindow,
    /// Calls per interval of each location, in place of HighLevel's own limits.
    pub calls_per_interval: Option<usize>,
    /// File that keeps the records; without one they are in memory.
    pub data: Option<PathBuf>,
    /// File that gets a line for each request before it is answered.
    pub log: Option<PathBuf>,
    pub marketplace: MarketplaceOptions,
}

/// How an interval of the rate limit is counted; which of them HighLevel counts is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum CountingWindow {
    /// From one multiple of ten seconds to the next.
    #[default]
    Fixed,
    /// The ten seconds before a request.
    Sliding,
}

/// The number of operations, and of those whose document describes no successful answer.
pub fn coverage() -> (usize, usize) {
    let operations = &documents().operations;
    let silent = operations.iter().filter(|one| one.answer.is_none());
    (operations.len(), silent.count())
}
