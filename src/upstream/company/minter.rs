//! Tokens of locations for clients that bring a company's token of their own.

use std::sync::Arc;

use secrecy::SecretString;

use super::location_token_cache::LocationTokenCache;
use super::oauth::{LocationToken, Oauth};
use crate::upstream::Digest;
use crate::upstream::TenantId;
use crate::upstream::caller::Credential;
use crate::upstream::failure::{Failure, FailureClass};

/// Most cached tokens of all clients together.
const MOST: usize = 2000;

/// Exchanges clients' company tokens, and caches the results for the same token. Cheap to clone.
#[derive(Clone)]
pub struct Minter {
    oauth: Oauth,
    minted: Arc<LocationTokenCache<(Digest, TenantId)>>,
}

impl Minter {
    pub fn new(oauth: Oauth) -> Self {
        Self {
            oauth,
            minted: Arc::new(LocationTokenCache::new(MOST)),
        }
    }

    /// Whether `credential` is a company's OAuth token, by its claims.
    pub fn takes(credential: &Credential) -> bool {
        company(credential).is_some()
    }

    /// A token of `location` for a client with `credential`, which `digest` identifies.
    pub async fn location_token(
        &self,
        digest: Digest,
        credential: &Credential,
        location: &TenantId,
    ) -> Result<SecretString, Failure> {
        let Some((company, end)) = company(credential) else {
            return Err(Failure::new(
                FailureClass::TokenClass,
                "The token is not a company's OAuth token, which alone gives tokens of locations.",
            )
            .with_remedy("Use a token of the location itself."));
        };
        let oauth = self.oauth.clone();
        let Credential::Token(token) = credential.clone() else {
            return Err(Failure::new(
                FailureClass::TokenClass,
                "The server's own companies have tokens of their own.",
            ));
        };
        let asked = location.clone();
        let mint = async move {
            let granted = oauth
                .location_token(token.secret(), &company, &asked)
                .await?;
            // A client whose token has expired gets nothing for it any more.
            let expires_at = end.map_or(granted.expires_at, |end| end.min(granted.expires_at));
            Ok(LocationToken {
                expires_at,
                ..granted
            })
        };
        let key = (digest, location.clone());
        self.minted.token(key, mint).await
    }

    /// Notes that HighLevel refused `token` for `location`. Returns whether another request gives a different one.
    pub fn forget(&self, digest: Digest, location: &TenantId, token: &SecretString) -> bool {
        self.minted.forget(&(digest, location.clone()), token)
    }
}

/// The company in a token's claims, and the token's expiry.
fn company(credential: &Credential) -> Option<(TenantId, Option<i64>)> {
    let claims = credential.claims()?;
    if claims.auth_class.as_deref() != Some("Company") {
        return None;
    }
    let company = TenantId::parse(claims.auth_class_id.as_deref()?)?;
    Some((company, claims.expires))
}
