//! The map of the server, in the order in which a call walks through it. ARCHITECTURE.md says which may use which.

// Commands, one file each.
pub mod cli;

// Routes, who is calling, limits of requests and connections.
pub mod http;

// The MCP protocol, over HTTP and stdio.
pub mod mcp;

// What an endpoint lists, and what its names mean.
pub mod surfaces;

// The one way for a call: located, validated, authorised, metered, sent, answered.
pub mod call;

// The one path to HighLevel: credentials, limits, retries, errors.
pub mod upstream;

// What there is to call.
pub mod catalog;

// Threads that step back for everybody else's; bytes in flight; settings; the last hour; logs, metrics and traces.
mod background;
pub mod budget;
pub mod config;
mod minutes;
pub mod telemetry;
