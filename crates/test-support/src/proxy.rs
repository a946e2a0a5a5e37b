//! A slow proxy to another server, for tests of waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// Runs until the test ends.
pub struct Proxy {
    /// Host and port.
    pub address: String,
    delay: Arc<AtomicU64>,
}

impl Proxy {
    /// A free port that leads to `target`, a host and port.
    pub fn start(target: &str) -> Self {
        let (listener, url) = super::listen();
        let delay = Arc::<AtomicU64>::default();
        let (target, slow) = (target.to_owned(), Arc::clone(&delay));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&target).await else {
                    continue;
                };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(pass(from_client, to_server, Arc::default()));
                tokio::spawn(pass(from_server, to_client, Arc::clone(&slow)));
            }
        });
        Self {
            address: url.trim_start_matches("http://").to_owned(),
            delay,
        }
    }

    /// From now on answers are delayed by this time.
    pub fn delay(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).expect("a delay");
        self.delay.store(millis, Ordering::Relaxed);
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay: Arc<AtomicU64>,
) {
    let mut bytes = vec![0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let millis = delay.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(millis)).await;
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
    // A reader sees the end; if it is gone, nobody needs to be told.
    let _ = to.shutdown().await;
}
