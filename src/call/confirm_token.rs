//! Confirm tokens: each fits one call or batch of one caller for thirty minutes, and only its own preview.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

/// Enough time to look at a preview, and no longer than anybody remembers one.
pub(super) const LASTS_SECONDS: i64 = 30 * 60;

/// Bytes of the tag in a token: enough that none is guessed, few enough to repeat.
const TAG_BYTES: usize = 12;

/// Bytes that make two tokens for the same call differ.
const NONCE_BYTES: usize = 6;

/// Makes and checks tokens. Processes on one store accept each other's.
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

    /// A token for the request with `digest`. `None` if the system gives no random numbers.
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
        // The texts contain no line break and the last part has a fixed length, so the end of each part is unambiguous.
        for part in [start.as_bytes(), digest.as_bytes(), &principal] {
            context.update(part);
            context.update(b"\n");
        }
        let tag = context.sign();
        let tag = tag.as_ref();
        URL_SAFE_NO_PAD.encode(&tag[..TAG_BYTES.min(tag.len())])
    }
}
