//! PKCE (RFC 7636), by S256 alone.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// Letters of a challenge: 32 bytes in base64url.
const CHALLENGE_LENGTH: usize = 43;

/// Whether `verifier` is what `challenge` was made from.
pub fn verifies(challenge: &str, verifier: &SecretString) -> bool {
    let digest = digest::digest(&digest::SHA256, verifier.expose_secret().as_bytes());
    let made = URL_SAFE_NO_PAD.encode(digest);
    made.as_bytes().ct_eq(challenge.as_bytes()).into()
}

/// Whether this can be a digest at all.
pub(crate) fn is_challenge(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.len() == CHALLENGE_LENGTH && text.bytes().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_is_held_to_its_challenge() {
        // The example of RFC 7636, appendix B.
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        for (challenge, verifier, expected) in [
            (challenge, verifier, true),
            (challenge, &verifier[1..], false),
            (challenge, "", false),
            // `plain`.
            (verifier, verifier, false),
            ("", "", false),
        ] {
            let verifier = SecretString::from(verifier);
            assert_eq!(verifies(challenge, &verifier), expected, "{challenge}");
        }
        assert!(is_challenge(challenge));
        for bad in [
            &challenge[1..],
            "",
            &format!("{challenge}="),
            &challenge.replace('E', "é"),
        ] {
            assert!(!is_challenge(bad), "{bad}");
        }
    }
}
