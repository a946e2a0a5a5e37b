//! Seals values that must not be readable in a file or a backup: XChaCha20-Poly1305 under a ring of keys outside the
//! database.
//!
//! A sealed value is `1`, the key's id (4 bytes), a nonce (24 bytes), the text and its tag. It opens only at the place
//! for which it was sealed: the tag covers table, row, column and generation.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use ring::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};

use super::rows::Transaction;
use crate::{StoreError, hex, random};

/// The format of a sealed value.
const FORM: u8 = 1;

const KEY_BYTES: usize = 32;
/// Length of a secret in the store.
pub(crate) const SECRET_BYTES: usize = 32;
const ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 24;

/// The value that proves that a key is the right one.
const CHECK: &str = "key_check";

/// The first key seals, any can open.
pub struct KeyRing(Vec<SealingKey>);

struct SealingKey {
    id: [u8; ID_BYTES],
    cipher: XChaCha20Poly1305,
}

/// The place of a sealed value.
#[derive(Clone, Copy, Debug)]
pub struct SealedAt<'a> {
    pub table: &'a str,
    pub row: &'a str,
    pub column: &'a str,
    pub generation: i64,
}

impl KeyRing {
    /// From keys as text: 32 bytes each, in base64.
    pub fn new(keys: &[SecretString]) -> Result<Self, StoreError> {
        let keys: Result<Vec<SealingKey>, StoreError> = keys
            .iter()
            .map(|text| {
                let bytes = STANDARD.decode(text.expose_secret().trim()).ok();
                let bytes = bytes.and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok());
                bytes.map(|bytes| SealingKey::new(&bytes)).ok_or_else(|| {
                    StoreError::from(
                        "a key of state.keys is not 32 bytes in base64; give the key that sealed the store. For a new \
                         store `openssl rand -base64 32` creates one"
                            .to_owned(),
                    )
                })
            })
            .collect();
        Ok(Self(keys?))
    }

    /// With the key of a file.
    pub(super) fn from_file(path: &Path, text: SecretString) -> Result<Self, StoreError> {
        Self::new(&[text]).map_err(|_| {
            StoreError::from(format!(
                "{} is damaged: it does not hold 32 bytes in base64; put your copy of it back, or name the key in \
                 state.keys. No other key opens the store",
                path.display()
            ))
        })
    }

    /// With one key that is lost with the process.
    pub fn random() -> Result<Self, StoreError> {
        Ok(Self(vec![SealingKey::new(&random::<KEY_BYTES>()?)]))
    }

    pub fn seal(&self, at: SealedAt, text: &[u8]) -> Result<Vec<u8>, StoreError> {
        let key = self.0.first().ok_or_else(no_key)?;
        let nonce = random::<NONCE_BYTES>()?;
        let payload = Payload {
            msg: text,
            aad: &at.bytes(),
        };
        let sealed = key.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| StoreError::from("a value cannot be sealed".to_owned()))?;
        Ok([&[FORM][..], &key.id, &nonce, &sealed].concat())
    }

    /// Fails if no key of the ring has sealed it, or it was sealed for another place.
    pub fn open(&self, at: SealedAt, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let opened = (|| {
            let (form, rest) = sealed.split_first()?;
            let (id, rest) = rest.split_at_checked(ID_BYTES)?;
            let (nonce, text) = rest.split_at_checked(NONCE_BYTES)?;
            let key = self.0.iter().find(|key| key.id == id && *form == FORM)?;
            let nonce = <[u8; NONCE_BYTES]>::try_from(nonce).ok()?;
            let payload = Payload {
                msg: text,
                aad: &at.bytes(),
            };
            key.cipher.decrypt(&XNonce::from(nonce), payload).ok()
        })();
        opened.ok_or_else(|| {
            StoreError::from(format!(
                "{} of {} {} cannot be opened by the keys of the store; give the key that sealed it in state.keys",
                at.column, at.table, at.row
            ))
        })
    }

    /// Whether the first key has sealed it.
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        let id = sealed.get(1..=ID_BYTES);
        self.0.first().is_some_and(|key| Some(&key.id[..]) == id)
    }

    /// Names of the keys, the sealing one first; they give no access.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|key| hex(&key.id)).collect()
    }
}

impl SealingKey {
    fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        let whole = digest(&SHA256, &[b"key id ", &bytes[..]].concat());
        Self {
            id: whole.as_ref().first_chunk().copied().unwrap_or_default(),
            cipher: XChaCha20Poly1305::new(&Key::from(*bytes)),
        }
    }
}

impl SealedAt<'_> {
    fn bytes(self) -> Vec<u8> {
        let generation = self.generation.to_string();
        // The end of each part is unambiguous.
        [self.table, self.row, self.column, &generation]
            .iter()
            .flat_map(|part| {
                [part.len().to_string().as_str(), ":", part]
                    .concat()
                    .into_bytes()
            })
            .collect()
    }
}

/// A key as text, for a file.
pub(super) fn new_key() -> Result<String, StoreError> {
    Ok(format!("{}\n", STANDARD.encode(random::<KEY_BYTES>()?)))
}

/// Whether a key has been used with this database.
pub(super) fn is_checked(transaction: &mut Transaction) -> Result<bool, StoreError> {
    let row =
        transaction.one(sqlx::query("SELECT sealed FROM secret WHERE name = $1").bind(CHECK))?;
    Ok(row.is_some())
}

/// Fails if the ring is not the one under which this database was sealed.
pub(super) fn check(transaction: &mut Transaction, ring: &KeyRing) -> Result<(), StoreError> {
    let wrong = |_| {
        StoreError::from(format!(
            "the key of the store is not the one that sealed it; give the right one in state.keys, or put {} back \
             (this key is {})",
            super::KEY_FILE,
            ring.names().join(", ")
        ))
    };
    read_secret(transaction, ring, CHECK)
        .map_err(wrong)
        .map(drop)
}

/// The secret of that name, created if there is none.
pub(crate) fn secret(
    transaction: &mut Transaction,
    ring: &KeyRing,
    name: &str,
) -> Result<[u8; SECRET_BYTES], StoreError> {
    let found = read_secret(transaction, ring, name)?;
    <[u8; SECRET_BYTES]>::try_from(found).map_err(|_| {
        StoreError::from(format!(
            "the store's secret {name} has another length than this version knows"
        ))
    })
}

/// Stores a secret from another place.
pub(crate) fn put_secret(
    transaction: &mut Transaction,
    ring: &KeyRing,
    name: &str,
    secret: &[u8],
) -> Result<(), StoreError> {
    let sealed = ring.seal(secret_at(name), secret)?;
    let insert = "INSERT INTO secret (name, sealed) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET sealed = $2";
    transaction
        .run(sqlx::query(insert).bind(name).bind(sealed))
        .map(drop)
}

fn read_secret(
    transaction: &mut Transaction,
    ring: &KeyRing,
    name: &str,
) -> Result<Vec<u8>, StoreError> {
    let row =
        transaction.one(sqlx::query("SELECT sealed FROM secret WHERE name = $1").bind(name))?;
    match row {
        Some(row) => ring.open(secret_at(name), &row.bytes("sealed")?),
        None => {
            let secret = random::<SECRET_BYTES>()?;
            put_secret(transaction, ring, name, &secret)?;
            Ok(secret.to_vec())
        }
    }
}

fn secret_at(name: &str) -> SealedAt<'_> {
    SealedAt {
        table: "secret",
        row: name,
        column: "sealed",
        generation: 0,
    }
}

fn no_key() -> StoreError {
    StoreError::from("state.keys names no key".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: SealedAt<'static> = SealedAt {
        table: "approval",
        row: "apr_a",
        column: "request",
        generation: 3,
    };

    #[track_caller]
    fn check(name: &str, ring: &KeyRing, at: SealedAt, sealed: &[u8], opens: bool) {
        let opened = ring.open(at, sealed);
        assert_eq!(
            opened.as_deref() == Ok(b"text".as_slice()),
            opens,
            "{name}: {opened:?}"
        );
    }

    #[test]
    fn a_sealed_value_opens_under_its_key_and_at_its_place_only() {
        let texts = [(); 2].map(|()| SecretString::from(new_key().expect("a key")));
        let ring = |keys: &[&SecretString]| {
            let keys: Vec<SecretString> = keys.iter().map(|key| (*key).clone()).collect();
            KeyRing::new(&keys).expect("a ring")
        };
        let [old, new] = &texts;
        let sealed = ring(&[old]).seal(AT, b"text").expect("sealed");
        check("its key", &ring(&[old]), AT, &sealed, true);
        check("a ring with it", &ring(&[new, old]), AT, &sealed, true);
        check("another key", &ring(&[new]), AT, &sealed, false);
        for other in [
            SealedAt {
                table: "once",
                ..AT
            },
            SealedAt { row: "apr_b", ..AT },
            SealedAt {
                column: "outcome",
                ..AT
            },
            SealedAt {
                generation: 4,
                ..AT
            },
        ] {
            check("another place", &ring(&[old]), other, &sealed, false);
        }
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            check("changed", &ring(&[old]), AT, &changed, false);
            check("cut", &ring(&[old]), AT, &sealed[..index], false);
        }
        assert!(!ring(&[new, old]).is_current(&sealed) && ring(&[old]).is_current(&sealed));
        assert!(!sealed.windows(4).any(|window| window == b"text"));
    }

    #[test]
    fn a_key_has_32_bytes_in_base64() {
        for text in [
            "",
            "short",
            "!!!!",
            &"A".repeat(42),
            &STANDARD.encode([0; 33]),
        ] {
            assert!(KeyRing::new(&[text.to_owned().into()]).is_err(), "{text}");
        }
    }
}
