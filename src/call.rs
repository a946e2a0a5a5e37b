//! The one way for a call: who asks, what may be sent, what came of it.

pub mod caller;

pub use caller::{AccessKeyRef, CallContext, CallerKind, Elicitation, LocationScope, Principal};
