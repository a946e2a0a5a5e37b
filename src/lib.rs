//! The map of the server: each module and what it is for, from the command line inwards.

pub mod background;
pub mod budget;
pub mod call;
pub mod cli;
pub mod config;
pub mod generated;
pub mod highlevel;
pub mod host;
pub mod mcp;
pub mod policy;
pub mod runtime;
pub mod sandbox;
pub mod store;
pub mod surfaces;
pub mod telemetry;
pub mod tools;
