//! Takes rights from a grant in use: further rules apply beside the consented ones.
//!
//! All of them are in one column, one per line. A version that expects a single name reads them as an unknown one,
//! which allows nothing.

use std::collections::HashMap;

use super::record::{BETWEEN_RULES, split_rules};
use super::{GrantRecord, Grants, is_good};
use crate::StoreError;
use crate::events::{self, EventKind, NewEvent};
use crate::store::{Durability, Pending, StoredRow, Transaction};

/// Most rules of one grant.
pub const MOST_RULES: usize = 4;

impl Grants {
    /// From now on these rules also apply to the grant, in every process within 0.2 seconds. `by` is the id of the
    /// person who does it. `None`: the grant has ended. Rules that apply already change nothing.
    pub fn narrow(&self, id: &str, rules: &str, by: &str) -> Pending<Option<GrantRecord>> {
        let (id, rules, by) = (id.to_owned(), rules.to_owned(), by.to_owned());
        self.store.change(Durability::Disk, move |transaction| {
            narrow(transaction, &id, &rules, &by)
        })
    }

    /// The number of narrowings of the grant of this id, from memory; 0 if unknown, because then it does not count as
    /// live either.
    pub fn narrowings(&self, id: &str) -> usize {
        let mirrored = self.mirror.value();
        let cache = mirrored.as_ref().as_ref().ok();
        cache
            .and_then(|cache| cache.narrowings.get(id).copied())
            .unwrap_or_default()
    }
}

fn narrow(
    transaction: &mut Transaction,
    id: &str,
    rules: &str,
    by: &str,
) -> Result<Option<GrantRecord>, StoreError> {
    let found = match is_good(transaction, id)? {
        true => GrantRecord::by_id(transaction, id)?,
        false => None,
    };
    let Some(mut grant) = found else {
        return Ok(None);
    };
    if grant.all_rules().any(|held| held == rules) {
        return Ok(Some(grant));
    }
    if rules.is_empty() || rules.contains(BETWEEN_RULES) {
        return Err(StoreError::from(
            "rules have a name of one line; choose another".to_owned(),
        ));
    }
    if grant.narrowings.len() + 1 >= MOST_RULES {
        return Err(StoreError::from(format!(
            "{MOST_RULES} rules apply to this connection already; end it, and connect it again with others"
        )));
    }
    grant.narrowings.push(rules.to_owned());
    let all: Vec<&str> = grant.all_rules().collect();
    let put = sqlx::query("UPDATE oauth_grant SET rules = $2 WHERE id = $1");
    let put = put.bind(id.to_owned());
    transaction.run(put.bind(all.join(&BETWEEN_RULES.to_string())))?;
    let event = NewEvent {
        kind: EventKind::GrantNarrowed,
        actor: Some(by.to_owned()),
        subject: Some(id.to_owned()),
        detail: format!("{}, now also {rules}", grant.client_name),
    };
    events::write(transaction, event)?;
    transaction.revise()?;
    Ok(Some(grant))
}

/// The number of narrowings of each grant that has any.
pub(super) fn counts(transaction: &mut Transaction) -> Result<HashMap<String, usize>, StoreError> {
    let several = "SELECT id, rules FROM oauth_grant WHERE ended_at IS NULL AND rules LIKE $1";
    let rows = transaction.all(sqlx::query(several).bind(format!("%{BETWEEN_RULES}%")))?;
    let pair = |row: &StoredRow| Ok((row.text("id")?, split_rules(&row.text("rules")?).1.len()));
    rows.iter().map(pair).collect()
}
