//! The one way for a call: who asks, what may be sent, what came of it.

pub mod caller;
pub mod decoding;
pub mod shares;

pub use caller::{
    AccessKeyRef, CallContext, CallerKind, Elicitation, EndpointBinding, LocationScope, Principal,
};
