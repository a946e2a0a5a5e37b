//! Exchanges a refresh token for the next tokens.

use std::time::Duration;

use secrecy::SecretString;
use sqlx::AssertSqlSafe;

use super::issue::TokenIssuer;
use super::record::{GRANT_COLUMNS, TokenGrant};
use super::{GrantScope, GrantTokens, Grants, TokenRefusal, after, canonical, now};
use crate::StoreError;
use crate::store::{Durability, Transaction};
use crate::token::hash_token;

/// Most remembered replaced tokens of one grant. Older ones are unknown.
pub(super) const MOST_RETIRED: i64 = 1_000;

const KNOWN: &str = "SELECT id FROM oauth_grant WHERE current = $1
    UNION ALL SELECT grant_id AS id FROM retired WHERE hash = $1";

/// A client's request for its next tokens.
#[derive(Clone, Debug)]
pub struct RefreshRequest {
    pub token: SecretString,
    /// The authenticated client.
    pub client: String,
    /// At most the given rights; `None`: all of them.
    pub scope: Option<GrantScope>,
    pub resource: Option<String>,
}

/// The time at which a token was replaced, and the number of its uses since.
struct Retirement {
    at: i64,
    uses: i64,
}

impl Grants {
    /// The current token gets the next one. A replaced one gets the current one again within the grace: the same bytes,
    /// so that two requests agree. After the grace, a replaced one ends the grant. Any other fault changes nothing.
    pub async fn refresh(
        &self,
        request: RefreshRequest,
    ) -> Result<Result<GrantTokens, TokenRefusal>, StoreError> {
        if !self.is_known(KNOWN, &request.token).await? {
            return Ok(Err(TokenRefusal::Unknown));
        }
        let issuer = self.issuer();
        let refreshed = self.store.change(Durability::Disk, move |transaction| {
            request.refresh(transaction, &issuer)
        });
        refreshed.await
    }
}

impl RefreshRequest {
    fn refresh(
        &self,
        transaction: &mut Transaction,
        issuer: &TokenIssuer,
    ) -> Result<Result<GrantTokens, TokenRefusal>, StoreError> {
        let hash = hash_token(&self.token);
        let Some((mut grant, retirement)) = find(transaction, &hash)? else {
            return Ok(Err(TokenRefusal::Unknown));
        };
        let grace = issuer.times().refresh_grace;
        if let Some(refusal) = self.refusal(&grant, retirement.as_ref(), grace) {
            if refusal == TokenRefusal::Replayed {
                let what = "a replaced refresh token was shown after its grace";
                grant.end_replayed(transaction, what)?;
            }
            return Ok(Err(refusal));
        }
        match retirement {
            None => {
                retire(transaction, issuer, &grant, hash)?;
                grant.seq += 1;
            }
            Some(retirement) => {
                let uses = retirement.uses + 1;
                let count = sqlx::query("UPDATE retired SET uses = $2 WHERE hash = $1");
                transaction.run(count.bind(hash).bind(uses))?;
                if is_notable(uses) {
                    let what = format!("a replaced refresh token was shown {uses} times");
                    grant.note_replay(transaction, what)?;
                }
            }
        }
        let scope = self.scope.unwrap_or(grant.scope);
        issuer.issue(transaction, &grant, scope).map(Ok)
    }

    fn refusal(
        &self,
        grant: &TokenGrant,
        retirement: Option<&Retirement>,
        grace: Duration,
    ) -> Option<TokenRefusal> {
        let now = now();
        let is_late = |retirement: &Retirement| after(retirement.at, grace) <= now;
        let is_foreign = |asked: &str| canonical(asked) != grant.resource;
        if grant.client != self.client {
            Some(TokenRefusal::OtherClient)
        } else if grant.has_ended() {
            Some(TokenRefusal::Ended)
        } else if grant.has_expired(now) {
            Some(TokenRefusal::Expired)
        } else if retirement.is_some_and(is_late) {
            Some(TokenRefusal::Replayed)
        } else if self.resource.as_deref().is_some_and(is_foreign) {
            Some(TokenRefusal::ForeignResource)
        } else if self.scope.is_some_and(|scope| scope > grant.scope) {
            Some(TokenRefusal::WiderScope)
        } else {
            None
        }
    }
}

/// A lost answer, and a few racing processes, are normal. After that, every doubling of the number is logged.
fn is_notable(uses: i64) -> bool {
    uses >= 4 && uses.count_ones() == 1
}

/// The grant of a present or earlier refresh token.
fn find(
    transaction: &mut Transaction,
    hash: &[u8],
) -> Result<Option<(TokenGrant, Option<Retirement>)>, StoreError> {
    let current = format!("SELECT {GRANT_COLUMNS} FROM oauth_grant g WHERE g.current = $1");
    let current = sqlx::query(AssertSqlSafe(current)).bind(hash.to_vec());
    if let Some(grant) = TokenGrant::find(transaction, current)? {
        return Ok(Some((grant, None)));
    }
    let retired = format!(
        "SELECT {GRANT_COLUMNS}, r.retired_at, r.uses
        FROM oauth_grant g JOIN retired r ON r.grant_id = g.id WHERE r.hash = $1"
    );
    let retired = sqlx::query(AssertSqlSafe(retired)).bind(hash.to_vec());
    let Some(row) = transaction.one(retired)? else {
        return Ok(None);
    };
    let retirement = Retirement {
        at: row.integer("retired_at")?,
        uses: row.integer("uses")?,
    };
    Ok(Some((TokenGrant::from_row(&row)?, Some(retirement))))
}

/// Replaces the current token.
fn retire(
    transaction: &mut Transaction,
    issuer: &TokenIssuer,
    grant: &TokenGrant,
    hash: Vec<u8>,
) -> Result<(), StoreError> {
    let insert = "INSERT INTO retired (hash, grant_id, retired_at, uses) VALUES ($1, $2, $3, 0)";
    let insert = sqlx::query(insert).bind(hash).bind(grant.id.clone());
    transaction.run(insert.bind(now()))?;
    if grant.seq >= MOST_RETIRED {
        let oldest = issuer.refresh_token(transaction, grant, grant.seq - MOST_RETIRED)?;
        let forget = sqlx::query("DELETE FROM retired WHERE hash = $1");
        transaction.run(forget.bind(hash_token(&oldest)))?;
    }
    Ok(())
}
