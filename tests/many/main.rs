//! What ten thousand locations and access keys cost: starting, listing, pages and memory, in figures of this machine:
//! `cargo test --test many -- --help`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement fails by panicking"
)]

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use state::keys::{KeyLocations, Keys};
use state::vault::{NewToken, Vault};
use state::{Store, StoreOptions};

/// Measurements of each figure. The median is printed.
const RUNS: usize = 5;

/// The key that seals secrets in a database.
const KEY: &str = "bWFkZSB1cCBmb3IgYSBtZWFzdXJlbWVudCBvZiBtYW4=";

/// The name of the store's file.
const UPSTREAM: &str = "127.0.0.1-9";

#[derive(Parser)]
struct Options {
    /// So many locations, and as many keys, each for one of them.
    #[arg(long, default_value_t = 10_000)]
    count: usize,
    /// Where the locations are.
    #[arg(long, value_enum, default_value_t = Place::Settings)]
    place: Place,
    /// A database that is empty, in place of a file: `tests/services postgres` starts one.
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    #[arg(long, default_value = env!("CARGO_BIN_EXE_highlevel-mcp"))]
    program: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Place {
    /// In the file of settings, each with a file for its token.
    Settings,
    /// In the store, as people connect them.
    Store,
}

struct Server {
    child: Child,
    address: SocketAddr,
}

fn main() {
    let options = Options::parse();
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let count = options.count;
    let mut settings = "[server]\nown_account = \"key\"\n[metrics]\nlisten = \"\"\n".to_owned();
    writeln!(settings, "[state]\nfolder = {:?}", folder.join("state")).expect("a text");
    if let Some(url) = &options.postgres {
        let key = folder.join("store.key");
        write_privately(&key, KEY);
        writeln!(settings, "url = {url:?}\nkeys = [{{ file = {key:?} }}]").expect("a text");
    }
    if options.place == Place::Settings {
        std::fs::create_dir(folder.join("tokens")).expect("a folder");
        for number in 1..=count {
            let token = folder.join(format!("tokens/{number}"));
            write_privately(&token, &format!("pit-made-up-{number:05}\n"));
            write!(
                settings,
                "[locations.branch-{number:05}]\nname = \"Branch {number}\"\nlocation_id = \"locBranch{number:011}\"\n\
                 token = {{ file = {token:?} }}\n"
            )
            .expect("a text");
        }
    }
    let config = folder.join("settings.toml");
    write_privately(&config, &settings);
    let run = |arguments: &[&str]| command(&options.program, &config, arguments);

    let begun = Instant::now();
    let all = fill(folder, &options);
    println!(
        "{count} locations and keys, made in {:.1?}",
        begun.elapsed()
    );
    let mut starts = Vec::new();
    let mut memory = Vec::new();
    for _ in 0..RUNS {
        let begun = Instant::now();
        let server = Server::start(run(&["serve"]));
        starts.push(begun.elapsed());
        std::thread::sleep(Duration::from_secs(3));
        memory.push(server.memory());
    }
    memory.sort_unstable();
    println!(
        "ready after {:.0?}; {} MiB three seconds later",
        middle(starts),
        memory[RUNS / 2] / 1024
    );

    let server = Server::start(run(&["serve"]));
    let listed = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_locations","arguments":{}}}"#;
    let headers = format!(
        "authorization: Bearer {all}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\n"
    );
    let (taken, answer) = timed(|| server.ask("POST /mcp/orchestrator", &headers, listed));
    println!("list_locations: {taken:.1?}, {} bytes", answer.len());
    let headers = format!(
        "cookie: {}\r\naccept: text/html\r\n",
        server.sign_in(run(&["console", "link", "--json"]))
    );
    let (taken, page) = timed(|| server.ask("GET /console/locations", &headers, ""));
    println!("/console/locations: {taken:.1?}, {} bytes", page.len());
    let (taken, page) = timed(|| server.ask("GET /console/keys", &headers, ""));
    println!("/console/keys: {taken:.1?}, {} bytes", page.len());
    println!("{} MiB after these", server.memory() / 1024);
    for arguments in [["keys", "list"], ["locations", "list"]] {
        let (taken, output) = timed(|| {
            let output = run(&arguments).stderr(Stdio::null()).output().expect("run");
            assert!(output.status.success());
            String::from_utf8(output.stdout).expect("text")
        });
        println!(
            "{}: {taken:.0?}, {} lines",
            arguments.join(" "),
            output.lines().count()
        );
    }
}

/// Creates keys for one location each, and one for all, which is returned. Creates the locations too if they are in the
/// store.
fn fill(folder: &Path, options: &Options) -> String {
    let path = folder.join("state");
    let url = options.postgres.clone().map(SecretString::from);
    let keys = [SecretString::from(KEY)];
    let store = Store::open(&StoreOptions {
        folder: Some(&path),
        url: url.as_ref(),
        outage_reads: Duration::ZERO,
        upstream: UPSTREAM,
        keys: if url.is_some() { &keys } else { &[] },
        audit_file: None,
    });
    let store = store.expect("a store");
    let (keys, vault) = (Keys::new(&store), Vault::new(&store));
    let mut pending = Vec::new();
    for number in 1..=options.count {
        let location = match options.place {
            Place::Settings => format!("branch-{number:05}"),
            Place::Store => format!("locBranch{number:011}"),
        };
        if options.place == Place::Store {
            drop(vault.put_token(NewToken {
                owner: None,
                location: location.clone(),
                name: format!("Branch {number}"),
                zone: Some("America/New_York".to_owned()),
                company: None,
                token: format!("pit-made-up-{number:05}").into(),
            }));
        }
        let name = format!("client-{number}");
        pending.push(keys.create(&name, KeyLocations::Only(vec![location]), None, None));
        // The queue of the store is bounded.
        if pending.len() == 100 {
            for made in pending.drain(..) {
                drop(made.wait().expect("a key"));
            }
        }
    }
    let (_, key) = keys
        .create("all", KeyLocations::All, None, None)
        .wait()
        .expect("a key");
    key.expose_secret().to_owned()
}

fn command(program: &Path, config: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("HIGHLEVEL_MCP_CONFIG", config)
        .env("HIGHLEVEL_MCP_SERVER_LISTEN", "127.0.0.1:18109")
        .env("HIGHLEVEL_MCP_UPSTREAM_BASE_URL", "http://127.0.0.1:9")
        .stdin(Stdio::null());
    command
}

impl Server {
    /// Returns when it is ready.
    fn start(mut command: Command) -> Self {
        let child = command.stderr(Stdio::null()).spawn().expect("a server");
        let address = ([127, 0, 0, 1], 18_109).into();
        let server = Self { child, address };
        let until = Instant::now() + Duration::from_secs(120);
        while !server
            .try_ask("GET /readyz", "", "")
            .is_some_and(|reply| reply.starts_with("HTTP/1.1 200"))
        {
            assert!(Instant::now() < until, "the server does not become ready");
            std::thread::sleep(Duration::from_millis(5));
        }
        server
    }

    /// The memory of the program, in KiB.
    fn memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number
            .and_then(|number| number.parse().ok())
            .expect("a number")
    }

    /// The body of the answer.
    fn ask(&self, what: &str, headers: &str, body: &str) -> String {
        let reply = self.try_ask(what, headers, body).expect("an answer");
        let (head, body) = reply.split_once("\r\n\r\n").expect("an answer");
        assert!(head.starts_with("HTTP/1.1 200"), "{what}: {reply}");
        body.to_owned()
    }

    fn try_ask(&self, what: &str, headers: &str, body: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        let request = format!(
            "{what} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).ok()?;
        Some(reply)
    }

    /// Signs in as the first operator. Returns the cookie.
    fn sign_in(&self, mut link: Command) -> String {
        let output = link.output().expect("a link");
        let link: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let link = link["url"]
            .as_str()
            .and_then(|url| url.rsplit(['=', '#', '/']).next());
        let form = format!("link={}&name=Olga", link.expect("a link"));
        let headers = format!(
            "origin: http://{}\r\ncontent-type: application/x-www-form-urlencoded\r\n",
            self.address
        );
        let reply = self
            .try_ask("POST /console/first", &headers, &form)
            .expect("an answer");
        let cookie = reply
            .split("set-cookie: ")
            .nth(1)
            .and_then(|rest| rest.split(';').next());
        cookie
            .unwrap_or_else(|| panic!("no session: {reply}"))
            .to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The median duration, and the last result.
fn timed<T>(mut act: impl FnMut() -> T) -> (Duration, T) {
    let mut taken = Vec::new();
    loop {
        let begun = Instant::now();
        let came = act();
        taken.push(begun.elapsed());
        if taken.len() == RUNS {
            return (middle(taken), came);
        }
    }
}

fn middle(mut taken: Vec<Duration>) -> Duration {
    taken.sort_unstable();
    taken[taken.len() / 2]
}

fn write_privately(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("private");
}
