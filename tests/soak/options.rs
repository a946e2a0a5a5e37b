//! What a run is to be like.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::trouble::Trouble;

/// Runs several instances under load and compares the sandbox's log, the audit and the answers.
#[derive(Clone, Debug, Parser)]
pub(crate) struct Options {
    /// How long the agents work.
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
    #[arg(long, default_value_t = 200)]
    pub agents: usize,
    #[arg(long, default_value_t = 3)]
    pub instances: usize,
    /// Locations that the agents work in.
    #[arg(long, default_value_t = 10)]
    pub locations: usize,
    /// Longest pause of an agent between two calls; the average is half of it.
    #[arg(long, value_name = "MS", default_value_t = 3_000)]
    pub pause: u64,
    /// A random instance is killed every so many seconds and started again; 0: none.
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    pub kill_every: u64,
    /// Where the instances keep their state.
    #[arg(long, value_enum, default_value_t = StateKind::Sqlite)]
    pub state: StateKind,
    /// Where they count their calls to HighLevel together.
    #[arg(long, value_enum, default_value_t = WindowsKind::None)]
    pub windows: WindowsKind,
    /// What happens meanwhile, beside the kills.
    #[arg(long, value_enum, default_value_t = Trouble::None)]
    pub trouble: Trouble,
    /// Sends that a location takes in an hour by the rules.
    #[arg(long, default_value_t = 100)]
    pub sends: usize,
    /// Writes that callers under the narrow policy may make in a location in an hour.
    #[arg(long, default_value_t = 60)]
    pub narrow_writes: usize,
    /// Highest share of requests that HighLevel may refuse for its limit, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    pub most_refused: f64,
    /// The program whose instances are run.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_highlevel-mcp"))]
    pub program: PathBuf,
    /// Another build: instances are replaced by it one by one, and then by the first again, over and over, and none is
    /// killed. A request that is refused or lost is a fault then.
    #[arg(long)]
    pub program_next: Option<PathBuf>,
    /// Folder for settings, state, and the logs of all processes. It must be empty and is left as it is afterwards.
    #[arg(long, value_name = "FOLDER")]
    pub keep: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StateKind {
    /// One file that all instances share.
    Sqlite,
    /// A PostgreSQL that `tests/services` starts.
    Postgres,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WindowsKind {
    /// Each takes its part.
    None,
    /// At a Valkey that `tests/services` starts.
    Valkey,
}

impl Options {
    /// Whether a client of this run may only lose an answer where something is wrong.
    pub(crate) fn is_upgrade(&self) -> bool {
        self.program_next.is_some()
    }
}
