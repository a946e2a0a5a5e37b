//! The set-up of the program: a folder of settings, rules and state, its environment and its arguments.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

use state::{Store, StoreOptions};

use super::program::Program;

/// Name of the program's state.
const STATE: &str = "tests";

/// The set-up of the program.
pub(super) struct Setup {
    folder: Arc<tempfile::TempDir>,
    variables: Vec<(String, String)>,
    arguments: Vec<String>,
    /// The command that runs the program for the test.
    wrapper: Vec<String>,
}

impl Setup {
    pub(super) fn new() -> Self {
        let setup = Self {
            folder: Arc::new(tempfile::tempdir().expect("a folder")),
            variables: Vec::new(),
            arguments: Vec::new(),
            wrapper: Vec::new(),
        };
        setup.write("settings.toml", "");
        let (state, settings) = (setup.text_path("state"), setup.text_path("settings.toml"));
        setup
            .set("HIGHLEVEL_MCP_STATE_FOLDER", &state)
            // Commands do not learn the address of the server's HighLevel.
            .set("HIGHLEVEL_MCP_STATE_NAME", STATE)
            .set("HIGHLEVEL_MCP_APPROVALS_WAIT_MS", "0")
            .set("HIGHLEVEL_MCP_CONFIG", &settings)
            .set("HIGHLEVEL_MCP_METRICS_LISTEN", "127.0.0.1:0")
            .set("HIGHLEVEL_MCP_LIMITS_CALLS_PER_INTERVAL", "10000000")
            .set("HIGHLEVEL_MCP_LIMITS_CALLS_PER_DAY", "100000000")
    }

    /// Adds an environment variable. A later one of the same name wins.
    pub(super) fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a rules file.
    pub(super) fn rules(self, rules: &str) -> Self {
        self.write("rules.toml", rules);
        let path = self.text_path("rules.toml");
        self.set("HIGHLEVEL_MCP_POLICY_FILE", &path)
    }

    /// Adds arguments of `serve`.
    pub(super) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(ToString::to_string));
        self
    }

    /// Runs it by another program, such as `taskset -c 0`.
    pub(super) fn wrapped(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(ToString::to_string).collect();
        self
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn text_path(&self, name: &str) -> String {
        self.path(name).to_str().expect("UTF-8").to_owned()
    }

    /// Writes a file into the folder. Only its owner can read it.
    pub(super) fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(name);
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("closed");
    }

    pub(super) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The program's state as another process sees it.
    pub(super) fn store(&self) -> Store {
        let folder = self.path("state");
        let opened = Store::open(&StoreOptions {
            folder: Some(&folder),
            url: None,
            outage_reads: std::time::Duration::ZERO,
            upstream: STATE,
            keys: &[],
            audit_file: None,
        });
        opened.expect("the store")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let program = [env!("CARGO_BIN_EXE_highlevel-mcp").to_owned()];
        let mut words = self.wrapper.iter().chain(&program);
        let mut command = Command::new(words.next().expect("a program"));
        command
            .args(words)
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end. Returns its exit code and its output.
    pub(super) async fn run(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = self.command(arguments);
        let run = command.stdin(Stdio::null()).output();
        let done = timeout(Duration::from_secs(20), run).await;
        let done = done.expect("in time").expect("run");
        let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        (done.status.code().unwrap_or(-1), text.into_owned())
    }

    /// Creates an access key. Returns it as the value of an Authorization header.
    pub(super) async fn key(&self, name: &str, further: &[&str]) -> String {
        let create = ["keys", "create", "--name", name];
        let (code, text) = self.run(&[&create, further].concat()).await;
        assert_eq!(code, 0, "{further:?}: {text}");
        let start = text.find("Bearer hlk_").expect("a key");
        let key = text[start..].lines().next().expect("a line");
        key.trim().to_owned()
    }

    /// Starts the program over stdin and stdout, with every tool.
    pub(super) fn start_stdio(&self, highlevel: &str) -> Child {
        let mut command = self.command(&["stdio", "--tools", "all", "--base-url", highlevel]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command.spawn().expect("started")
    }

    pub(super) async fn serve(&self, highlevel: &str) -> Program {
        let started = self.try_serve(highlevel).await;
        started.unwrap_or_else(|log| panic!("the program does not start: {log}"))
    }

    /// Starts the program, or returns its message if it does not start.
    pub(super) async fn try_serve(&self, highlevel: &str) -> Result<Program, String> {
        let (program, stderr) = self.start(highlevel).await?;
        program.collect(stderr);
        Ok(program)
    }

    /// The same, but nobody reads its log after the first lines.
    pub(super) async fn serve_unread(&self, highlevel: &str) -> (Program, BufReader<ChildStderr>) {
        let started = self.start(highlevel).await;
        started.unwrap_or_else(|log| panic!("the program does not start: {log}"))
    }

    async fn start(&self, highlevel: &str) -> Result<(Program, BufReader<ChildStderr>), String> {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--base-url", highlevel];
        let further: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let mut command = self.command(&[&arguments, further.as_slice()].concat());
        command.stderr(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().expect("started");
        let mut stderr = BufReader::new(child.stderr.take().expect("stderr"));
        let mut log = String::new();
        loop {
            let line = timeout(Duration::from_secs(20), stderr.read_line(&mut log)).await;
            if !line.is_ok_and(|read| read.is_ok_and(|bytes| bytes > 0)) {
                return Err(log);
            }
            let found = address(&log, "serving ").zip(address(&log, "metrics at "));
            if let Some((url, metrics)) = found {
                let folder = Arc::clone(&self.folder);
                let program =
                    Program::new(child, url.trim_end_matches("/mcp"), metrics, &log, folder);
                return Ok((program, stderr));
            }
        }
    }
}

/// The address in the log after these words.
fn address(log: &str, words: &str) -> Option<String> {
    let rest = &log[log.find(words)?..];
    let line = rest.lines().next()?;
    let address = line[line.find("http://")?..].split([' ', '"']).next()?;
    Some(address.to_owned())
}
