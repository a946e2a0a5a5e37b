//! From the tools that exist to the tools that are listed and called.

pub mod arguments;
pub mod compat;
pub mod dispatch;
pub mod legacy;
pub mod orchestrator;
pub mod output;
mod read_back;
pub mod search;
pub mod shape;
pub mod surfaces;
pub mod tenancy;
