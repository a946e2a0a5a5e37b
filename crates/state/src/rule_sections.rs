//! Sections of rules that operators write at their pages: named texts with their earlier versions. This module does not
//! interpret them.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::events::{self, EventKind, NewEvent};
use super::store::{Durability, Mirror, Pending, Store, StoredRow, Transaction};
use super::{StoreError, now, time};

/// Most sections.
const MOST: i64 = 60;

/// Most stored versions of a section.
const MOST_VERSIONS: i64 = 20;

/// Longest text, in bytes.
const LONGEST: usize = 16 << 10;

/// Longest name, in bytes.
const LONGEST_NAME: usize = 40;

/// How long a removed section may be restored.
const REMOVED_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

const TROUBLE: &str =
    "the sections of rules cannot be read; those that were known go on as they were";

/// The sections of a store. Cheap to clone.
#[derive(Clone)]
pub struct RuleSections {
    store: Store,
    mirror: Arc<Mirror<Vec<RuleSection>>>,
}

/// One section, at one of its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSection {
    pub name: String,
    /// From 1, without gaps.
    pub version: i64,
    /// `None`: this version removed it.
    pub text: Option<String>,
    /// The author.
    pub by: String,
    pub at: Timestamp,
}

/// A new version of a section.
#[derive(Clone, Debug)]
pub struct NewRuleSection {
    pub name: String,
    /// `None` removes it.
    pub text: Option<String>,
    /// The version that it is based on; `None`: there was none.
    pub replaces: Option<i64>,
    /// The author's name, with an id for the events.
    pub by: String,
    pub actor: Option<String>,
}

impl RuleSections {
    /// Blocks until they are read.
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            mirror: store.mirror(Vec::new(), read_current, TROUBLE),
        }
    }

    /// The present sections by name, from memory: a change by another process is known within 0.2 seconds.
    pub fn current(&self) -> Arc<Result<Vec<RuleSection>, StoreError>> {
        self.mirror.value()
    }

    /// The same, from the store.
    pub fn read(&self) -> Pending<Vec<RuleSection>> {
        self.store.read(read_current)
    }

    /// The stored versions of a section, the newest first.
    pub fn versions(&self, name: &str) -> Pending<Vec<RuleSection>> {
        let name = name.to_owned();
        self.store.read(move |transaction| {
            let find = "SELECT * FROM rule_section WHERE name = $1 ORDER BY version DESC";
            let rows = transaction.all(sqlx::query(find).bind(name.clone()))?;
            rows.iter().map(RuleSection::from_row).collect()
        })
    }

    /// Writes another version, unless somebody else has meanwhile. The caller has checked the contents of `text`.
    pub fn put(&self, new: NewRuleSection) -> Pending<RuleSection> {
        if let Err(what) = check(&new) {
            return Pending::failed(StoreError::from(what));
        }
        self.store.change(Durability::Disk, move |transaction| {
            let before = newest(transaction, &new.name)?;
            let present = before.as_ref().filter(|one| one.text.is_some());
            if present.map(|one| one.version) != new.replaces {
                return Err(StoreError::from(format!(
                    "somebody changed the section {} meanwhile; open it again",
                    new.name
                )));
            }
            if present.is_none() {
                make_room(transaction)?;
            }
            let section = RuleSection {
                name: new.name.clone(),
                version: before.map_or(1, |one| one.version + 1),
                text: new.text.clone(),
                by: new.by.clone(),
                at: now(),
            };
            section.insert(transaction)?;
            let old = "DELETE FROM rule_section WHERE name = $1 AND version <= $2";
            let old = sqlx::query(old).bind(section.name.clone());
            transaction.run(old.bind(section.version - MOST_VERSIONS))?;
            let kind = match section.text {
                Some(_) => EventKind::RulesChanged,
                None => EventKind::RulesRemoved,
            };
            events::write(
                transaction,
                NewEvent {
                    kind,
                    actor: new.actor.clone(),
                    subject: Some(section.name.clone()),
                    detail: format!("version {}", section.version),
                },
            )?;
            transaction.revise()?;
            Ok(section)
        })
    }
}

fn check(new: &NewRuleSection) -> Result<(), String> {
    if !is_name(&new.name) {
        return Err(format!(
            "a section's name has at most {LONGEST_NAME} characters of a-z, 0-9, - and _, and begins with a letter"
        ));
    }
    if new.text.as_ref().is_some_and(|text| text.len() > LONGEST) {
        return Err(format!("a section has at most {LONGEST} bytes; shorten it"));
    }
    if new.text.is_none() && new.replaces.is_none() {
        return Err(format!("there is no section {}", new.name));
    }
    Ok(())
}

/// Whether it is a name as access keys and people use it.
pub fn is_name(text: &str) -> bool {
    let is_part =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    text.len() <= LONGEST_NAME
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(is_part)
}

/// Makes room for one more: sections removed long ago are deleted, up to the maximum.
fn make_room(transaction: &mut Transaction) -> Result<(), StoreError> {
    let over = now().checked_sub(REMOVED_KEPT).unwrap_or(Timestamp::MIN);
    let forget = "DELETE FROM rule_section WHERE name IN (SELECT name FROM rule_section s WHERE text IS NULL AND at < $1
        AND version = (SELECT MAX(version) FROM rule_section WHERE name = s.name))";
    transaction.run(sqlx::query(forget).bind(over.as_millisecond()))?;
    let count = "SELECT COUNT(DISTINCT name) AS n FROM rule_section";
    let count = transaction.one(sqlx::query(count))?;
    match count.map_or(Ok(0), |row| row.integer("n"))? {
        ..MOST => Ok(()),
        _ => Err(StoreError::from(format!(
            "there are {MOST} sections, with those that were removed in the last 30 days; write into one of them"
        ))),
    }
}

const CURRENT: &str = "SELECT * FROM rule_section s WHERE text IS NOT NULL
    AND version = (SELECT MAX(version) FROM rule_section WHERE name = s.name) ORDER BY name";

fn read_current(transaction: &mut Transaction) -> Result<Vec<RuleSection>, StoreError> {
    let rows = transaction.all(sqlx::query(CURRENT))?;
    rows.iter().map(RuleSection::from_row).collect()
}

fn newest(transaction: &mut Transaction, name: &str) -> Result<Option<RuleSection>, StoreError> {
    let find = "SELECT * FROM rule_section WHERE name = $1 ORDER BY version DESC LIMIT 1";
    let row = transaction.one(sqlx::query(find).bind(name.to_owned()))?;
    row.as_ref().map(RuleSection::from_row).transpose()
}

impl RuleSection {
    fn insert(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let insert =
            "INSERT INTO rule_section (name, version, text, by, at) VALUES ($1, $2, $3, $4, $5)";
        let insert = sqlx::query(insert)
            .bind(self.name.clone())
            .bind(self.version)
            .bind(self.text.clone())
            .bind(self.by.clone())
            .bind(self.at.as_millisecond());
        transaction.run(insert).map(drop)
    }

    fn from_row(row: &StoredRow) -> Result<Self, StoreError> {
        Ok(Self {
            name: row.text("name")?,
            version: row.integer("version")?,
            text: row.optional_text("text")?,
            by: row.text("by")?,
            at: time(row.integer("at")?),
        })
    }
}

#[cfg(test)]
mod tests;
