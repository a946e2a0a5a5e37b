//! New pairs that the store does not take: a file of the state folder keeps them, over the death of the process.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::{Connection, SqliteConnection};
use tokio::sync::broadcast::Receiver;
use tokio::time::{sleep, timeout};

use crate::chain::{Chain, ended, start};
use crate::fixture::{Fixture, token_text};
use crate::token_endpoints::Moment;

/// No test waits longer for what is to come soon.
const LONGEST: Duration = Duration::from_secs(20);

/// Files of pairs in the state folder beside the pair's file.
fn spill_files(pair_file: &Path) -> Vec<PathBuf> {
    let state = pair_file.with_file_name("state");
    let entries = fs::read_dir(state).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "pair"))
        .collect()
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONGEST, wait).await.expect(what);
}

/// Holds the store as soon as HighLevel is asked, and before it answers: nothing is written until this is closed.
async fn hold_store(mut moments: Receiver<Moment>, pair_file: &Path) -> SqliteConnection {
    let asked = async { while moments.recv().await.expect("a moment") != Moment::Asked {} };
    timeout(LONGEST, asked).await.expect("HighLevel is asked");
    let store = pair_file.with_file_name("state").join("highlevel.db");
    let url = format!("sqlite://{}", store.display());
    let mut connection = SqliteConnection::connect(&url).await.expect("a connection");
    let begin = sqlx::query("BEGIN IMMEDIATE");
    begin.execute(&mut connection).await.expect("held");
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_outlives_the_process_whose_store_did_not_take_it() {
    let chain = Chain::start().await;
    let old = chain.next(true).await["refresh_token"].clone();
    chain.highlevel.delay(Duration::from_secs(2));
    let moments = chain.highlevel.moments();
    let mut process = start(&chain);
    let held = hold_store(moments, &chain.file).await;
    until("a file has the pair", || {
        !spill_files(&chain.file).is_empty()
    })
    .await;
    for file in spill_files(&chain.file) {
        let mode = fs::metadata(&file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = fs::read_to_string(&file).expect("text");
        for token in ["refresh.2.token", "company.2.access"] {
            assert!(!text.contains(token), "{text}");
        }
    }
    process.start_kill().expect("killed");
    process.wait().await.expect("dead");
    held.close().await.expect("the store is free");
    let kept = chain.kept().await.expect("a pair");
    assert_eq!(kept["refresh_token"], old, "the store has the old one");
    // HighLevel gives the new pair no more.
    chain.highlevel.delay(Duration::ZERO);
    chain.highlevel.pass(Duration::from_secs(3_600));
    let (token, status, text) = ended(start(&chain)).await;
    assert!(status.success(), "{text}");
    assert_eq!(token.as_deref(), Some("company.2.access"));
    let kept = chain.kept().await.expect("a pair");
    assert_eq!(kept["refresh_token"], "refresh.2.token");
    let asked = (chain.highlevel.renewals(), chain.highlevel.rotations());
    assert_eq!(asked, (1, 1), "HighLevel was asked once");
    assert!(spill_files(&chain.file).is_empty(), "the file is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn once_the_store_takes_a_pair_no_file_has_it() {
    let fixture = Fixture::ending_in(-5).await;
    fixture.highlevel.delay(Duration::from_secs(2));
    let moments = fixture.highlevel.moments();
    let company = fixture.company.clone();
    let asking = tokio::spawn(async move { token_text(company.token().await) });
    let held = hold_store(moments, &fixture.path()).await;
    until("a file has the pair", || {
        !spill_files(&fixture.path()).is_empty()
    })
    .await;
    held.close().await.expect("the store is free");
    let token = asking.await.expect("no panic");
    assert_eq!(token.as_deref(), Ok("company.2.access"));
    assert_eq!(fixture.pair().await["refresh_token"], "refresh.2.token");
    assert!(spill_files(&fixture.path()).is_empty(), "the file is gone");
}
