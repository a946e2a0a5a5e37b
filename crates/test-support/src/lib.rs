//! Shared parts of tests: the server as `serve` starts it, the two fake HighLevels, one over HTTP and one of bytes, and
//! a slow proxy to another server.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use tokio::net::TcpListener;

pub mod proxy;
pub mod recording;
pub mod server;
pub mod wire;

/// A listener on a free port, and its URL.
fn listen() -> (TcpListener, String) {
    let address = ([127, 0, 0, 1], 0).into();
    let listener = highlevel_mcp::http::listen(address).expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, format!("http://{address}"))
}

/// Waits until this is true, for at most five seconds.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not within five seconds: {what}");
}
