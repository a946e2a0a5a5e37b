//! Names of callers and locations in usage, from the store at the moment of reading.

use std::collections::HashMap;

use crate::StoreError;
use crate::store::{Pending, Store, Transaction};

/// Prefix of the names of keys from customers' links; the link's id follows.
const CUSTOMER: &str = "customer ";

/// Names by ids.
#[derive(Clone, Debug, Default)]
pub struct UsageLabels {
    keys: HashMap<String, String>,
    people: HashMap<String, String>,
    grants: HashMap<String, GrantLabel>,
    /// The builders' own names for customers, by link, and by location at HighLevel.
    references: HashMap<String, String>,
    references_of_locations: HashMap<String, String>,
    /// For connected locations, by HighLevel's id.
    aliases: HashMap<String, String>,
}

#[derive(Clone, Debug)]
struct GrantLabel {
    client: String,
    person: Option<String>,
    access_key: Option<String>,
}

/// A caller by the name that people know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageName<'a> {
    /// `key`, `grant`, `person`, `credential`, or a word without an id.
    pub kind: &'a str,
    /// Empty for a word without an id.
    pub id: &'a str,
    /// Name of the key, the client or the person, while the store knows it.
    pub name: Option<&'a str>,
    /// For a client: the holder of its connection.
    pub holder: Option<&'a str>,
}

impl Store {
    pub fn usage_labels(&self) -> Pending<UsageLabels> {
        self.read(UsageLabels::read)
    }
}

impl UsageLabels {
    fn read(transaction: &mut Transaction) -> Result<Self, StoreError> {
        let mut labels = Self::default();
        for row in transaction.all(sqlx::query("SELECT id, name FROM access_key"))? {
            labels.keys.insert(row.text("id")?, row.text("name")?);
        }
        for row in transaction.all(sqlx::query("SELECT id, name FROM person"))? {
            labels.people.insert(row.text("id")?, row.text("name")?);
        }
        let grants = "SELECT id, client_name, person, access_key FROM oauth_grant";
        for row in transaction.all(sqlx::query(grants))? {
            let grant = GrantLabel {
                client: row.text("client_name")?,
                person: row.optional_text("person")?,
                access_key: row.optional_text("access_key")?,
            };
            labels.grants.insert(row.text("id")?, grant);
        }
        // The last one counts: a location that was connected again has a later row.
        let locations =
            "SELECT alias, location FROM location ORDER BY COALESCE(ended_at, created_at)";
        for row in transaction.all(sqlx::query(locations))? {
            let (location, alias) = (row.text("location")?, row.text("alias")?);
            labels.aliases.insert(location, alias);
        }
        let customers = "SELECT customer.link AS link, customer.reference AS reference, location.location AS location
            FROM customer LEFT JOIN location ON location.id = customer.location
            WHERE customer.location IS NOT NULL ORDER BY customer.connected_at";
        for row in transaction.all(sqlx::query(customers))? {
            let (link, reference) = (row.text("link")?, row.text("reference")?);
            if let Some(location) = row.optional_text("location")? {
                labels
                    .references_of_locations
                    .insert(location, reference.clone());
            }
            labels.references.insert(link, reference);
        }
        Ok(labels)
    }

    /// `principal`: the audit's name of the caller.
    pub fn name<'a>(&'a self, principal: &'a str) -> UsageName<'a> {
        let (kind, id) = principal.split_once(':').unwrap_or((principal, ""));
        let found = |names: &'a HashMap<String, String>| names.get(id).map(String::as_str);
        let (name, holder) = match kind {
            "key" => (found(&self.keys), None),
            "person" => (found(&self.people), None),
            "grant" => match self.grants.get(id) {
                Some(grant) => {
                    let person = grant.person.as_ref().and_then(|id| self.people.get(id));
                    let key = || self.keys.get(grant.access_key.as_ref()?);
                    let holder = person.or_else(key);
                    (Some(grant.client.as_str()), holder.map(String::as_str))
                }
                None => (None, None),
            },
            _ => (None, None),
        };
        UsageName {
            kind,
            id,
            name,
            holder,
        }
    }

    /// The builder's own name for the customer whose link made the caller's key, or else connected the location.
    pub fn reference(&self, principal: &str, location: &str) -> Option<&str> {
        let (kind, id) = principal.split_once(':').unwrap_or_default();
        let key = match kind {
            "key" => Some(id),
            "grant" => self
                .grants
                .get(id)
                .and_then(|grant| grant.access_key.as_deref()),
            _ => None,
        };
        let key = key.and_then(|id| self.keys.get(id));
        let link = key.and_then(|name| name.strip_prefix(CUSTOMER));
        let by_link = link.and_then(|link| self.references.get(link));
        let found = by_link.or_else(|| self.references_of_locations.get(location));
        found.map(String::as_str)
    }

    /// The last short name of a connected location.
    pub fn alias(&self, location: &str) -> Option<&str> {
        self.aliases.get(location).map(String::as_str)
    }
}
