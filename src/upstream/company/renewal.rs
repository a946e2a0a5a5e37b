//! When and how a company's token is renewed: before it ends, one renewal at a time, and never at the price of the pair.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::file::PairFile;
use super::oauth::{App, Oauth, unusable};
use super::pair::{Pair, now};
use super::single_flight::SingleFlight;
use super::state::{PAUSE, RenewalState};
use super::token_error::{RefreshTokenState, TokenError};
use crate::upstream::TenantId;
use crate::upstream::failure::{Failure, FailureClass};
use state::StoreError;
use state::agency_tokens::{AgencyImport, AgencyPair, AgencyRenewal, AgencyTokens};

/// Another process renews within 10 seconds, or HighLevel did not answer it.
const LONGEST_LEASE: Duration = Duration::from_secs(15);

/// From one look whether it has to the next.
const LOOK: Duration = Duration::from_millis(20);

/// The token of one company.
pub(super) struct Renewal {
    pub company: TenantId,
    pub app: App,
    pub oauth: Oauth,
    /// Where the newest pair is, for all processes.
    pub tokens: AgencyTokens,
    /// Where a person puts the first.
    pub file: PairFile,
    pub state: Mutex<RenewalState>,
}

impl Renewal {
    pub(super) async fn token(self: &Arc<Self>) -> Result<SecretString, Failure> {
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

    pub(super) fn refused(&self, token: &SecretString) -> bool {
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
        self.take_over_file().await?;
        let start = Instant::now();
        loop {
            let (kept, pair) = self.newest().await?;
            {
                let mut state = self.state();
                state.take(&pair);
                // What this process left open is open no more where another one has put a new pair there.
                state.open = kept.is_open;
                if let Some(token) = state.good() {
                    return Ok(token);
                }
                let generation = kept.generation;
                state.unsaved.take_if(|(older, _)| *older != generation);
            }
            let lease = match kept.is_leased {
                true => None,
                false => self.tokens.begin(&kept).await.map_err(unrenewed)?,
            };
            match lease {
                Some(lease) => {
                    if let Some(token) = self.replace(&kept, &pair, lease).await? {
                        return Ok(token);
                    }
                }
                None if start.elapsed() >= LONGEST_LEASE => return Err(self.held_up().into()),
                None => sleep(LOOK).await,
            }
        }
    }

    /// Puts another pair in the place of `pair`; `None` where another process has done so meanwhile.
    async fn replace(
        &self,
        kept: &AgencyPair,
        pair: &Pair,
        lease: AgencyRenewal,
    ) -> Result<Option<SecretString>, TokenError> {
        let unsaved = self.state().unsaved.clone();
        let new = match unsaved {
            Some((_, unsaved)) => unsaved,
            None => {
                let asked = now();
                let answer = lease.hold(self.oauth.renew(&self.app, &pair.refresh)).await;
                match answer {
                    Ok(answer) => pair
                        .renewed(answer, asked)
                        .map_err(|what| TokenError::unknown(unusable(what)))?,
                    Err(missed) => {
                        // What was open before is still, unless HighLevel says that it is over.
                        let is_over = missed.refresh_token == RefreshTokenState::Dead;
                        let is_untouched = missed.refresh_token == RefreshTokenState::Untouched;
                        if is_over || (is_untouched && !kept.is_open) {
                            self.state().open = false;
                            // Left there it costs one renewal more.
                            let _ = lease.give_back().await;
                        }
                        return Err(missed);
                    }
                }
            }
        };
        self.state().unsaved = Some((kept.generation, new.clone()));
        // Tried again though nobody may ask: it is in this process alone.
        let is_put = lease.put(new.json()).await;
        let is_put = is_put.map_err(|error| TokenError::unknown(unsavable(error)))?;
        self.state().unsaved = None;
        if !is_put {
            return Ok(None);
        }
        self.fits(&new)?;
        self.state().renew(&new);
        tracing::info!(
            company = self.company.as_str(),
            "The company's token was renewed."
        );
        Ok(Some(new.access))
    }

    async fn newest(&self) -> Result<(AgencyPair, Pair), Failure> {
        let kept = self.tokens.read().await.map_err(unrenewed)?;
        // Nobody takes a row away.
        let kept = kept.ok_or_else(|| unrenewed("the store holds no pair".to_owned().into()))?;
        let text = kept.text.expose_secret().as_bytes();
        let pair = Pair::parse(text, 0);
        let pair = pair.map_err(|what| unrenewed(format!("what the store holds {what}").into()))?;
        self.fits(&pair)?;
        Ok((kept, pair))
    }

    /// Keeps the pair of the file where it is a new one. What is wrong with a file counts only while there is no other
    /// pair.
    async fn take_over_file(self: &Arc<Self>) -> Result<(), Failure> {
        let known = self.tokens.read().await.map_err(unrenewed)?;
        let is_needed = known.is_none();
        if !is_needed && !self.file.path().exists() {
            return Ok(());
        }
        match self.import(known).await {
            Err(failure) if !is_needed => {
                tracing::warn!(
                    company = self.company.as_str(),
                    "The pair that the store holds stays in use: {}",
                    failure.sentence
                );
                Ok(())
            }
            done => done,
        }
    }

    async fn import(self: &Arc<Self>, known: Option<AgencyPair>) -> Result<(), Failure> {
        let renewal = Arc::clone(self);
        let read = spawn_blocking(move || {
            let is_known = |name: &str| {
                known
                    .as_ref()
                    .is_some_and(|pair| pair.was_imported_as(name))
            };
            renewal.file.read(is_known)
        });
        let read = read.await.unwrap_or_else(|_| {
            let what = "Reading the company's pair file broke off.";
            Err(Failure::new(FailureClass::Upstream, what).with_remedy("Try again."))
        });
        let Some(from_file) = read? else {
            return Ok(());
        };
        self.fits(&from_file.pair)?;
        let import = AgencyImport {
            text: from_file.pair.json(),
            names: from_file.names.clone(),
            is_open: from_file.cut_off,
        };
        if self.tokens.import(import).await.map_err(unrenewed)? {
            tracing::info!(
                company = self.company.as_str(),
                "The store has taken the pair of {} over. The file stays as it is and may be read-only; its refresh \
                 token is used up at the first renewal, after which the store alone has one that works.",
                self.file.path().display()
            );
        }
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

    fn held_up(&self) -> Failure {
        let what = format!(
            "Another process has been renewing the token of the company {} for {} seconds.",
            self.company.as_str(),
            LONGEST_LEASE.as_secs()
        );
        Failure::new(FailureClass::Upstream, what)
            .with_remedy("Look for a server that hangs, and end it.")
    }

    fn state(&self) -> MutexGuard<'_, RenewalState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unrenewed(error: StoreError) -> Failure {
    let what = format!("The company's token was not renewed, and HighLevel not asked: {error}.");
    Failure::new(FailureClass::Auth, what)
        .with_remedy("Put that right; the refresh token is what it was.")
}

fn unsavable(error: StoreError) -> Failure {
    let what = format!(
        "HighLevel gave the company a new pair of tokens, which the store cannot keep: {error}."
    );
    Failure::new(FailureClass::Auth, what).with_remedy(
        "Put that right before the server is stopped: it keeps the pair in memory and tries again.",
    )
}
