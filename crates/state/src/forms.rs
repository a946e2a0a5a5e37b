//! Data that travels through a browser and comes back unchanged: sealed, bound to that browser, and valid for some time.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq;

use super::StoreError;
use super::clock::SteadyClock;
use super::store::{KeyRing, SealedAt, Store};

/// Longest sealed text, in bytes: a form comes back with every step.
const MOST_BYTES: usize = 32 << 10;

/// Longest sealed form that is parsed, in bytes: anybody may send one.
const MOST_SEALED_BYTES: usize = 2 * MOST_BYTES;

const TIME_BYTES: usize = 8;
const HASH_BYTES: usize = 32;

/// The seal's context besides the text: it marks a form, not a row.
const FORM: SealedAt<'static> = SealedAt {
    table: "form",
    row: "",
    column: "page",
    generation: 1,
};

/// Seals texts for pages. Every process on the store can open them, after a restart too.
pub struct SealedForms(KeyRing);

/// The reason that a returned form is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormProblem {
    #[error("This page was open for too long. Start again.")]
    Expired,
    #[error("This page belongs to another browser. Start again in this one.")]
    Foreign,
    #[error("This form is damaged. Start again.")]
    Broken,
}

impl SealedForms {
    /// Blocks until the key is read, or created.
    pub fn new(store: &Store) -> Result<Self, StoreError> {
        let key = STANDARD.encode(store.secret("flow").wait()?);
        Ok(Self(KeyRing::new(&[key.into()])?))
    }

    /// `browser` is a value that only that browser shows again, such as that of its cookie.
    pub fn seal(
        &self,
        text: &str,
        browser: &[u8],
        lasts: SignedDuration,
    ) -> Result<String, StoreError> {
        self.seal_at(text, browser, lasts, SteadyClock::now())
    }

    fn seal_at(
        &self,
        text: &str,
        browser: &[u8],
        lasts: SignedDuration,
        now: Timestamp,
    ) -> Result<String, StoreError> {
        if text.len() > MOST_BYTES {
            return Err(StoreError::from(format!(
                "a form of {} bytes is longer than the {MOST_BYTES} that a page carries",
                text.len()
            )));
        }
        let expires = now.checked_add(lasts).unwrap_or(Timestamp::MAX);
        let expires = expires.as_millisecond().to_be_bytes();
        let content = [&expires, hash(browser).as_slice(), text.as_bytes()].concat();
        Ok(URL_SAFE_NO_PAD.encode(self.0.seal(FORM, &content)?))
    }

    /// The text, if it was sealed for this browser and is still valid. This does not tell whether it was opened before.
    pub fn open(&self, sealed: &str, browser: &[u8]) -> Result<String, FormProblem> {
        self.open_at(sealed, browser, SteadyClock::now())
    }

    fn open_at(&self, sealed: &str, browser: &[u8], now: Timestamp) -> Result<String, FormProblem> {
        if sealed.len() > MOST_SEALED_BYTES {
            return Err(FormProblem::Broken);
        }
        let content = URL_SAFE_NO_PAD.decode(sealed).ok();
        let content = content.and_then(|content| self.0.open(FORM, &content).ok());
        let content = content.ok_or(FormProblem::Broken)?;
        let (expires, rest) = content
            .split_first_chunk::<TIME_BYTES>()
            .ok_or(FormProblem::Broken)?;
        let (owner, text) = rest
            .split_first_chunk::<HASH_BYTES>()
            .ok_or(FormProblem::Broken)?;
        let is_own: bool = owner.ct_eq(&hash(browser)).into();
        if !is_own {
            return Err(FormProblem::Foreign);
        }
        if i64::from_be_bytes(*expires) <= now.as_millisecond() {
            return Err(FormProblem::Expired);
        }
        String::from_utf8(text.to_vec()).map_err(|_| FormProblem::Broken)
    }
}

fn hash(browser: &[u8]) -> [u8; HASH_BYTES] {
    let whole = digest(&SHA256, browser);
    whole.as_ref().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
