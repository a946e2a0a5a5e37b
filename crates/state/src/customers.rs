//! Customers of a builder: links by which each connects a location, and the resulting keys for the builder's program.
//!
//! A builder is the holder of a key that can make such links, and is identified by the name of that key: a new key of
//! the same name takes over the old one's links.

mod rows;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::events::EventKind;
use super::keys::{KeyLocations, KeyRecord, NewKey};
use super::store::{Durability, Pending, Store};
use super::token::{hash_token, make_id, make_token};
use super::{StoreError, now, vault};
pub(crate) use rows::sweep;

/// Prefix of a link's text, as of other links of ours.
const LINK_PREFIX: &str = "hli_";
const ID_PREFIX: &str = "lnk_";

/// Prefix of the code that a customer's browser brings back to the builder.
const CODE_PREFIX: &str = "hlo_";

/// How long the builder may take to redeem the code for a key.
const CODE_LASTS: SignedDuration = SignedDuration::from_mins(10);

/// Shortest and longest lifetime of a link.
pub const SHORTEST: SignedDuration = SignedDuration::from_mins(1);
pub const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Most unused links of a builder.
const MOST_OPEN: i64 = 10_000;

/// Longest reference, address, and name of rules, in bytes.
const LONGEST_REFERENCE: usize = 200;
const LONGEST_URL: usize = 2_000;
const LONGEST_RULES: usize = 100;

/// A builder's request for a link.
#[derive(Clone, Debug)]
pub struct NewConnectLink {
    /// The name of the builder's key.
    pub builder: String,
    /// The builder's own name for the customer.
    pub reference: String,
    /// Where the customer goes afterwards.
    pub return_url: String,
    /// The rights of the builder's program there, named like the rules of a grant.
    pub rules: String,
    pub lasts: SignedDuration,
}

/// A link for a customer, without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectLink {
    /// Begins with `lnk_`.
    pub id: String,
    pub builder: String,
    pub reference: String,
    pub return_url: String,
    pub rules: String,
    pub created: Timestamp,
    pub expires: Timestamp,
    /// The id of the location that the customer connected.
    pub location: Option<String>,
    /// Ending the link removes the location.
    owns_location: bool,
    /// The id of the key that the builder's program got last.
    pub key: Option<String>,
    pub ended: Option<Timestamp>,
}

/// The state of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectState {
    Open,
    Connected,
    Expired,
    /// By the builder, or because its location was removed.
    Ended,
}

/// The proof with which a builder's program claims a key.
#[derive(Clone, Debug)]
pub enum KeyClaim {
    /// The code from the customer's browser: valid once.
    Code(SecretString),
    /// The id of a link, for another key that replaces the last one.
    Link(String),
}

/// The customers of a store's builders. Cheap to clone.
#[derive(Clone)]
pub struct Customers {
    store: Store,
}

impl Customers {
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
        }
    }

    /// Makes a link. Its text is shown once: the store does not have it.
    pub fn make(&self, new: NewConnectLink) -> Pending<(ConnectLink, SecretString)> {
        let prepared = || {
            new.check()?;
            let (text, hash) = make_token(LINK_PREFIX)?;
            let created = now();
            let link = ConnectLink {
                id: make_id(ID_PREFIX)?,
                builder: new.builder,
                reference: new.reference,
                return_url: new.return_url,
                rules: new.rules,
                created,
                expires: created.checked_add(new.lasts).unwrap_or(Timestamp::MAX),
                location: None,
                owns_location: false,
                key: None,
                ended: None,
            };
            Ok((link, text, hash))
        };
        let (link, text, hash) = match prepared() {
            Ok(prepared) => prepared,
            Err(error) => return Pending::failed(error),
        };
        self.store.change(Durability::Disk, move |transaction| {
            if rows::count_open(transaction, &link.builder)? >= MOST_OPEN {
                return Err(StoreError::from(format!(
                    "{MOST_OPEN} links of yours are open already; end some, or wait until some have expired"
                )));
            }
            link.insert(transaction, &hash)?;
            link.note(transaction, EventKind::LinkMade)?;
            Ok((link.clone(), text.clone()))
        })
    }

    /// The link of this text, if a customer may still connect by it. Nothing is used up.
    pub fn look(&self, text: &SecretString) -> Pending<Option<ConnectLink>> {
        let hash = hash_token(text);
        self.store
            .read(move |transaction| rows::find_good(transaction, &hash))
    }

    /// Uses the link up: the location of this id was connected by it. What the customer's browser brings to the builder is
    /// given; `None`: the link is not good any more. `is_new`: the location was not there before. It is forgotten again
    /// with a link that is not good, and with the last of the links that brought it.
    pub fn connect(
        &self,
        text: &SecretString,
        location: &str,
        is_new: bool,
    ) -> Pending<Option<(ConnectLink, SecretString)>> {
        let (code, code_hash) = match make_token(CODE_PREFIX) {
            Ok(made) => made,
            Err(error) => return Pending::failed(error),
        };
        let (hash, location) = (hash_token(text), location.to_owned());
        self.store.change(Durability::Disk, move |transaction| {
            let Some(mut link) = rows::find_good(transaction, &hash)? else {
                // It ended while the customer was on the way; another link may have brought the same location since.
                if is_new && !rows::is_used(transaction, &location)? {
                    vault::forget(transaction, &location)?;
                }
                return Ok(None);
            };
            link.owns_location = is_new || rows::is_owned(transaction, &location)?;
            link.location = Some(location.clone());
            let until = now().checked_add(CODE_LASTS).unwrap_or(Timestamp::MAX);
            link.put_location(transaction, &code_hash, until)?;
            link.note(transaction, EventKind::LinkUsed)?;
            Ok(Some((link, code.clone())))
        })
    }

    /// A new key for the location that a customer connected; the previous one ends. `None`: this builder has no such
    /// code or link, or nothing was connected by it.
    pub fn give_key(
        &self,
        claim: KeyClaim,
        builder: &KeyRecord,
    ) -> Pending<Option<(ConnectLink, KeyRecord, SecretString)>> {
        let (policy, builder) = (builder.policy.clone(), builder.name.clone());
        self.store.change(Durability::Disk, move |transaction| {
            let found = match &claim {
                KeyClaim::Code(code) => rows::find_by_code(transaction, &hash_token(code))?,
                KeyClaim::Link(id) => rows::find(transaction, id)?,
            };
            let found = found.filter(|link| link.builder == builder && link.ended.is_none());
            let Some((mut link, location)) = found.and_then(|link| {
                let location = link.location.clone()?;
                Some((link, location))
            }) else {
                return Ok(None);
            };
            link.end_key(transaction, "another key took its place")?;
            let new = NewKey {
                name: &format!("customer {}", link.id),
                locations: KeyLocations::Connected(vec![location]),
                policy: policy.as_deref(),
                expires: None,
                agency: false,
                rules: Some(&link.rules),
                return_urls: Vec::new(),
            };
            let (key, text) = new.prepare()?;
            key.add(transaction)?;
            link.key = Some(key.id.clone());
            link.put_key(transaction)?;
            link.note(transaction, EventKind::KeyMade)?;
            Ok(Some((link, key, text)))
        })
    }

    /// The newest links of a builder, for one customer or for all, newest first.
    pub fn list(
        &self,
        builder: &str,
        reference: Option<&str>,
        most: usize,
    ) -> Pending<Vec<ConnectLink>> {
        let (builder, reference) = (builder.to_owned(), reference.map(str::to_owned));
        self.store
            .read(move |transaction| rows::list(transaction, &builder, reference.as_deref(), most))
    }

    /// Ends a link of this builder, its key, and the location that it brought. `None`: the builder has no such link.
    pub fn end(&self, id: &str, builder: &str) -> Pending<Option<ConnectLink>> {
        let (id, builder) = (id.to_owned(), builder.to_owned());
        self.store.change(Durability::Disk, move |transaction| {
            let found = rows::find(transaction, &id)?;
            let Some(mut link) = found.filter(|link| link.builder == builder) else {
                return Ok(None);
            };
            if link.ended.is_some() {
                return Ok(Some(link));
            }
            link.end_key(transaction, "the customer's link was ended")?;
            link.ended = Some(now());
            link.put_end(transaction)?;
            link.note(transaction, EventKind::LinkEnded)?;
            if let Some(location) = link.location.as_deref().filter(|_| link.owns_location)
                && !rows::is_used(transaction, location)?
            {
                vault::forget(transaction, location)?;
            }
            Ok(Some(link))
        })
    }
}

impl NewConnectLink {
    fn check(&self) -> Result<(), StoreError> {
        let is_shown = |text: &str, longest: usize| {
            !text.is_empty() && text.len() <= longest && !text.contains(char::is_control)
        };
        let what = if !is_shown(&self.reference, LONGEST_REFERENCE) {
            format!("a reference has 1 to {LONGEST_REFERENCE} bytes and no control characters")
        } else if !is_shown(&self.return_url, LONGEST_URL) {
            format!("a return address has 1 to {LONGEST_URL} bytes and no control characters")
        } else if !is_shown(&self.rules, LONGEST_RULES) {
            format!("rules have a name of 1 to {LONGEST_RULES} bytes")
        } else if !(SHORTEST..=LONGEST).contains(&self.lasts) {
            "a link lasts a minute at least and 30 days at most".to_owned()
        } else {
            return Ok(());
        };
        Err(StoreError::from(what))
    }
}

impl ConnectLink {
    pub fn state(&self) -> ConnectState {
        if self.ended.is_some() {
            ConnectState::Ended
        } else if self.location.is_some() {
            ConnectState::Connected
        } else if self.expires <= now() {
            ConnectState::Expired
        } else {
            ConnectState::Open
        }
    }
}

impl ConnectState {
    /// The word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Connected => "connected",
            Self::Expired => "expired",
            Self::Ended => "ended",
        }
    }
}

#[cfg(test)]
mod tests;
