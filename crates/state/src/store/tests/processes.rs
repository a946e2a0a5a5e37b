//! Several processes on a file: real ones, some of which are killed.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::process::{ChildStdout, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;
use crate::audit::{AuditQuery, RecordState};
use crate::calls::{ALIVE, CapPlace, KnownCall};

const WORKER: &str = "store::tests::processes::a_process";

/// Precedes each completed action, for the parent process.
const SAID: &str = "did ";

fn start(folder: &TestPlace, role: &str) -> for_tests::Running {
    let mut child = for_tests::child(WORKER, role, folder);
    child.stdout(Stdio::piped()).stdin(Stdio::piped());
    for_tests::Running(child.spawn().expect("started"))
}

fn lines(child: &mut for_tests::Running) -> BufReader<ChildStdout> {
    BufReader::new(child.0.stdout.take().expect("an output"))
}

/// The acknowledged actions; other lines come from the test harness.
fn acknowledged(output: impl BufRead) -> Vec<String> {
    let lines = output.lines().map_while(Result::ok);
    // The first may follow text of the test harness.
    let said = lines.filter_map(|line| line.split_once(SAID).map(|(_, said)| said.to_owned()));
    said.collect()
}

/// Places in a cap of `most`, for as long as the test may take.
fn cap(most: i64) -> CapPlace {
    let now = crate::now().as_second();
    CapPlace {
        bucket: b"bucket".to_vec(),
        now,
        moment: now,
        window: DAY,
        most,
    }
}

const CAP: i64 = 50;
const ROUNDS: u8 = 40;

/// A process of these tests; it does nothing when run alone.
#[test]
#[ignore = "run by other tests, as a process of its own"]
fn a_process() {
    let Some((role, place)) = for_tests::role() else {
        return;
    };
    let store = for_tests::open(&place);
    println!("\n{SAID}open");
    match role.split_once(' ') {
        Some(("race", name)) => race(&store, name),
        _ => change_for_ever(&store),
    }
}

/// Keys, places and claims, as fast as possible.
fn race(store: &Store, name: &str) {
    // All start at once, when the last is ready.
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("read");
    for round in 0..ROUNDS {
        create(store, &format!("{name} {round}")).expect("made");
        let place = CallStart {
            caps: vec![cap(CAP)],
            ..CallStart::default()
        };
        match for_tests::on_one_thread(store.begin(place)).expect("begun") {
            CallBegin::Open(open) => {
                println!("{SAID}place");
                open.end(answered("ok")).wait().expect("ended");
            }
            CallBegin::NoPlace(0, Some(_)) => {}
            _ => panic!("free or full"),
        }
        let start = CallStart {
            once: vec![once(OnceKind::Key, round)],
            ..CallStart::default()
        };
        match for_tests::on_one_thread(store.begin(start)).expect("begun") {
            CallBegin::Open(open) => {
                println!("{SAID}claim {round}");
                open.end(answered("ok")).wait().expect("ended");
            }
            CallBegin::Known(_, KnownCall::UnderWay | KnownCall::Done(_)) => {}
            _ => panic!("free or known"),
        }
    }
}

#[on_both]
fn three_processes_share_every_count() {
    race_of_three(&for_tests::folder());
}

pub(super) fn race_of_three(folder: &TestPlace) {
    let mut children: Vec<_> = ["a", "b", "c"]
        .map(|name| start(folder, &format!("race {name}")))
        .into();
    let mut outputs: Vec<_> = children.iter_mut().map(lines).collect();
    // Each has opened it.
    for output in &mut outputs {
        let mut line = String::new();
        while !line.contains("did open") {
            line.clear();
            assert!(output.read_line(&mut line).expect("read") > 0, "it ended");
        }
    }
    for child in &mut children {
        drop(child.0.stdin.take());
    }
    let said: Vec<String> = outputs.into_iter().flat_map(acknowledged).collect();
    for child in &mut children {
        assert!(child.0.wait().expect("ended").success());
    }
    let count = |what: &str| said.iter().filter(|said| said.starts_with(what)).count();
    assert_eq!(count("place"), usize::try_from(CAP).expect("small"));
    let mut claims: Vec<&String> = said
        .iter()
        .filter(|said| said.starts_with("claim"))
        .collect();
    claims.sort();
    claims.dedup();
    assert_eq!(
        (claims.len(), count("claim")),
        (ROUNDS.into(), ROUNDS.into())
    );
    let keys = Keys::new(&for_tests::open(folder)).list().wait();
    assert_eq!(keys.expect("read").len(), 3 * usize::from(ROUNDS));
    let places = for_tests::number(folder, "SELECT CAST(SUM(n) AS BIGINT) AS n FROM cap");
    assert_eq!(places, CAP);
    let revision = for_tests::number(folder, "SELECT n FROM revision");
    assert_eq!(revision, 1 + 3 * i64::from(ROUNDS));
}

/// Keys, calls that end, and lines, each reported once acknowledged; one call never ends.
fn change_for_ever(store: &Store) {
    let audit = crate::audit::Audit::new(store, 30, false).expect("new");
    let arguments = serde_json::Map::new();
    let entry = for_tests::entry(&arguments);
    let start = |kind, number: u8| CallStart {
        once: vec![once(kind, number)],
        caps: vec![cap(1_000_000)],
        audit: Some(audit.call(&entry).expect("a call")),
        grant: None,
    };
    let _open = begin(store, start(OnceKind::Key, 255)).expect("begun");
    println!("{SAID}begin 255");
    for number in 0..250_u8 {
        let (_, secret) = Keys::new(store)
            .create(&number.to_string(), KeyLocations::All, None, None)
            .wait()
            .expect("made");
        println!("{SAID}key {}", secret.expose_secret());
        let kind = [OnceKind::Key, OnceKind::Confirm][usize::from(number % 2)];
        let open = begin(store, start(kind, number)).expect("begun");
        println!("{SAID}begin {number}");
        let ended = open.end(answered(&format!("answer {number}"))).wait();
        ended.expect("ended");
        println!("{SAID}end {number}");
    }
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[on_both]
fn acknowledged_writes_survive_a_killed_process() {
    for after in [3, 40, 100] {
        let folder = for_tests::folder();
        let mut child = start(&folder, "change");
        let mut output = lines(&mut child);
        let mut said = Vec::new();
        let mut line = String::new();
        while said.len() < after && output.read_line(&mut line).expect("read") > 0 {
            said.extend(
                line.split_once(SAID)
                    .map(|(_, said)| said.trim().to_owned()),
            );
            line.clear();
        }
        child.0.kill().expect("killed");
        child.0.wait().expect("ended");
        // What it reported in the meantime counts as well.
        said.extend(acknowledged(output));
        assert!(said.len() >= after, "{said:?}");
        check_kept(&folder, &said);
    }
}

#[track_caller]
fn check_kept(folder: &TestPlace, said: &[String]) {
    let store = for_tests::open(folder);
    let keys = Keys::new(&store);
    let known = |number: &str| {
        let number = number.parse().expect("a number");
        let known = store.known_call(&once(OnceKind::Key, number)).wait();
        known.expect("read").expect("it is known")
    };
    let (mut begun, mut ended) = (0, 0);
    for said in said {
        match said.split_once(' ') {
            Some(("key", shown)) => {
                assert!(keys.find(shown).expect("taken").is_some(), "{shown}");
            }
            Some(("begin", number)) => {
                begun += 1;
                known(number);
            }
            Some(("end", number)) => {
                ended += 1;
                let answer = format!("answer {number}").into_bytes();
                assert_eq!(known(number), KnownCall::Done(answer));
            }
            _ => assert_eq!(said, "open"),
        }
    }
    assert!(begun >= 1);
    let records = crate::audit::records(&store, &AuditQuery::default()).expect("read");
    assert_eq!(records.unreadable, Vec::<i64>::new());
    let done = |record: &&crate::audit::AuditRecord| record.state == RecordState::Done;
    assert!(records.records.len() >= begun);
    assert!(records.records.iter().filter(done).count() >= ended);
    let places = for_tests::number(folder, "SELECT CAST(SUM(n) AS BIGINT) AS n FROM cap");
    assert_eq!(usize::try_from(places), Ok(records.records.len()));
    // Nobody keeps it alive any more: whether it happened is unknown.
    assert_eq!(known("255"), KnownCall::UnderWay);
    let alive = ALIVE.as_millis();
    for_tests::sql(
        folder,
        &format!("UPDATE once SET alive_until = alive_until - {alive}"),
    );
    assert_eq!(known("255"), KnownCall::Unknown);
    let start = CallStart {
        once: vec![once(OnceKind::Key, 255)],
        ..CallStart::default()
    };
    let again = for_tests::on_one_thread(store.begin(start)).expect("asked");
    assert!(matches!(again, CallBegin::Known(_, KnownCall::Unknown)));
}

/// A live process keeps its calls alive, however long they take, and however much else it has to write.
#[on_both]
fn a_call_is_under_way_while_its_process_lives() {
    let folder = for_tests::folder();
    let (store, other) = (for_tests::open(&folder), for_tests::open(&folder));
    let open = begin_once(&store, 1).expect("begun");
    let soon = "UPDATE once SET alive_until = alive_until - 14000";
    for_tests::sql(&folder, soon);
    let left = || {
        let until = for_tests::number(&folder, "SELECT alive_until AS n FROM once");
        until - crate::now().as_millisecond()
    };
    assert!(left() < 2_000);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Some are always waiting.
            let mut waiting = VecDeque::new();
            while !is_over.load(Ordering::Relaxed) {
                waiting.push_back(store.change(Durability::System, |_| Ok(())));
                if waiting.len() > 4_000 {
                    let first = waiting.pop_front().expect("one");
                    first.wait().expect("written");
                }
            }
        });
        for_tests::comes("it says so", || {
            std::thread::sleep(Duration::from_millis(50));
            left() > 10_000
        });
        is_over.store(true, Ordering::Relaxed);
    });
    let known = other.known_call(&once(OnceKind::Key, 1)).wait();
    assert_eq!(known, Ok(Some(KnownCall::UnderWay)));
    drop(open);
    let known = || {
        other
            .known_call(&once(OnceKind::Key, 1))
            .wait()
            .expect("read")
    };
    for_tests::comes("its end", || known() == Some(KnownCall::Unknown));
}

/// The last process to close a file tidies it up, but not while another still uses it.
#[on_both]
fn a_process_that_ends_takes_nothing_from_the_others() {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    for round in 0..5 {
        drop(for_tests::open(&folder));
        let mut child = start(&folder, &format!("race {round}"));
        drop(child.0.stdin.take());
        create(&store, &format!("mine {round}")).expect("made");
        let said = acknowledged(lines(&mut child));
        let ended = child.0.wait().expect("ended");
        assert!(ended.success(), "{said:?}");
        let name = format!("after {round}");
        create(&store, &name).expect("made");
        let other = Keys::new(&for_tests::open(&folder))
            .list()
            .wait()
            .expect("read");
        assert!(other.iter().any(|key| key.name == name));
    }
}
