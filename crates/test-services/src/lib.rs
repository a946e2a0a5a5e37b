//! PostgreSQL and Valkey for tests: `tests/services` starts one of each per process, and ends them with it.
//!
//! If the environment names no server and none can be started, tests are skipped with a message; under
//! `TEST_SERVICES_REQUIRED=1` they fail.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod database;
mod proxy;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

pub use database::TestDatabase;
pub use proxy::{CommitFault, TestProxy};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/services");

/// Without a server, tests fail.
const REQUIRED: &str = "TEST_SERVICES_REQUIRED";

/// The service that a test needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceKind {
    Postgres,
    Valkey,
    /// A PostgreSQL behind a PgBouncer.
    Bouncer,
}

/// A test's own server, ended on drop.
pub struct TestService {
    url: String,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    script: Child,
}

/// A change of a server's state.
#[derive(Clone, Copy, Debug)]
pub enum ServiceChange {
    /// As by a crash.
    Stop,
    Start,
    /// Every process stands still.
    Pause,
    Resume,
}

impl ServiceKind {
    fn word(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Valkey => "valkey",
            Self::Bouncer => "bouncer",
        }
    }

    /// The variable that names an existing server.
    fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "TEST_SERVICES_POSTGRES",
            Self::Valkey => "TEST_SERVICES_VALKEY",
            Self::Bouncer => "TEST_SERVICES_BOUNCER",
        }
    }
}

/// The URL of the server that the tests of this process share; none if there is none, which is printed.
pub fn shared(kind: ServiceKind) -> Option<&'static str> {
    static SHARED: [OnceLock<Result<SharedServer, String>>; 3] = [const { OnceLock::new() }; 3];
    let shared = SHARED[kind as usize].get_or_init(|| match std::env::var(kind.variable()) {
        Ok(url) => Ok(SharedServer {
            url,
            _service: None,
        }),
        Err(_) => TestService::try_start(kind).map(|service| SharedServer {
            url: service.url.clone(),
            _service: Some(Mutex::new(service)),
        }),
    });
    match shared {
        Ok(shared) => Some(&shared.url),
        Err(why) => {
            skip(kind, why);
            None
        }
    }
}

/// Prints, bypassing the harness and once per process, that something is not tested; fails if it must be.
fn skip(kind: ServiceKind, why: &str) {
    let what = format!("what is tested with {}", kind.word());
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    assert!(
        std::env::var(REQUIRED).as_deref() != Ok("1"),
        "{what} cannot be tested, and {REQUIRED} is set: {why}"
    );
    let line = format!("SKIPPED: {what} ({why})\n");
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.insert(line.clone()) {
        // Nobody may be reading it.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

/// A server, or the address of one.
struct SharedServer {
    url: String,
    /// A static is never dropped: the script ends with this process, which closes its input.
    _service: Option<Mutex<TestService>>,
}

impl TestService {
    /// A server for a single test, which may stop it; none if there is none, which is printed.
    pub fn start(kind: ServiceKind) -> Option<Self> {
        let started = Self::try_start(kind);
        started.map_err(|why| skip(kind, &why)).ok()
    }

    fn try_start(kind: ServiceKind) -> Result<Self, String> {
        let word = kind.word();
        let mut script = Command::new(SCRIPT);
        script.args(["--fast", word]).stdin(Stdio::piped());
        script.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut script = script.spawn().expect("tests/services");
        let output = script.stdout.take().expect("its output");
        let mut service = Self {
            url: String::new(),
            input: script.stdin.take(),
            output: BufReader::new(output),
            script,
        };
        service.url = service.line();
        let process = service.line();
        if process.starts_with("pid ") {
            return Ok(service);
        }
        let code = service.script.wait().expect("its end").code();
        let mut why = String::new();
        let mut errors = service.script.stderr.take().expect("its errors");
        errors.read_to_string(&mut why).expect("a sentence");
        assert_eq!(code, Some(77), "tests/services {word}: {why}");
        Err(why.trim().to_owned())
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns once the change is effective.
    pub fn change(&mut self, change: ServiceChange) {
        let word = format!("{change:?}\n").to_lowercase();
        let input = self.input.as_mut().expect("once");
        input.write_all(word.as_bytes()).expect("heard");
        let answer = self.line();
        assert!(answer.starts_with("done"), "{word}: {answer}");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        // At its end nothing is read.
        let _ = self.output.read_line(&mut line);
        line.trim().to_owned()
    }
}

impl Drop for TestService {
    fn drop(&mut self) {
        self.input = None;
        // It removes what it created.
        let _ = self.script.wait();
    }
}
