//! One person: reach, rights, and the rows with them.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::store::{Statement, StoredRow, Transaction};
use crate::{StoreError, now, time};

/// In characters.
const LONGEST_NAME: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Begins with `per_`.
    pub id: String,
    /// No two people who may sign in have the same name.
    pub name: String,
    pub role: PersonRole,
    /// Every location of the server's own, future ones included.
    pub all_locations: bool,
    /// May approve calls in every location that this person reaches.
    pub approves_all: bool,
    /// A section of rules that takes rights away, for every location.
    pub policy: Option<String>,
    /// May connect locations by pasting tokens.
    pub may_vault: bool,
    pub locations: Vec<PersonLocation>,
    /// The user's id at HighLevel, if the person signs in there.
    pub highlevel_user: Option<String>,
    pub created: Timestamp,
    /// The time when the person last signed in or used the console. From memory it may be out of date.
    pub seen: Option<Timestamp>,
    pub ended: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonRole {
    /// Runs the server: reaches every location of its own, approves everything, invites others.
    Operator,
    Member,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonLocation {
    pub alias: String,
    /// A section of rules that takes rights away, for this location.
    pub policy: Option<String>,
    pub may_approve: bool,
}

impl Person {
    /// A person without any reach yet.
    pub(crate) fn new(id: String, name: &str, role: PersonRole) -> Self {
        Self {
            id,
            name: name.trim().to_owned(),
            role,
            all_locations: role == PersonRole::Operator,
            approves_all: role == PersonRole::Operator,
            policy: None,
            may_vault: role == PersonRole::Operator,
            locations: Vec::new(),
            highlevel_user: None,
            created: now(),
            seen: None,
            ended: None,
        }
    }

    /// Whether all of the server's own are within reach, those of later too.
    pub fn reaches_all(&self) -> bool {
        self.role == PersonRole::Operator || self.all_locations
    }

    /// Whether a location of the server's own is within reach. What somebody connected by a token of theirs is that
    /// person's alone, whatever this says.
    pub fn reaches(&self, alias: &str) -> bool {
        self.reaches_all() || self.location(alias).is_some()
    }

    /// Operators: always.
    pub fn may_approve(&self, alias: &str) -> bool {
        self.role == PersonRole::Operator
            || self.reaches(alias) && self.approves_all
            || self.location(alias).is_some_and(|one| one.may_approve)
    }

    /// The entry for this location, if there is one.
    pub fn location(&self, alias: &str) -> Option<&PersonLocation> {
        self.locations.iter().find(|one| one.alias == alias)
    }

    fn from_row(row: &StoredRow) -> Result<Self, StoreError> {
        let id = row.text("id")?;
        let role = row.text("role")?;
        // A role that this version does not know may reach less than it would give.
        let role = PersonRole::parse(&role).ok_or_else(|| {
            StoreError::from(format!(
                "the role {role:?} of the person {id} is not understood; end the person, or use the version that knows it"
            ))
        })?;
        Ok(Self {
            id,
            name: row.text("name")?,
            role,
            all_locations: row.integer("all_locations")? != 0,
            approves_all: row.integer("approves_all")? != 0,
            policy: row.optional_text("policy")?,
            may_vault: row.integer("may_vault")? != 0,
            locations: Vec::new(),
            highlevel_user: row.optional_text("highlevel_user")?,
            created: time(row.integer("created_at")?),
            seen: row.optional_integer("seen_at")?.map(time),
            ended: row.optional_integer("ended_at")?.map(time),
        })
    }

    pub(super) fn insert(
        &self,
        transaction: &mut Transaction,
        by: Option<String>,
    ) -> Result<(), StoreError> {
        let insert = "INSERT INTO person (id, name, role, all_locations, approves_all, policy, may_vault,
            highlevel_user, invited_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let insert = sqlx::query(insert)
            .bind(self.id.clone())
            .bind(self.name.clone())
            .bind(self.role.name())
            .bind(i64::from(self.all_locations))
            .bind(i64::from(self.approves_all))
            .bind(self.policy.clone())
            .bind(i64::from(self.may_vault))
            .bind(self.highlevel_user.clone())
            .bind(by)
            .bind(self.created.as_millisecond());
        transaction.run(insert)?;
        for location in &self.locations {
            let insert = "INSERT INTO person_location (person, alias, policy, may_approve) VALUES ($1, $2, $3, $4)";
            let insert = sqlx::query(insert)
                .bind(self.id.clone())
                .bind(location.alias.clone())
                .bind(location.policy.clone())
                .bind(i64::from(location.may_approve));
            transaction.run(insert)?;
        }
        Ok(())
    }
}

impl PersonRole {
    pub fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Member => "member",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Operator, Self::Member]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

/// Checks a name for pages and records.
pub(crate) fn check_name(name: &str) -> Result<(), StoreError> {
    // Invisible characters, and those that reverse text, let one name look like another.
    let is_hidden = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let length = name.trim().chars().count();
    if (1..=LONGEST_NAME).contains(&length) && !name.contains(is_hidden) {
        return Ok(());
    }
    Err(StoreError::from(format!(
        "a person's name has 1 to {LONGEST_NAME} characters, all of them visible; choose another"
    )))
}

/// The people of these rows, with their locations.
pub(super) fn read(
    transaction: &mut Transaction,
    people: Statement,
) -> Result<Vec<Person>, StoreError> {
    let rows = transaction.all(people)?;
    let mut people: Vec<Person> = rows
        .iter()
        .map(Person::from_row)
        .collect::<Result<_, _>>()?;
    let locations = match people.as_slice() {
        [] => return Ok(people),
        [one] => {
            let own = "SELECT * FROM person_location WHERE person = $1 ORDER BY alias";
            sqlx::query(own).bind(one.id.clone())
        }
        _ => sqlx::query("SELECT * FROM person_location ORDER BY person, alias"),
    };
    let mut by_person: HashMap<String, Vec<PersonLocation>> = HashMap::new();
    for row in transaction.all(locations)? {
        let location = PersonLocation {
            alias: row.text("alias")?,
            policy: row.optional_text("policy")?,
            may_approve: row.integer("may_approve")? != 0,
        };
        by_person
            .entry(row.text("person")?)
            .or_default()
            .push(location);
    }
    for person in &mut people {
        person.locations = by_person.remove(&person.id).unwrap_or_default();
    }
    Ok(people)
}
