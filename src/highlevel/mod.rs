//! The one path to HighLevel.

pub mod caller;
pub mod failure;
pub mod transport;

pub use caller::Caller;
pub use failure::Failure;
pub use transport::Transport;
