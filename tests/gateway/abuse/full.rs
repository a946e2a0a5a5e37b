//! The program on one core under each attack for twenty seconds, and under all of them for ten minutes. Runs only with
//! `GATEWAY_FULL=1` and `--release`. `ATTACK=Toolsets` runs only that attack.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::process::Command;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::{sleep, timeout};

use super::agency::bearer;
use super::attack::{ATTACKS, Attack};
use super::budgets::unfinished;
use super::highlevel::highlevel;
use super::program::Program;
use super::setup::Setup;
use crate::times;
use test_support::recording::{Recording, json as answer};

/// The setting in MiB, and the allowed memory beyond it and beyond the idle program.
const BUDGET: usize = 256;
const BEYOND: usize = 64;

/// The figures of an accepted caller and of a watcher of /livez.
#[derive(Debug)]
struct Measurement {
    call: Duration,
    livez: Duration,
    refused: usize,
    calls: usize,
    /// The largest memory of the program, in MiB.
    memory: usize,
}

fn p99(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all.get(all.len() * 99 / 100).copied().unwrap_or_default()
}

async fn measure(program: &Program, seconds: u64) -> Measurement {
    let start = Instant::now();
    let is_over = || start.elapsed() >= Duration::from_secs(seconds);
    let caller = [("authorization", "Bearer pit-of-V"), ("locationid", "V")];
    let calling = async {
        let (mut calls, mut refused) = (Vec::new(), 0);
        while !is_over() {
            let began = Instant::now();
            let call = program.call(&caller, "/mcp", "contacts_get-contacts", json!({}));
            let reply = timeout(Duration::from_secs(10), call).await;
            calls.push(began.elapsed());
            refused += usize::from(!reply.is_ok_and(|reply| reply.ok));
            sleep(Duration::from_millis(5)).await;
        }
        (calls, refused)
    };
    let watching = async {
        let mut livez = Vec::new();
        while !is_over() {
            livez.push(program.livez().await);
            sleep(Duration::from_millis(20)).await;
        }
        livez
    };
    let ((calls, refused), livez) = futures_util::join!(calling, watching);
    Measurement {
        calls: calls.len(),
        call: p99(calls),
        livez: p99(livez),
        refused,
        memory: program.peak_memory() / 1024,
    }
}

/// A server that answers every request at once with an empty answer.
async fn dummy() -> String {
    Recording::unrecorded(|_| ready(answer(200, "{}")))
        .await
        .url
}

/// A runtime for an attack. The watcher of the server has its own runtime, so that it does not wait for the building of
/// a megabyte, and it has priority if both want the core.
fn generator() -> Runtime {
    let step_back = || {
        let thread = std::fs::read_link("/proc/thread-self").expect("a thread");
        let thread = thread.file_name().expect("an id").to_owned();
        let mut renice = std::process::Command::new("renice");
        let nice = renice.args(["-n", "10", "-p"]).arg(thread).output();
        assert!(nice.expect("renice").status.success());
    };
    let mut builder = Builder::new_multi_thread();
    let builder = builder.worker_threads(1).on_thread_start(step_back);
    builder.enable_all().build().expect("a runtime")
}

/// The program on the first core, and everything else on the others.
async fn pinned(highlevel: &Recording) -> (Setup, Program) {
    let own = std::process::id().to_string();
    let apart = Command::new("taskset")
        .args(["-a", "-p", "-c", "1", &own])
        .output()
        .await;
    assert!(apart.expect("taskset").status.success());
    let setup = Setup::new()
        .wrapped(&["taskset", "-c", "0"])
        .rules("[server]\nconfirm = { destructive = \"human\" }\n");
    // The watched caller makes about 1,400 calls in an interval, so that it reaches no limit. Batches wait for theirs.
    let setup = setup.set("HIGHLEVEL_MCP_LIMITS_CALLS_PER_INTERVAL", "2000");
    let program = setup.serve(&highlevel.url).await;
    (setup, program)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_each_attack_others_are_served() {
    let seconds = u64::try_from(times(0, 20)).expect("seconds");
    if seconds == 0 {
        println!("left out: GATEWAY_FULL is not set");
        return;
    }
    let mut wrong = Vec::new();
    let generator = generator();
    let only = std::env::var("ATTACK").ok();
    let chosen = |attack: &Attack| {
        only.as_ref()
            .is_none_or(|only| *only == format!("{attack:?}"))
    };
    for attack in ATTACKS.into_iter().filter(chosen) {
        let highlevel = highlevel().await;
        let (setup, program) = pinned(&highlevel).await;
        measure(&program, 1).await;
        let stop = Arc::new(AtomicBool::new(false));
        let beside = attack.start(&dummy().await, &stop, generator.handle());
        let alone = measure(&program, seconds / 2).await;
        stop.store(true, Ordering::Relaxed);
        for attacker in beside {
            let _ = attacker.await;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let attackers = attack.start(&program.url, &stop, generator.handle());
        let open = match attack {
            Attack::Bodies => {
                unfinished(&program, 300, "authorization: Bearer pit-made-up\r\n").await
            }
            _ => Vec::new(),
        };
        let under = measure(&program, seconds).await;
        stop.store(true, Ordering::Relaxed);
        for attacker in attackers {
            let _ = attacker.await;
        }
        drop(open);
        let grown = under.memory.saturating_sub(alone.memory);
        println!(
            "{attack:?}: +{grown} MiB; /livez {:?}; a call {:?} beside {:?}; {} of {} refused",
            under.livez, under.call, alone.call, under.refused, under.calls
        );
        let holds = grown <= BUDGET + BEYOND
            && under.livez <= Duration::from_millis(50)
            && under.call <= alone.call * 2
            && under.refused == 0;
        if !holds {
            wrong.push(format!("{attack:?}: {under:?} beside {alone:?}"));
        }
        drop((program, setup));
    }
    generator.shutdown_background();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_soak_is_flat() {
    let seconds = u64::try_from(times(0, 600)).expect("seconds");
    if seconds == 0 {
        println!("left out: GATEWAY_FULL is not set");
        return;
    }
    let highlevel = Arc::new(highlevel().await);
    let (setup, program) = pinned(&highlevel).await;
    let forgetting = {
        let highlevel = Arc::clone(&highlevel);
        tokio::spawn(async move {
            loop {
                sleep(Duration::from_secs(1)).await;
                highlevel.take();
            }
        })
    };
    let stop = Arc::new(AtomicBool::new(false));
    let attackers: Vec<_> = [
        Attack::MadeUpTokens,
        Attack::WaitingBatches,
        Attack::Toolsets,
    ]
    .into_iter()
    .flat_map(|attack| attack.start(&program.url, &stop, &Handle::current()))
    .collect();
    let start = Instant::now();
    let (mut early, mut late, mut minute) = (0, 0, 0);
    while start.elapsed() < Duration::from_secs(seconds) {
        // Tokens that change daily, as OAuth tokens do.
        let token = bearer(&format!(
            "pit-of-V{}-{}",
            minute % 40,
            start.elapsed().as_secs()
        ));
        let place = format!("V{}", minute % 40);
        let caller = [
            ("authorization", token.as_str()),
            ("locationid", place.as_str()),
        ];
        program
            .call(&caller, "/mcp", "contacts_get-contacts", json!({}))
            .await;
        let memory = program.memory();
        if start.elapsed() < Duration::from_secs(seconds * 3 / 10) {
            early = early.max(memory);
        } else {
            late = late.max(memory);
        }
        if start.elapsed().as_secs() / 60 > minute {
            minute = start.elapsed().as_secs() / 60;
            println!("minute {minute}: {} MiB", memory / 1024);
        }
        sleep(Duration::from_millis(20)).await;
    }
    stop.store(true, Ordering::Relaxed);
    for attacker in attackers {
        let _ = attacker.await;
    }
    forgetting.abort();
    println!("at most {early} KiB in the first three tenths, {late} KiB after");
    drop(setup);
    assert!(late <= early + 2 * 1024, "{early} KiB, then {late} KiB");
}
