//! The Valkey or Redis where instances share their windows: one connection, short questions, and none while it is away.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Script, ScriptInvocation};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};

use super::instances::InstanceCount;
use crate::background::home;

/// No call waits longer for an answer. A tenth of this is usual where a machine is busy for a moment, and a change to equal
/// parts costs more than the wait: of 39,083 calls eight were refused by HighLevel, each near one of 228 such changes.
const PATIENCE: Duration = Duration::from_millis(250);

/// What an answer takes that is as it should be.
const QUICK: Duration = Duration::from_millis(20);

/// So long without one quick answer is no moment any more.
const LONGEST_SLOW: Duration = Duration::from_secs(1);

/// How long a connection may take to come about; no call waits for it.
const CONNECT: Duration = Duration::from_secs(1);

/// From a failure to the next try.
const RETRY: Duration = Duration::from_secs(5);

/// Most messages under way that no call waits for. A place that is not given back is free by itself a little later.
const MOST_NOTES: usize = 1_024;

/// What the script answers.
pub(super) type ScriptAnswer = Vec<i64>;

pub(super) struct Valkey {
    client: Client,
    script: Script,
    /// Before the name of every key.
    prefix: String,
    link: watch::Sender<Link>,
    /// Whether calls ask it. Where they do not, each instance keeps to its part of a window.
    is_asked: AtomicBool,
    outages: AtomicU64,
    /// Since when no answer was quick.
    slow_since: Mutex<Option<Instant>>,
    /// Told when `is_asked` changes.
    instances: Arc<InstanceCount>,
    /// Where what outlives a call runs.
    home: OnceLock<Handle>,
    notes: Arc<Semaphore>,
    /// Makes names of places: this process's part, and how many it has given.
    process: u64,
    places: AtomicU64,
}

enum Link {
    /// Nobody has called yet.
    Idle,
    Connecting,
    Up(MultiplexedConnection),
    Away,
}

/// How the server of shared windows stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValkeyStatus {
    /// Host and port.
    pub address: String,
    /// `None`: it was not asked yet.
    pub is_up: Option<bool>,
    /// How often it went away.
    pub outages: u64,
}

impl Valkey {
    /// Nothing is connected before somebody calls. Fails with a sentence without the address, which may hold a password.
    pub(super) fn new(
        url: &SecretString,
        prefix: String,
        instances: Arc<InstanceCount>,
    ) -> Result<Self, String> {
        let client =
            Client::open(url.expose_secret()).map_err(|error| format!("windows.url: {error}"))?;
        Ok(Self {
            client,
            script: Script::new(include_str!("window.lua")),
            prefix,
            link: watch::Sender::new(Link::Idle),
            is_asked: AtomicBool::new(true),
            outages: AtomicU64::new(0),
            slow_since: Mutex::new(None),
            instances,
            home: OnceLock::new(),
            notes: Arc::new(Semaphore::new(MOST_NOTES)),
            process: fastrand::u64(..),
            places: AtomicU64::new(0),
        })
    }

    /// Whether calls ask it.
    pub(super) fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::Relaxed)
    }

    /// Connects unless it has begun to. Takes no time.
    pub(super) fn meet(self: &Arc<Self>) {
        let begins = self.link.send_if_modified(|link| {
            let is_idle = matches!(link, Link::Idle);
            if is_idle {
                *link = Link::Connecting;
            }
            is_idle
        });
        if begins {
            let home = self.home.get_or_init(home);
            home.spawn(connect(Arc::downgrade(self), Duration::ZERO));
        }
    }

    /// A name that no other place has, of any instance.
    pub(super) fn place_name(&self) -> String {
        let number = self.places.fetch_add(1, Ordering::Relaxed);
        format!("{:x}.{number:x}", self.process)
    }

    /// The script about the window of this name.
    pub(super) fn invocation(&self, window: &str) -> ScriptInvocation<'_> {
        let mut invocation = self.script.prepare_invoke();
        // In braces: both keys of a window are in one place of a cluster.
        let key = |what: &str| format!("{}:{{{window}}}:{what}", self.prefix);
        invocation.key(key("places")).key(key("state"));
        invocation
    }

    /// What it answers; `None` where it is away, or does not answer in time.
    pub(super) async fn ask(
        self: &Arc<Self>,
        invocation: &ScriptInvocation<'_>,
    ) -> Option<ScriptAnswer> {
        let answer = async {
            let mut connection = self.connection().await?;
            let start = Instant::now();
            let answer = invocation.invoke_async(&mut connection).await;
            Some((answer, start.elapsed()))
        };
        match timeout(PATIENCE, answer).await {
            Ok(None) => None,
            Ok(Some((Ok(answer), took))) => {
                if self.is_slow_for_long(took) {
                    self.lose("it took more than 20 ms to answer for a second");
                }
                Some(answer)
            }
            Ok(Some((Err(error), _))) => {
                self.lose(&error.to_string());
                None
            }
            Err(_) => {
                self.lose("it did not answer within 250 ms");
                None
            }
        }
    }

    /// Whether this answer, which took so long, is the last of too many slow ones.
    fn is_slow_for_long(&self, took: Duration) -> bool {
        let now = Instant::now();
        let mut since = self
            .slow_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if took <= QUICK {
            *since = None;
            return false;
        }
        now - *since.get_or_insert(now) > LONGEST_SLOW
    }

    /// Lets it know, without waiting. Where too much waits already it does not.
    pub(super) fn tell(
        self: &Arc<Self>,
        window: String,
        fill: impl FnOnce(&mut ScriptInvocation<'_>) + Send + 'static,
    ) {
        let (Some(home), true) = (self.home.get(), self.is_asked()) else {
            return;
        };
        let Ok(place) = Arc::clone(&self.notes).try_acquire_owned() else {
            return;
        };
        let valkey = Arc::clone(self);
        home.spawn(async move {
            let mut invocation = valkey.invocation(&window);
            fill(&mut invocation);
            valkey.ask(&invocation).await;
            drop(place);
        });
    }

    /// How long it takes to answer, on a connection of its own, or why it does not.
    pub(super) async fn probe(&self) -> Result<Duration, String> {
        self.try_connect().await.map(|(_, took)| took)
    }

    pub(super) fn status(&self) -> ValkeyStatus {
        ValkeyStatus {
            address: self.address(),
            is_up: match *self.link.borrow() {
                Link::Idle | Link::Connecting => None,
                Link::Up(_) => Some(true),
                Link::Away => Some(false),
            },
            outages: self.outages.load(Ordering::Relaxed),
        }
    }

    fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    /// `None` while it is away. The first calls wait for the first connection.
    async fn connection(self: &Arc<Self>) -> Option<MultiplexedConnection> {
        if let Link::Up(connection) = &*self.link.borrow() {
            return Some(connection.clone());
        }
        self.meet();
        let mut links = self.link.subscribe();
        let link = links.wait_for(|link| matches!(link, Link::Up(_) | Link::Away));
        match &*link.await.ok()? {
            Link::Up(connection) => Some(connection.clone()),
            _ => None,
        }
    }

    /// A connection over which it answers in time, and how long that took.
    async fn try_connect(&self) -> Result<(MultiplexedConnection, Duration), String> {
        let client = self.client.clone();
        // Where it speaks TLS this reads the system's certificates from files: no runtime's thread waits for them.
        let connected = tokio::task::spawn_blocking(move || {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(CONNECT))
                .set_response_timeout(Some(CONNECT));
            let connection = client.get_multiplexed_async_connection_with_config(&config);
            Handle::current().block_on(connection)
        });
        let connected = connected.await.map_err(|error| error.to_string())?;
        let mut connection = connected.map_err(|error| error.to_string())?;
        let mut took = Duration::MAX;
        // The first question brings the script along. Its best answer counts: this machine may be the busy one.
        for _ in 0..4 {
            let start = Instant::now();
            let mut invocation = self.invocation("probe");
            let (interval, most) = (1_000, u32::MAX);
            invocation.arg("take").arg(interval).arg("probe");
            invocation.arg(interval).arg(most).arg(most);
            let answer = invocation
                .invoke_async::<ScriptAnswer>(&mut connection)
                .await;
            answer.map_err(|error| error.to_string())?;
            took = took.min(start.elapsed());
        }
        if took > QUICK {
            return Err(format!(
                "it answers after {} ms, and 20 are the most",
                took.as_millis()
            ));
        }
        Ok((connection, took))
    }

    /// It is there, or there again.
    fn welcome(&self, connection: MultiplexedConnection) {
        let address = self.address();
        let mut was_away = false;
        self.link.send_modify(|link| {
            was_away = matches!(link, Link::Away);
            *link = Link::Up(connection);
            *self
                .slow_since
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = None;
            self.is_asked.store(true, Ordering::Relaxed);
        });
        self.instances.wake();
        match was_away {
            true => tracing::info!(address, "Valkey is back: instances share their windows"),
            false => tracing::info!(address, "instances share their windows through Valkey"),
        }
    }

    /// It did not answer. The first who finds out says so, and has it tried again.
    pub(super) fn lose(self: &Arc<Self>, why: &str) {
        if self.leave(|link| matches!(link, Link::Up(_)), why) {
            let home = self.home.get_or_init(home);
            home.spawn(connect(Arc::downgrade(self), RETRY));
        }
    }

    /// Calls do not ask it any more. It is away from now on where its link was such; whether it was.
    fn leave(&self, was: impl Fn(&Link) -> bool, why: &str) -> bool {
        let is_new = self.link.send_if_modified(|link| {
            self.is_asked.store(false, Ordering::Relaxed);
            let is_new = was(link);
            if is_new {
                *link = Link::Away;
            }
            is_new
        });
        self.instances.wake();
        if is_new {
            self.outages.fetch_add(1, Ordering::Relaxed);
            let (address, instances) = (self.address(), self.instances.get());
            tracing::warn!(
                address,
                why,
                instances,
                "Valkey is away: this instance keeps to its part of each window, and tries again every 5 s"
            );
        }
        is_new
    }
}

/// Connects after a pause, again and again, for as long as somebody has use for it.
async fn connect(valkey: Weak<Valkey>, mut pause: Duration) {
    loop {
        sleep(pause).await;
        pause = RETRY;
        let Some(valkey) = valkey.upgrade() else {
            return;
        };
        match valkey.try_connect().await {
            Ok((connection, _)) => return valkey.welcome(connection),
            Err(why) => drop(valkey.leave(|link| matches!(link, Link::Connecting), &why)),
        }
    }
}
