//! The commands for tools, in a pipe and at a terminal, as the program itself runs them.

mod completions;
mod confirmed;
mod line;
mod listed;
mod terminal;

use std::process::Output;

use crate::stdio::program;
use test_support::recording::Recording;

/// The account that commands act for.
const ACCOUNT: [(&str, &str); 2] = [
    ("HIGHLEVEL_TOKEN", "pit-1"),
    ("HIGHLEVEL_LOCATION_ID", "L0"),
];

/// A person's machine: an account at `highlevel`, and a state folder of its own.
struct Machine {
    highlevel: Recording,
    state: tempfile::TempDir,
}

/// The output of a command, and its exit status.
struct CommandEnd {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Machine {
    async fn new(status: u16, body: &'static str) -> Self {
        Self {
            highlevel: Recording::always(status, body).await,
            state: tempfile::tempdir().expect("a folder"),
        }
    }

    fn state(&self) -> &str {
        self.state.path().to_str().expect("a path")
    }

    /// `arguments` and the flags for this machine's HighLevel and state.
    fn arguments<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        let own = ["--base-url", &self.highlevel.url, "--state", self.state()];
        [arguments, &own].concat()
    }

    /// Runs a command in a pipe.
    async fn run(&self, arguments: &[&str]) -> CommandEnd {
        let arguments = self.arguments(arguments);
        let done = program(&arguments, &ACCOUNT).output().await.expect("run");
        CommandEnd::from(done)
    }

    /// The number of delete requests that HighLevel received.
    fn deleted(&self) -> usize {
        self.highlevel.count(|request| request.method == "DELETE")
    }
}

impl From<Output> for CommandEnd {
    fn from(done: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: done.status.code(),
            stdout: text(&done.stdout),
            stderr: text(&done.stderr),
        }
    }
}

/// Runs a command that needs no account in a pipe.
async fn run(arguments: &[&str]) -> CommandEnd {
    CommandEnd::from(program(arguments, &[]).output().await.expect("run"))
}
