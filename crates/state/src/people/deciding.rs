//! The right to decide about calls: given to a person and taken away, for each location.

use super::{People, Person, find};
use crate::StoreError;
use crate::events::{self, EventKind, NewEvent};
use crate::store::{Durability, Pending, Transaction};

/// The locations where a person may approve calls from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRights {
    /// In every location that the person reaches.
    pub everywhere: bool,
    /// Aliases of the person's own list, and whether the person decides about calls there. Others stay unchanged.
    pub locations: Vec<(String, bool)>,
}

impl People {
    /// Changes where a member may approve calls. `by` is the id of the person who does it. Other processes know within
    /// 0.2 seconds.
    pub fn set_approvals(&self, id: &str, rights: ApprovalRights, by: &str) -> Pending<Person> {
        let (id, by) = (id.to_owned(), by.to_owned());
        self.store.change(Durability::Disk, move |transaction| {
            set(transaction, &id, &rights, &by)
        })
    }
}

fn set(
    transaction: &mut Transaction,
    id: &str,
    rights: &ApprovalRights,
    by: &str,
) -> Result<Person, StoreError> {
    let unknown = || StoreError::from(format!("there is no person {id} who may sign in"));
    let before = find(transaction, id)?.ok_or_else(unknown)?;
    if rights.everywhere != before.approves_all {
        let put = sqlx::query("UPDATE person SET approves_all = $2 WHERE id = $1");
        let put = put.bind(id.to_owned()).bind(i64::from(rights.everywhere));
        transaction.run(put)?;
    }
    for (alias, may_approve) in &rights.locations {
        let put = sqlx::query(
            "UPDATE person_location SET may_approve = $3 WHERE person = $1 AND alias = $2",
        );
        let put = put.bind(id.to_owned()).bind(alias.clone());
        transaction.run(put.bind(i64::from(*may_approve)))?;
    }
    let after = find(transaction, id)?.ok_or_else(unknown)?;
    if after.approves_all == before.approves_all && after.locations == before.locations {
        return Ok(after);
    }
    let event = NewEvent {
        kind: EventKind::ApprovalRightsChanged,
        actor: Some(by.to_owned()),
        subject: Some(id.to_owned()),
        detail: format!(
            "{} approves calls in: {}",
            after.name,
            after.approved_locations()
        ),
    };
    events::write(transaction, event)?;
    transaction.revise()?;
    Ok(after)
}

impl Person {
    /// In words, for records.
    fn approved_locations(&self) -> String {
        if self.approves_all {
            return "every location".to_owned();
        }
        let approved = self
            .locations
            .iter()
            .filter(|location| location.may_approve);
        let aliases: Vec<&str> = approved.map(|location| location.alias.as_str()).collect();
        match aliases.is_empty() {
            true => "none".to_owned(),
            false => aliases.join(", "),
        }
    }
}
