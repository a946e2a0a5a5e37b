//! Tells the other processes on the store what HighLevel said of tokens, and hears what it said to them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;

use super::Pipeline;
use state::clock::SteadyClock;
use state::token_facts::{TokenFact, TokenFactKind};

use crate::upstream::{TenantId, TokenWord};

/// From one look to the next: what one instance heard the others know within twice that.
const LOOK: Duration = Duration::from_secs(1);

/// Rows that were written a moment before others may be seen after them.
const OVERLAP: SignedDuration = SignedDuration::from_secs(5);

impl Pipeline {
    /// For as long as the process lives, where something outlives it.
    pub async fn follow_tokens(self) {
        let store = &self.controls().store;
        if !store.is_durable() {
            return;
        }
        let mut since = Timestamp::UNIX_EPOCH;
        // Where the store cannot be written it is told later.
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
