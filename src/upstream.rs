//! The one path to HighLevel.

pub(crate) mod accounts;
pub mod answer;
mod breaker;
pub mod caller;
pub(crate) mod claims;
pub mod company;
mod configured_location;
pub(crate) mod connected;
mod content_type;
mod error_body;
pub mod errors;
pub mod failure;
mod observer;
pub(crate) mod permit;
pub mod rate_limit;
mod recent;
mod retry;
mod send;
pub(crate) mod standing;
mod status;
mod template;
mod tenant_id;
mod tokens;
mod traffic;
pub(crate) mod transport;

pub use answer::{Reply, UpstreamFile};
pub use caller::{Caller, LocationBinding};
pub use claims::Claims;
pub use configured_location::{ConfiguredLocation, StoredLocation};
pub use failure::Failure;
pub use observer::Observation;
pub use permit::{Authority, Outgoing, Recheck, SendPermit, Sender, Target};
pub(crate) use standing::TokenWord;
pub use standing::{CountedUnder, Standing};
pub use status::{UpstreamStatus, WindowStatus};
pub use tenant_id::TenantId;
pub(crate) use tokens::{agency_refusal, unusable};
pub use transport::Transport;

/// Identifies a credential: its HMAC under a key of the store, or of this process if there is no store.
pub type Digest = [u8; 32];
