//! Processes that die while they renew: after each a fresh one must get a token that works.
//!
//! The processes are this test program itself, asked for the one test that a run passes over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::json;
use tokio::process::{Child, Command};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep, timeout};

use crate::fixture::{company_at, now, read, write};
use crate::mock::{Mock, Moment};

const PAIR: &str = "COMPANY_PAIR_FILE";
const URL: &str = "COMPANY_BASE_URL";
const TOKEN: &str = "token: ";

/// What a process got done before it died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    Nothing,
    /// The intent is written, and HighLevel not asked.
    Intent,
    /// HighLevel is asked and has not rotated.
    Asked,
    /// The new pair exists at HighLevel only.
    Rotated,
    /// It stands beside the old one.
    Written,
    Renamed,
}

const ALL: [Reached; 6] = [
    Reached::Nothing,
    Reached::Intent,
    Reached::Asked,
    Reached::Rotated,
    Reached::Written,
    Reached::Renamed,
];

/// When it dies.
#[derive(Clone, Copy, Debug)]
enum When {
    AfterStart(Duration),
    /// After a first file stands beside the pair.
    AfterFile(Duration),
    After(Moment, Duration),
}

/// A process that renews, prints its token and ends; no test of its own.
#[tokio::test]
#[ignore = "the processes of the other test"]
async fn process() {
    let (Some(pair), Ok(url)) = (std::env::var_os(PAIR), std::env::var(URL)) else {
        return;
    };
    let company = company_at(&url, &PathBuf::from(pair));
    let token = company.token().await.expect("a token");
    println!("{TOKEN}{}", token.expose_secret());
}

fn start(mock: &Mock, pair: &Path) -> Child {
    let program = std::env::current_exe().expect("this program");
    Command::new(program)
        .args(["--exact", "killed::process", "--ignored", "--nocapture"])
        .env(PAIR, pair)
        .env(URL, mock.url())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a process")
}

/// What the process printed as its token; `None` where it was killed before.
async fn ended(process: Child) -> (Option<String>, ExitStatus, String) {
    let output = timeout(Duration::from_secs(60), process.wait_with_output());
    let output = output.await.expect("it ends").expect("output");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let token = text.lines().find_map(|line| line.split_once(TOKEN));
    let token = token.map(|(_, token)| token.to_owned());
    let errors = String::from_utf8_lossy(&output.stderr);
    (token, output.status, format!("{text}{errors}"))
}

fn reached(mock: &Mock, pair: &Path, old: &str, asked: usize, rotated: usize) -> Reached {
    if read(pair)["refresh_token"] != old {
        return Reached::Renamed;
    }
    let new = std::fs::read(pair.with_extension("json.new")).unwrap_or_default();
    let new: serde_json::Value = serde_json::from_slice(&new).unwrap_or_default();
    match new["refresh_token"].as_str() {
        Some(token) if token != old => Reached::Written,
        _ if mock.rotations() > rotated => Reached::Rotated,
        _ if mock.renewals() > asked => Reached::Asked,
        _ if new["replaces"].is_string() => Reached::Intent,
        _ => Reached::Nothing,
    }
}

impl When {
    fn any(usual: Duration) -> Self {
        let within = |longest: Duration| longest.mul_f64(fastrand::f64());
        match fastrand::u8(0..5) {
            0 => Self::AfterStart(within(usual)),
            1 => Self::AfterFile(within(Duration::from_millis(12))),
            2 => Self::After(Moment::Asked, within(Duration::from_millis(12))),
            3 => Self::After(Moment::Rotated, within(Duration::from_millis(6))),
            _ => Self::After(Moment::Answered, within(Duration::from_millis(4))),
        }
    }

    async fn come(self, mut moments: Receiver<Moment>, new: &Path) {
        let pause = match self {
            Self::AfterStart(pause) => pause,
            Self::AfterFile(pause) => {
                while !new.exists() {
                    sleep(Duration::from_millis(1)).await;
                }
                pause
            }
            Self::After(moment, pause) => loop {
                match moments.recv().await {
                    Ok(seen) if seen == moment => break pause,
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => panic!("the mock is gone"),
                }
            },
        };
        // tokio's own pauses are whole milliseconds.
        let slept = tokio::task::spawn_blocking(move || std::thread::sleep(pause));
        slept.await.expect("slept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_death_loses_the_pair() {
    let full = std::env::var_os("GATEWAY_FULL").is_some();
    let runs = if full { 1000 } else { 40 };
    let mock = Mock::start().await;
    mock.delay(Duration::from_millis(8));
    let folder = tempfile::tempdir().expect("a folder");
    let pair = folder.path().join("pair.json");
    write(&pair, mock.install().to_string());
    let new = pair.with_extension("json.new");
    let mut usual = Duration::from_millis(100);
    let mut deaths: BTreeMap<Reached, usize> = BTreeMap::new();
    let (mut late, mut alone, mut hours) = (0, 0, 0);
    for number in 0..runs {
        // A day goes by: the access token ends, and what was used before is used up.
        mock.pass(Duration::from_secs(86_400));
        let mut file = read(&pair);
        file["expires_at"] = json!(now() - 1);
        write(&pair, file.to_string());
        let old = file["refresh_token"].as_str().expect("a token").to_owned();
        let (asked, rotated) = (mock.renewals(), mock.rotations());
        // Alone; beside another one that dies too; beside one that lives.
        let (beside, both) = (fastrand::bool(), fastrand::bool());

        let when = When::any(usual);
        let moments = mock.moments();
        let begun = Instant::now();
        let mut first = start(&mock, &pair);
        let mut second = beside.then(|| start(&mock, &pair));
        let come = timeout(Duration::from_secs(60), when.come(moments, &new));
        tokio::select! {
            come = come => come.expect("a renewal"),
            // Over before it could be caught.
            _ = first.wait() => {}
        }
        // An error means that it has ended.
        let _ = first.start_kill();
        if both && let Some(mut second) = second.take() {
            second.start_kill().expect("killed");
            second.wait().await.expect("dead");
        }
        first.wait().await.expect("dead");
        let step = reached(&mock, &pair, &old, asked, rotated);
        let run = format!("run {number}, {when:?}, {step:?}, beside {beside}, both {both}");
        let (token, status, _) = ended(first).await;
        late += usize::from(status.success());
        let mut tokens: Vec<String> = token.into_iter().collect();
        match second {
            Some(second) => {
                let (token, status, text) = ended(second).await;
                assert!(status.success(), "{run}: {text}");
                tokens.push(token.expect("a token"));
            }
            None => {
                alone += 1;
                *deaths.entry(step).or_default() += 1;
            }
        }
        if matches!(step, Reached::Written | Reached::Renamed) {
            // What is on the disk does not need HighLevel's 30 seconds.
            mock.pass(Duration::from_secs(3600));
            hours += 1;
        }
        let (token, status, text) = ended(start(&mock, &pair)).await;
        assert!(status.success(), "{run}: {text}");
        tokens.push(token.expect("a token"));
        let kept = read(&pair);
        let refresh = kept["refresh_token"].as_str().expect("a token");
        assert!(
            mock.takes(refresh) && refresh != old,
            "{run}: the pair is lost"
        );
        assert_eq!(mock.rotations() - rotated, 1, "{run}");
        let kept = kept["access_token"].as_str().expect("a token");
        assert!(mock.knows(kept), "{run}");
        assert!(
            tokens.iter().all(|token| token == kept),
            "{run}: {tokens:?}, not {kept}"
        );
        usual = (usual * 7 + begun.elapsed() / 2) / 8;
    }
    let (renewals, rotations) = (mock.renewals(), mock.rotations());
    println!(
        "{runs} runs ({late} processes ended before they were killed): {renewals} requests, {rotations} new pairs, \
         0 lost; an hour went by after {hours}; {alone} times nobody else went on, killed at: {deaths:?}"
    );
    assert_eq!(rotations, runs);
    for step in ALL {
        assert!(
            !full || deaths.contains_key(&step),
            "no process died at {step:?}"
        );
    }
}
