//! People: who may sign in, the locations that each reaches, and the rules for each.

mod deciding;
mod person;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

pub use deciding::ApprovalRights;
use jiff::{SignedDuration, Timestamp};
pub(crate) use person::check_name;
use person::read;
pub use person::{Person, PersonLocation, PersonRole};

use super::events::{self, EventKind, NewEvent};
use super::grants::{EndedGrants, end_grants};
use super::store::{Durability, Mirror, Pending, Store, Transaction};
use super::token::make_id;
use super::{StoreError, now};

const PREFIX: &str = "per_";

/// Most people who may sign in.
const MOST: i64 = 10_000;

/// How long a person is listed after the end: as long as records of the person's actions are usually kept.
const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// Rows that are deleted at once: other work waits meanwhile.
const AT_ONCE: i64 = 500;

const TROUBLE: &str = "the people cannot be read; nobody is signed in";

/// The people of a store. Lookups are from memory. Cheap to clone.
#[derive(Clone)]
pub struct People {
    store: Store,
    mirror: Arc<Mirror<PeopleById>>,
}

/// People who may sign in.
type PeopleById = HashMap<String, Arc<Person>>;

impl People {
    /// Blocks until they are read.
    pub fn new(store: &Store) -> Self {
        let load = |transaction: &mut Transaction| {
            let living = "SELECT * FROM person WHERE ended_at IS NULL";
            let people = read(transaction, sqlx::query(living))?;
            let pair = |person: Person| (person.id.clone(), Arc::new(person));
            Ok(people.into_iter().map(pair).collect())
        };
        Self {
            store: store.clone(),
            mirror: store.mirror(PeopleById::new(), load, TROUBLE),
        }
    }

    /// From memory: a change by another process is known within 0.2 seconds. `None`: unknown, or ended.
    pub fn find(&self, id: &str) -> Result<Option<Arc<Person>>, StoreError> {
        match self.mirror.value().as_ref() {
            Ok(known) => Ok(known.get(id).cloned()),
            Err(error) => Err(error.clone()),
        }
    }

    /// The person of this name who may sign in, from memory.
    pub fn with_name(&self, name: &str) -> Result<Option<Arc<Person>>, StoreError> {
        match self.mirror.value().as_ref() {
            Ok(known) => Ok(known.values().find(|person| person.name == name).cloned()),
            Err(error) => Err(error.clone()),
        }
    }

    /// From memory. If people cannot be read, there may be one.
    pub fn has_operator(&self) -> bool {
        self.mirror.value().as_ref().as_ref().map_or(true, |known| {
            let mut people = known.values();
            people.any(|person| person.role == PersonRole::Operator)
        })
    }

    /// Including ended ones, oldest first.
    pub fn list(&self) -> Pending<Vec<Person>> {
        self.store.read(|transaction| {
            let all = "SELECT * FROM person ORDER BY created_at, id";
            read(transaction, sqlx::query(all))
        })
    }

    /// Ends the person of that id or name, with every session, link and grant of theirs, and their invitations to
    /// others. `by` is the id of the person who does it; `None`: the command line. Other processes know within 0.2
    /// seconds.
    ///
    /// A person can end everybody but the last operator: only the command line can create another one.
    pub fn end(&self, id_or_name: &str, by: Option<&str>) -> Pending<Person> {
        let (wanted, by) = (id_or_name.to_owned(), by.map(str::to_owned));
        self.store.change(Durability::Disk, move |transaction| {
            // An id has precedence over a name.
            let find = "SELECT * FROM person WHERE id = $1 OR name = $1 AND ended_at IS NULL
                ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END LIMIT 1";
            let found = read(transaction, sqlx::query(find).bind(wanted.clone()))?;
            let mut person = found.into_iter().next().ok_or_else(|| {
                StoreError::from(format!(
                    "there is no person {wanted}; `highlevel-mcp people list` shows all"
                ))
            })?;
            if person.ended.is_none() {
                if by.is_some() {
                    check_not_last(transaction, &person)?;
                }
                person.ended = Some(now());
                end(transaction, &person, by.clone())?;
            }
            Ok(person)
        })
    }

    /// The member of this id at HighLevel, created if there is none, with a reach of only their own connected
    /// locations. Fails if that person was ended.
    pub fn with_highlevel_user(&self, user: &str, name: &str) -> Pending<Person> {
        let id = match make_id(PREFIX) {
            Ok(id) => id,
            Err(error) => return Pending::failed(error),
        };
        let (user, name) = (user.to_owned(), name.to_owned());
        self.store.change(Durability::Disk, move |transaction| {
            let known = "SELECT * FROM person WHERE highlevel_user = $1";
            let known = read(transaction, sqlx::query(known).bind(user.clone()))?;
            match known.into_iter().next() {
                Some(person) if person.ended.is_none() => Ok(person),
                Some(_) => Err(StoreError::from(
                    "your access to this server was ended; ask its operator for an invitation"
                        .to_owned(),
                )),
                None => {
                    let mut person = Person::new(id.clone(), &name, PersonRole::Member);
                    person.may_vault = true;
                    person.highlevel_user = Some(user.clone());
                    add(transaction, person, None)
                }
            }
        })
    }

    /// A new member, on servers that anyone may join. The member reaches only locations that they connect.
    pub fn make_member(&self, name: &str) -> Pending<Person> {
        let person = make_id(PREFIX).map(|id| Person::new(id, name, PersonRole::Member));
        let mut person = match person {
            Ok(person) => person,
            Err(error) => return Pending::failed(error),
        };
        person.may_vault = true;
        self.store.change(Durability::Disk, move |transaction| {
            add(transaction, person.clone(), None)
        })
    }
}

pub(crate) fn make_person_id() -> Result<String, StoreError> {
    make_id(PREFIX)
}

/// Creates a person, under the next free name if another has this one.
pub(crate) fn add(
    transaction: &mut Transaction,
    mut person: Person,
    by: Option<String>,
) -> Result<Person, StoreError> {
    check_name(&person.name)?;
    let taken = sqlx::query("SELECT name FROM person WHERE ended_at IS NULL");
    let taken = transaction.all(taken)?;
    if i64::try_from(taken.len()).unwrap_or(i64::MAX) >= MOST {
        return Err(StoreError::from(format!(
            "{MOST} people may sign in already; end the access of some who no longer need it: `highlevel-mcp people \
             list`"
        )));
    }
    let taken: HashSet<String> = taken
        .iter()
        .map(|row| row.text("name"))
        .collect::<Result<_, _>>()?;
    if taken.contains(&person.name) {
        let mut others = (2..).map(|number: u32| format!("{} {number}", person.name));
        if let Some(free) = others.find(|name| !taken.contains(name)) {
            person.name = free;
        }
    }
    person.insert(transaction, by.clone())?;
    let event = NewEvent {
        kind: EventKind::PersonJoined,
        actor: by,
        subject: Some(person.id.clone()),
        detail: format!("{}, {}", person.name, person.role.name()),
    };
    events::write(transaction, event)?;
    transaction.revise()?;
    Ok(person)
}

/// The person of this id who may sign in.
pub(crate) fn find(transaction: &mut Transaction, id: &str) -> Result<Option<Person>, StoreError> {
    let find = "SELECT * FROM person WHERE id = $1 AND ended_at IS NULL";
    let found = read(transaction, sqlx::query(find).bind(id.to_owned()))?;
    Ok(found.into_iter().next())
}

pub(crate) fn has_operator(transaction: &mut Transaction) -> Result<bool, StoreError> {
    let find = "SELECT id FROM person WHERE role = $1 AND ended_at IS NULL LIMIT 1";
    let find = sqlx::query(find).bind(PersonRole::Operator.name());
    Ok(transaction.one(find)?.is_some())
}

/// Fails if nobody would be left to run the server.
fn check_not_last(transaction: &mut Transaction, person: &Person) -> Result<(), StoreError> {
    let others = "SELECT id FROM person WHERE role = $1 AND ended_at IS NULL AND id <> $2 LIMIT 1";
    let others = sqlx::query(others).bind(PersonRole::Operator.name());
    let has_others = transaction.one(others.bind(person.id.clone()))?.is_some();
    if has_others || person.role != PersonRole::Operator {
        return Ok(());
    }
    Err(StoreError::from(format!(
        "{} is the last operator; invite another first",
        person.name
    )))
}

/// Deletes people who were ended long ago.
pub(crate) fn sweep(transaction: &mut Transaction) -> Result<(), StoreError> {
    let before = now().checked_sub(KEPT).unwrap_or(Timestamp::MIN);
    for forget in [
        "DELETE FROM person_location WHERE person IN (SELECT id FROM person WHERE ended_at < $1 ORDER BY ended_at LIMIT $2)",
        "DELETE FROM person WHERE id IN (SELECT id FROM person WHERE ended_at < $1 ORDER BY ended_at LIMIT $2)",
    ] {
        let forget = sqlx::query(forget).bind(before.as_millisecond());
        transaction.run(forget.bind(AT_ONCE))?;
    }
    Ok(())
}

/// Ends a person, with everything by which somebody could continue in their name.
fn end(
    transaction: &mut Transaction,
    person: &Person,
    by: Option<String>,
) -> Result<(), StoreError> {
    let at = person.ended.unwrap_or_else(now).as_millisecond();
    for forget in [
        "DELETE FROM session WHERE person = $1",
        "DELETE FROM passkey WHERE person = $1",
    ] {
        transaction.run(sqlx::query(forget).bind(person.id.clone()))?;
    }
    for end in [
        "UPDATE person SET ended_at = $2 WHERE id = $1",
        "UPDATE link SET ended_at = $2 WHERE (person = $1 OR created_by = $1) AND ended_at IS NULL",
    ] {
        transaction.run(sqlx::query(end).bind(person.id.clone()).bind(at))?;
    }
    let grants = EndedGrants::Person(person.id.clone());
    end_grants(transaction, &grants, "person ended", by.as_deref())?;
    let event = NewEvent {
        kind: EventKind::PersonEnded,
        actor: by,
        subject: Some(person.id.clone()),
        detail: format!("{}, {}", person.name, person.role.name()),
    };
    events::write(transaction, event)?;
    transaction.revise()
}

#[cfg(test)]
mod tests;
