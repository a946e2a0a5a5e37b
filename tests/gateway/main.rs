//! The gateway between misbehaving clients and a misbehaving HighLevel. `cargo test --test gateway -- --nocapture`
//! prints the figures. `GATEWAY_FULL=1` with `--release` runs the full numbers.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod abuse;
mod connections;
mod corpus;
mod faults;
mod hostile;
mod injection;
mod rest;
mod retries;
mod tenants;
mod upstream;

/// `usual` in every run, `full` in a run with the full numbers.
pub fn times(usual: usize, full: usize) -> usize {
    let asked = std::env::var_os("GATEWAY_FULL").is_some();
    if asked { full } else { usual }
}
