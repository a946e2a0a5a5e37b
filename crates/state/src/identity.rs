//! Names credentials in the audit: the same over restarts, and of no use to whoever reads it.

use ring::hmac;

use super::hex;

/// Bytes of the tag that are shown: enough to tell the credentials of one server apart.
const SHOWN: usize = 8;

/// An HMAC under a secret of the store.
#[derive(Clone)]
pub struct Identity(hmac::Key);

impl Identity {
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Stands for whoever `text` names, in rows.
    pub fn digest(&self, text: &str) -> [u8; 32] {
        let tag = hmac::sign(&self.0, text.as_bytes());
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }

    /// What stands for `credential`, for people.
    pub fn name(&self, credential: &str) -> String {
        let tag = hmac::sign(&self.0, credential.as_bytes());
        hex(&tag.as_ref()[..SHOWN.min(tag.as_ref().len())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::for_tests;

    #[on_both]
    fn a_credential_has_one_name_in_one_store() {
        let (one, two) = (for_tests::folder(), for_tests::folder());
        let name = |folder, of: &str| for_tests::open(folder).identity().name(of);
        let first = name(&one, "pit-a");
        assert_eq!(first.len(), 2 * SHOWN);
        assert_eq!(first, name(&one, "pit-a"));
        assert_ne!(first, name(&one, "pit-b"));
        assert_ne!(first, name(&two, "pit-a"));
    }
}
