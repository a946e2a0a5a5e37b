//! Confirm tokens: each fits one call or batch of one caller, for thirty minutes, and no other preview of the same.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

/// A person may look at a preview for a while; nobody remembers one for longer.
pub(super) const LASTS_SECONDS: i64 = 30 * 60;

/// Bytes of the tag that a token carries: enough that none is guessed, few enough to repeat.
const TAG_BYTES: usize = 12;

/// Bytes by which two tokens for the same call differ.
const NONCE_BYTES: usize = 6;

/// Makes and checks tokens. Every process on one store knows those of the others.
pub(super) struct ConfirmTokens {
    key: hmac::Key,
    random: SystemRandom,
}

impl ConfirmTokens {
    pub(super) fn new(key: &[u8]) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            random: SystemRandom::new(),
        }
    }

    /// A token for what `digest` stands for. `None` where the system gives no random numbers.
    pub(super) fn issue(
        &self,
        digest: &str,
        principal: [u8; 32],
        now: Timestamp,
    ) -> Option<String> {
        let mut nonce = [0; NONCE_BYTES];
        self.random.fill(&mut nonce).ok()?;
        let until = now.as_second() + LASTS_SECONDS;
        let start = format!("{until}.{}", URL_SAFE_NO_PAD.encode(nonce));
        Some(format!("{start}.{}", self.tag(&start, digest, principal)))
    }

    pub(super) fn fits(
        &self,
        token: &str,
        digest: &str,
        principal: [u8; 32],
        now: Timestamp,
    ) -> bool {
        let Some((start, tag)) = token.rsplit_once('.') else {
            return false;
        };
        let until = start.split('.').next().and_then(|until| until.parse().ok());
        let expected = self.tag(start, digest, principal);
        let same: bool = subtle::ConstantTimeEq::ct_eq(expected.as_bytes(), tag.as_bytes()).into();
        same && until.is_some_and(|until: i64| now.as_second() <= until)
    }

    fn tag(&self, start: &str, digest: &str, principal: [u8; 32]) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        // No text holds a line break, so that none runs over into the next.
        for part in [start.as_bytes(), digest.as_bytes(), &principal] {
            context.update(part);
            context.update(b"\n");
        }
        let tag = context.sign();
        let tag = tag.as_ref();
        URL_SAFE_NO_PAD.encode(&tag[..TAG_BYTES.min(tag.len())])
    }
}
