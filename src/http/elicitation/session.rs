//! Sessions without a memory: signed statements, valid for a while, on how a caller's client can ask its user.

use axum::http::HeaderName;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use state::clock::SteadyClock;

use crate::call::ClientAbilities;

/// The header of a session.
pub(in crate::http) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// Longer than a client runs. A session gives no access: every request with it needs a credential.
const LASTS_SECONDS: i64 = 30 * 24 * 60 * 60;

/// Bytes that make two sessions differ.
const NONCE_BYTES: usize = 8;

/// Bytes of the signature.
const TAG_BYTES: usize = 16;

/// Longer ones are not parsed.
const LONGEST: usize = 64;

/// Letters for a client's abilities.
const FORMS: &str = "f";
const PAGES: &str = "p";

/// Makes and checks sessions. Processes on one store accept each other's.
pub(super) struct SessionSigner {
    key: hmac::Key,
    random: SystemRandom,
}

impl SessionSigner {
    /// `secret`: also signs other things, so the key is derived from it.
    pub(super) fn new(secret: &[u8]) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let key = hmac::sign(&secret, b"mcp session");
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()),
            random: SystemRandom::new(),
        }
    }

    /// `None` if the system gives no random numbers: then there is no session.
    pub(super) fn issue(&self, principal: [u8; 32], can: ClientAbilities) -> Option<String> {
        let mut nonce = [0; NONCE_BYTES];
        self.random.fill(&mut nonce).ok()?;
        let until = SteadyClock::now().as_second().saturating_add(LASTS_SECONDS);
        let start = format!("{until}.{}.{}", URL_SAFE_NO_PAD.encode(nonce), letters(can));
        let tag = self.tag(&start, principal);
        Some(format!("{start}.{tag}"))
    }

    /// The client's abilities, if the session is this caller's and has not expired.
    pub(super) fn abilities(&self, session: &[u8], principal: [u8; 32]) -> Option<ClientAbilities> {
        let session = session.get(..session.len().min(LONGEST + 1));
        let session = session.and_then(|session| std::str::from_utf8(session).ok());
        let (start, tag) = session.and_then(|session| session.rsplit_once('.'))?;
        let expected = self.tag(start, principal);
        let same: bool = subtle::ConstantTimeEq::ct_eq(expected.as_bytes(), tag.as_bytes()).into();
        let mut parts = start.split('.');
        let until: i64 = parts.next().and_then(|until| until.parse().ok())?;
        let is_good = same && SteadyClock::now().as_second() <= until;
        // Sessions of earlier versions belong to clients that show forms.
        let can = parts.nth(1).unwrap_or(FORMS);
        is_good.then(|| ClientAbilities {
            forms: can.contains(FORMS),
            pages: can.contains(PAGES),
        })
    }

    fn tag(&self, start: &str, principal: [u8; 32]) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&principal);
        context.update(start.as_bytes());
        let tag = context.sign();
        let tag = tag.as_ref();
        URL_SAFE_NO_PAD.encode(&tag[..TAG_BYTES.min(tag.len())])
    }
}

fn letters(can: ClientAbilities) -> String {
    let letters = [(can.forms, FORMS), (can.pages, PAGES)];
    let had = letters.iter().filter(|(has, _)| *has);
    had.map(|(_, letter)| *letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: [u8; 32] = [1; 32];
    const BOB: [u8; 32] = [2; 32];

    #[test]
    fn a_session_is_its_callers_until_it_is_over() {
        let signer = SessionSigner::new(b"secret");
        let both = ClientAbilities {
            forms: true,
            pages: true,
        };
        let session = signer.issue(ADA, both).expect("random");
        assert!(session.len() <= LONGEST, "{session}");
        assert_ne!(signer.issue(ADA, both).expect("random"), session);
        let (start, tag) = session.rsplit_once('.').expect("a tag");
        let nonce = start.split('.').nth(1).expect("a nonce");
        let signed = |until: &str| {
            let start = format!("{until}.{nonce}");
            format!("{start}.{}", signer.tag(&start, ADA))
        };
        let rows = [
            (session.clone(), ADA, true),
            (session.clone(), BOB, false),
            (
                SessionSigner::new(b"other")
                    .issue(ADA, both)
                    .expect("random"),
                ADA,
                false,
            ),
            (signed("99999999999"), ADA, true),
            (signed("1"), ADA, false),
            (signed("soon"), ADA, false),
            (format!("9{start}.{tag}"), ADA, false),
            (format!("{session}x"), ADA, false),
            (format!("{session}{}", "x".repeat(10_000)), ADA, false),
            (start.to_owned(), ADA, false),
            (String::new(), ADA, false),
            ("..".to_owned(), ADA, false),
        ];
        for (session, who, expected) in rows {
            let can = signer.abilities(session.as_bytes(), who);
            assert_eq!(can.is_some(), expected, "{session}");
        }
        assert_eq!(signer.abilities(b"\xff.\xff", ADA), None);
    }

    #[test]
    fn a_session_says_how_its_client_can_ask() {
        let signer = SessionSigner::new(b"secret");
        for (forms, pages) in [(true, false), (false, true), (true, true)] {
            let can = ClientAbilities { forms, pages };
            let session = signer.issue(ADA, can).expect("random");
            assert_eq!(signer.abilities(session.as_bytes(), ADA), Some(can));
            // A client cannot add abilities to its session.
            let (start, tag) = session.rsplit_once('.').expect("a tag");
            let more = format!("{start}fp.{tag}");
            assert_eq!(signer.abilities(more.as_bytes(), ADA), None);
        }
        let before = format!("99999999999.{}", "n".repeat(11));
        let before = format!("{before}.{}", signer.tag(&before, ADA));
        let forms = ClientAbilities {
            forms: true,
            pages: false,
        };
        assert_eq!(signer.abilities(before.as_bytes(), ADA), Some(forms));
    }
}
