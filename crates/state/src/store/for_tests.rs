//! Stores of tests: their contents as others see them, and other processes, real ones or separate connections.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;
use test_services::{ServiceKind, TestDatabase, shared};

use super::connection::connect;
use super::place::StorePlace;
use super::postgres::LOCK;
use super::{Store, StoreOptions, Transaction};
use crate::StoreError;
use crate::audit::AuditEntry;

/// Tells a child process its task and its place.
const ROLE: &str = "STATE_TEST_ROLE";
const FOLDER: &str = "STATE_TEST_FOLDER";
const DATABASE: &str = "STATE_TEST_DATABASE";

/// Longest wait of a test for something that should be quick.
pub(crate) const LONGEST: Duration = Duration::from_secs(20);

/// The database of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TestedDatabase {
    Sqlite,
    Postgres,
}

/// A running test.
struct TestRun {
    tested: TestedDatabase,
    /// Dropped when it ends.
    databases: Vec<TestDatabase>,
    uses_store: bool,
}

thread_local! {
    static RUN: RefCell<Option<TestRun>> = const { RefCell::new(None) };
}

/// Ends with the test, whatever its result.
struct EndOfRun;

impl Drop for EndOfRun {
    fn drop(&mut self) {
        RUN.take();
    }
}

/// Runs a test with its places on that database. If that kind is not available, it prints so.
pub(crate) fn run_on(tested: TestedDatabase, test: impl FnOnce()) {
    if tested == TestedDatabase::Postgres && shared(ServiceKind::Postgres).is_none() {
        return;
    }
    RUN.set(Some(TestRun {
        tested,
        databases: Vec::new(),
        uses_store: false,
    }));
    let _end = EndOfRun;
    test();
    let uses_store = RUN.with_borrow(|run| run.as_ref().is_some_and(|run| run.uses_store));
    // A child has its place from its parent test.
    assert!(uses_store || role().is_some(), "no store: it is a #[test]");
}

fn tested() -> TestedDatabase {
    let tested = RUN.with_borrow(|run| run.as_ref().map(|run| run.tested));
    tested.expect("a test with a store is #[on_both], or #[on_sqlite] and says why")
}

/// The address of a fresh database; none if the test is on SQLite.
fn fresh_database() -> Option<SecretString> {
    let tested = tested();
    let database = match tested {
        TestedDatabase::Sqlite => None,
        TestedDatabase::Postgres => TestDatabase::create(ServiceKind::Postgres),
    };
    let url = database.as_ref().map(|database| database.url().to_owned());
    RUN.with_borrow_mut(|run| {
        let run = run.as_mut().expect("a test");
        run.uses_store = true;
        run.databases.extend(database);
    });
    url.map(SecretString::from)
}

/// The place of a test's state: a folder, with its file or with a PostgreSQL database.
pub(crate) struct TestPlace {
    path: PathBuf,
    database: Option<SecretString>,
    /// For a database, which has no key in a folder.
    keys: Vec<SecretString>,
    /// None if it belongs to another process.
    _folder: Option<TempDir>,
}

impl TestPlace {
    fn new(path: PathBuf, folder: Option<TempDir>, database: Option<SecretString>) -> Self {
        let key =
            |_: &SecretString| SecretString::from("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
        Self {
            path,
            keys: database.iter().map(key).collect(),
            database,
            _folder: folder,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The address of its database.
    pub(crate) fn database(&self) -> Option<&str> {
        self.database.as_ref().map(ExposeSecret::expose_secret)
    }

    /// A folder in this one.
    pub(crate) fn inner(&self) -> Self {
        let folder = tempfile::tempdir_in(&self.path).expect("a folder");
        Self::new(folder.path().to_owned(), Some(folder), None)
    }

    fn rows(&self) -> StorePlace {
        match &self.database {
            Some(url) => database_place(url),
            None => StorePlace::File(file(self)),
        }
    }
}

fn database_place(url: &SecretString) -> StorePlace {
    StorePlace::in_database(url).expect("an address")
}

pub(crate) fn folder() -> TestPlace {
    let folder = tempfile::tempdir().expect("a folder");
    TestPlace::new(folder.path().to_owned(), Some(folder), fresh_database())
}

/// With the database of this address, whoever created it.
pub(crate) fn at_database(url: &str) -> TestPlace {
    let folder = tempfile::tempdir().expect("a folder");
    TestPlace::new(folder.path().to_owned(), Some(folder), Some(url.into()))
}

pub(crate) fn open(place: &TestPlace) -> Store {
    Store::open(&options(place)).expect("open")
}

/// A private store: in memory, or in a database of its own.
pub(crate) fn store() -> Store {
    let place = TestPlace::new(PathBuf::new(), None, fresh_database());
    let opened = match place.database {
        None => Store::in_memory(),
        Some(_) => Store::open(&StoreOptions {
            folder: None,
            ..options(&place)
        }),
    };
    opened.expect("open")
}

pub(crate) fn options(place: &TestPlace) -> StoreOptions<'_> {
    StoreOptions {
        folder: Some(place.path()),
        url: place.database.as_ref(),
        outage_reads: Duration::ZERO,
        upstream: "services.example.com",
        keys: &place.keys,
        audit_file: None,
    }
}

/// A short audit entry of a call.
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

/// The store's file, for a test on SQLite.
pub(crate) fn file(place: &TestPlace) -> PathBuf {
    place.path().join("services.example.com.db")
}

/// Everything that is stored, as a thief would get it: bytes of all files, or values of all rows.
pub(crate) fn bytes(place: &TestPlace) -> Vec<u8> {
    if place.database.is_none() {
        let entries = std::fs::read_dir(place.path()).expect("a folder");
        let paths = entries.map(|entry| entry.expect("a file").path());
        // Through another program: if this process closed such a file, it would lose its locks on it.
        let read = Command::new("cat").args(paths).output();
        let held = read.expect("read").stdout;
        assert!(held.len() > 8_192, "the store is in that folder");
        return held;
    }
    beside(place, |transaction| {
        let tables = "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables
            WHERE table_schema = current_schema()";
        let mut held = Vec::new();
        for table in transaction.all(sqlx::query(tables))? {
            let all = format!("SELECT * FROM {}", table.text("name")?);
            for row in transaction.all(sqlx::query(AssertSqlSafe(all)))? {
                held.extend(row.bytes_of_all());
            }
        }
        assert!(!held.is_empty(), "there are rows");
        Ok(held)
    })
}

/// Runs `act` in a separate transaction on a separate connection, like another process.
pub(crate) fn beside<T>(
    place: &TestPlace,
    act: impl FnOnce(&mut Transaction) -> Result<T, StoreError>,
) -> T {
    let (connection, value) = connect(&place.rows(), act).expect("done");
    connection.close();
    value
}

/// A statement with bytes in it, `x'00'` or a text `AS BLOB`, in the syntax of the tested database.
pub(crate) fn dialect(statement: &str) -> String {
    match tested() {
        TestedDatabase::Sqlite => statement.to_owned(),
        TestedDatabase::Postgres => {
            let mut text = statement.replace(" AS BLOB)", " AS BYTEA)");
            for before in [" x'", "(x'"] {
                while let Some((first, rest)) = text.split_once(before)
                    && let Some((bytes, rest)) = rest.split_once('\'')
                {
                    let before = &before[..1];
                    text = format!("{first}{before}CAST('\\x{bytes}' AS BYTEA){rest}");
                }
            }
            text
        }
    }
}

/// Changes rows as no program does, and notifies every process.
pub(crate) fn sql(place: &TestPlace, statement: &str) {
    let statement = dialect(statement);
    beside(place, |transaction| {
        transaction.run(sqlx::query(AssertSqlSafe(statement)))?;
        transaction.revise()
    });
}

/// The one number of a query, in its column `n`.
pub(crate) fn number(place: &TestPlace, query: &str) -> i64 {
    beside(place, |transaction| {
        let row = transaction.one(sqlx::query(AssertSqlSafe(query.to_owned())))?;
        row.expect("a row").integer("n")
    })
}

/// Separate tables, for tests without threads.
pub(crate) fn in_memory<T>(act: impl FnOnce(&mut Transaction) -> T) -> T {
    let place = fresh_database().map_or(StorePlace::Memory, |url| database_place(&url));
    let done = connect(&place, |transaction| {
        super::schema::bring_up_to_date(transaction)?;
        Ok(act(transaction))
    });
    done.expect("done").1
}

/// From now on the writing connection cannot enlarge the file, as on a full disk.
pub(crate) fn fill(store: &Store) {
    let filled = store.change(super::Durability::System, |transaction| {
        let row = transaction.one(sqlx::query("PRAGMA page_count"))?;
        let pages = row.expect("a row").integer("page_count")?;
        let most = format!("PRAGMA max_page_count = {pages}");
        transaction.one(sqlx::query(AssertSqlSafe(most))).map(drop)
    });
    filled.wait().expect("filled");
}

/// Blocks the place like a process that is stuck in the middle of a change, until dropped.
pub(crate) struct Stuck {
    release: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

pub(crate) fn stick(place: &TestPlace) -> Stuck {
    let (rows, url) = (place.rows(), place.database().map(str::to_owned));
    let ((holds, held), (release, released)) = (channel(), channel::<()>());
    let hold = move || {
        holds.send(()).expect("heard");
        let _ = released.recv();
    };
    let thread = thread::spawn(move || match url {
        None => {
            let done = connect(&rows, |_| {
                hold();
                Ok(())
            });
            done.expect("held").0.close();
        }
        // The server ends an idle transaction, but not the holder of a lock outside of one.
        Some(url) => on_one_thread(async {
            let mut connection = PgConnection::connect(&url).await.expect("connected");
            let take = sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK);
            take.execute(&mut connection).await.expect("held");
            hold();
            connection.close().await.expect("closed");
        }),
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

/// On one thread, so that blocking it would stop the timer, too. Open a store before it, never inside.
pub(crate) fn on_one_thread<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
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

/// Waits until `is_so`, and returns how long it took; fails if it does not happen.
#[track_caller]
pub(crate) fn comes(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < LONGEST, "never: {what}");
        sleep(Duration::from_millis(1));
    }
    since.elapsed()
}

/// A test of this binary as a separate process, with a task at the place.
pub(crate) fn child(test: &str, role: &str, place: &TestPlace) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    command
        .args(["--exact", test, "--include-ignored", "--nocapture"])
        .env(ROLE, role)
        .env(FOLDER, place.path());
    if let Some(url) = &place.database {
        command.env(DATABASE, url.expose_secret());
    }
    command
}

/// In a child: its task and its place.
pub(crate) fn role() -> Option<(String, TestPlace)> {
    let role = std::env::var(ROLE).ok()?;
    let path = std::env::var_os(FOLDER)?.into();
    let database = std::env::var(DATABASE).ok().map(SecretString::from);
    Some((role, TestPlace::new(path, None, database)))
}

/// Killed with the test.
pub(crate) struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
