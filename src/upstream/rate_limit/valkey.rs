//! The Valkey or Redis where instances share their windows: one connection, short requests, and none while it is away.

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

/// Longest wait of a call for an answer. A tenth of this is usual on a machine that is busy for a moment, and a change
/// to equal parts costs more than the wait: of 39,083 calls HighLevel refused eight, each near one of 228 such changes.
const PATIENCE: Duration = Duration::from_millis(250);

/// The duration of a normal answer.
const QUICK: Duration = Duration::from_millis(20);

/// After this time without a normal answer, it counts as away.
const LONGEST_SLOW: Duration = Duration::from_secs(1);

/// Longest time to connect; no call waits for it.
const CONNECT: Duration = Duration::from_secs(1);

/// The pause between attempts after a failure.
const RETRY: Duration = Duration::from_secs(5);

/// Most pending messages that no call waits for. A place that is not given back is released a little later anyway.
const MOST_NOTES: usize = 1_024;

/// The script's answer.
pub(super) type ScriptAnswer = Vec<i64>;

pub(super) struct Valkey {
    client: Client,
    script: Script,
    /// Prefix of every key.
    prefix: String,
    link: watch::Sender<Link>,
    /// Whether calls ask it. Otherwise each instance keeps to its own part of a window.
    is_asked: AtomicBool,
    outages: AtomicU64,
    /// The time since when no answer was quick.
    slow_since: Mutex<Option<Instant>>,
    /// Notified when `is_asked` changes.
    instances: Arc<InstanceCount>,
    /// The runtime for work that outlives a call.
    home: OnceLock<Handle>,
    notes: Arc<Semaphore>,
    /// Makes names of places from this process's number and a counter.
    process: u64,
    places: AtomicU64,
}

enum Link {
    /// No call has been made yet.
    Idle,
    Connecting,
    Up(MultiplexedConnection),
    Away,
}

/// The state of the server of shared windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValkeyStatus {
    /// Host and port.
    pub address: String,
    /// `None`: it was not asked yet.
    pub is_up: Option<bool>,
    /// The number of outages.
    pub outages: u64,
}

impl Valkey {
    /// Connects only at the first call. Fails with a sentence without the address, which may contain a password.
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

    /// Connects unless it has begun to. Returns at once.
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

    /// A name that no other place of any instance has.
    pub(super) fn place_name(&self) -> String {
        let number = self.places.fetch_add(1, Ordering::Relaxed);
        format!("{:x}.{number:x}", self.process)
    }

    /// The script's invocation for the window of this name.
    pub(super) fn invocation(&self, window: &str) -> ScriptInvocation<'_> {
        let mut invocation = self.script.prepare_invoke();
        // In braces, so that both keys of a window are in one slot of a cluster.
        let key = |what: &str| format!("{}:{{{window}}}:{what}", self.prefix);
        invocation.key(key("places")).key(key("state"));
        invocation
    }

    /// Its answer; `None` if it is away, or does not answer in time.
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

    /// Whether this answer, which took `took`, is the last of too many slow ones.
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

    /// Sends a message without waiting. Drops it if too many are pending.
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

    /// The time that it takes to answer on a separate connection, or the reason that it does not.
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

    /// A connection on which it answers in time, and the time that it took.
    async fn try_connect(&self) -> Result<(MultiplexedConnection, Duration), String> {
        let client = self.client.clone();
        // With TLS this reads the system's certificates from files, which must not block a runtime thread.
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
        // The first request also loads the script. The best time counts, because this machine may be the busy one.
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
                "it answers after {} ms, but the limit is 20",
                took.as_millis()
            ));
        }
        Ok((connection, took))
    }

    /// It is available, or available again.
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

    /// It did not answer. The first to notice logs it and starts reconnecting.
    pub(super) fn lose(self: &Arc<Self>, why: &str) {
        if self.leave(|link| matches!(link, Link::Up(_)), why) {
            let home = self.home.get_or_init(home);
            home.spawn(connect(Arc::downgrade(self), RETRY));
        }
    }

    /// Stops asking it, if `was` is true of its link. Returns whether it was.
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
                "Valkey is away: this instance uses only its part of each window, and tries again every 5 s"
            );
        }
        is_new
    }
}

/// Connects after a pause, repeatedly, for as long as somebody uses it.
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
