//! Bearer texts: 256 random bits, of which rows have only the hash.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};

use crate::{StoreError, random};

/// A new text, and its hash. The prefix tells people, and scanners for leaked secrets, what it is.
pub(crate) fn make_token(prefix: &str) -> Result<(SecretString, Vec<u8>), StoreError> {
    let text = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random::<32>()?));
    let text = SecretString::from(text);
    let hash = hash_token(&text);
    Ok((text, hash))
}

/// The hash need not be slow: nobody guesses 256 bits, however fast.
pub(crate) fn hash_token(text: &SecretString) -> Vec<u8> {
    digest(&SHA256, text.expose_secret().as_bytes())
        .as_ref()
        .to_vec()
}

/// A name for a row: 60 random bits, short enough to be read out. It gives no access, and a table accepts none twice.
pub(crate) fn make_id(prefix: &str) -> Result<String, StoreError> {
    let letters: String = random::<12>()?.into_iter().map(letter).collect();
    Ok(format!("{prefix}{letters}"))
}

/// Characters of an id: 32 of them, so that random bytes are evenly distributed; none looks like another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

pub(crate) fn letter(byte: u8) -> char {
    let place = usize::from(byte) % LETTERS.len();
    LETTERS.get(place).copied().map_or('a', char::from)
}
