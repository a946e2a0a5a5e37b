//! Tests over the real protocol: a client, the server on a free port, and a recording HighLevel.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod agency;
mod aggregates;
mod answers;
mod arguments;
mod bodies;
mod clients;
mod conformance;
mod connect;
mod deploy;
mod doctor;
mod doctor_public;
mod each;
mod edges;
mod elicitation;
mod every_location;
#[cfg(unix)]
mod followed;
mod frames;
mod golden;
mod health;
mod host;
mod init;
mod instances;
#[cfg(unix)]
mod interrupts;
mod inventory;
mod listing;
mod lists;
mod live;
mod local_console;
mod login;
mod nothing_left;
mod outage;
mod plain_calls;
mod readers;
#[cfg(unix)]
mod reload;
mod requests;
mod rules;
mod sandbox;
#[cfg(unix)]
mod serve;
mod settings;
mod sign_in;
mod state;
mod stdio;
mod strangers;
mod surfaces;
#[cfg(feature = "otlp")]
mod telemetry;
mod tenants;
mod tidy;
mod times;
mod tool_commands;
mod uploads;
mod usage;
mod versions;
mod windows;

/// The names that generated code uses.
mod catalog {
    pub(crate) use highlevel_mcp::catalog::prepare;
}
