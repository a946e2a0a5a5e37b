//! The instances, and a balancer's knowledge of them: which are ready.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use tokio::sync::Mutex;
use tokio::time::{sleep, sleep_until, timeout};

use crate::client::get;
use crate::network::free_address;
use crate::options::Options;
use crate::settings::Settings;
use crate::trouble::Trouble;

/// The interval of a balancer's readiness checks.
const LOOK: Duration = Duration::from_millis(300);

/// The time until a killed instance is started again.
const AWAY: Duration = Duration::from_secs(2);

/// The path in Debian's package faketime.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// Longest time from SIGTERM to the end of an instance.
const LONGEST_STOP: Duration = Duration::from_secs(45);

/// Longest time from the start of an instance until it is ready.
const LONGEST_START: Duration = Duration::from_secs(60);

pub(crate) struct Fleet {
    instances: Vec<Instance>,
    settings: Arc<Settings>,
    program: PathBuf,
    /// Whether the clock of the first instance is ahead.
    has_wrong_clock: bool,
    /// Instances that ended by themselves.
    ends: AtomicUsize,
}

struct Instance {
    address: SocketAddr,
    is_ready: AtomicBool,
    child: Mutex<Option<Child>>,
}

impl Fleet {
    /// Returns when all are ready.
    pub(crate) async fn start(options: &Options, settings: &Arc<Settings>) -> Arc<Self> {
        let instances = (0..options.instances).map(|_| Instance {
            address: free_address(),
            is_ready: AtomicBool::new(false),
            child: Mutex::new(None),
        });
        let fleet = Arc::new(Self {
            instances: instances.collect(),
            settings: Arc::clone(settings),
            program: options.program.clone(),
            ends: AtomicUsize::new(0),
            has_wrong_clock: options.trouble == Trouble::Clock,
        });
        for number in 0..options.instances {
            fleet.launch(number, &fleet.program).await;
            tokio::spawn(Arc::clone(&fleet).watch(number));
        }
        fleet.wait_until_ready().await;
        fleet
    }

    pub(crate) fn len(&self) -> usize {
        self.instances.len()
    }

    /// The number of instances that ended by themselves.
    pub(crate) fn ends(&self) -> usize {
        self.ends.load(Ordering::Relaxed)
    }

    pub(crate) fn address(&self, number: usize) -> SocketAddr {
        self.instances[number].address
    }

    /// A random ready instance, preferably not `not`. Any instance if none is ready.
    pub(crate) fn choose(&self, not: Option<usize>) -> usize {
        let ready = |number: &usize| self.instances[*number].is_ready.load(Ordering::Relaxed);
        let ready: Vec<usize> = (0..self.len()).filter(ready).collect();
        let others: Vec<usize> = ready
            .iter()
            .copied()
            .filter(|one| Some(*one) != not)
            .collect();
        let chosen = fastrand::choice(others).or_else(|| fastrand::choice(ready));
        chosen.unwrap_or_else(|| fastrand::usize(..self.len()))
    }

    pub(crate) async fn wait_until_ready(&self) {
        let until = Instant::now() + LONGEST_START;
        while !self
            .instances
            .iter()
            .all(|one| one.is_ready.load(Ordering::Relaxed))
        {
            assert!(
                Instant::now() < until,
                "an instance does not become ready; see its log"
            );
            sleep(LOOK).await;
        }
    }

    /// Kills a random instance at intervals, as the system does when it runs out of memory. Returns the number of
    /// kills.
    pub(crate) async fn kill_some(self: Arc<Self>, every: u64, until: Instant) -> usize {
        let mut kills = 0;
        if every == 0 {
            return kills;
        }
        let mut next = Instant::now() + Duration::from_secs(every);
        while next < until {
            sleep_until(next.into()).await;
            next += Duration::from_secs(every);
            let number = fastrand::usize(..self.len());
            self.kill(number).await;
            kills += 1;
            sleep(AWAY).await;
            self.launch(number, &self.program).await;
        }
        kills
    }

    async fn kill(&self, number: usize) {
        let instance = &self.instances[number];
        if let Some(mut child) = instance.child.lock().await.take() {
            child.kill().await.expect("killed");
        }
        instance.is_ready.store(false, Ordering::Relaxed);
    }

    /// Tells an instance to stop, and waits for its end.
    pub(crate) async fn terminate(&self, number: usize) {
        let instance = &self.instances[number];
        let mut child = instance.child.lock().await.take().expect("running");
        let pid = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        kill_process(pid.expect("a process"), Signal::TERM).expect("told");
        let ended = timeout(LONGEST_STOP, child.wait()).await;
        let status = ended.expect("it ends").expect("its status");
        assert!(status.success(), "an instance ended with {status}");
        instance.is_ready.store(false, Ordering::Relaxed);
    }

    pub(crate) async fn launch(&self, number: usize, program: &Path) {
        let instance = &self.instances[number];
        let log = self.settings.folder.join(format!("instance-{number}.log"));
        let log = OpenOptions::new().create(true).append(true).open(log);
        let mut command = self.settings.command(program);
        let address = instance.address.to_string();
        command.args(["serve", "--listen", &address]);
        command.stderr(log.expect("a log"));
        if self.has_wrong_clock && number == 0 {
            command.env("LD_PRELOAD", FAKETIME).env("FAKETIME", "+10s");
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        *instance.child.lock().await = Some(command.spawn().expect("an instance"));
    }

    /// Restarts an instance that ended by itself, as its operator would.
    async fn revive(&self, number: usize) {
        let mut child = self.instances[number].child.lock().await;
        let has_ended = match child.as_mut() {
            Some(child) => child.try_wait().expect("a process").is_some(),
            None => false,
        };
        if has_ended {
            *child = None;
            drop(child);
            self.ends.fetch_add(1, Ordering::Relaxed);
            sleep(AWAY).await;
            self.launch(number, &self.program).await;
        }
    }

    /// Checks an instance as a balancer does.
    async fn watch(self: Arc<Self>, number: usize) {
        let instance = &self.instances[number];
        loop {
            let is_ready = get(instance.address, "/readyz").await == Some(200);
            instance.is_ready.store(is_ready, Ordering::Relaxed);
            if !is_ready {
                self.revive(number).await;
            }
            sleep(LOOK).await;
        }
    }
}
