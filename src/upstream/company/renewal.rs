//! When and how a company's token is renewed: before it ends, one renewal at a time, and never at the price of the pair.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::file::{PairFile, PairLock};
use super::oauth::{App, Oauth, unusable};
use super::pair::{Pair, now};
use super::single_flight::SingleFlight;
use super::state::{PAUSE, RenewalState};
use super::token_error::{RefreshTokenState, TokenError};
use crate::upstream::TenantId;
use crate::upstream::failure::{Failure, FailureClass};

/// Another process renews within 10 seconds, or HighLevel did not answer it.
const LONGEST_LOCK: Duration = Duration::from_secs(15);

/// From one look at the lock to the next.
const LOOK: Duration = Duration::from_millis(20);

/// The token of one company.
pub struct Renewal {
    pub company: TenantId,
    pub app: App,
    pub oauth: Oauth,
    pub file: PairFile,
    pub state: Mutex<RenewalState>,
}

impl Renewal {
    pub async fn token(self: &Arc<Self>) -> Result<SecretString, Failure> {
        let flight = {
            let mut state = self.state();
            if let Some(token) = state.good() {
                return Ok(token);
            }
            match (state.under_way(), state.resting()) {
                (Some(flight), _) => flight,
                (None, Some(failure)) => return state.still().ok_or(failure),
                (None, None) => self.start(&mut state),
            }
        };
        let outcome = flight.wait().await;
        outcome.or_else(|failure| self.state().still().ok_or(failure))
    }

    pub fn refused(&self, token: &SecretString) -> bool {
        self.state().refuse(token)
    }

    fn start(self: &Arc<Self>, state: &mut RenewalState) -> SingleFlight<SecretString> {
        let flight = SingleFlight::start(Arc::clone(self).attempt());
        state.flight = Some(flight.clone());
        flight
    }

    async fn attempt(self: Arc<Self>) -> Result<SecretString, Failure> {
        let outcome = Arc::clone(&self).renew().await;
        let company = self.company.as_str();
        let mut state = self.state();
        // Before anybody has the outcome: who refuses it must not be given it again.
        state.flight = None;
        match outcome {
            Ok(token) => {
                state.succeed();
                Ok(token)
            }
            Err(missed) => {
                let failure = &missed.failure;
                tracing::warn!(
                    company,
                    class = failure.class.name(),
                    "The company's token was not renewed: {}",
                    failure.sentence
                );
                if state.fail(&missed) {
                    let renewal = Arc::clone(&self);
                    tokio::spawn(async move {
                        sleep(PAUSE).await;
                        let mut state = renewal.state();
                        if state.open && state.under_way().is_none() {
                            renewal.start(&mut state);
                        }
                    });
                }
                Err(missed.failure)
            }
        }
    }

    async fn renew(self: Arc<Self>) -> Result<SecretString, TokenError> {
        if self.state().held.is_none() {
            let (pair, cut_off) = self.off_thread(|renewal| renewal.file.read()).await?;
            self.take(&pair)?;
            if !cut_off && let Some(token) = self.state().good() {
                return Ok(token);
            }
        }
        let locked = self.lock().await?;
        let (locked, pair, cut_off) = self
            .off_thread(move |_| {
                locked
                    .settle()
                    .map(|(pair, cut_off)| (locked, pair, cut_off))
            })
            .await?;
        self.take(&pair)?;
        let unsaved = {
            let mut state = self.state();
            // What this process left open is open no more where another one has put a new pair there.
            state.open = cut_off;
            if let Some(token) = state.good() {
                return Ok(token);
            }
            state.unsaved.take_if(|unsaved| !unsaved.follows(&pair));
            state.unsaved.clone()
        };
        let old = pair.clone();
        let prepared = self.off_thread(move |_| locked.prepare(&old)).await?;
        let new = match unsaved {
            Some(unsaved) => unsaved,
            None => {
                let asked = now();
                let answer = match self.oauth.renew(&self.app, &pair.refresh).await {
                    Ok(answer) => answer,
                    Err(missed) => {
                        // What was open before is still, unless HighLevel says that it is over.
                        let is_over = missed.refresh_token == RefreshTokenState::Dead;
                        if is_over
                            || (missed.refresh_token == RefreshTokenState::Untouched && !cut_off)
                        {
                            self.state().open = false;
                            self.off_thread(move |_| {
                                prepared.abandon();
                                Ok(())
                            })
                            .await?;
                        }
                        return Err(missed);
                    }
                };
                pair.renewed(answer, asked)
                    .map_err(|what| TokenError::unknown(unusable(what)))?
            }
        };
        self.state().unsaved = Some(new.clone());
        let saved = new.clone();
        self.off_thread(move |_| prepared.commit(&saved)).await?;
        self.state().unsaved = None;
        self.fits(&new)?;
        self.state().renew(&new);
        tracing::info!(
            company = self.company.as_str(),
            "The company's token was renewed."
        );
        Ok(new.access)
    }

    /// Uses the pair of the file where it is another than that in use.
    fn take(&self, pair: &Pair) -> Result<(), Failure> {
        self.fits(pair)?;
        self.state().take(pair);
        Ok(())
    }

    fn fits(&self, pair: &Pair) -> Result<(), Failure> {
        let path = self.file.path().display();
        if pair.other("userType") == Some("Location") {
            let what =
                format!("The pair file {path} holds tokens of a location, not of a company.");
            return Err(Failure::new(FailureClass::TokenClass, what).with_remedy(
                "Install the app for the whole company and write what POST /oauth/token answers to that file.",
            ));
        }
        match pair.other("companyId") {
            Some(other) if other != self.company.as_str() => {
                let what = format!(
                    "The pair file {path} holds tokens of another company than {}.",
                    self.company.as_str()
                );
                Err(Failure::new(FailureClass::Auth, what)
                    .with_remedy("Correct the company's id or the name of its pair file."))
            }
            _ => Ok(()),
        }
    }

    async fn lock(self: &Arc<Self>) -> Result<PairLock, Failure> {
        let start = Instant::now();
        loop {
            if let Some(locked) = self.off_thread(|renewal| renewal.file.try_lock()).await? {
                return Ok(locked);
            }
            if start.elapsed() >= LONGEST_LOCK {
                let what = format!(
                    "Another process has been renewing the pair file {} for {} seconds.",
                    self.file.path().display(),
                    LONGEST_LOCK.as_secs()
                );
                return Err(Failure::new(FailureClass::Upstream, what)
                    .with_remedy("Look for a server that hangs, and end it."));
            }
            sleep(LOOK).await;
        }
    }

    /// `work` where it may wait for a disk. It is done to its end even where the server stops meanwhile.
    async fn off_thread<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let renewal = Arc::clone(self);
        let done = spawn_blocking(move || work(&renewal)).await;
        done.unwrap_or_else(|_| {
            Err(Failure::new(
                FailureClass::Upstream,
                "Reading or writing the company's pair file broke off.",
            )
            .with_remedy("Try again."))
        })
    }

    fn state(&self) -> MutexGuard<'_, RenewalState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
