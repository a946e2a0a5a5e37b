//! The map of the server, in the order in which a call passes through it. ARCHITECTURE.md lists the modules that each
//! may use.

// Commands, one file each.
pub mod cli;

// Routes, identification of callers, limits for requests and connections.
pub mod http;

// The MCP protocol, over HTTP and stdio.
pub mod mcp;

// The tools that an endpoint lists, and what their names mean.
pub mod surfaces;

// The pipeline of a call: locate, validate, authorize, meter, send, respond.
pub mod call;

// The one path to HighLevel: credentials, limits, retries, errors.
pub mod upstream;

// The operations that can be called.
pub mod catalog;

// Low-priority threads; bytes in flight; settings; the last hour; logs, metrics and traces.
mod background;
pub mod budget;
pub mod config;
mod minutes;
pub mod telemetry;
