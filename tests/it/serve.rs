//! `serve` on a terminal and without one: its messages at the start, its log lines, and what ends it.

use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::ChildStderr;
use tokio::time::timeout;

use crate::stdio::program;
use test_support::server::client;

pub(crate) const LONGEST: Duration = Duration::from_secs(20);

/// Reads JSON lines of a log until one contains `part`.
pub(crate) async fn logged(log: &mut Lines<BufReader<ChildStderr>>, part: &str) -> String {
    loop {
        let line = timeout(LONGEST, log.next_line()).await.expect("in time");
        let line = line.expect("a line").expect("a line");
        if line.contains(part) {
            return line;
        }
    }
}

/// The program on its own terminal of 80 columns.
pub(crate) struct OnTerminal {
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    output: Receiver<Vec<u8>>,
    reader: JoinHandle<()>,
    seen: String,
    _state: tempfile::TempDir,
}

impl OnTerminal {
    pub(crate) fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::run(env!("CARGO_BIN_EXE_highlevel-mcp"), arguments, variables)
    }

    /// The same for any program.
    pub(crate) fn run(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let size = PtySize {
            rows: 24,
            cols: 80,
            ..PtySize::default()
        };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let state = tempfile::tempdir().expect("a folder");
        let mut command = CommandBuilder::new(program);
        command.env_clear();
        command.cwd(env!("CARGO_MANIFEST_DIR"));
        command.args(arguments);
        command.env("HIGHLEVEL_MCP_STATE_FOLDER", state.path());
        command.env("HIGHLEVEL_MCP_METRICS_LISTEN", "");
        for (name, value) in variables {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).expect("started");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let (sender, output) = channel();
        let reading = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count) = reader.read(&mut bytes) {
                if count == 0 || sender.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            keyboard: pair.master.take_writer().expect("a keyboard"),
            master: pair.master,
            child,
            output,
            reader: reading,
            seen: String::new(),
            _state: state,
        }
    }

    /// Reads until `part` was printed and its line ended. Returns all output so far.
    pub(crate) fn until(&mut self, part: &str) -> String {
        self.until_seen(part, |rest| rest.contains('\n'))
    }

    /// The same for a line that has not ended, such as a question.
    pub(crate) fn until_part(&mut self, part: &str) -> String {
        self.until_seen(part, |_| true)
    }

    fn until_seen(&mut self, part: &str, is_enough: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let found = self.seen.find(part);
            if found.is_some_and(|at| is_enough(&self.seen[at..])) {
                return self.seen.replace('\r', "");
            }
            let left = LONGEST.saturating_sub(begun.elapsed());
            let more = self.output.recv_timeout(left);
            let more = more.unwrap_or_else(|_| panic!("no {part:?} in {}", self.seen));
            self.seen += &String::from_utf8_lossy(&more);
        }
    }

    pub(crate) fn press_ctrl_c(&mut self) {
        self.keyboard.write_all(b"\x03").expect("pressed");
    }

    /// Closes the window. The programs in it get a hangup.
    pub(crate) fn close(self) {
        let Self {
            master,
            mut keyboard,
            output,
            reader,
            mut child,
            ..
        } = self;
        // The reader also holds it open, and ends at the next letter that it cannot pass on.
        drop(output);
        keyboard.write_all(b"\n").expect("pressed");
        reader.join().expect("it ends");
        drop((master, keyboard));
        let _ = child.wait();
    }

    pub(crate) fn url(&mut self) -> String {
        let text = self.until("/mcp");
        let start = text.find("http://127").expect("an address");
        let url = text[start..].split_whitespace().next();
        url.expect("an address").to_owned()
    }

    fn pid(&self) -> Pid {
        let pid = self.child.process_id().expect("a process");
        Pid::from_raw(pid.try_into().expect("a pid")).expect("a pid")
    }

    /// Presses Ctrl-C. Returns the time to the program's end, and its exit code in a shell.
    pub(crate) fn interrupt(mut self) -> (Duration, u32) {
        self.press_ctrl_c();
        let begun = Instant::now();
        while begun.elapsed() < LONGEST {
            if let Some(status) = self.child.try_wait().expect("a status") {
                let code = match status.signal() {
                    Some("Interrupt") => 130,
                    Some(other) => panic!("{other}: {}", self.seen),
                    None => status.exit_code(),
                };
                return (begun.elapsed(), code);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        panic!("it goes on: {}", self.seen);
    }
}

pub(crate) async fn call(
    http: &reqwest::Client,
    url: &str,
    tool: &str,
    arguments: Value,
) -> String {
    let params = json!({"name": tool, "arguments": arguments});
    let request = http
        .post(url)
        .header("accept", "application/json, text/event-stream")
        .json(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}));
    let reply = request.send().await.expect("a reply");
    reply.text().await.expect("text")
}

/// The lines as on the screen, without colors.
pub(crate) fn lines(text: &str) -> Vec<String> {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    let plain = parts.fold(first, |plain, part| {
        plain + part.split_once('m').map_or(part, |(_, rest)| rest)
    });
    plain.lines().map(str::to_owned).collect()
}

#[track_caller]
pub(crate) fn assert_fits(text: &str) {
    for line in lines(text) {
        assert!(line.chars().count() <= 80, "wider than 80: {line}");
    }
}

#[test]
fn a_closed_window_ends_the_server() {
    let mut server = OnTerminal::start(&["serve", "--listen", "127.0.0.1:0"], &[]);
    server.url();
    // A hangup while the window is open reloads the settings, as always.
    kill_process(server.pid(), Signal::HUP).expect("sent");
    server.until("read locations and rules again");
    let pid = server.pid();
    let OnTerminal {
        master,
        keyboard,
        output,
        reader,
        mut child,
        ..
    } = server;
    // The reader holds the window open, and ends at the next line that it cannot pass on.
    drop(output);
    kill_process(pid, Signal::HUP).expect("sent");
    reader.join().expect("it ends");
    drop((master, keyboard));
    let begun = Instant::now();
    loop {
        match child.try_wait().expect("a status") {
            Some(status) => break assert!(status.success(), "{status:?}"),
            None if begun.elapsed() > LONGEST => {
                let _ = child.kill();
                panic!("the server outlives its window");
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

#[tokio::test]
async fn an_interrupt_ends_it_at_once() {
    let mut server = OnTerminal::start(&["serve", "--sandbox", "--listen", "127.0.0.1:0"], &[]);
    let url = server.url();
    server.until("The answer is in");
    // An idle connection, for which a balancer's drain would wait.
    let http = client();
    call(&http, &url, "locations_get-location", json!({})).await;
    let (took, code) = server.interrupt();
    assert!(took < Duration::from_millis(1500), "{took:?}");
    assert_eq!(code, 130);
    drop(http);
}

#[tokio::test]
async fn a_used_port_is_reported_with_its_program() {
    let mut server = OnTerminal::start(&["serve", "--listen", "127.0.0.1:0"], &[]);
    let url = server.url();
    let address = url.trim_start_matches("http://").trim_end_matches("/mcp");
    let pid = server.child.process_id().expect("a process");
    let holder = match cfg!(target_os = "linux") {
        true => format!(
            "highlevel-mcp serve (pid {pid}). End it with `kill {pid}`, or give --listen 127.0.0.1:"
        ),
        false => "another program. Give --listen 127.0.0.1:".to_owned(),
    };
    let others = [
        &["serve", "--listen", address][..],
        &["sandbox", "--listen", address],
    ];
    for arguments in others {
        let done = program(arguments, &[]).output().await.expect("run");
        let text = String::from_utf8_lossy(&done.stderr);
        let expected = format!("highlevel-mcp: {address} is used by {holder}");
        assert!(text.contains(&expected), "no {expected:?} in {text}");
        assert_eq!(done.status.code(), Some(2));
        assert!(done.stdout.is_empty(), "{arguments:?} said that it serves");
    }
}

#[tokio::test]
async fn a_sandbox_that_cannot_start_says_nothing_else() {
    for (arguments, part) in [
        (["--data", "/nope/x.db"], "/nope/x.db"),
        (["--calls-per-interval", "0"], "--calls-per-interval"),
    ] {
        let arguments = [&["sandbox", "--listen", "127.0.0.1:0"], &arguments[..]].concat();
        let done = program(&arguments, &[]).output().await.expect("run");
        let text = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{text}");
        assert!(text.contains(part), "{text}");
        assert!(done.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_server_without_an_account_names_its_endpoints_and_the_remedy() {
    let mut server = OnTerminal::start(&["serve", "--listen", "127.0.0.1:0"], &[]);
    let text = server.until("made-up records");
    assert_fits(&text);
    for part in [
        "Serving 27 tools at http://127.0.0.1:",
        "HighLevel  https://services.leadconnectorhq.com",
        "account    none of its own",
        "locations  none",
        "keys       none",
        "at most 100 sends per hour",
        "sign-in    off",
        "settings   no file",
        "state      ",
        "set HIGHLEVEL_TOKEN",
        "locations add",
        "serve --sandbox",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn a_server_with_an_account_shows_no_token_and_no_next_steps() {
    let account = [
        ("HIGHLEVEL_TOKEN", "pit-canary"),
        ("HIGHLEVEL_LOCATION_ID", "L0"),
    ];
    let mut server = OnTerminal::start(&["serve", "--listen", "127.0.0.1:0"], &account);
    let text = server.until("state  ");
    assert_fits(&text);
    assert!(text.contains("account    location L0"), "{text}");
    assert!(text.contains("settings   no file"), "{text}");
    assert!(!text.contains("canary"), "{text}");
    assert!(!text.contains("To begin"), "{text}");
    assert!(lines(&text).len() <= 11, "{text}");
}

/// The file may be named by a variable, and the printed address is one that is served.
#[test]
fn the_summary_names_the_file_of_settings_and_an_address_that_works() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("s.toml");
    std::fs::write(&file, "[log]\nlevel = \"info\"\n").expect("written");
    let named = [("HIGHLEVEL_MCP_CONFIG", file.to_str().expect("UTF-8"))];
    let serve = ["serve", "--listen", "0.0.0.0:0", "--tls", "proxy"];
    let mut server = OnTerminal::start(&serve, &named);
    let text = server.until("state  ");
    assert!(text.contains("/s.toml"), "{text}");
    assert!(text.contains("at http://127.0.0.1:"), "{text}");
}

/// A sentence that is wider than the terminal breaks between words.
#[test]
fn an_error_is_wrapped_between_words() {
    let arguments = ["call", "locations_get-location", "--state", "none"];
    let mut failed = OnTerminal::start(&arguments, &[]);
    let text = failed.until("init`.");
    assert!(text.contains(" to a private\nintegration token "), "{text}");
    assert_fits(&text);
}

#[tokio::test]
async fn the_first_screen_of_a_sandbox_fits_and_its_lines_are_short() {
    let mut server = OnTerminal::start(&["serve", "--sandbox", "--listen", "127.0.0.1:0"], &[]);
    let text = server.until("…");
    assert_fits(&text);
    assert!(lines(&text).len() <= 23, "{}: {text}", lines(&text).len());
    let url = server.url();
    for part in [
        "made-up records",
        &format!("claude mcp add --transport http ghl {url}\n"),
        "connect --help lists them",
        "to ~/.cursor/mcp.json",
        "\"name\": \"Harbor Dental\"",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    let http = client();
    let all = url.replace("/mcp", "/mcp/all");
    let unknown = json!({"contactId": "nobody"});
    call(&http, &all, "contacts_get-contact", unknown.clone()).await;
    let text = server.until("contacts_get-contact locHarborDental00001");
    assert!(text.contains(" ms\n"), "{text}");
    call(&http, &all, "contacts_delete-contact", unknown).await;
    server.until("contacts_delete-contact");
    server.until("needs_confirmation");
    call(&http, &all, "contacts_get-contactx", json!({})).await;
    let text = server.until("refused: There is no tool contacts_get-contactx");
    assert!(!text.contains("ErrorData"), "{text}");
}

/// A call that is refused, previewed or waiting for a person has its line and its count, like a sent one.
#[tokio::test]
async fn calls_that_are_not_sent_are_in_the_log_and_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules.toml");
    let text = "[server]\ndeny = [\"contacts_get-contacts\"]\nconfirm = { destructive = \"token\", send = \"human\" }\n";
    std::fs::write(&rules, text).expect("written");
    let path = |path: &std::path::Path| path.to_str().expect("UTF-8").to_owned();
    let (rules, state) = (path(&rules), path(folder.path()));
    let variables = [
        ("HIGHLEVEL_MCP_STATE_FOLDER", state.as_str()),
        ("HIGHLEVEL_MCP_POLICY_FILE", rules.as_str()),
        ("HIGHLEVEL_MCP_METRICS_LISTEN", "127.0.0.1:0"),
    ];
    let mut command = program(
        &["serve", "--sandbox", "--listen", "127.0.0.1:0"],
        &variables,
    );
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("started");
    let mut log = BufReader::new(child.stderr.take().expect("stderr")).lines();
    let address = |line: &str, end: &str| {
        let (_, after) = line.split_once("http://").expect("an address");
        format!(
            "http://{}{end}",
            after.split(end).next().expect("an address")
        )
    };
    let mcp = address(&logged(&mut log, "serving").await, "/mcp");
    let metrics = address(&logged(&mut log, "metrics at").await, "/metrics");
    let (http, all) = (client(), format!("{mcp}/all"));
    let nothing = http.get(metrics.trim_end_matches("metrics")).send().await;
    let nothing = nothing.expect("a reply");
    assert_eq!(nothing.status(), 404);
    assert!(
        nothing
            .text()
            .await
            .expect("text")
            .contains("metrics are at /metrics")
    );
    let message = json!({"type": "SMS", "contactId": "c1", "message": "Hi"});
    for (tool, arguments, outcome) in [
        ("contacts_get-contacts", json!({}), "refused"),
        ("contacts_get-contact", json!({}), "invalid"),
        (
            "contacts_delete-contact",
            json!({"contactId": "c1"}),
            "needs_confirmation",
        ),
        (
            "conversations_send-a-new-message",
            message,
            "needs_confirmation",
        ),
    ] {
        let answer = call(&http, &all, tool, arguments).await;
        let line = logged(&mut log, &format!("\"tool\":\"{tool}\"")).await;
        assert!(
            line.contains(&format!("\"outcome\":\"{outcome}\"")),
            "{line}: {answer}"
        );
        let text = http
            .get(&metrics)
            .send()
            .await
            .expect("metrics")
            .text()
            .await;
        let counted =
            format!("highlevel_mcp_calls_total{{tool=\"{tool}\",outcome=\"{outcome}\"}} 1");
        let text = text.expect("text");
        assert!(text.contains(&counted), "no {counted} in {text}");
    }
}
