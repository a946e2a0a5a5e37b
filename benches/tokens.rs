//! What clients wait for at `/token`, and what a call by a connection costs beside one by an access key, in the same run.
//!
//! The server is a process of its own; this one makes codes in the same store, as another process of the server does.
//! Each figure stands beside the one of metadata, which touches no row, or of the access key.

#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

#[path = "gateway/client.rs"]
#[expect(
    dead_code,
    reason = "shared with the other benchmark, which uses more of it"
)]
mod client;
#[expect(
    dead_code,
    reason = "shared with the other benchmark, which uses more of it"
)]
mod process;

use std::time::{Duration, Instant};

use client::{Client, percentile};
use highlevel_mcp::call::open_store;
use highlevel_mcp::config::{Config, Flags};
use process::Process;
use secrecy::ExposeSecret;
use state::Store;
use state::clients::{ClientMethod, Clients, NewClient};
use state::grants::{GrantHolder, GrantScope, GrantTimes, Grants, NewGrant};
use state::keys::{KeyLocations, Keys};
use test_support::recording::{Recording, json};
use tokio::process::Command;

const HOST: &str = "mcp.example.test";
const REDIRECT: &str = "http://127.0.0.1:5173/callback";

/// Those of RFC 7636.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Each round has so many of each.
const AT_TOKEN: usize = 300;
const CALLS: usize = 2_000;
const ROUNDS: usize = 5;

/// So many a second at the endpoint for tokens.
const RATE: f64 = 100.0;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().to_str().expect("UTF-8");
    let highlevel = Recording::unrecorded(|_| async { json(200, r#"{"contact":{"id":"c1"}}"#) });
    let highlevel = highlevel.await.url;
    let settings = [
        ("HIGHLEVEL_MCP_STATE_FOLDER", folder),
        ("HIGHLEVEL_MCP_OAUTH_URL", "https://mcp.example.test"),
        ("ACME_TOKEN", "pit-acme"),
        ("HIGHLEVEL_MCP_LIMITS_CALLS_PER_INTERVAL", "10000000"),
        (
            "HIGHLEVEL_MCP_LOCATIONS",
            r#"{"acme":{"location_id":"L1","token":{"env":"ACME_TOKEN"}}}"#,
        ),
    ];
    let flags = Flags {
        base_url: Some(highlevel.clone()),
        ..Flags::default()
    };
    let variables = settings.map(|(name, value)| (name.into(), value.into()));
    let config = Config::from_sources(&flags, variables).expect("settings");
    let issuer = Issuer::new(open_store(&config).expect("a store"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_highlevel-mcp"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--base-url", &highlevel]);
    command.env("HIGHLEVEL_MCP_METRICS_LISTEN", "");
    command.envs(settings);
    let server = Process::start(&mut command).await;
    at_token(&server, &issuer).await;
    calls(&server, &issuer).await;
}

/// Codes, refresh tokens and metadata, 100 a second each.
async fn at_token(server: &Process, issuer: &Issuer) {
    let mut client = Client::new(&server.url, 0);
    let mut refresh = issuer.connect(&mut client).await.1;
    let mut taken = [const { Vec::new() }; 3];
    for round in 0..=ROUNDS {
        let mut codes = Vec::new();
        for _ in 0..AT_TOKEN {
            codes.push(issuer.code().await);
        }
        let mut codes = codes.into_iter();
        let mut next = Instant::now();
        for number in 0..3 * AT_TOKEN {
            tokio::time::sleep_until(next.into()).await;
            next += Duration::from_secs_f64(1.0 / RATE);
            let (kind, request) = match number % 3 {
                0 => (0, issuer.redeem(&codes.next().expect("a code"))),
                1 => (1, issuer.refresh(&refresh)),
                _ => (2, metadata()),
            };
            let asked = Instant::now();
            let (status, body) = client.ask(&request).await;
            let lasted = asked.elapsed();
            assert_eq!(status, 200, "{body}");
            if kind == 1 {
                refresh = field(&body, "refresh_token");
            }
            // The first round is for what is made once.
            if round > 0 {
                taken[kind].push(lasted);
            }
        }
    }
    let [code, refresh, metadata] = taken.map(|taken| {
        let p50 = percentile(taken.clone(), 50);
        (p50, percentile(taken, 99))
    });
    for (name, (p50, p99)) in [("a code", code), ("a refresh token", refresh)] {
        println!(
            "{name} at /token: p50 {p50:.2?}, p99 {p99:.2?}; metadata: p50 {:.2?}, p99 {:.2?}; {:.1} x at p50",
            metadata.0,
            metadata.1,
            p50.as_secs_f64() / metadata.0.as_secs_f64(),
        );
    }
}

/// A read by a connection beside one by the key that it is bound to.
async fn calls(server: &Process, issuer: &Issuer) {
    let mut client = Client::new(&server.url, 0);
    let access = issuer.connect(&mut client).await.0;
    let mut ratios = Vec::new();
    let mut medians = Vec::new();
    for round in 0..=ROUNDS {
        let mut figures = Vec::new();
        for (host, bearer) in [("localhost", issuer.key.as_str()), (HOST, access.as_str())] {
            let request = call(host, bearer);
            let mut taken = Vec::new();
            let before = server.cpu();
            for _ in 0..CALLS {
                let asked = Instant::now();
                let (status, body) = client.ask(&request).await;
                taken.push(asked.elapsed());
                assert!(
                    status == 200 && !body.contains("\"isError\":true"),
                    "{body}"
                );
            }
            let cpu = (server.cpu() - before) / u32::try_from(CALLS).expect("small");
            figures.push((percentile(taken, 50), cpu));
        }
        if round > 0 {
            ratios.push(figures[1].1.as_secs_f64() / figures[0].1.as_secs_f64());
            medians.push(figures);
        }
    }
    ratios.sort_by(f64::total_cmp);
    medians.sort_by_key(|figures| figures[1].1);
    let middle = &medians[ROUNDS / 2];
    println!(
        "a read by a connection: p50 {:.2?}, {:.2?} of CPU; by its access key: p50 {:.2?}, {:.2?} of CPU; {:.3} x of CPU",
        middle[1].0,
        middle[1].1,
        middle[0].0,
        middle[0].1,
        ratios[ROUNDS / 2],
    );
}

/// Lets a client in, as the pages do.
struct Issuer {
    grants: Grants,
    client: String,
    key_id: String,
    key: String,
}

impl Issuer {
    fn new(store: Store) -> Self {
        let client = Clients::new(&store).register(NewClient {
            name: "A program".to_owned(),
            redirects: vec![REDIRECT.to_owned()],
            method: ClientMethod::None,
        });
        let client = client.wait().expect("written").expect("room").0.id;
        let key = Keys::new(&store).create("all", KeyLocations::All, None, None);
        let (key, text) = key.wait().expect("written");
        let day = Duration::from_secs(24 * 60 * 60);
        let times = GrantTimes {
            access_for: day,
            refresh_idle: 90 * day,
            refresh_for: 365 * day,
            refresh_grace: day,
        };
        Self {
            grants: Grants::new(&store, times),
            client,
            key_id: key.id,
            key: text.expose_secret().to_owned(),
        }
    }

    async fn code(&self) -> String {
        let allowed = self.grants.allow(NewGrant {
            holder: GrantHolder::Key(self.key_id.clone()),
            client: self.client.clone(),
            client_name: "A program".to_owned(),
            redirect: REDIRECT.to_owned(),
            resource: format!("https://{HOST}/mcp"),
            scope: GrantScope::Write,
            rules: "everything".to_owned(),
            locations: vec!["*".to_owned()],
            challenge: CHALLENGE.to_owned(),
            form: format!("{:x}", fastrand::u128(..)),
        });
        let (_, code) = allowed.await.expect("written").expect("new");
        code.expose_secret().to_owned()
    }

    fn redeem(&self, code: &str) -> Vec<u8> {
        form(&format!(
            "grant_type=authorization_code&client_id={}&code={code}&code_verifier={VERIFIER}",
            self.client
        ))
    }

    fn refresh(&self, token: &str) -> Vec<u8> {
        form(&format!(
            "grant_type=refresh_token&client_id={}&refresh_token={token}",
            self.client
        ))
    }

    /// An access token and a refresh token.
    async fn connect(&self, client: &mut Client) -> (String, String) {
        let request = self.redeem(&self.code().await);
        let (status, body) = client.ask(&request).await;
        assert_eq!(status, 200, "{body}");
        (field(&body, "access_token"), field(&body, "refresh_token"))
    }
}

fn form(body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST /token HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {length}\r\n\r\n"
    );
    (head + body).into_bytes()
}

fn metadata() -> Vec<u8> {
    let head =
        format!("GET /.well-known/oauth-authorization-server HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
    head.into_bytes()
}

fn call(host: &str, bearer: &str) -> Vec<u8> {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"contacts_get-contact","arguments":{"contactId":"c1","location":"acme"}}}"#;
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {bearer}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    (head + body).into_bytes()
}

fn field(body: &str, name: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    body[name].as_str().expect("a text").to_owned()
}
