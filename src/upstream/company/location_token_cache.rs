//! Caches tokens of locations while they are valid: one request for each at a time, and a fixed maximum of entries.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hashlink::LruCache;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::oauth::LocationToken;
use super::pair::{MARGIN, now};
use super::single_flight::SingleFlight;
use crate::upstream::failure::Failure;

/// A refusal of a token this young is not the token's fault: another one would be refused too.
pub(super) const TOO_YOUNG: Duration = Duration::from_secs(60);

/// Tokens by their purpose. Only in memory.
pub(super) struct LocationTokenCache<K> {
    book: Mutex<TokenBook<K>>,
}

struct TokenBook<K> {
    tokens: LruCache<K, CachedToken>,
    flights: HashMap<K, SingleFlight<SecretString>>,
}

struct CachedToken {
    granted: LocationToken,
    got: Instant,
}

impl<K: Clone + Eq + Hash + Send + 'static> LocationTokenCache<K> {
    /// Keeps up to `most` tokens.
    pub(super) fn new(most: usize) -> Self {
        Self {
            book: Mutex::new(TokenBook {
                tokens: LruCache::new(most),
                flights: HashMap::new(),
            }),
        }
    }

    /// The cached token for `key`, or the result of `mint`.
    pub(super) async fn token(
        self: &Arc<Self>,
        key: K,
        mint: impl Future<Output = Result<LocationToken, Failure>> + Send + 'static,
    ) -> Result<SecretString, Failure> {
        let flight = {
            let mut book = self.book();
            if let Some(token) = book.good(&key) {
                return Ok(token);
            }
            let under_way = book.flights.get(&key).filter(|flight| !flight.is_over());
            match under_way.cloned() {
                Some(flight) => flight,
                None => {
                    let (minted, own) = (Arc::clone(self), key.clone());
                    let flight = SingleFlight::start(async move {
                        let outcome = mint.await;
                        minted.book().end(own, outcome)
                    });
                    book.flights.insert(key, flight.clone());
                    flight
                }
            }
        };
        flight.wait().await
    }

    /// Notes that HighLevel refused `token`. Returns whether another request gives a different one.
    pub(super) fn forget(&self, key: &K, token: &SecretString) -> bool {
        let mut book = self.book();
        let Some(kept) = book.tokens.peek(key) else {
            return true;
        };
        if kept.granted.token.expose_secret() != token.expose_secret() {
            return true;
        }
        if kept.got.elapsed() < TOO_YOUNG {
            return false;
        }
        book.tokens.remove(key);
        true
    }

    fn book(&self) -> MutexGuard<'_, TokenBook<K>> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash> TokenBook<K> {
    fn good(&mut self, key: &K) -> Option<SecretString> {
        let kept = self.tokens.get(key)?;
        kept.granted.is_good().then(|| kept.granted.token.clone())
    }

    fn end(
        &mut self,
        key: K,
        outcome: Result<LocationToken, Failure>,
    ) -> Result<SecretString, Failure> {
        self.flights.remove(&key);
        // Expired tokens are removed here, not on access: they may never be requested again.
        self.tokens.retain(|_, kept| kept.granted.is_good());
        let granted = outcome?;
        let token = granted.token.clone();
        if granted.is_good() {
            let got = Instant::now();
            self.tokens.insert(key, CachedToken { granted, got });
        }
        Ok(token)
    }
}

impl LocationToken {
    fn is_good(&self) -> bool {
        self.expires_at > now() + MARGIN
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::upstream::failure::FailureClass;

    struct Mint {
        minted: Arc<LocationTokenCache<u32>>,
        mints: Arc<AtomicUsize>,
    }

    impl Mint {
        fn new(most: usize) -> Self {
            Self {
                minted: Arc::new(LocationTokenCache::new(most)),
                mints: Arc::default(),
            }
        }

        /// Requests the token of `key`, whose mint would last `lasts` seconds; `None` fails.
        async fn ask(&self, key: u32, lasts: Option<i64>) -> Result<String, FailureClass> {
            let mints = Arc::clone(&self.mints);
            let mint = async move {
                tokio::task::yield_now().await;
                let count = mints.fetch_add(1, Ordering::SeqCst) + 1;
                let lasts = lasts.ok_or_else(|| Failure::new(FailureClass::Upstream, "down"))?;
                Ok(LocationToken {
                    token: format!("{key}.{count}").into(),
                    expires_at: now() + lasts,
                })
            };
            let token = self.minted.token(key, mint).await;
            token
                .map(|token| token.expose_secret().to_owned())
                .map_err(|failure| failure.class)
        }

        /// The numbers of tokens, and of flights that are not cleared.
        fn sizes(&self) -> (usize, usize) {
            let book = self.minted.book();
            (book.tokens.len(), book.flights.len())
        }
    }

    #[track_caller]
    fn check(got: Result<String, FailureClass>, want: Result<&str, FailureClass>) {
        assert_eq!(got, want.map(str::to_owned));
    }

    #[tokio::test]
    async fn good_tokens_are_kept_and_others_are_not() {
        let mint = Mint::new(10);
        check(mint.ask(1, Some(1000)).await, Ok("1.1"));
        check(mint.ask(1, Some(1000)).await, Ok("1.1"));
        check(mint.ask(2, Some(MARGIN)).await, Ok("2.2"));
        check(mint.ask(2, Some(MARGIN)).await, Ok("2.3"));
        check(mint.ask(3, None).await, Err(FailureClass::Upstream));
        check(mint.ask(3, Some(1000)).await, Ok("3.5"));
        assert_eq!(mint.sizes(), (2, 0));
    }

    #[tokio::test]
    async fn simultaneous_requests_get_one_token() {
        let mint = Arc::new(Mint::new(10));
        let asking = (0..200).map(|number| {
            let mint = Arc::clone(&mint);
            tokio::spawn(async move { mint.ask(number % 2, Some(1000)).await })
        });
        for asked in asking.collect::<Vec<_>>() {
            assert!(asked.await.expect("no panic").is_ok());
        }
        assert_eq!(mint.mints.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn the_token_that_was_used_longest_ago_goes() {
        let mint = Mint::new(2);
        for key in [1, 2, 1, 3] {
            assert!(mint.ask(key, Some(1000)).await.is_ok());
        }
        check(mint.ask(1, Some(1000)).await, Ok("1.1"));
        check(mint.ask(3, Some(1000)).await, Ok("3.3"));
        check(mint.ask(2, Some(1000)).await, Ok("2.4"));
        assert_eq!(mint.sizes(), (2, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_forgotten_once_and_not_too_young() {
        let mint = Mint::new(10);
        check(mint.ask(1, Some(1000)).await, Ok("1.1"));
        assert!(!mint.minted.forget(&1, &"1.1".into()), "too young");
        check(mint.ask(1, Some(1000)).await, Ok("1.1"));
        tokio::time::advance(TOO_YOUNG).await;
        assert!(mint.minted.forget(&1, &"1.0".into()), "another one is kept");
        check(mint.ask(1, Some(1000)).await, Ok("1.1"));
        assert!(mint.minted.forget(&1, &"1.1".into()));
        check(mint.ask(1, Some(1000)).await, Ok("1.2"));
        assert!(mint.minted.forget(&7, &"7.1".into()), "none is kept");
    }
}
