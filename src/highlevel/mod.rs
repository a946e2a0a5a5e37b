//! The one path to HighLevel.

pub mod caller;
pub mod failure;
mod template;
pub mod transport;
mod verdict;

pub use caller::Caller;
pub use failure::Failure;
pub use transport::Transport;
