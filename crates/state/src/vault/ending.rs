//! The consequences of the end of a location, or of the app that reached it.

use super::{VaultLocation, write_event};
use crate::StoreError;
use crate::clock::now;
use crate::events::EventKind;
use crate::grants::{EndedGrants, end_grants};
use crate::keys;
use crate::store::Transaction;
use crate::token_pairs;

/// Removes a location, with everything that was made for it alone.
pub(super) fn remove(
    transaction: &mut Transaction,
    removed: &VaultLocation,
    by: Option<&str>,
) -> Result<(), StoreError> {
    let end = sqlx::query("UPDATE location SET ended_at = $2 WHERE id = $1");
    transaction.run(end.bind(removed.id.clone()).bind(now()))?;
    let of_alias = EndedGrants::Location(removed.alias.clone());
    end_grants(transaction, &of_alias, "its location was removed", by)?;
    end_customers(transaction, &removed.id, "its location was removed")?;
    let of_people = sqlx::query("DELETE FROM person_location WHERE alias = $1");
    transaction.run(of_people.bind(removed.alias.clone()))?;
    let by = by.map(str::to_owned);
    let (kind, what) = (EventKind::LocationRemoved, removed.kind.word());
    write_event(transaction, kind, by, removed, what)?;
    forget_unused(transaction, &removed.credential)
}

/// Deletes a credential that reaches no location any more, except a company's: its locations come and go.
pub(super) fn forget_unused(
    transaction: &mut Transaction,
    credential: &str,
) -> Result<(), StoreError> {
    let forget = "DELETE FROM vault_credential WHERE id = $1 AND kind <> 'company'
        AND NOT EXISTS (SELECT 1 FROM location WHERE credential = $1 AND ended_at IS NULL)";
    let forgotten = transaction.run(sqlx::query(forget).bind(credential.to_owned()))?;
    match forgotten {
        0 => Ok(()),
        _ => token_pairs::remove(transaction, credential),
    }
}

/// The credential's locations leave every grant. Returns their number.
pub(super) fn leave_grants(
    transaction: &mut Transaction,
    credential: &str,
) -> Result<usize, StoreError> {
    let find = "SELECT id, alias FROM location WHERE credential = $1 AND ended_at IS NULL";
    let rows = transaction.all(sqlx::query(find).bind(credential.to_owned()))?;
    for row in &rows {
        let of_alias = EndedGrants::Location(row.text("alias")?);
        end_grants(transaction, &of_alias, "the app was uninstalled", None)?;
        end_customers(transaction, &row.text("id")?, "the app was uninstalled")?;
    }
    Ok(rows.len())
}

/// Ends customers who connected it, and the keys for it: the row may come back, for somebody else too.
fn end_customers(
    transaction: &mut Transaction,
    location: &str,
    why: &str,
) -> Result<(), StoreError> {
    let find = "SELECT access_key FROM customer WHERE location = $1 AND ended_at IS NULL";
    let rows = transaction.all(sqlx::query(find).bind(location.to_owned()))?;
    for row in rows {
        if let Some(key) = row.optional_text("access_key")? {
            keys::end(transaction, &key, crate::now(), why)?;
        }
    }
    let end =
        "UPDATE customer SET ended_at = $2, code = NULL WHERE location = $1 AND ended_at IS NULL";
    let end = sqlx::query(end).bind(location.to_owned()).bind(now());
    transaction.run(end).map(drop)
}
