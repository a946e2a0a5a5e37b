//! `login --highlevel` at the sandbox: what the person pastes, what is refused, and who uses and renews the pair.

use std::time::Duration;

use ::sandbox::{CLIENT_ID, CLIENT_SECRET, COMPANY, LOCATION, MarketplaceOptions};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use state::token_pairs::TokenPairs;
use state::{Store, StoreOptions};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::sandbox::Sandbox;
use crate::sandbox::marketplace::{REDIRECT, SUMMIT, choose, options, redeem, start};
use crate::stdio::{Piped, program};

const SIGN_IN: [&str; 5] = [
    "login",
    "--highlevel",
    "--no-browser",
    "--redirect",
    REDIRECT,
];

/// A sandbox, and a state folder of this program's.
struct Desk {
    sandbox: Sandbox,
    state: TempDir,
    secret: &'static str,
}

/// What a run printed.
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Desk {
    async fn new(marketplace: MarketplaceOptions) -> Self {
        Self {
            sandbox: start(marketplace).await,
            state: tempfile::tempdir().expect("a folder"),
            secret: CLIENT_SECRET,
        }
    }

    fn command(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
        let app = json!({
            "client_id": CLIENT_ID, "client_secret": {"env": "APP_SECRET"},
            "url": format!("{}/v2/oauth/chooselocation", self.sandbox.url),
        });
        let app = app.to_string();
        let own = [
            (
                "HIGHLEVEL_MCP_STATE_FOLDER",
                self.state.path().to_str().expect("UTF-8"),
            ),
            ("HIGHLEVEL_MCP_UPSTREAM_BASE_URL", self.sandbox.url.as_str()),
            ("HIGHLEVEL_MCP_MARKETPLACE", app.as_str()),
            ("HIGHLEVEL_MCP_STATE_NAME", "desk"),
            ("APP_SECRET", self.secret),
        ];
        program(arguments, &[&own[..], variables].concat())
    }

    async fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        let done = self.command(arguments, variables).output().await;
        let done = done.expect("run");
        Run {
            code: done.status.code(),
            stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
        }
    }

    /// Signs in; `answer` makes what the person pastes from the fields of the page.
    async fn sign_in(
        &self,
        arguments: &[&str],
        answer: impl AsyncFnOnce(Vec<(String, String)>) -> String,
    ) -> Run {
        let mut command = self.command(arguments, &[]);
        let piped = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = piped.spawn().expect("started");
        let mut stdin = child.stdin.take();
        let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
        let mut answer = Some(answer);
        let mut stderr = String::new();
        while let Some(line) = lines.next_line().await.expect("a line") {
            if let Ok(page) = line.parse::<url::Url>()
                && let Some(answer) = answer.take()
            {
                let fields = page.query_pairs().into_owned().collect();
                let pasted = answer(fields).await;
                // Dropped with its end: nothing follows.
                let mut stdin = stdin.take().expect("stdin");
                stdin.write_all(pasted.as_bytes()).await.expect("written");
            }
            stderr += &format!("{line}\n");
        }
        let done = child.wait_with_output().await.expect("ended");
        Run {
            code: done.status.code(),
            stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
            stderr,
        }
    }

    /// The usual sign-in of a person who chooses this.
    async fn choose(&self, arguments: &[&str], choice: &[(&str, &str)]) -> Run {
        let answer = async |fields| {
            let back = choose(&self.sandbox, fields, choice).await;
            format!("{}\n", back.expect("a way back"))
        };
        self.sign_in(arguments, answer).await
    }

    fn store(&self) -> Store {
        let opened = Store::open(&StoreOptions {
            folder: Some(self.state.path()),
            url: None,
            outage_reads: Duration::ZERO,
            upstream: "desk",
            keys: &[],
            audit_file: None,
        });
        opened.expect("a store")
    }

    fn pair(&self) -> TokenPairs {
        TokenPairs::new(&self.store(), "highlevel-login")
    }

    async fn is_signed_in(&self) -> bool {
        self.pair().read().await.expect("read").is_some()
    }

    /// Requests for tokens that HighLevel got.
    async fn exchanges(&self) -> usize {
        let requests = self.sandbox.requests().await;
        let paths = requests.iter().map(|one| &one["path"]);
        paths.filter(|path| *path == "/oauth/token").count()
    }

    async fn piped(&self, variables: &[(&str, &str)]) -> Piped {
        Piped::start(self.command(&["stdio"], variables)).await
    }
}

const ALONE: [(&str, &str); 1] = [("location", SUMMIT)];

async fn contacts(client: &mut Piped) -> Value {
    client
        .call("contacts_get-contacts", json!({"limit": 1}))
        .await
}

#[tokio::test]
async fn stdio_acts_in_the_sub_account_that_was_chosen() {
    let desk = Desk::new(options()).await;
    let arguments = [&SIGN_IN[..], &["--json"]].concat();
    let run = desk.choose(&arguments, &ALONE).await;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let printed: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let expected = json!({"server": "HighLevel", "is_signed_in": true, "location": SUMMIT, "company": COMPANY});
    assert_eq!(printed, expected);
    assert!(run.stderr.contains(REDIRECT), "{}", run.stderr);
    // What HighLevel gave is nowhere in clear.
    let kept = desk.pair().read().await.expect("read").expect("a pair");
    let kept: Value = serde_json::from_str(kept.text.expose_secret()).expect("JSON");
    for entry in std::fs::read_dir(desk.state.path()).expect("a folder") {
        let bytes = std::fs::read(entry.expect("an entry").path()).unwrap_or_default();
        for name in ["access_token", "refresh_token"] {
            let token = kept[name].as_str().expect("a token").as_bytes();
            assert!(!bytes.windows(token.len()).any(|part| part == token));
        }
    }
    let mut client = desk.piped(&[]).await;
    let read = contacts(&mut client).await;
    assert_ne!(read["isError"], true, "{read}");
    let foreign = client
        .call(
            "contacts_get-contacts",
            json!({"limit": 1, "locationId": LOCATION}),
        )
        .await;
    assert_eq!(foreign["isError"], true);
    let requests = desk.sandbox.requests().await;
    let last = requests.last().expect("a request");
    let query = last["query"].as_str().unwrap_or_default();
    assert!(query.contains(&format!("locationId={SUMMIT}")), "{last}");
    // `call` acts there too, and a token of the settings goes first.
    let call = ["call", "contacts_get-contacts", "limit=1"];
    let run = desk.run(&call, &[]).await;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let token = [
        ("HIGHLEVEL_TOKEN", ::sandbox::TOKEN),
        ("HIGHLEVEL_LOCATION_ID", LOCATION),
    ];
    let run = desk.run(&call, &token).await;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let requests = desk.sandbox.requests().await;
    let query = requests.last().expect("a request")["query"].clone();
    assert!(
        query.as_str().unwrap_or_default().contains(LOCATION),
        "{query}"
    );
    let run = desk.run(&["doctor"], &[]).await;
    let expected = "the sign-in of `highlevel-mcp login --highlevel`";
    assert!(run.stdout.contains(expected), "{}", run.stdout);
    let run = desk
        .run(&call, &[("HIGHLEVEL_LOCATION_ID", LOCATION)])
        .await;
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("the sign-in at HighLevel is for"),
        "{}",
        run.stderr
    );
}

#[tokio::test]
async fn all_processes_renew_once() {
    let desk = Desk::new(options()).await;
    let run = desk.choose(&SIGN_IN, &ALONE).await;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    // HighLevel takes the access token no more; the refresh token is still good.
    let pair = desk.pair();
    let kept = pair.read().await.expect("read").expect("a pair");
    let mut kept: Value = serde_json::from_str(kept.text.expose_secret()).expect("JSON");
    kept["access_token"] = json!("gone");
    pair.keep(kept.to_string().into()).await.expect("kept");
    let before = desk.exchanges().await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(desk.piped(&[]).await);
    }
    for client in &mut clients {
        let arguments = json!({"name": "contacts_get-contacts", "arguments": {"limit": 1}});
        client.send("tools/call", arguments).await;
    }
    for client in &mut clients {
        let answer = client.next().await;
        assert_ne!(answer["result"]["isError"], true, "{answer}");
    }
    assert_eq!(desk.exchanges().await, before + 1);
    // The refresh token is good no more, either.
    kept["refresh_token"] = json!("gone");
    pair.keep(kept.to_string().into()).await.expect("kept");
    let mut late = desk.piped(&[]).await;
    let answer = contacts(&mut late).await;
    let text = answer["content"][0]["text"].as_str().unwrap_or_default();
    assert_eq!(answer["isError"], true, "{answer}");
    assert!(text.contains("login --highlevel"), "{text}");
    // Signing in again mends it while the program runs.
    let run = desk.choose(&SIGN_IN, &ALONE).await;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    tokio::time::sleep(Duration::from_secs(6)).await;
    let answer = contacts(&mut late).await;
    assert_ne!(answer["isError"], true, "{answer}");
}

#[tokio::test]
async fn answers_to_other_sign_ins_store_nothing() {
    let used = {
        let desk = Desk::new(options()).await;
        let state = |fields: &[(String, String)]| {
            let found = fields.iter().find(|(name, _)| name == "state");
            found.expect("a state").1.clone()
        };
        for (pasted, part) in [
            ("code=c1&state=other", "belongs to another sign-in"),
            ("code=c1", "belongs to another sign-in"),
            ("state=STATE", "contains no code"),
            ("error=access_denied&state=STATE", "you did not allow it"),
            ("error=access_denied", "you did not allow it"),
            (
                "error=server_error&error_description=away%1b[2J&state=STATE",
                "sign in: away\\u{1b}[2J",
            ),
            (
                "code=c1&state=STATE",
                "HighLevel no longer knows this sign-in",
            ),
        ] {
            let answer = async |fields: Vec<(String, String)>| {
                let pasted = pasted.replace("STATE", &state(&fields));
                format!("{REDIRECT}?{pasted}\n")
            };
            let run = desk.sign_in(&SIGN_IN, answer).await;
            assert_eq!(run.code, Some(2), "{pasted}: {}", run.stderr);
            assert!(run.stderr.contains(part), "no {part:?} in {}", run.stderr);
            assert!(!desk.is_signed_in().await, "{pasted}");
        }
        for (pasted, part) in [
            ("", "Run this in a terminal"),
            (
                "yes\n",
                "It begins with https://mcp.example.test/connect/crm/callback?",
            ),
        ] {
            let run = desk.sign_in(&SIGN_IN, async |_| pasted.to_owned()).await;
            assert_eq!(run.code, Some(2), "{pasted}: {}", run.stderr);
            assert!(run.stderr.contains(part), "no {part:?} in {}", run.stderr);
        }
        desk
    };
    // Cancelled at HighLevel, and a code that somebody has used before.
    let run = used.choose(&SIGN_IN, &[("decision", "cancel")]).await;
    assert!(
        run.stderr.contains("you did not allow it"),
        "{}",
        run.stderr
    );
    let answer = async |fields| {
        let back = choose(&used.sandbox, fields, &ALONE)
            .await
            .expect("a way back");
        let code = back.query_pairs().find(|(name, _)| name == "code");
        redeem(&used.sandbox, &code.expect("a code").1).await;
        format!("{back}\n")
    };
    let run = used.sign_in(&SIGN_IN, answer).await;
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("no longer knows this sign-in"),
        "{}",
        run.stderr
    );
    let wrong = Desk {
        secret: "another",
        ..used
    };
    let run = wrong.choose(&SIGN_IN, &ALONE).await;
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr
            .contains("does not accept the app's client id, client secret"),
        "{}",
        run.stderr
    );
    assert!(!wrong.is_signed_in().await);
}

#[tokio::test]
async fn missing_settings_are_reported_before_a_page_opens() {
    let desk = Desk::new(options()).await;
    let no_app = [("HIGHLEVEL_MCP_MARKETPLACE", "{}")];
    let no_secret = [(
        "HIGHLEVEL_MCP_MARKETPLACE",
        r#"{"client_id": "5a4d0b0c0000000000000001-sandbox1"}"#,
    )];
    let http = "http://localhost:8080/callback";
    for (arguments, variables, part) in [
        (&SIGN_IN[..], &no_app[..], "Set marketplace.client_id"),
        (&SIGN_IN, &no_secret, "marketplace.client_secret is missing"),
        (&SIGN_IN[..3], &[], "give --redirect"),
        (
            &["login", "--highlevel", "--redirect", http],
            &[],
            "must begin with https://",
        ),
        (&["login"], &[], "--url"),
        (
            &["logout", "--highlevel"],
            &[],
            "you are not signed in at HighLevel",
        ),
    ] {
        let run = desk.run(arguments, variables).await;
        assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(part), "no {part:?} in {}", run.stderr);
        assert!(!run.stderr.contains("chooselocation"), "{}", run.stderr);
    }
    // The address of the server's own sign-in is the app's, too.
    let url = [("HIGHLEVEL_MCP_OAUTH_URL", "https://mcp.example.test")];
    let run = desk.run(&SIGN_IN[..3], &url).await;
    assert!(
        run.stderr
            .contains("redirect_uri=https%3A%2F%2Fmcp.example.test%2Fconnect%2Fcrm%2Fcallback"),
        "{}",
        run.stderr
    );
}

#[tokio::test]
async fn an_agency_names_the_sub_account() {
    let desk = Desk::new(options()).await;
    let run = desk.choose(&SIGN_IN, &[("agency", COMPANY)]).await;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stdout.contains("HIGHLEVEL_LOCATION_ID"),
        "{}",
        run.stdout
    );
    for location in [SUMMIT, LOCATION] {
        let mut client = desk.piped(&[("HIGHLEVEL_LOCATION_ID", location)]).await;
        let read = contacts(&mut client).await;
        assert_ne!(read["isError"], true, "{read}");
        let requests = desk.sandbox.requests().await;
        let query = requests.last().expect("a request")["query"].clone();
        assert!(
            query.as_str().unwrap_or_default().contains(location),
            "{query}"
        );
    }
    // One was chosen, and HighLevel gives the agency's tokens all the same.
    let bulk = MarketplaceOptions {
        is_always_bulk: true,
        ..options()
    };
    let desk = Desk::new(bulk).await;
    let run = desk.choose(&SIGN_IN, &ALONE).await;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let mut client = desk.piped(&[]).await;
    let read = contacts(&mut client).await;
    assert_ne!(read["isError"], true, "{read}");
    let elsewhere = json!({"limit": 1, "locationId": LOCATION});
    let foreign = client.call("contacts_get-contacts", elsewhere).await;
    assert_eq!(foreign["isError"], true, "{foreign}");
}

#[tokio::test]
async fn logout_forgets_the_pair() {
    let desk = Desk::new(options()).await;
    desk.choose(&SIGN_IN, &ALONE).await;
    let run = desk.run(&["logout", "--highlevel", "--json"], &[]).await;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let printed: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(
        (&printed["is_signed_in"], &printed["server_knows"]),
        (&json!(false), &json!(false))
    );
    assert!(!desk.is_signed_in().await);
    let run = desk.run(&["call", "contacts_get-contacts"], &[]).await;
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("login --highlevel"), "{}", run.stderr);
}
