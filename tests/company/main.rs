//! Companies' tokens against a HighLevel that rotates them: `GATEWAY_FULL=1` kills a thousand renewals.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod failures;
mod fixture;
mod killed;
mod locations;
mod mock;
mod pairs;
mod renewals;
