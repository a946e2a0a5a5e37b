//! The one path to HighLevel.

pub mod accounts;
pub mod answer;
mod breaker;
pub mod caller;
pub mod claims;
pub mod company;
pub mod failure;
pub mod limit;
pub mod permit;
mod recent;
mod retry;
mod said;
mod send;
pub mod standing;
mod template;
mod tokens;
pub mod transport;
pub mod verdict;

pub use answer::Reply;
pub use caller::{Caller, LocationBinding, TenantId};
pub use claims::Claims;
pub use failure::Failure;
pub use limit::Digest;
pub use permit::{Authority, Outgoing, Recheck, SendPermit, Sender, Target};
pub use standing::{CountedUnder, Standing};
pub use transport::Transport;
