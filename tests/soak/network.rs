//! Free ports, and a proxy in front of a store. It delays answers, or loses the answers to commits.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::sleep;

/// The bytes of PostgreSQL's simple query that ends a transaction.
const COMMIT: &[u8] = b"COMMIT\0";

/// Accepts connections until the run ends.
pub(crate) struct Proxy {
    pub address: SocketAddr,
    pub faults: Arc<ProxyFaults>,
}

/// The faults that a proxy adds.
#[derive(Default)]
pub(crate) struct ProxyFaults {
    /// The delay of each answer, in milliseconds.
    pub delay: AtomicU64,
    /// The number of commits in a thousand whose answer is lost, with the connection.
    pub lost_commits: AtomicU64,
    /// Lost answers.
    pub lost: AtomicUsize,
}

/// An address without a listener.
pub(crate) fn free_address() -> SocketAddr {
    listener().local_addr().expect("an address")
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a port")
}

impl Proxy {
    pub(crate) fn start(target: SocketAddr) -> Self {
        let listener = listener();
        listener.set_nonblocking(true).expect("not blocking");
        let address = listener.local_addr().expect("an address");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let faults = Arc::new(ProxyFaults::default());
        let shared = Arc::clone(&faults);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, target, Arc::clone(&shared)));
            }
        });
        Self { address, faults }
    }
}

/// Passes bytes until one side ends, or an answer is lost.
async fn pass(client: TcpStream, target: SocketAddr, faults: Arc<ProxyFaults>) {
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    // Requests and answers are small packets.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let is_losing = AtomicBool::new(false);
    tokio::select! {
        () = ask(from_client, to_server, &faults, &is_losing) => {}
        () = answer(from_server, to_client, &faults, &is_losing) => {}
    }
}

async fn ask(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    faults: &ProxyFaults,
    is_losing: &AtomicBool,
) {
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let asked = &buffer[..read];
        let commits = asked.windows(COMMIT.len()).any(|part| part == COMMIT);
        let lost = faults.lost_commits.load(Ordering::Relaxed);
        if commits && fastrand::u64(..1_000) < lost {
            is_losing.store(true, Ordering::Relaxed);
        }
        if to.write_all(asked).await.is_err() {
            return;
        }
    }
}

async fn answer(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    faults: &ProxyFaults,
    is_losing: &AtomicBool,
) {
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if is_losing.load(Ordering::Relaxed) {
            // The server has answered, so the transaction is committed.
            faults.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let delay = faults.delay.load(Ordering::Relaxed);
        if delay > 0 {
            sleep(Duration::from_millis(delay)).await;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
