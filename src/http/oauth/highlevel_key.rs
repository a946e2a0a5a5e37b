//! The key of HighLevel's webhook signatures.

use axum::http::{HeaderMap, HeaderName};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};

/// The key with which HighLevel signs.
pub(super) struct HighLevelKey(UnparsedPublicKey<Vec<u8>>);

const SIGNATURE: HeaderName = HeaderName::from_static("x-ghl-signature");

/// The start of an Ed25519 key as SubjectPublicKeyInfo (RFC 8410). Its 32 bytes follow.
const SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

impl HighLevelKey {
    /// Parses SubjectPublicKeyInfo in base64, with or without PEM's lines around it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let lines = text.lines().filter(|line| !line.starts_with("-----"));
        let text: String = lines.collect::<String>().split_whitespace().collect();
        let bytes = STANDARD.decode(text).ok()?;
        let key = bytes.strip_prefix(&SPKI)?;
        (key.len() == 32).then(|| Self(UnparsedPublicKey::new(&ED25519, key.to_vec())))
    }

    /// Whether there is exactly one signature, over exactly these bytes.
    pub(super) fn signs(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let mut lines = headers.get_all(SIGNATURE).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return false;
        };
        let signature = STANDARD.decode(line.as_bytes());
        signature.is_ok_and(|signature| self.0.verify(body, &signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    fn pair(seed: u8) -> (Ed25519KeyPair, String) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key");
        let spki = [&SPKI[..], pair.public_key().as_ref()].concat();
        (pair, STANDARD.encode(spki))
    }

    #[test]
    fn a_key_is_ed25519_as_highlevel_publishes_it() {
        let (_, text) = pair(1);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n");
        for (text, expected) in [
            (text.as_str(), true),
            (&pem, true),
            (&text[..56], false),
            ("", false),
            ("MIICIjANBgkqhkiG9w0BAQEFAAOCAg8A", false),
            (&STANDARD.encode([0; 32]), false),
        ] {
            assert_eq!(HighLevelKey::parse(text).is_some(), expected, "{text}");
        }
    }

    #[test]
    fn a_signature_is_over_the_bytes_as_they_came() {
        let (pair, text) = pair(1);
        let key = HighLevelKey::parse(&text).expect("a key");
        let (other, _) = self::pair(2);
        let body = br#"{"type":"INSTALL", "a":1.0}"#;
        let signed = |pair: &Ed25519KeyPair| STANDARD.encode(pair.sign(body));
        let headers = |name: &'static str, values: &[String]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(name, value.parse().expect("a value"));
            }
            headers
        };
        let good = headers("x-ghl-signature", &[signed(&pair)]);
        assert!(key.signs(&good, body));
        assert!(!key.signs(&good, br#"{"type":"INSTALL","a":1.0}"#));
        for bad in [
            headers("x-ghl-signature", &[signed(&other)]),
            headers("x-ghl-signature", &[signed(&pair), signed(&pair)]),
            headers("x-ghl-signature", &["".to_owned()]),
            headers("x-wh-signature", &[signed(&pair)]),
            HeaderMap::new(),
        ] {
            assert!(!key.signs(&bad, body), "{bad:?}");
        }
    }
}
