//! Passkeys: what a browser is asked, and whether its answer proves a person. Built with the feature `passkeys`.

#[cfg(not(feature = "passkeys"))]
mod none;
#[cfg(feature = "passkeys")]
mod relying_party;

#[cfg(not(feature = "passkeys"))]
pub(super) use none::NoRelyingParty as RelyingParty;
#[cfg(feature = "passkeys")]
pub(super) use relying_party::RelyingParty;

use serde_json::Value;

/// A question for a browser, and what is needed to check its answer.
pub(super) struct PasskeyQuestion {
    /// As `navigator.credentials` takes it.
    pub options: Value,
    /// Comes back with the answer, sealed.
    pub state: String,
}

/// A passkey that a browser has made.
pub(super) struct MadePasskey {
    pub id: Vec<u8>,
    /// Its public key, as a later answer is checked with it.
    pub credential: String,
}
