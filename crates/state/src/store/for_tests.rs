//! Stores of tests: what they hold as others see it, and other processes, real ones or a connection beside.

use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use sqlx::AssertSqlSafe;
use tempfile::TempDir;

use super::connection::connect;
use super::place::StorePlace;
use super::{Store, StoreOptions, Transaction};
use crate::StoreError;
use crate::audit::AuditEntry;

/// Tells a child what it is to do.
const ROLE: &str = "STATE_TEST_ROLE";
const FOLDER: &str = "STATE_TEST_FOLDER";

/// No test waits longer for what is to come soon.
pub(crate) const LONGEST: Duration = Duration::from_secs(20);

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

pub(crate) fn open(folder: &TempDir) -> Store {
    Store::open(&options(folder)).expect("open")
}

pub(crate) fn options(folder: &TempDir) -> StoreOptions<'_> {
    StoreOptions {
        folder: Some(folder.path()),
        url: None,
        outage_reads: Duration::ZERO,
        upstream: "services.example.com",
        keys: &[],
        audit_file: None,
    }
}

/// What is written down of a call, in short.
pub(crate) fn entry(arguments: &Map<String, Value>) -> AuditEntry<'_> {
    AuditEntry {
        who: "w",
        grant: None,
        client: None,
        surface: "s",
        tool: "t",
        effect: "e",
        bulk: false,
        location: None,
        alias: None,
        arguments,
        confirmation: None,
        idempotency_key: true,
    }
}

/// The store's file.
pub(crate) fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("services.example.com.db")
}

/// Does it in a transaction of its own, by a connection of its own, as another process does.
pub(crate) fn beside<T>(
    folder: &TempDir,
    act: impl FnOnce(&mut Transaction) -> Result<T, StoreError>,
) -> T {
    let (connection, value) = connect(&StorePlace::File(file(folder)), act).expect("done");
    connection.close();
    value
}

/// Changes rows as no program does, and tells every process.
pub(crate) fn sql(folder: &TempDir, statement: &str) {
    beside(folder, |transaction| {
        transaction.run(sqlx::query(AssertSqlSafe(statement.to_owned())))?;
        transaction.revise()
    });
}

/// The one number of a query that calls it `n`.
pub(crate) fn number(folder: &TempDir, query: &str) -> i64 {
    beside(folder, |transaction| {
        let row = transaction.one(sqlx::query(AssertSqlSafe(query.to_owned())))?;
        row.expect("a row").integer("n")
    })
}

/// Tables in memory, for what needs no threads.
pub(crate) fn in_memory<T>(act: impl FnOnce(&mut Transaction) -> T) -> T {
    let done = connect(&StorePlace::Memory, |transaction| {
        super::schema::bring_up_to_date(transaction)?;
        Ok(act(transaction))
    });
    done.expect("done").1
}

/// From now on the connection that writes can make the file no larger, as on a full disk.
pub(crate) fn fill(store: &Store) {
    let filled = store.change(super::Durability::System, |transaction| {
        let row = transaction.one(sqlx::query("PRAGMA page_count"))?;
        let pages = row.expect("a row").integer("page_count")?;
        let most = format!("PRAGMA max_page_count = {pages}");
        transaction.one(sqlx::query(AssertSqlSafe(most))).map(drop)
    });
    filled.wait().expect("filled");
}

/// Holds the file as a process does that is stuck in the middle of a change; ends with it.
pub(crate) struct Stuck {
    release: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

pub(crate) fn stick(folder: &TempDir) -> Stuck {
    let place = StorePlace::File(file(folder));
    let ((holds, held), (release, released)) = (channel(), channel::<()>());
    let thread = thread::spawn(move || {
        let done = connect(&place, |_| {
            holds.send(()).expect("heard");
            let _ = released.recv();
            Ok(())
        });
        done.expect("held").0.close();
    });
    held.recv().expect("held");
    Stuck {
        release: Some(release),
        thread: Some(thread),
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        self.release = None;
        let thread = self.thread.take().expect("once");
        thread.join().expect("ended");
    }
}

/// On one thread: whoever blocked it would stop the timer, too. A store is opened before it, never in it.
pub(crate) fn on_one_thread<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().build().expect("a runtime");
    runtime.block_on(future)
}

/// The longest of many ticks of 10 milliseconds.
pub(crate) async fn longest_tick() -> Duration {
    let mut longest = Duration::ZERO;
    for _ in 0..100 {
        let tick = Instant::now();
        tokio::time::sleep(Duration::from_millis(10)).await;
        longest = longest.max(tick.elapsed());
    }
    longest
}

/// How long it took to become so; fails where it does not.
#[track_caller]
pub(crate) fn comes(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < LONGEST, "never: {what}");
        sleep(Duration::from_millis(1));
    }
    since.elapsed()
}

/// A test of this binary as a process of its own, with something to do in the folder.
pub(crate) fn child(test: &str, role: &str, folder: &TempDir) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    command
        .args(["--exact", test, "--include-ignored", "--nocapture"])
        .env(ROLE, role)
        .env(FOLDER, folder.path());
    command
}

/// In a child: what it is to do, and where.
pub(crate) fn role() -> Option<(String, PathBuf)> {
    let role = std::env::var(ROLE).ok()?;
    Some((role, std::env::var_os(FOLDER)?.into()))
}

/// Ends with the test.
pub(crate) struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
