//! What tests share: the server as `serve` starts it, and a HighLevel that records.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

pub mod recording;
pub mod server;
