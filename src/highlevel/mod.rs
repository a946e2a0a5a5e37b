//! The one path to HighLevel.

pub mod caller;
pub mod claims;
pub mod failure;
mod template;
pub mod transport;
mod verdict;

pub use caller::{Caller, LocationBinding, TenantId};
pub use claims::Claims;
pub use failure::Failure;
pub use transport::Transport;
