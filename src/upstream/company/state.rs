//! The state of a company's token between renewals.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::location_token_cache::TOO_YOUNG;
use super::pair::{MARGIN, Pair, now};
use super::single_flight::SingleFlight;
use super::token_error::{RefreshTokenState, TokenError};
use crate::upstream::failure::Failure;

/// The pause after a failed renewal, unless HighLevel asks for a longer one.
pub(super) const PAUSE: Duration = Duration::from_secs(5);

/// Longest pause that HighLevel may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// For 30 seconds HighLevel gives the same new pair for a used refresh token. This many attempts are made in that time
/// even without a caller.
const INSISTENCE: u32 = 5;

#[derive(Default)]
pub(super) struct RenewalState {
    pub held: Option<AccessToken>,
    /// A renewal was sent, and its result is unknown.
    pub open: bool,
    /// HighLevel's answer for the pair of this generation, which could not be stored yet.
    pub unsaved: Option<(i64, Pair)>,
    pub flight: Option<SingleFlight<SecretString>>,
    /// HighLevel refused the present token.
    refused: bool,
    /// The failure of the last renewal, and the time of the next attempt.
    failed: Option<(Failure, Instant)>,
    insisted: u32,
}

pub(super) struct AccessToken {
    token: SecretString,
    expires_at: i64,
    /// The time at which HighLevel gave it to this process.
    renewed: Option<Instant>,
}

impl RenewalState {
    /// The token, if it needs no renewal.
    pub(super) fn good(&self) -> Option<SecretString> {
        let held = self.held.as_ref().filter(|_| !self.refused && !self.open)?;
        // A token that lives for less than the margin must not be renewed at every call.
        let good = held.is_younger_than(PAUSE) || held.expires_at > now() + MARGIN;
        good.then(|| held.token.clone())
    }

    /// The token to use while renewals fail.
    pub(super) fn still(&self) -> Option<SecretString> {
        let held = self.held.as_ref().filter(|_| !self.refused)?;
        (held.expires_at > now()).then(|| held.token.clone())
    }

    /// The reason that there is no renewal now, with the rest of the pause.
    pub(super) fn resting(&self) -> Option<Failure> {
        let (failure, next) = self.failed.as_ref()?;
        let rest = next.saturating_duration_since(Instant::now());
        (!rest.is_zero()).then(|| failure.clone().with_retry_after(rest))
    }

    pub(super) fn under_way(&self) -> Option<SingleFlight<SecretString>> {
        let flight = self.flight.as_ref()?;
        (!flight.is_over()).then(|| flight.clone())
    }

    /// Notes that HighLevel refused `token`. Returns whether there is, or can be, a different one.
    pub(super) fn refuse(&mut self, token: &SecretString) -> bool {
        match &self.held {
            Some(held) if held.is(token) => {
                self.refused |= !held.is_younger_than(TOO_YOUNG);
                self.refused
            }
            _ => true,
        }
    }

    /// Uses the store's pair if it differs from the present one.
    pub(super) fn take(&mut self, pair: &Pair) {
        if !self.held.as_ref().is_some_and(|held| held.is(&pair.access)) {
            self.hold(pair, None);
        }
    }

    /// Uses a pair that HighLevel has just given.
    pub(super) fn renew(&mut self, pair: &Pair) {
        self.hold(pair, Some(Instant::now()));
    }

    pub(super) fn succeed(&mut self) {
        self.open = false;
        self.failed = None;
        self.insisted = 0;
    }

    /// Notes a failure. Returns whether to try again even without a caller.
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
