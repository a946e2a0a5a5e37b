//! Exchanges a code for tokens, once.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::issue::TokenIssuer;
use super::record::TokenGrant;
use super::{GrantTokens, Grants, TokenRefusal, canonical, now};
use crate::StoreError;
use crate::store::{Durability, StoredRow, Transaction};
use crate::token::hash_token;

const KNOWN: &str = "SELECT grant_id FROM code WHERE hash = $1";

/// A client's request for its first tokens.
#[derive(Clone, Debug)]
pub struct Redemption {
    pub code: SecretString,
    /// The authenticated client.
    pub client: String,
    /// A client of OAuth 2.1 omits it: PKCE replaces it.
    pub redirect: Option<String>,
    /// PKCE's.
    pub verifier: SecretString,
    pub resource: Option<String>,
}

impl Grants {
    /// A code is valid once. If its client shows it again, the grant ends (RFC 6749, 4.1.2): one of the two was not the
    /// client. Any other fault changes nothing: somebody who saw a code but lacks its verifier can neither use it nor
    /// take it from the client, whose code lasts a minute.
    pub async fn redeem(
        &self,
        redemption: Redemption,
    ) -> Result<Result<GrantTokens, TokenRefusal>, StoreError> {
        if !self.is_known(KNOWN, &redemption.code).await? {
            return Ok(Err(TokenRefusal::Unknown));
        }
        let issuer = self.issuer();
        let redeemed = self.store.change(Durability::Disk, move |transaction| {
            redemption.redeem(transaction, &issuer)
        });
        redeemed.await
    }
}

impl Redemption {
    fn redeem(
        &self,
        transaction: &mut Transaction,
        issuer: &TokenIssuer,
    ) -> Result<Result<GrantTokens, TokenRefusal>, StoreError> {
        let hash = hash_token(&self.code);
        let find = sqlx::query("SELECT * FROM code WHERE hash = $1").bind(hash.clone());
        let Some(code) = transaction.one(find)? else {
            return Ok(Err(TokenRefusal::Unknown));
        };
        let Some(grant) = TokenGrant::by_id(transaction, &code.text("grant_id")?)? else {
            return Ok(Err(TokenRefusal::Unknown));
        };
        if let Some(refusal) = self.refusal(&code, &grant)? {
            if refusal == TokenRefusal::Replayed {
                grant.end_replayed(transaction, "the code was shown twice")?;
            }
            return Ok(Err(refusal));
        }
        let put = sqlx::query("UPDATE code SET used_at = $2 WHERE hash = $1");
        transaction.run(put.bind(hash).bind(now()))?;
        issuer.issue(transaction, &grant, grant.scope).map(Ok)
    }

    fn refusal(
        &self,
        code: &StoredRow,
        grant: &TokenGrant,
    ) -> Result<Option<TokenRefusal>, StoreError> {
        if grant.client != self.client {
            return Ok(Some(TokenRefusal::OtherClient));
        }
        if grant.has_ended() {
            return Ok(Some(TokenRefusal::Ended));
        }
        if code.optional_integer("used_at")?.is_some() {
            return Ok(Some(TokenRefusal::Replayed));
        }
        let now = now();
        if code.integer("expires_at")? <= now || grant.has_expired(now) {
            return Ok(Some(TokenRefusal::Expired));
        }
        let redirect = code.text("redirect")?;
        if self
            .redirect
            .as_ref()
            .is_some_and(|shown| *shown != redirect)
        {
            return Ok(Some(TokenRefusal::WrongRedirect));
        }
        if !verifies(&code.text("challenge")?, &self.verifier) {
            return Ok(Some(TokenRefusal::WrongVerifier));
        }
        let is_foreign = |asked: &str| canonical(asked) != grant.resource;
        let is_foreign = self.resource.as_deref().is_some_and(is_foreign);
        Ok(is_foreign.then_some(TokenRefusal::ForeignResource))
    }
}

/// Whether the client that requested the code is the one that shows it (RFC 7636, S256).
fn verifies(challenge: &str, verifier: &SecretString) -> bool {
    let hash = digest(&SHA256, verifier.expose_secret().as_bytes());
    let shown = URL_SAFE_NO_PAD.encode(hash);
    shown.as_bytes().ct_eq(challenge.as_bytes()).into()
}
