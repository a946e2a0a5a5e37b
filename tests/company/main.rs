//! Companies' tokens against a HighLevel that rotates them: `GATEWAY_FULL=1` kills a thousand renewals, and
//! `COMPANY_KILLS=200` two hundred.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod chain;
mod failures;
mod fixture;
mod imports;
mod installs;
mod killed;
mod locations;
mod pairs;
mod renewals;
mod spilled;
mod token_endpoints;
