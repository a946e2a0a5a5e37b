//! The state of a company's token between renewals.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::location_token_cache::TOO_YOUNG;
use super::pair::{MARGIN, Pair, now};
use super::single_flight::SingleFlight;
use super::token_error::{RefreshTokenState, TokenError};
use crate::upstream::failure::Failure;

/// From one renewal that failed to the next, where HighLevel asks for no longer pause.
pub(super) const PAUSE: Duration = Duration::from_secs(5);

/// Longest pause that HighLevel is granted.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// For 30 seconds HighLevel gives the same new pair for a used refresh token: so often it is asked, should nobody
/// else do so.
const INSISTENCE: u32 = 5;

#[derive(Default)]
pub(super) struct RenewalState {
    pub held: Option<AccessToken>,
    /// A renewal was sent, and nobody knows what became of it.
    pub open: bool,
    /// What HighLevel gave for the pair of this generation and could not be put in its place.
    pub unsaved: Option<(i64, Pair)>,
    pub flight: Option<SingleFlight<SecretString>>,
    /// HighLevel refused what is held.
    refused: bool,
    /// Why the last renewal failed, and when the next may be.
    failed: Option<(Failure, Instant)>,
    insisted: u32,
}

pub(super) struct AccessToken {
    token: SecretString,
    expires_at: i64,
    /// When HighLevel gave it to this process.
    renewed: Option<Instant>,
}

impl RenewalState {
    /// The token that needs no renewal.
    pub(super) fn good(&self) -> Option<SecretString> {
        let held = self.held.as_ref().filter(|_| !self.refused && !self.open)?;
        // A token that lives for less than the margin must not be renewed at every call.
        let good = held.is_younger_than(PAUSE) || held.expires_at > now() + MARGIN;
        good.then(|| held.token.clone())
    }

    /// What can be used while no renewal comes to anything.
    pub(super) fn still(&self) -> Option<SecretString> {
        let held = self.held.as_ref().filter(|_| !self.refused)?;
        (held.expires_at > now()).then(|| held.token.clone())
    }

    /// Why there is no renewal now, with the rest of the pause.
    pub(super) fn resting(&self) -> Option<Failure> {
        let (failure, next) = self.failed.as_ref()?;
        let rest = next.saturating_duration_since(Instant::now());
        (!rest.is_zero()).then(|| failure.clone().with_retry_after(rest))
    }

    pub(super) fn under_way(&self) -> Option<SingleFlight<SecretString>> {
        let flight = self.flight.as_ref()?;
        (!flight.is_over()).then(|| flight.clone())
    }

    /// Whether there is, or can be, another token than `token`, which HighLevel refused.
    pub(super) fn refuse(&mut self, token: &SecretString) -> bool {
        match &self.held {
            Some(held) if held.is(token) => {
                self.refused |= !held.is_younger_than(TOO_YOUNG);
                self.refused
            }
            _ => true,
        }
    }

    /// Uses the pair of the store where it is another than that in use.
    pub(super) fn take(&mut self, pair: &Pair) {
        if !self.held.as_ref().is_some_and(|held| held.is(&pair.access)) {
            self.hold(pair, None);
        }
    }

    /// Uses what HighLevel just gave.
    pub(super) fn renew(&mut self, pair: &Pair) {
        self.hold(pair, Some(Instant::now()));
    }

    pub(super) fn succeed(&mut self) {
        self.open = false;
        self.failed = None;
        self.insisted = 0;
    }

    /// Whether to try again though nobody may ask.
    pub(super) fn fail(&mut self, missed: &TokenError) -> bool {
        self.open |= missed.refresh_token == RefreshTokenState::Unknown;
        let asked = Duration::from_millis(missed.failure.retry_after_ms.unwrap_or(0));
        let pause = asked.clamp(PAUSE, LONGEST_PAUSE);
        self.failed = Some((missed.failure.clone(), Instant::now() + pause));
        // What the store has not taken is written as soon as it can be, however long that takes.
        let insists = self.open && (self.unsaved.is_some() || self.insisted < INSISTENCE);
        self.insisted = self.insisted.saturating_add(u32::from(insists));
        insists
    }

    fn hold(&mut self, pair: &Pair, renewed: Option<Instant>) {
        self.refused = false;
        self.held = Some(AccessToken {
            token: pair.access.clone(),
            expires_at: pair.expires_at,
            renewed,
        });
    }
}

impl AccessToken {
    fn is(&self, token: &SecretString) -> bool {
        self.token.expose_secret() == token.expose_secret()
    }

    fn is_younger_than(&self, age: Duration) -> bool {
        self.renewed.is_some_and(|renewed| renewed.elapsed() < age)
    }
}
