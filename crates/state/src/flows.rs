//! Sign-ins at HighLevel under way: the request, sealed, until the person's browser returns with it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};

use super::clock::now;
use super::store::{Durability, KeyRing, Pending, SealedAt, Store, StoredRow, Transaction};
use super::{StoreError, hex, random};

/// How long a person has.
pub const LONGEST_FLOW: Duration = Duration::from_secs(15 * 60);

/// Most flows under way.
const MOST_FLOWS: i64 = 10_000;

/// Most flows of one browser. A further one replaces its oldest.
const MOST_OF_BROWSER: i64 = 8;

/// Longest text, in bytes.
const LONGEST_TEXT: usize = 16 << 10;

const PREFIX: &str = "hlf_";

/// The request of a flow.
#[derive(Clone, Debug)]
pub struct SignInFlow {
    pub step: String,
    pub text: SecretString,
}

/// The reason that a flow is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlowProblem {
    /// It is over, was taken, or never existed.
    #[error("This sign-in has ended. Start again.")]
    Over,
    #[error("This sign-in was started in another browser. Start again in this one.")]
    Foreign,
    /// None was named, and the browser has none or several.
    #[error(
        "It is not known which sign-in this answer belongs to. Close the other windows and start again."
    )]
    Ambiguous,
}

/// The flows of a store. Cheap to clone.
#[derive(Clone)]
pub struct Flows {
    store: Store,
}

impl Flows {
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
        }
    }

    /// Stores `text` for the browser that shows the same bytes again. Returns the token that names it.
    pub fn begin(
        &self,
        browser: &[u8],
        step: &str,
        text: &SecretString,
        lasts: Duration,
    ) -> Pending<SecretString> {
        let prepared = (|| {
            if text.expose_secret().len() > LONGEST_TEXT {
                return Err(StoreError::from(format!(
                    "what a sign-in asks for has more than the {LONGEST_TEXT} bytes that are kept"
                )));
            }
            let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random::<32>()?));
            let hash = sha256(token.as_bytes());
            let sealed = self
                .store
                .ring()
                .seal(sealed_at(&hex(&hash)), text.expose_secret().as_bytes())?;
            Ok((SecretString::from(token), hash, sealed))
        })();
        let (token, hash, sealed) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return Pending::failed(error),
        };
        let (browser, step) = (sha256(browser), step.to_owned());
        let lasts = i64::try_from(lasts.min(LONGEST_FLOW).as_millis()).unwrap_or(i64::MAX);
        self.store.change(Durability::System, move |transaction| {
            make_room(transaction, &browser)?;
            let insert =
                "INSERT INTO flow (hash, browser, step, sealed, expires_at) VALUES ($1, $2, $3, $4, $5)";
            let insert = sqlx::query(insert)
                .bind(hash.clone())
                .bind(browser.clone())
                .bind(step.clone())
                .bind(sealed.clone())
                .bind(now().saturating_add(lasts));
            transaction.run(insert)?;
            Ok(token.clone())
        })
    }

    /// The flow of the token. It is used up, but not by another browser.
    pub fn take(
        &self,
        token: &SecretString,
        browser: &[u8],
    ) -> Pending<Result<SignInFlow, FlowProblem>> {
        let (hash, browser) = (sha256(token.expose_secret().as_bytes()), sha256(browser));
        let ring = self.store.ring();
        self.store.change(Durability::Disk, move |transaction| {
            let find = sqlx::query("SELECT * FROM flow WHERE hash = $1 AND expires_at > $2");
            let Some(found) = transaction.one(find.bind(hash.clone()).bind(now()))? else {
                return Ok(Err(FlowProblem::Over));
            };
            if found.bytes("browser")? != browser {
                return Ok(Err(FlowProblem::Foreign));
            }
            take(transaction, &ring, &found).map(Ok)
        })
    }

    /// The only flow of this browser, where it has exactly one.
    pub fn only_one(&self, browser: &[u8]) -> Pending<Result<SignInFlow, FlowProblem>> {
        let browser = sha256(browser);
        let ring = self.store.ring();
        self.store.change(Durability::Disk, move |transaction| {
            let find = "SELECT * FROM flow WHERE browser = $1 AND expires_at > $2 LIMIT 2";
            let find = sqlx::query(find).bind(browser.clone());
            match transaction.all(find.bind(now()))?.as_slice() {
                [found] => take(transaction, &ring, found).map(Ok),
                _ => Ok(Err(FlowProblem::Ambiguous)),
            }
        })
    }
}

/// Takes the flow, so that it cannot be taken again.
fn take(
    transaction: &mut Transaction,
    ring: &KeyRing,
    found: &StoredRow,
) -> Result<SignInFlow, StoreError> {
    let hash = found.bytes("hash")?;
    let text = ring.open(sealed_at(&hex(&hash)), &found.bytes("sealed")?)?;
    let text = String::from_utf8(text)
        .map_err(|_| StoreError::from("a sign-in under way is not a text".to_owned()))?;
    transaction.run(sqlx::query("DELETE FROM flow WHERE hash = $1").bind(hash))?;
    Ok(SignInFlow {
        step: found.text("step")?,
        text: text.into(),
    })
}

/// Fails if too many are under way: none of another browser's is dropped.
fn make_room(transaction: &mut Transaction, browser: &[u8]) -> Result<(), StoreError> {
    let all = transaction.one(sqlx::query("SELECT COUNT(*) AS n FROM flow"))?;
    if all.map_or(Ok(0), |row| row.integer("n"))? >= MOST_FLOWS {
        // Expired ones are swept only once a minute.
        sweep(transaction)?;
        let all = transaction.one(sqlx::query("SELECT COUNT(*) AS n FROM flow"))?;
        if all.map_or(Ok(0), |row| row.integer("n"))? >= MOST_FLOWS {
            return Err(StoreError::busy(
                "too many sign-ins are under way; try again in some minutes",
            ));
        }
    }
    let oldest = "DELETE FROM flow WHERE browser = $1 AND hash NOT IN
        (SELECT hash FROM flow WHERE browser = $1 ORDER BY expires_at DESC LIMIT $2)";
    let oldest = sqlx::query(oldest)
        .bind(browser.to_vec())
        .bind(MOST_OF_BROWSER - 1);
    transaction.run(oldest).map(drop)
}

/// Deletes flows that nobody returned for.
pub(crate) fn sweep(transaction: &mut Transaction) -> Result<(), StoreError> {
    let sweep = sqlx::query("DELETE FROM flow WHERE expires_at <= $1");
    transaction.run(sweep.bind(now())).map(drop)
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

fn sealed_at(row: &str) -> SealedAt<'_> {
    SealedAt {
        table: "flow",
        row,
        column: "sealed",
        generation: 0,
    }
}

#[cfg(test)]
mod tests;
