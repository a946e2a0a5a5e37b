//! When and how the token of a company, or of a location that installed the app, is renewed: before it expires, one
//! renewal at a time, and without ever losing the pair.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

use super::file::PairFile;
use super::holder::PairHolder;
use super::oauth::{App, Oauth, unusable};
use super::pair::{Pair, now};
use super::single_flight::SingleFlight;
use super::state::{PAUSE, RenewalState};
use super::token_error::{RefreshTokenState, TokenError};
use crate::upstream::failure::{Failure, FailureClass};
use state::StoreError;
use state::token_pairs::{PairImport, PairLease, StoredPair, TokenPairs};
use state::vault::{CredentialStatus, Vault};

/// Another process renews within 10 seconds, or HighLevel did not answer it.
const LONGEST_LEASE: Duration = Duration::from_secs(15);

/// Where the store has not taken a pair within this, a file keeps it meanwhile.
const SOON: Duration = Duration::from_millis(250);

/// From one look whether it has to the next.
const LOOK: Duration = Duration::from_millis(20);

/// The remedy for an app that was installed by a sign-in.
const SIGN_IN_AGAIN: &str =
    "Have the person who connected the location sign in at HighLevel again.";

/// The token of one company or location.
pub(super) struct Renewal {
    pub holder: PairHolder,
    pub app: App,
    pub oauth: Oauth,
    /// The place of the newest pair, for all processes.
    pub tokens: TokenPairs,
    pub source: PairSource,
    pub state: Mutex<RenewalState>,
}

/// The source of the first pair.
pub(super) enum PairSource {
    /// A person puts it into a file.
    File(PairFile),
    /// It was stored when the app was installed, as the credential of this id.
    Install { vault: Vault, credential: String },
    /// It was kept when somebody signed in at the command line.
    Login,
}

impl PairSource {
    /// What to do where no pair is left.
    fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::File(_) => None,
            Self::Install { .. } => Some(SIGN_IN_AGAIN),
            Self::Login => Some("Run `highlevel-mcp login --highlevel` in a terminal."),
        }
    }
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
        let mut state = self.state();
        // Cleared before anybody has the outcome: a caller that refuses the token must not get it again.
        state.flight = None;
        match outcome {
            Ok(token) => {
                state.succeed();
                self.report(CredentialStatus::Good);
                Ok(token)
            }
            Err(missed) => {
                let failure = &missed.failure;
                tracing::warn!(
                    holder = self.holder.id().as_str(),
                    class = failure.class.name(),
                    "The {}'s token was not renewed: {}",
                    self.holder.noun(),
                    failure.sentence
                );
                let insists = state.fail(&missed);
                if missed.refresh_token == RefreshTokenState::Unknown && !insists {
                    self.report(CredentialStatus::Unsure);
                }
                if insists {
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

    /// Records the status of an install's pair, for people.
    fn report(&self, status: CredentialStatus) {
        if let PairSource::Install { vault, credential } = &self.source {
            // Nothing depends on it: a call finds out for itself.
            drop(vault.set_status(credential, status));
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
                // An open renewal of this process is settled once another one has stored a new pair.
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

    /// Replaces `pair` by a new one; `None` if another process has done so meanwhile.
    async fn replace(
        &self,
        kept: &StoredPair,
        pair: &Pair,
        lease: PairLease,
    ) -> Result<Option<SecretString>, TokenError> {
        let new = match self.find_unsaved(kept.generation).await {
            Some(unsaved) => unsaved,
            None => {
                let asked = now();
                let answer = lease
                    .hold(self.oauth.renew(&self.app, &self.holder, &pair.refresh))
                    .await;
                match answer {
                    Ok(answer) => pair
                        .renewed(answer, asked)
                        .map_err(|what| TokenError::unknown(unusable(what)))?,
                    Err(mut missed) => {
                        // An open renewal stays open, unless HighLevel says that the pair is dead.
                        let is_over = missed.refresh_token == RefreshTokenState::Dead;
                        if is_over && let Some(remedy) = self.source.remedy() {
                            // After a renewal that was cut off, the pair that took its place is with nobody.
                            self.report(match kept.is_open {
                                true => CredentialStatus::Unsure,
                                false => CredentialStatus::Refused,
                            });
                            missed.failure.remedy = Some(remedy.into());
                        }
                        let is_untouched = missed.refresh_token == RefreshTokenState::Untouched;
                        if is_over || (is_untouched && !kept.is_open) {
                            self.state().open = false;
                            // If this fails, it costs one further renewal.
                            let _ = lease.give_back().await;
                        }
                        return Err(missed);
                    }
                }
            }
        };
        self.state().unsaved = Some((kept.generation, new.clone()));
        // Tried again though nobody may ask: no other process has it.
        let is_put = self.put(kept.generation, lease, &new).await?;
        self.state().unsaved = None;
        if !is_put {
            return Ok(None);
        }
        self.fits(&new)?;
        self.state().renew(&new);
        tracing::info!(
            holder = self.holder.id().as_str(),
            "The {}'s token was renewed.",
            self.holder.noun()
        );
        Ok(Some(new.access))
    }

    /// What HighLevel gave for the pair of this generation, and the store does not have: this process, or one that ended.
    async fn find_unsaved(&self, generation: i64) -> Option<Pair> {
        let unsaved = self.state().unsaved.clone();
        if let Some((_, pair)) = unsaved {
            return Some(pair);
        }
        let text = self.tokens.read_spill(generation).await?;
        Pair::parse(text.expose_secret().as_bytes(), 0).ok()
    }

    /// Has the store keep a new pair. Where it does not soon, a file of the state folder does, so that the pair is not gone
    /// with this process.
    async fn put(&self, generation: i64, lease: PairLease, new: &Pair) -> Result<bool, TokenError> {
        let mut put = pin!(lease.put(new.json()));
        let soon = timeout(SOON, put.as_mut()).await;
        if let Ok(Ok(is_put)) = soon {
            return Ok(is_put);
        }
        let spilled = self.tokens.spill(generation, new.json()).await;
        let is_put = match soon {
            Ok(failed) => failed,
            Err(_) => put.await,
        };
        is_put.map_err(|error| TokenError::unknown(unsavable(error, spilled.err())))
    }

    async fn newest(&self) -> Result<(StoredPair, Pair), Failure> {
        let kept = self.tokens.read().await.map_err(unrenewed)?;
        // Nobody deletes a company's row. That of an install is deleted with the app.
        let kept = kept.ok_or_else(|| match &self.source {
            PairSource::File(_) => unrenewed("the store holds no pair".to_owned().into()),
            PairSource::Install { .. } => {
                let what = format!("The app was uninstalled from the {}.", self.holder.noun());
                Failure::new(FailureClass::Auth, what).with_remedy(SIGN_IN_AGAIN)
            }
            PairSource::Login => Failure::new(
                FailureClass::Auth,
                "The sign-in at HighLevel was forgotten here.",
            )
            .with_remedy(self.source.remedy().unwrap_or_default()),
        })?;
        let text = kept.text.expose_secret().as_bytes();
        let pair = Pair::parse(text, 0);
        let pair = pair.map_err(|what| unrenewed(format!("what the store holds {what}").into()))?;
        self.fits(&pair)?;
        Ok((kept, pair))
    }

    /// Stores the file's pair if it is new. A faulty file matters only while there is no other pair.
    async fn take_over_file(self: &Arc<Self>) -> Result<(), Failure> {
        let PairSource::File(file) = &self.source else {
            return Ok(());
        };
        let known = self.tokens.read().await.map_err(unrenewed)?;
        let is_needed = known.is_none();
        if !is_needed && !file.path().exists() {
            return Ok(());
        }
        match self.import(file, known).await {
            Err(failure) if !is_needed => {
                tracing::warn!(
                    holder = self.holder.id().as_str(),
                    "The pair that the store holds stays in use: {}",
                    failure.sentence
                );
                Ok(())
            }
            done => done,
        }
    }

    async fn import(&self, file: &PairFile, known: Option<StoredPair>) -> Result<(), Failure> {
        let reading = file.clone();
        let read = spawn_blocking(move || {
            let is_known = |name: &str| {
                known
                    .as_ref()
                    .is_some_and(|pair| pair.was_imported_as(name))
            };
            reading.read(is_known)
        });
        let read = read.await.unwrap_or_else(|_| {
            let what = "Reading the company's pair file broke off.";
            Err(Failure::new(FailureClass::Upstream, what).with_remedy("Try again."))
        });
        let Some(from_file) = read? else {
            return Ok(());
        };
        self.fits(&from_file.pair)?;
        let import = PairImport {
            text: from_file.pair.json(),
            names: from_file.names.clone(),
            is_open: from_file.cut_off,
        };
        if self.tokens.import(import).await.map_err(unrenewed)? {
            tracing::info!(
                holder = self.holder.id().as_str(),
                "The store has taken the pair of {} over. The file stays as it is and may be read-only; its refresh \
                 token is used up at the first renewal, after which the store alone has one that works.",
                file.path().display()
            );
        }
        Ok(())
    }

    fn fits(&self, pair: &Pair) -> Result<(), Failure> {
        if self.holder.fits(pair) {
            return Ok(());
        }
        let PairSource::File(file) = &self.source else {
            let what = format!(
                "HighLevel gave tokens of another {} than the app was installed for.",
                self.holder.noun()
            );
            let remedy = self.source.remedy().unwrap_or_default();
            return Err(Failure::new(FailureClass::TokenClass, what).with_remedy(remedy));
        };
        let path = file.path().display();
        if pair.other("userType") == Some("Location") {
            let what =
                format!("The pair file {path} holds tokens of a location, not of a company.");
            return Err(Failure::new(FailureClass::TokenClass, what).with_remedy(
                "Install the app for the whole company and write what POST /oauth/token answers to that file.",
            ));
        }
        let what = format!(
            "The pair file {path} holds tokens of another company than {}.",
            self.holder.id().as_str()
        );
        Err(Failure::new(FailureClass::Auth, what)
            .with_remedy("Correct the company's id or the name of its pair file."))
    }

    fn held_up(&self) -> Failure {
        let what = format!(
            "Another process has been renewing the token of the {} {} for {} seconds.",
            self.holder.noun(),
            self.holder.id().as_str(),
            LONGEST_LEASE.as_secs()
        );
        Failure::new(FailureClass::Upstream, what)
            .with_remedy("Find the server that hangs, and end it.")
    }

    fn state(&self) -> MutexGuard<'_, RenewalState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unrenewed(error: StoreError) -> Failure {
    let what = format!("The token was not renewed, and HighLevel was not asked: {error}.");
    Failure::new(FailureClass::Auth, what)
        .with_remedy("Correct that. The refresh token is unchanged.")
}

/// `unspilled`: why no file keeps the pair either.
fn unsavable(error: StoreError, unspilled: Option<StoreError>) -> Failure {
    let what =
        format!("HighLevel gave a new pair of tokens, which the store cannot keep: {error}.");
    let remedy = match unspilled {
        None => "Correct that. Until then the pair is sealed in a file of the state folder, and the server tries again."
            .to_owned(),
        Some(error) => format!(
            "Correct that before you stop the server. It keeps the pair only in memory, because no file can be written \
             ({error}), and tries again."
        ),
    };
    Failure::new(FailureClass::Auth, what).with_remedy(remedy)
}
