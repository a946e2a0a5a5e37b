//! PKCE (RFC 7636), only with S256. The store of codes checks verifiers.

/// Characters of a challenge: 32 bytes in base64url.
const CHALLENGE_LENGTH: usize = 43;

/// Whether this can be a digest at all.
pub(crate) fn is_challenge(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.len() == CHALLENGE_LENGTH && text.bytes().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_a_digest_in_base64url() {
        // The example of RFC 7636, appendix B.
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
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
