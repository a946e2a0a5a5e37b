//! Passkeys: the challenge to a browser, and the check of its answer. Built with the feature `passkeys`.

#[cfg(not(feature = "passkeys"))]
mod none;
#[cfg(feature = "passkeys")]
mod relying_party;

#[cfg(not(feature = "passkeys"))]
pub(super) use none::NoRelyingParty as RelyingParty;
#[cfg(feature = "passkeys")]
pub(super) use relying_party::RelyingParty;

use serde_json::Value;

/// A challenge for a browser, and the state that is needed to check its answer.
pub(super) struct PasskeyQuestion {
    /// The argument of `navigator.credentials`.
    pub options: Value,
    /// Comes back with the answer, sealed.
    pub state: String,
}

/// A passkey that a browser has made.
pub(super) struct MadePasskey {
    pub id: Vec<u8>,
    /// Its public key, in the form that checks later answers.
    pub credential: String,
}
