//! Makes tokens of a grant.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use secrecy::SecretString;

use super::record::TokenGrant;
use super::{ACCESS, CODE, GrantScope, GrantTimes, GrantTokens, REFRESH, after, now};
use crate::StoreError;
use crate::clients::touch;
use crate::store::{KeyRing, Transaction, secret};
use crate::token::{hash_token, make_token};

/// Most access tokens of one grant: a program that constantly requests new ones loses its own oldest.
pub(super) const MOST_ACCESS: i64 = 64;

/// The keys and times for making tokens.
pub(super) struct TokenIssuer {
    ring: Arc<KeyRing>,
    times: GrantTimes,
}

/// A secret of the store from which repeatable texts are derived; the rows alone give none.
struct TokenKey(hmac::Key);

impl TokenIssuer {
    pub(super) fn new(ring: Arc<KeyRing>, times: GrantTimes) -> Self {
        Self { ring, times }
    }

    pub(super) fn times(&self) -> &GrantTimes {
        &self.times
    }

    /// A new access token, and the refresh token of the grant's generation.
    pub(super) fn issue(
        &self,
        transaction: &mut Transaction,
        grant: &TokenGrant,
        scope: GrantScope,
    ) -> Result<GrantTokens, StoreError> {
        let now = now();
        let idle_until = after(now, self.times.refresh_idle).min(grant.hard_until);
        // Nothing outlives its grant.
        let expires = after(now, self.times.access_for).min(idle_until);
        let (access, access_hash) = make_token(ACCESS)?;
        let forget = "DELETE FROM access WHERE hash IN (SELECT hash FROM access WHERE grant_id = $1
            ORDER BY expires_at DESC LIMIT 1000 OFFSET $2)";
        let forget = sqlx::query(forget).bind(grant.id.clone());
        transaction.run(forget.bind(MOST_ACCESS - 1))?;
        let insert =
            "INSERT INTO access (hash, grant_id, scope, expires_at) VALUES ($1, $2, $3, $4)";
        let insert = sqlx::query(insert)
            .bind(access_hash)
            .bind(grant.id.clone())
            .bind(scope.name())
            .bind(expires);
        transaction.run(insert)?;
        let refresh = self.refresh_token(transaction, grant, grant.seq)?;
        let put = "UPDATE oauth_grant SET seq = $2, current = $3, used_at = $4, idle_until = $5 WHERE id = $1";
        let put = sqlx::query(put)
            .bind(grant.id.clone())
            .bind(grant.seq)
            .bind(hash_token(&refresh))
            .bind(now)
            .bind(idle_until);
        transaction.run(put)?;
        touch(transaction, &grant.client)?;
        let lasts = u64::try_from(expires.saturating_sub(now)).unwrap_or_default();
        Ok(GrantTokens {
            access,
            refresh,
            expires_in: Duration::from_millis(lasts),
            scope,
            grant: grant.id.clone(),
        })
    }

    /// The same at every call.
    pub(super) fn refresh_token(
        &self,
        transaction: &mut Transaction,
        grant: &TokenGrant,
        generation: i64,
    ) -> Result<SecretString, StoreError> {
        let key = TokenKey::read(transaction, &self.ring, "refresh")?;
        // A salt has 32 bytes, so the generation follows unambiguously.
        Ok(key.token(REFRESH, &[&grant.salt, &generation.to_be_bytes()]))
    }

    /// The code for a form, the same every time that form is sent.
    pub(super) fn code(
        &self,
        transaction: &mut Transaction,
        form: &str,
    ) -> Result<SecretString, StoreError> {
        let key = TokenKey::read(transaction, &self.ring, "code")?;
        Ok(key.token(CODE, &[form.as_bytes()]))
    }
}

impl TokenKey {
    fn read(transaction: &mut Transaction, ring: &KeyRing, name: &str) -> Result<Self, StoreError> {
        let secret = secret(transaction, ring, name)?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &secret)))
    }

    fn token(&self, prefix: &str, parts: &[&[u8]]) -> SecretString {
        let mut context = hmac::Context::with_key(&self.0);
        parts.iter().for_each(|part| context.update(part));
        format!("{prefix}{}", URL_SAFE_NO_PAD.encode(context.sign())).into()
    }
}
