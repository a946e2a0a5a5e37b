//! HighLevel's verdicts on tokens: accepted or not, and the locations they proved.
//!
//! Anybody can invent tokens. An invented one must cost HighLevel little, and must not affect anything of an accepted
//! token. So the two are kept in separate maps, each with a bound.

mod delay;
mod news;
mod seat;
mod tries;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::upstream::errors::TokenVerdict;
use crate::upstream::recent::RecentMap;
use crate::upstream::{Digest, TenantId};

pub(crate) use delay::Delay;
pub(crate) use news::TokenWord;
use news::{News, Told};
pub(crate) use seat::Seat;
use tries::Tries;

/// An accepted token is remembered for this long after HighLevel last accepted it.
const ACCEPTED_FOR: Duration = Duration::from_hours(30 * 24);

/// A proof is valid for this long after the last proving call.
const PROVEN_FOR: Duration = Duration::from_hours(24);

/// A refused token first rests this long, and twice as long each time, up to the longest rest.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);

/// An endpoint that let a token in by no read is tried again after this time: the token's scopes may have been
/// extended.
const KEPT_OUT_FOR: Duration = Duration::from_mins(1);

/// Longest name of a location's endpoint in bytes: an alias, and an id in the header.
const LONGEST_ENDPOINT: usize = 128;

/// A token's refusals are forgotten this long after the last one.
const REFUSED_FOR: Duration = Duration::from_mins(10);

/// Bounds on what is kept: tokens that HighLevel accepted, locations of each, and whatever anybody can invent.
const MOST_ACCEPTED: usize = 100_000;
const MOST_PROVING: usize = 50_000;
const MOST_LOCATIONS: usize = 2_000;
const MOST_STRANGERS: usize = 10_000;

/// Most running calls of a new token: it may be invented, and each is a request to HighLevel.
pub(crate) const NEW_CALLS: usize = 4;

/// HighLevel's verdict on a token so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// HighLevel has not answered it yet, or called it unknown.
    New,
    /// HighLevel knows it.
    Accepted,
}

/// What a call is counted under.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CountedUnder {
    /// The location that the credential proved, or has from the settings.
    Location(TenantId),
    /// The credential alone: the location that a call names proves nothing.
    Credential(Digest),
}

/// A token that wants to call HighLevel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newcomer {
    pub digest: Digest,
    pub address: Option<IpAddr>,
    /// The server knows the caller, so its refusals do not count against an address.
    pub known: bool,
}

/// The standing of every token of the process.
pub(crate) struct Standings {
    book: Mutex<Book>,
    longest_wait: Duration,
}

struct Book {
    accepted: RecentMap<Digest, Told>,
    proofs: RecentMap<Digest, RecentMap<TenantId, Told>>,
    /// The location of a private integration's token; `None` if it proved several.
    homes: RecentMap<Digest, Option<TenantId>>,
    rests: RecentMap<Digest, Rest>,
    /// Endpoints that let a token in by no read, by their callers' names: a remembered name does not reveal whether
    /// such a location exists.
    kept_out: RecentMap<(Digest, String), ()>,
    /// Running calls of new tokens; closed once the token is accepted.
    new_calls: RecentMap<Digest, Arc<Semaphore>>,
    /// By IPv4 address or IPv6 network of 64 bits.
    addresses: RecentMap<Option<IpAddr>, Arc<Tries>>,
    /// For the other processes on the store.
    news: News,
}

/// HighLevel called a token unknown.
struct Rest {
    times: u32,
    until: Instant,
}

impl Standings {
    /// `longest_wait`: how long a call waits while too many of new tokens are running.
    pub(crate) fn new(longest_wait: Duration) -> Self {
        Self {
            longest_wait,
            book: Mutex::new(Book {
                accepted: RecentMap::new(MOST_ACCEPTED, ACCEPTED_FOR),
                proofs: RecentMap::new(MOST_PROVING, PROVEN_FOR),
                homes: RecentMap::new(MOST_PROVING, PROVEN_FOR),
                rests: RecentMap::new(MOST_STRANGERS, REFUSED_FOR),
                kept_out: RecentMap::new(MOST_STRANGERS, KEPT_OUT_FOR),
                new_calls: RecentMap::new(MOST_STRANGERS, LONGEST_REST)
                    .keeping(|calls| Arc::strong_count(calls) > 1),
                addresses: RecentMap::new(MOST_STRANGERS, tries::FORGOTTEN_AFTER)
                    .keeping(|tries| Arc::strong_count(tries) > 1),
                news: News::default(),
            }),
        }
    }

    pub(crate) fn standing(&self, digest: &Digest) -> Standing {
        match self.book().accepted.peek(digest) {
            Some(_) => Standing::Accepted,
            None => Standing::New,
        }
    }

    pub(crate) fn is_proven(&self, digest: &Digest, location: &TenantId) -> bool {
        let book = self.book();
        let proofs = book.proofs.peek(digest);
        proofs.is_some_and(|locations| locations.peek(location).is_some())
    }

    /// The location that the token proved, if it is exactly one.
    pub(crate) fn only_location(&self, digest: &Digest) -> Option<TenantId> {
        self.book().proofs.peek(digest)?.only().cloned()
    }

    /// Records the verdict of HighLevel's answer on the token.
    pub(crate) fn record(&self, digest: Digest, verdict: TokenVerdict) {
        let mut book = self.book();
        match verdict {
            TokenVerdict::Accepted => {
                let told = book.accepted.touch(&digest).copied();
                if told.is_none_or(Told::is_due) {
                    book.news.add(digest, TokenWord::Accepted);
                    book.accept(digest, Instant::now());
                }
            }
            TokenVerdict::Unknown => {
                if book.forget(&digest) {
                    book.news.add(digest, TokenWord::Unknown);
                }
                book.rest(digest);
            }
            TokenVerdict::Doubtful | TokenVerdict::Silent => {}
        }
    }

    /// Records a successful call that HighLevel allows only to tokens of `location`. Returns whether that is news.
    pub(crate) fn prove(&self, digest: Digest, location: &TenantId) -> bool {
        let mut book = self.book();
        let known = book.proofs.touch(&digest);
        let told = known.and_then(|locations| locations.touch(location).copied());
        if told.is_none_or(Told::is_due) {
            let word = TokenWord::Proven(location.clone());
            book.news.add(digest, word);
            book.note_proof(digest, location);
        }
        told.is_none()
    }

    /// Records a successful call that HighLevel allows only to a location's own token, and to no agency's.
    pub(crate) fn settle(&self, digest: Digest, location: &TenantId) {
        let mut book = self.book();
        match book.homes.touch(&digest) {
            Some(home) if home.as_ref() == Some(location) => {}
            Some(home) => {
                *home = None;
                book.news.add(digest, TokenWord::Home(location.clone()));
            }
            None => {
                book.homes.insert(digest, Some(location.clone()));
                book.news.add(digest, TokenWord::Home(location.clone()));
            }
        }
    }

    /// The location that the token belongs to.
    pub(crate) fn home(&self, digest: &Digest) -> Option<TenantId> {
        self.book().homes.peek(digest)?.clone()
    }

    /// No read lets the token in at `endpoint`.
    pub(crate) fn keep_out(&self, digest: Digest, endpoint: String) {
        if endpoint.len() <= LONGEST_ENDPOINT {
            self.book().kept_out.insert((digest, endpoint), ());
        }
    }

    pub(crate) fn is_kept_out(&self, digest: Digest, endpoint: &str) -> bool {
        let is_name = endpoint.len() <= LONGEST_ENDPOINT;
        is_name
            && self
                .book()
                .kept_out
                .peek(&(digest, endpoint.to_owned()))
                .is_some()
    }

    /// HighLevel does not accept the token for `location`.
    pub(crate) fn disprove(&self, digest: &Digest, location: &TenantId) {
        let mut book = self.book();
        let locations = book.proofs.touch(digest);
        let was_proven = locations.and_then(|locations| locations.remove(location));
        if was_proven.is_some() {
            let word = TokenWord::Disproven(location.clone());
            book.news.add(*digest, word);
        }
    }

    /// Whether a call could be sent now, or would be refused without a request to HighLevel.
    pub(crate) fn check(&self, newcomer: &Newcomer) -> Result<(), Delay> {
        let tries = {
            let mut book = self.book();
            book.check_rest(&newcomer.digest)?;
            let is_accepted = book.accepted.peek(&newcomer.digest).is_some();
            if newcomer.known || is_accepted {
                return Ok(());
            }
            book.tries(newcomer.address)
        };
        tries.check()
    }

    /// Waits until a call of a new token may be sent; `None` if the token is accepted.
    pub(crate) async fn enter(
        &self,
        newcomer: &Newcomer,
        deadline: Instant,
    ) -> Result<Option<Seat>, Delay> {
        self.check(newcomer)?;
        let patience = deadline.min(Instant::now() + self.longest_wait);
        let Some((calls, tries)) = self.queues(newcomer) else {
            return Ok(None);
        };
        let place = match tokio::time::timeout_at(patience, calls.acquire_owned()).await {
            Ok(Ok(place)) => place,
            // Closed: the token was accepted meanwhile.
            Ok(Err(_)) => return Ok(None),
            Err(_) => return Err(Delay::crowded()),
        };
        // Meanwhile another call may have shown what the token is.
        self.check(newcomer)?;
        if self.standing(&newcomer.digest) == Standing::Accepted {
            return Ok(None);
        }
        Ok(Some(Seat::new(place, tries.enter(patience).await?)))
    }

    /// The semaphores on which a call of a new token waits.
    fn queues(&self, newcomer: &Newcomer) -> Option<(Arc<Semaphore>, Arc<Tries>)> {
        let mut book = self.book();
        if newcomer.known || book.accepted.peek(&newcomer.digest).is_some() {
            return None;
        }
        let calls = book.calls(newcomer.digest);
        Some((calls, book.tries(newcomer.address)))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn accept(&mut self, digest: Digest, at: Instant) {
        self.accepted.insert_used(digest, Told::now(), at);
        self.rests.remove(&digest);
        if let Some(calls) = self.new_calls.remove(&digest) {
            // Waiting calls go on: the token is no longer new.
            calls.close();
        }
    }

    fn note_proof(&mut self, digest: Digest, location: &TenantId) {
        if let Some(locations) = self.proofs.touch(&digest) {
            locations.insert(location.clone(), Told::now());
            return;
        }
        let mut locations = RecentMap::new(MOST_LOCATIONS, PROVEN_FOR);
        locations.insert(location.clone(), Told::now());
        self.proofs.insert(digest, locations);
    }

    /// Whether anything was known of it.
    fn forget(&mut self, digest: &Digest) -> bool {
        let accepted = self.accepted.remove(digest).is_some();
        let proven = self.proofs.remove(digest).is_some();
        let home = self.homes.remove(digest).is_some();
        accepted || proven || home
    }

    fn check_rest(&self, digest: &Digest) -> Result<(), Delay> {
        let left = self
            .rests
            .peek(digest)
            .map(|rest| rest.until.saturating_duration_since(Instant::now()));
        match left {
            Some(left) if !left.is_zero() => Err(Delay::rest(left)),
            _ => Ok(()),
        }
    }

    fn rest(&mut self, digest: Digest) {
        let now = Instant::now();
        if let Some(rest) = self.rests.touch(&digest) {
            // Concurrent calls are refused together, which counts as one refusal.
            if rest.until <= now {
                let pause = FIRST_REST * 2u32.saturating_pow(rest.times.min(16));
                rest.times = rest.times.saturating_add(1);
                rest.until = now + pause.min(LONGEST_REST);
            }
            return;
        }
        let until = now + FIRST_REST;
        self.rests.insert(digest, Rest { times: 1, until });
    }

    fn calls(&mut self, digest: Digest) -> Arc<Semaphore> {
        if let Some(calls) = self.new_calls.touch(&digest) {
            return Arc::clone(calls);
        }
        let calls = Arc::new(Semaphore::new(NEW_CALLS));
        self.new_calls.insert(digest, Arc::clone(&calls));
        calls
    }

    fn tries(&mut self, address: Option<IpAddr>) -> Arc<Tries> {
        let network = address.map(network);
        if let Some(tries) = self.addresses.touch(&network) {
            return Arc::clone(tries);
        }
        let tries = Arc::new(Tries::default());
        self.addresses.insert(network, Arc::clone(&tries));
        tries
    }
}

/// The address range of one client: an IPv4 address, or an IPv6 network of 64 bits.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mask = u128::MAX << 64;
            IpAddr::V6((u128::from(address) & mask).into())
        }
        address => address,
    }
}

#[cfg(test)]
mod tests;
