//! Names credentials in the audit: the same after restarts, and useless to its readers.

use ring::hmac;

use super::hex;

/// Bytes of the tag that are shown: enough to distinguish the credentials of one server.
const SHOWN: usize = 8;

/// An HMAC under a secret of the store.
#[derive(Clone)]
pub struct Identity(hmac::Key);

impl Identity {
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Identifies in rows the party that `text` names.
    pub fn digest(&self, text: &str) -> [u8; 32] {
        let tag = hmac::sign(&self.0, text.as_bytes());
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }

    /// The name of a credential of this digest, for people.
    pub fn shown(digest: &[u8; 32]) -> String {
        hex(digest.first_chunk::<SHOWN>().unwrap_or(&[0; SHOWN]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::for_tests;

    #[on_both]
    fn a_credential_has_one_name_in_one_store() {
        let (one, two) = (for_tests::folder(), for_tests::folder());
        let name = |folder, of: &str| {
            let digest = for_tests::open(folder).identity().digest(of);
            Identity::shown(&digest)
        };
        let first = name(&one, "pit-a");
        assert_eq!(first.len(), 2 * SHOWN);
        assert_eq!(first, name(&one, "pit-a"));
        assert_ne!(first, name(&one, "pit-b"));
        assert_ne!(first, name(&two, "pit-a"));
    }
}
