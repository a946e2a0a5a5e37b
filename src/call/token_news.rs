//! Shares HighLevel's verdicts on tokens with the other processes on the store.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;

use super::Pipeline;
use state::clock::SteadyClock;
use state::token_facts::{TokenFact, TokenFactKind};

use crate::upstream::{TenantId, TokenWord};

/// The interval of the exchange: the others know a verdict within twice this time.
const LOOK: Duration = Duration::from_secs(1);

/// Rows may become visible out of order: those of the last seconds are read again.
const OVERLAP: SignedDuration = SignedDuration::from_secs(5);

impl Pipeline {
    /// Runs until the process ends. Returns at once without a durable store.
    pub async fn follow_tokens(self) {
        let store = &self.controls().store;
        if !store.is_durable() {
            return;
        }
        let mut since = Timestamp::UNIX_EPOCH;
        // Verdicts that could not be written are kept for the next time.
        let mut untold: Vec<TokenFact> = Vec::new();
        loop {
            let now = SteadyClock::now();
            untold.extend(self.transport().take_token_news().into_iter().map(fact));
            if !untold.is_empty() && store.note_token_facts(untold.clone()).await.is_ok() {
                untold.clear();
            }
            if let Ok(heard) = store.token_facts(since).await {
                for (fact, at) in heard {
                    let ago = now.duration_since(at).try_into().unwrap_or_default();
                    if let Some(word) = word(&fact) {
                        self.transport().hear_of_token(fact.token, word, ago);
                    }
                }
                since = now - OVERLAP;
            }
            sleep(LOOK).await;
        }
    }
}

fn fact((token, word): ([u8; 32], TokenWord)) -> TokenFact {
    let (kind, location) = match word {
        TokenWord::Accepted => (TokenFactKind::Accepted, None),
        TokenWord::Unknown => (TokenFactKind::Unknown, None),
        TokenWord::Proven(location) => (TokenFactKind::Proven, Some(location)),
        TokenWord::Disproven(location) => (TokenFactKind::Disproven, Some(location)),
        TokenWord::Home(location) => (TokenFactKind::Home, Some(location)),
    };
    TokenFact {
        token,
        kind,
        location: location.map(|location| location.as_str().to_owned()),
    }
}

fn word(fact: &TokenFact) -> Option<TokenWord> {
    let location = || TenantId::parse(fact.location.as_deref()?);
    Some(match fact.kind {
        TokenFactKind::Accepted => TokenWord::Accepted,
        TokenFactKind::Unknown => TokenWord::Unknown,
        TokenFactKind::Proven => TokenWord::Proven(location()?),
        TokenFactKind::Disproven => TokenWord::Disproven(location()?),
        TokenFactKind::Home => TokenWord::Home(location()?),
    })
}
