//! Faults of the stores and clocks of the instances while the agents work.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::network::Proxy;
use crate::options::{Options, StateKind, WindowsKind};
use crate::services::Service;

/// Of a thousand commits, the number whose answers are lost.
const LOST_COMMITS: u64 = 20;

/// The delay of a slow Valkey, in milliseconds.
const LATE: u64 = 200;

/// The length of PostgreSQL's freeze.
const STILL: Duration = Duration::from_secs(40);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Trouble {
    None,
    /// PostgreSQL crashes every 20 seconds and starts again after three.
    DatabaseCrash,
    /// PostgreSQL stands still for 40 seconds.
    DatabaseHang,
    /// Answers of PostgreSQL's to commits are lost, 2 of 100.
    LostCommits,
    /// Valkey crashes every 20 seconds and starts again after ten.
    WindowsCrash,
    /// Valkey forgets everything every five seconds.
    WindowsFlush,
    /// Valkey answers 200 ms late for ten seconds of every twenty.
    WindowsSlow,
    /// The clock of the first instance is ten seconds ahead.
    Clock,
}

/// The services of a run.
pub(crate) struct Stores {
    pub database_url: Option<String>,
    pub windows_url: Option<String>,
    trouble: Trouble,
    database: Option<Service>,
    windows: Option<Service>,
    database_proxy: Option<Proxy>,
    windows_proxy: Option<Proxy>,
}

impl Stores {
    pub(crate) async fn start(options: &Options) -> Self {
        let trouble = options.trouble;
        let database = match options.state {
            StateKind::Postgres => Some(Service::start("postgres").await),
            StateKind::Sqlite => None,
        };
        let windows = match options.windows {
            WindowsKind::Valkey => Some(Service::start("valkey").await),
            WindowsKind::None => None,
        };
        let proxy = |service: &Option<Service>, is_behind: bool| {
            let service = service.as_ref().filter(|_| is_behind)?;
            Some(Proxy::start(service.address()))
        };
        let database_proxy = proxy(&database, trouble == Trouble::LostCommits);
        let windows_proxy = proxy(&windows, trouble == Trouble::WindowsSlow);
        Self {
            database_url: url(&database, &database_proxy),
            windows_url: url(&windows, &windows_proxy),
            trouble,
            database,
            windows,
            database_proxy,
            windows_proxy,
        }
    }

    /// Causes faults until that time, and then removes them. Returns the number of faults.
    pub(crate) async fn trouble(self: Arc<Self>, until: Instant) -> usize {
        let mut times = 0;
        match self.trouble {
            Trouble::None | Trouble::Clock => {}
            Trouble::DatabaseCrash => {
                let database = self.database.as_ref().expect("--state postgres");
                while pause(17, until).await {
                    database.obey("stop").await;
                    sleep(Duration::from_secs(3)).await;
                    database.obey("start").await;
                    times += 1;
                }
            }
            Trouble::DatabaseHang => {
                let database = self.database.as_ref().expect("--state postgres");
                if pause(15, until).await {
                    database.obey("pause").await;
                    sleep(STILL).await;
                    database.obey("resume").await;
                    times += 1;
                }
            }
            Trouble::LostCommits => {
                let faults = &self
                    .database_proxy
                    .as_ref()
                    .expect("--state postgres")
                    .faults;
                faults.lost_commits.store(LOST_COMMITS, Ordering::Relaxed);
                sleep(until.saturating_duration_since(Instant::now())).await;
                faults.lost_commits.store(0, Ordering::Relaxed);
                times = faults.lost.load(Ordering::Relaxed);
            }
            Trouble::WindowsCrash => {
                let windows = self.windows.as_ref().expect("--windows valkey");
                while pause(10, until).await {
                    windows.obey("stop").await;
                    sleep(Duration::from_secs(10)).await;
                    windows.obey("start").await;
                    times += 1;
                }
            }
            Trouble::WindowsFlush => {
                let windows = self.windows.as_ref().expect("--windows valkey");
                while pause(5, until).await {
                    flush(windows.address()).await;
                    times += 1;
                }
            }
            Trouble::WindowsSlow => {
                let faults = &self
                    .windows_proxy
                    .as_ref()
                    .expect("--windows valkey")
                    .faults;
                while pause(10, until).await {
                    faults.delay.store(LATE, Ordering::Relaxed);
                    sleep(Duration::from_secs(10)).await;
                    faults.delay.store(0, Ordering::Relaxed);
                    times += 1;
                }
            }
        }
        times
    }
}

fn url(service: &Option<Service>, proxy: &Option<Proxy>) -> Option<String> {
    let service = service.as_ref()?;
    Some(match proxy {
        Some(proxy) => service.url_behind(proxy.address),
        None => service.url.clone(),
    })
}

/// Waits. Returns false if the run ends before.
async fn pause(seconds: u64, until: Instant) -> bool {
    let next = Instant::now() + Duration::from_secs(seconds);
    sleep(next.min(until).saturating_duration_since(Instant::now())).await;
    next < until
}

/// Valkey accepts a command as a line.
async fn flush(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.expect("Valkey");
    stream.write_all(b"FLUSHALL\r\n").await.expect("written");
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"+OK\r\n");
}
