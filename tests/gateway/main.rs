//! The gateway between clients that misbehave and a HighLevel that does: `cargo test --test gateway -- --nocapture`
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

/// `usual` times in every run, `full` times where the full numbers are asked for.
pub fn times(usual: usize, full: usize) -> usize {
    let asked = std::env::var_os("GATEWAY_FULL").is_some();
    if asked { full } else { usual }
}
