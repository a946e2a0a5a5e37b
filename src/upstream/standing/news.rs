//! Exchanges verdicts on tokens between this process and the others on its store.

use std::time::Duration;

use tokio::time::Instant;

use super::{Book, MOST_LOCATIONS, PROVEN_FOR, Standings};
use crate::upstream::recent::RecentMap;
use crate::upstream::{Digest, TenantId};

/// Most pending news. What does not fit is reported when it is heard again.
const MOST_NEWS: usize = 10_000;

/// A repeated verdict is reported again after this time: otherwise the others would forget it.
const TOLD_EVERY: Duration = Duration::from_hours(1);

/// HighLevel's verdict on a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenWord {
    Accepted,
    Unknown,
    Proven(TenantId),
    Disproven(TenantId),
    Home(TenantId),
}

/// News to be reported.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Somebody reports it.
    is_told: bool,
    waiting: Vec<(Digest, TokenWord)>,
}

/// The time of the last report.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told(Instant);

impl Told {
    pub(super) fn now() -> Self {
        Self(Instant::now())
    }

    pub(super) fn is_due(self) -> bool {
        self.0.elapsed() >= TOLD_EVERY
    }
}

impl News {
    pub(super) fn add(&mut self, digest: Digest, word: TokenWord) {
        if self.is_told && self.waiting.len() < MOST_NEWS {
            self.waiting.push((digest, word));
        }
    }
}

impl Standings {
    /// The news since the last call. The first call returns nothing, and starts the collection.
    pub(crate) fn take_news(&self) -> Vec<(Digest, TokenWord)> {
        let news = &mut self.book().news;
        news.is_told = true;
        std::mem::take(&mut news.waiting)
    }

    /// Records a verdict that another process got this long ago.
    pub(crate) fn hear(&self, digest: Digest, word: TokenWord, ago: Duration) {
        // Before the system's start, so it does not matter.
        let Some(at) = Instant::now().checked_sub(ago) else {
            return;
        };
        let mut book = self.book();
        match word {
            TokenWord::Accepted => book.accept(digest, at),
            TokenWord::Unknown => drop(book.forget(&digest)),
            TokenWord::Proven(location) => book.hear_proof(digest, location, at),
            TokenWord::Disproven(location) => {
                if let Some(locations) = book.proofs.touch(&digest) {
                    locations.remove(&location);
                }
            }
            TokenWord::Home(location) => match book.homes.touch(&digest) {
                Some(home) if home.as_ref() == Some(&location) => {}
                Some(home) => *home = None,
                None => book.homes.insert_used(digest, Some(location), at),
            },
        }
    }
}

impl Book {
    fn hear_proof(&mut self, digest: Digest, location: TenantId, at: Instant) {
        if let Some(locations) = self.proofs.touch(&digest) {
            if locations.peek(&location).is_none() {
                locations.insert_used(location, Told(at), at);
            }
            return;
        }
        let mut locations = RecentMap::new(MOST_LOCATIONS, PROVEN_FOR);
        locations.insert_used(location, Told(at), at);
        self.proofs.insert_used(digest, locations, at);
    }
}
