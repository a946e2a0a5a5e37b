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
    /// Number of locations in which the agents work.
    #[arg(long, default_value_t = 10)]
    pub locations: usize,
    /// Longest pause of an agent between two calls; the average is half of it.
    #[arg(long, value_name = "MS", default_value_t = 3_000)]
    pub pause: u64,
    /// Seconds between kills of a random instance, which is started again. 0: no kills.
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    pub kill_every: u64,
    /// Where the instances keep their state.
    #[arg(long, value_enum, default_value_t = StateKind::Sqlite)]
    pub state: StateKind,
    /// Where the instances count their calls to HighLevel together.
    #[arg(long, value_enum, default_value_t = WindowsKind::None)]
    pub windows: WindowsKind,
    /// Trouble during the run, in addition to the kills.
    #[arg(long, value_enum, default_value_t = Trouble::None)]
    pub trouble: Trouble,
    /// Sends per location and hour that the rules allow.
    #[arg(long, default_value_t = 100)]
    pub sends: usize,
    /// Writes per location and hour that the narrow rules allow.
    #[arg(long, default_value_t = 60)]
    pub narrow_writes: usize,
    /// Largest share of requests that HighLevel may refuse because of its limit, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    pub most_refused: f64,
    /// The program to run.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_highlevel-mcp"))]
    pub program: PathBuf,
    /// Another build of the program. Instances are replaced by it one by one, then by the first build again, and so on,
    /// without kills. A refused or lost request is then a fault.
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
