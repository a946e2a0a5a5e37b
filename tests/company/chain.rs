//! Renewals of a company or a location's install over one store, by processes that die.
//!
//! The processes are this test program itself. It runs the one ignored test.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use state::token_pairs::TokenPairs;
use state::vault::Vault;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep, timeout};

use crate::fixture::{
    company_at, install_at, kept, members, new_install, now, store_beside, vault, with, write,
};
use crate::token_endpoints::{COMPANY, Holder, Moment, TokenEndpoints};

const PAIR: &str = "COMPANY_PAIR_FILE";
/// Set for the install of a location; otherwise the process renews a company.
const INSTALL: &str = "COMPANY_INSTALL";
const URL: &str = "COMPANY_BASE_URL";
const TOKEN: &str = "token: ";

/// How far a process got before it died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reached {
    Nothing,
    /// The intent is stored, and HighLevel is not asked yet.
    Intent,
    /// HighLevel is asked and has not rotated the pair yet.
    Asked,
    /// Only HighLevel has the new pair.
    Rotated,
    /// The store has the new pair.
    Kept,
}

pub(crate) const ALL: [Reached; 5] = [
    Reached::Nothing,
    Reached::Intent,
    Reached::Asked,
    Reached::Rotated,
    Reached::Kept,
];

/// When the process dies.
#[derive(Clone, Copy, Debug)]
enum When {
    AfterStart(Duration),
    AfterIntent(Duration),
    After(Moment, Duration),
}

/// The counts over all deaths of one company's processes.
#[derive(Default)]
pub(crate) struct Tally {
    pub deaths: BTreeMap<Reached, usize>,
    pub runs: usize,
    pub installs: usize,
    pub late: usize,
    pub hours: usize,
    pub renewals: usize,
    pub rotations: usize,
}

/// A company or an install that dying processes renew again and again.
pub(crate) struct Chain {
    pub highlevel: TokenEndpoints,
    /// Deleted on drop.
    _folder: TempDir,
    pub file: PathBuf,
    tokens: TokenPairs,
    /// The vault and the credential of a location's install.
    install: Option<(Vault, String)>,
    /// The usual time from the start of a process to the end of its renewal.
    usual: Duration,
}

/// A process that renews, prints its token and ends. It is not a test of its own.
#[tokio::test]
#[ignore = "the processes of the other tests"]
async fn process() {
    let (Some(pair), Ok(url)) = (std::env::var_os(PAIR), std::env::var(URL)) else {
        return;
    };
    let pair = PathBuf::from(pair);
    let token = match std::env::var(INSTALL) {
        Ok(credential) => install_at(&url, &pair, &credential).token().await,
        Err(_) => company_at(&url, &pair).token().await,
    };
    let token = token.expect("a token");
    println!("{TOKEN}{}", token.expose_secret());
}

pub(crate) fn start(chain: &Chain) -> Child {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    if let Some((_, credential)) = &chain.install {
        command.env(INSTALL, credential);
    }
    command
        .args(["--exact", "chain::process", "--ignored", "--nocapture"])
        .env(PAIR, &chain.file)
        .env(URL, chain.highlevel.url())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a process")
}

/// The token that the process printed. `None` if it was killed before.
pub(crate) async fn ended(process: Child) -> (Option<String>, ExitStatus, String) {
    let output = timeout(Duration::from_secs(60), process.wait_with_output());
    let output = output.await.expect("it ends").expect("output");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let token = text.lines().find_map(|line| line.split_once(TOKEN));
    let token = token.map(|(_, token)| token.to_owned());
    let errors = String::from_utf8_lossy(&output.stderr);
    (token, output.status, format!("{text}{errors}"))
}

impl When {
    fn any(usual: Duration) -> Self {
        let within = |longest: Duration| longest.mul_f64(fastrand::f64());
        match fastrand::u8(0..5) {
            0 => Self::AfterStart(within(usual)),
            1 => Self::AfterIntent(within(Duration::from_millis(3))),
            2 => Self::After(Moment::Asked, within(Duration::from_millis(6))),
            3 => Self::After(Moment::Rotated, within(Duration::from_millis(6))),
            _ => Self::After(Moment::Answered, within(Duration::from_millis(4))),
        }
    }

    async fn come(self, mut moments: Receiver<Moment>, tokens: &TokenPairs) {
        let pause = match self {
            Self::AfterStart(pause) => pause,
            Self::AfterIntent(pause) => {
                while !kept(tokens).await.is_some_and(|pair| pair.is_open) {
                    sleep(Duration::from_millis(1)).await;
                }
                pause
            }
            Self::After(moment, pause) => loop {
                match moments.recv().await {
                    Ok(seen) if seen == moment => break pause,
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => panic!("HighLevel is gone"),
                }
            },
        };
        // tokio's own pauses are whole milliseconds.
        let slept = tokio::task::spawn_blocking(move || std::thread::sleep(pause));
        slept.await.expect("slept");
    }
}

impl Chain {
    pub(crate) async fn start() -> Self {
        Self::start_for(Holder::Company).await
    }

    pub(crate) async fn start_for(holder: Holder) -> Self {
        let highlevel = TokenEndpoints::start_for(holder).await;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("pair.json");
        highlevel.delay(Duration::from_millis(8));
        let store = store_beside(&file);
        let install = match holder {
            Holder::Company => None,
            Holder::Location => {
                let vault = vault(&store);
                let new = new_install(&highlevel.install());
                let credential = vault.put_install(new).await.expect("kept");
                Some((vault, credential))
            }
        };
        let row = install.as_ref().map_or(COMPANY, |(_, row)| row.as_str());
        Self {
            tokens: TokenPairs::new(&store, row),
            install,
            highlevel,
            _folder: folder,
            file,
            usual: Duration::from_millis(300),
        }
    }

    pub(crate) async fn kept(&self) -> Option<Value> {
        kept(&self.tokens).await.as_ref().map(members)
    }

    /// The pair to renew, already expired: in the store, or in the file if the app is installed again.
    pub(crate) async fn next(&self, installs: bool) -> Value {
        let ended = json!({"expires_at": now() - 1});
        match kept(&self.tokens).await {
            Some(pair) if !installs => {
                let ended = with(members(&pair), &ended);
                let renewal = self.tokens.begin(&pair).await.expect("begun");
                let put = renewal.expect("free").put(ended.to_string().into());
                assert!(put.await.expect("put"));
                ended
            }
            _ => {
                let ended = with(self.highlevel.install(), &ended);
                match &self.install {
                    None => write(&self.file, ended.to_string()),
                    Some((vault, _)) => {
                        let kept = vault.put_install(new_install(&ended)).await;
                        kept.expect("kept");
                    }
                }
                ended
            }
        }
    }

    async fn reached(&self, before: &[Value], asked: usize, rotated: usize) -> Reached {
        let pair = kept(&self.tokens).await;
        let refresh = pair
            .as_ref()
            .map(|pair| members(pair)["refresh_token"].clone());
        match pair {
            Some(_) if refresh.is_some_and(|refresh| !before.contains(&refresh)) => Reached::Kept,
            _ if self.highlevel.rotations() > rotated => Reached::Rotated,
            _ if self.highlevel.renewals() > asked => Reached::Asked,
            Some(pair) if pair.is_open => Reached::Intent,
            _ => Reached::Nothing,
        }
    }

    /// One day, and the death of a process.
    pub(crate) async fn run(&mut self, tally: &mut Tally) {
        let highlevel = &self.highlevel;
        // The access token expires, and so does the answer that HighLevel repeats for a used refresh token.
        highlevel.pass(Duration::from_secs(86_400));
        let (asked, rotated) = (highlevel.renewals(), highlevel.rotations());
        let before = self.kept().await;
        let installs = before.is_none() || fastrand::u8(0..8) == 0;
        tally.installs += usize::from(installs);
        let old = self.next(installs).await["refresh_token"].clone();
        let before: Vec<Value> = before
            .map(|pair| pair["refresh_token"].clone())
            .into_iter()
            .collect();
        let before = [before, vec![old.clone()]].concat();
        // The process is alone, or another one runs beside it and dies too, or another one lives.
        let (beside, both) = (fastrand::bool(), fastrand::bool());

        let when = When::any(self.usual);
        let moments = highlevel.moments();
        let begun = Instant::now();
        let mut first = start(self);
        let mut second = beside.then(|| start(self));
        let come = timeout(Duration::from_secs(60), when.come(moments, &self.tokens));
        tokio::select! {
            come = come => come.expect("a renewal"),
            // It ended before it could be killed.
            _ = first.wait() => {}
        }
        // An error means that the process has ended.
        let _ = first.start_kill();
        if both && let Some(mut second) = second.take() {
            second.start_kill().expect("killed");
            second.wait().await.expect("dead");
        }
        first.wait().await.expect("dead");
        let took = begun.elapsed();
        let step = self.reached(&before, asked, rotated).await;
        let run = format!("{when:?}, {step:?}, beside {beside}, both {both}, installs {installs}");
        let (token, status, _) = ended(first).await;
        tally.late += usize::from(status.success());
        let mut tokens: Vec<String> = token.into_iter().collect();
        match second {
            Some(second) => {
                let (token, status, text) = ended(second).await;
                assert!(status.success(), "{run}: {text}");
                tokens.push(token.expect("a token"));
            }
            None => *tally.deaths.entry(step).or_default() += 1,
        }
        if step == Reached::Kept {
            // A pair in the store does not depend on HighLevel's 30 seconds.
            highlevel.pass(Duration::from_secs(3600));
            tally.hours += 1;
        }
        let (token, status, text) = ended(start(self)).await;
        assert!(status.success(), "{run}: {text}");
        tokens.push(token.expect("a token"));
        let kept = self.kept().await.expect("a pair");
        let refresh = kept["refresh_token"].as_str().expect("a token");
        assert!(
            highlevel.takes(refresh) && refresh != old,
            "{run}: the pair is lost"
        );
        assert_eq!(highlevel.rotations() - rotated, 1, "{run}");
        let kept = kept["access_token"].as_str().expect("a token");
        assert!(highlevel.knows(kept), "{run}");
        assert!(
            tokens.iter().all(|token| token == kept),
            "{run}: {tokens:?}, not {kept}"
        );
        self.usual = (self.usual * 7 + took * 3 / 2) / 8;
    }
}
