//! Which pair counts and who may renew it, with rows that several stores share like processes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use super::*;
use crate::store::for_tests::{self, TestPlace, folder, open};

const COMPANY: &str = "Company0";

/// Text, generation, whether a renewal is open, and whether somebody has the lease.
type Standing<'a> = (&'a str, i64, bool, bool);

/// A separate store for each process.
fn process(folder: &TestPlace) -> TokenPairs {
    TokenPairs::new(&open(folder), COMPANY)
}

/// A process that took over the pair `first`.
fn installed(folder: &TestPlace) -> TokenPairs {
    let tokens = process(folder);
    let taken = tokens.import(import("first", &["first"], false)).wait();
    assert_eq!(taken, Ok(true));
    tokens
}

fn import(text: &str, names: &[&str], is_open: bool) -> PairImport {
    PairImport {
        text: text.into(),
        names: names.iter().copied().map(str::to_owned).collect(),
        is_open,
    }
}

fn kept(tokens: &TokenPairs) -> StoredPair {
    tokens.read().wait().expect("read").expect("a pair")
}

#[track_caller]
fn check(name: &str, tokens: &TokenPairs, expected: Standing) {
    let pair = kept(tokens);
    let text = pair.text.expose_secret();
    let found = (text, pair.generation, pair.is_open, pair.is_leased);
    assert_eq!(found, expected, "{name}");
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.expect("a runtime").block_on(work)
}

fn begin(tokens: &TokenPairs) -> Option<PairLease> {
    block_on(tokens.begin(&kept(tokens))).expect("begun")
}

fn put(renewal: PairLease, text: &str) -> Result<bool, StoreError> {
    block_on(renewal.put(text.into()))
}

/// Ends it as a dropped task does, and waits until that is written.
fn drop_now(renewal: PairLease) {
    let store = renewal.tokens.store.clone();
    drop(renewal);
    let queue = store.change(Durability::System, |_| Ok(()));
    assert_eq!(queue.wait(), Ok(()));
}

/// As if this time had passed since the lease was given or extended.
fn let_pass(tokens: &TokenPairs, milliseconds: i64) {
    let changed = tokens.store.change(Durability::System, move |transaction| {
        let earlier = sqlx::query("UPDATE credential SET lease_until = lease_until - $1");
        transaction.run(earlier.bind(milliseconds))
    });
    assert_eq!(changed.wait(), Ok(1));
}

#[on_both]
fn a_pair_from_elsewhere_is_taken_over_once() {
    let folder = folder();
    let (one, other) = (process(&folder), process(&folder));
    assert!(one.read().wait().expect("read").is_none());
    let rows: [(PairImport, bool, Standing); 7] = [
        (import("a", &["a"], false), true, ("a", 1, false, false)),
        (import("a", &["a"], false), false, ("a", 1, false, false)),
        // Installed again, with an interrupted renewal.
        (import("b", &["b"], true), true, ("b", 2, true, false)),
        // The earlier pair, as from another process with another file.
        (import("a", &["a"], false), false, ("b", 2, true, false)),
        // The pair that an older version left beside the file counts, under both names.
        (
            import("d", &["c", "d"], false),
            true,
            ("d", 3, false, false),
        ),
        (import("c", &["c"], false), false, ("d", 3, false, false)),
        (import("d", &["d"], false), false, ("d", 3, false, false)),
    ];
    for (number, (import, taken, standing)) in rows.into_iter().enumerate() {
        let tokens = if number % 2 == 0 { &one } else { &other };
        assert_eq!(tokens.import(import).wait(), Ok(taken), "{number}");
        check(&number.to_string(), &one, standing);
    }
    let known = ["a", "b", "c", "d", "e"].map(|name| kept(&other).was_imported_as(name));
    assert_eq!(known, [true, true, true, true, false]);
    let elsewhere = TokenPairs::new(&open(&folder), "Company1");
    assert!(elsewhere.read().wait().expect("read").is_none());
}

#[on_both]
fn one_process_renews_at_a_time() {
    let folder = folder();
    let first = installed(&folder);
    let processes: Vec<TokenPairs> = (0..3).map(|_| process(&folder)).collect();
    for round in 1..=20 {
        let renewals: Vec<PairLease> = thread::scope(|scope| {
            let begun: Vec<_> = processes
                .iter()
                .map(|tokens| scope.spawn(|| begin(tokens)))
                .collect();
            let begun = begun.into_iter();
            begun
                .filter_map(|begun| begun.join().expect("no panic"))
                .collect()
        });
        assert_eq!(renewals.len(), 1, "{round}");
        assert!(kept(&first).is_open && kept(&first).is_leased);
        for renewal in renewals {
            assert_eq!(put(renewal, &format!("pair {round}")), Ok(true));
        }
        let text = format!("pair {round}");
        check("renewed", &first, (&text, round + 1, false, false));
    }
}

#[on_both]
fn the_result_of_a_renewal_decides_whether_another_process_asks() {
    let folder = folder();
    let tokens = installed(&folder);
    let renewal = begin(&tokens).expect("free");
    check("under way", &tokens, ("first", 1, true, true));
    drop_now(renewal);
    check("cut off", &tokens, ("first", 1, true, false));
    let renewal = begin(&tokens).expect("free again");
    assert_eq!(block_on(renewal.give_back()), Ok(()));
    check("untouched", &tokens, ("first", 1, false, false));
    let old = kept(&tokens);
    let renewal = begin(&tokens).expect("free again");
    assert_eq!(put(renewal, "second"), Ok(true));
    check("renewed", &tokens, ("second", 2, false, false));
    let begun = block_on(tokens.begin(&old)).expect("begun");
    assert!(begun.is_none(), "what was renewed since is not renewed");
    check("as before", &tokens, ("second", 2, false, false));
}

#[on_both]
fn the_lease_of_a_dead_process_ends() {
    let folder = folder();
    let (dead, alive) = (installed(&folder), process(&folder));
    // Nothing of a dead process is dropped.
    std::mem::forget(begin(&dead).expect("free"));
    let since = Instant::now();
    let taken = loop {
        match begin(&alive) {
            Some(taken) => break taken,
            None => thread::sleep(Duration::from_millis(20)),
        }
        assert!(since.elapsed() < Duration::from_secs(10));
    };
    assert!(since.elapsed() > LEASE - Duration::from_millis(500));
    check("taken over", &alive, ("first", 1, true, true));
    drop(taken);
}

#[on_both]
fn a_live_process_keeps_the_lease_and_a_clock_that_was_ahead_does_not() {
    let folder = folder();
    let (slow, other) = (installed(&folder), process(&folder));
    let renewal = begin(&slow).expect("free");
    thread::scope(|scope| {
        let work = scope
            .spawn(|| block_on(renewal.hold(async { tokio::time::sleep(LEASE * 3 / 2).await })));
        while !work.is_finished() {
            assert!(begin(&other).is_none() || work.is_finished());
            thread::sleep(Duration::from_millis(50));
        }
    });
    assert_eq!(put(renewal, "second"), Ok(true));
    std::mem::forget(begin(&slow).expect("free"));
    let_pass(&slow, -3_000);
    assert!(begin(&other).is_none(), "clocks differ by a little");
    let_pass(&slow, -3_600_000);
    check("no lease", &other, ("second", 2, true, false));
    assert!(begin(&other).is_some());
}

#[on_both]
fn a_process_without_the_lease_does_not_replace_a_newer_pair() {
    let folder = folder();
    let (slow, other) = (installed(&folder), process(&folder));
    let late = || {
        let renewal = begin(&slow).expect("free");
        let_pass(&other, 6_000);
        renewal
    };
    let renewal = late();
    let taken = begin(&other).expect("over");
    drop_now(renewal);
    check("the other's lease stays", &other, ("first", 1, true, true));
    assert_eq!(put(taken, "second"), Ok(true));

    let renewal = late();
    assert_eq!(put(begin(&other).expect("over"), "third"), Ok(true));
    assert_eq!(put(renewal, "stale"), Ok(false));
    check("the newer one stays", &other, ("third", 3, false, false));

    // Nobody else succeeded, so HighLevel's answer is not discarded.
    let renewal = late();
    let taken = begin(&other).expect("over");
    assert_eq!(put(renewal, "fourth"), Ok(true));
    assert_eq!(block_on(taken.give_back()), Ok(()));
    check("late, and kept", &other, ("fourth", 4, false, false));

    let renewal = begin(&slow).expect("free");
    let anew = import("anew", &["anew"], false);
    assert_eq!(other.import(anew).wait(), Ok(true));
    check("installed anew", &other, ("anew", 5, false, false));
    assert_eq!(put(renewal, "of the old one"), Ok(false));
    check("installed anew", &other, ("anew", 5, false, false));
}

#[on_both]
fn a_pair_that_cannot_be_put_leaves_its_renewal_open() {
    let folder = folder();
    let (tokens, other) = (installed(&folder), process(&folder));
    let renewal = begin(&tokens).expect("free");
    let stuck = for_tests::stick(&folder);
    let error = put(renewal, "second").expect_err("held");
    assert!(error.is_busy(), "{error}");
    drop(stuck);
    let queue = tokens.store.change(Durability::System, |_| Ok(()));
    assert_eq!(queue.wait(), Ok(()));
    check("open", &tokens, ("first", 1, true, false));
    assert_eq!(put(begin(&tokens).expect("free"), "second"), Ok(true));
    check("later", &other, ("second", 2, false, false));
}

#[on_both]
fn no_file_holds_a_token_in_clear() {
    let folder = folder();
    let tokens = process(&folder);
    let secret = "eyJhbGciOiJSUzI1NiJ9.the-access-token";
    let text = format!("{{\"access_token\": \"{secret}\"}}");
    let taken = tokens.import(import(&text, &["name"], false)).wait();
    assert_eq!(taken, Ok(true));
    assert_eq!(put(begin(&tokens).expect("free"), &text), Ok(true));
    let held = for_tests::bytes(&folder);
    let mut windows = held.windows(secret.len());
    assert!(!windows.any(|window| window == secret.as_bytes()));
    assert!(!format!("{:?}", kept(&tokens)).contains(secret));
    check("opened", &tokens, (&text, 2, false, false));
}

#[on_sqlite("a store in memory")]
fn tokens_are_not_renewed_without_a_store_that_outlives_the_process() {
    let store = for_tests::store();
    let tokens = TokenPairs::new(&store, COMPANY);
    let taken = tokens.import(import("first", &["first"], false)).wait();
    assert_eq!(taken, Ok(true));
    let begun = block_on(tokens.begin(&kept(&tokens)));
    let error = begun.map(|_| ()).expect_err("in memory").to_string();
    assert!(error.contains("--state FOLDER"), "{error}");
    check("as it was", &tokens, ("first", 1, false, false));
}

/// Files of pairs that the store could not take.
fn spill_files(folder: &TestPlace) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.path()).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "pair"))
        .collect()
}

fn only_file(folder: &TestPlace) -> PathBuf {
    let mut files = spill_files(folder);
    assert_eq!(files.len(), 1);
    files.remove(0)
}

fn spill(tokens: &TokenPairs, generation: i64, text: &str) -> Result<(), StoreError> {
    block_on(tokens.spill(generation, text.into()))
}

/// What a file keeps for the pair that is kept now.
fn spilled_text(tokens: &TokenPairs) -> Option<String> {
    let generation = kept(tokens).generation;
    let text = block_on(tokens.read_spill(generation));
    text.map(|text| text.expose_secret().to_owned())
}

#[on_both]
fn a_pair_that_the_store_could_not_take_is_there_when_it_is_opened_again() {
    for (name, generation, expected) in [
        (
            "what follows the pair that is kept",
            1,
            ("second", 2, false, false),
        ),
        ("what is older", 0, ("first", 1, true, false)),
        ("what is of another store", 7, ("first", 1, true, false)),
    ] {
        let folder = folder();
        let tokens = installed(&folder);
        drop_now(begin(&tokens).expect("free"));
        assert_eq!(spill(&tokens, generation, "second"), Ok(()), "{name}");
        let file = only_file(&folder);
        let mode = fs::metadata(&file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        let text = fs::read_to_string(&file).expect("text");
        assert!(!text.contains("second"), "{name}: {text}");
        drop(tokens);
        check(name, &process(&folder), expected);
        assert!(spill_files(&folder).is_empty(), "{name}");
    }
}

#[on_both]
fn a_file_holds_one_pair_of_one_company() {
    let folder = folder();
    let tokens = installed(&folder);
    assert_eq!(spilled_text(&tokens), None);
    for text in ["second", "second again"] {
        assert_eq!(spill(&tokens, 1, text), Ok(()));
        assert_eq!(spilled_text(&tokens).as_deref(), Some(text));
    }
    assert_eq!(spill_files(&folder).len(), 1);
    let elsewhere = TokenPairs::new(&open(&folder), "Company1");
    // It was opened: the pair is in the store by now.
    check("opened", &tokens, ("second again", 2, false, false));
    assert_eq!(spill(&elsewhere, 1, "other"), Ok(()));
    let others = only_file(&folder);
    assert_eq!(spill(&tokens, 2, "third"), Ok(()));
    let mut both = spill_files(&folder).into_iter();
    let own = &both.find(|file| *file != others).expect("a second");
    // Put in the place of the other's, it is none.
    fs::copy(&others, own).expect("copied");
    assert_eq!(spilled_text(&tokens), None);
    assert_eq!(spill(&tokens, 2, "third"), Ok(()));
    let whole = fs::read(own).expect("a file");
    for (name, bytes) in [
        ("half of it", &whole[..whole.len() / 2]),
        ("nothing", &[][..]),
        (
            "anything",
            b"{\"id\":\"Company0\",\"generation\":2,\"sealed\":\"AAAA\"}",
        ),
    ] {
        fs::write(own, bytes).expect("written");
        assert_eq!(spilled_text(&tokens), None, "{name}");
    }
    fs::write(own, &whole).expect("written");
    assert_eq!(spilled_text(&tokens).as_deref(), Some("third"));
    // What the store takes in the end is in no file any more.
    let renewal = begin(&tokens).expect("free");
    assert_eq!(put(renewal, "third"), Ok(true));
    assert_eq!(spill_files(&folder), [others]);
}

#[on_sqlite("it is about files")]
fn there_are_so_many_files_and_no_more() {
    let folder = folder();
    let tokens = process(&folder);
    assert_eq!(spill(&tokens, 1, "new"), Ok(()));
    let file = only_file(&folder);
    let name = file.file_name().and_then(|name| name.to_str());
    let name = name.expect("a name").to_owned();
    // Those of another upstream's store do not count.
    fs::write(folder.path().join("another.db.0.pair"), "").expect("written");
    let (store, digest) = name.split_once(".db.").expect("store and digest");
    for number in 1..spill::MOST {
        let other = format!("{store}.db.{number}{digest}");
        fs::write(folder.path().join(other), "").expect("written");
    }
    let elsewhere = TokenPairs::new(&tokens.store, "Company1");
    let further = spill(&elsewhere, 1, "new").expect_err("too many");
    assert!(further.to_string().contains("1000 pairs"), "{further}");
    assert_eq!(
        spill(&tokens, 1, "newer"),
        Ok(()),
        "in the place of its own"
    );
}
