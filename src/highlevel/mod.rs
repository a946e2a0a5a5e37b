//! The one path to HighLevel.

pub mod caller;

pub use caller::Caller;
