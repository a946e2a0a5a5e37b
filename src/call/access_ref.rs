//! The right that this server itself gave a caller: an access key, a grant of sign-in, or a seat at the console. Calls,
//! counts and records are kept under it.

use std::collections::BTreeMap;
use std::iter::once;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use crate::upstream::failure::FailureClass;
use crate::upstream::{ConfiguredLocation, Failure};
use policy::{BuiltInRules, NamedRules};
use state::audit::GrantEntry;
use state::grants::{AccessGrant, GrantRecord, GrantScope};
use state::keys::{KeyLocations, KeyRecord};
use state::people::Person;

/// A key or a grant, as it was when the request arrived.
#[derive(Clone, Debug)]
pub enum AccessRef {
    Key(AccessKeyRef),
    Grant(Arc<GrantRef>),
    /// A person at the console: a grant to the person, under the rules chosen there and the person's id. No client has
    /// it.
    Console(Arc<GrantRef>),
}

/// The parts of an access key that calls need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKeyRef {
    pub id: String,
    rules: Vec<NamedRules>,
    /// The key may use the agency's own token.
    pub agency: bool,
}

/// The rights that a person, or the holder of a key, gave one client.
#[derive(Debug)]
pub struct GrantRef {
    pub id: String,
    /// The client's id in OAuth.
    pub client: String,
    pub reach: GrantReach,
    /// The client asked for read access only, and could ask for more.
    asked_to_read: bool,
    /// A call was refused because of that.
    lacks_scope: AtomicBool,
    rules: Vec<NamedRules>,
    /// Rules of a person for single locations, by alias.
    location_rules: BTreeMap<String, NamedRules>,
    /// The number of narrowings that the grant had when the request arrived.
    narrowings: usize,
}

/// The locations of a grant, limited to those that its holder reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantReach {
    /// Aliases; `None`: every location of the holder, future ones included.
    aliases: Option<Vec<String>>,
    pub holder: HolderRef,
}

/// The holder of a grant. The grant ends with its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HolderRef {
    Person(Arc<Person>),
    Key(Arc<KeyRecord>),
}

/// In a grant: every location of its holder.
const EVERY: &str = "*";

/// In the audit, this replaces the client for actions of people at the console.
const CONSOLE: &str = "console";

impl AccessRef {
    pub fn id(&self) -> &str {
        match self {
            Self::Key(key) => &key.id,
            Self::Grant(grant) | Self::Console(grant) => &grant.id,
        }
    }

    /// The name in the audit and in approvals.
    pub fn who(&self) -> String {
        match self {
            Self::Key(key) => format!("key:{}", key.id),
            Self::Grant(grant) => format!("grant:{}", grant.id),
            Self::Console(grant) => format!("person:{}", grant.id),
        }
    }

    /// All rules that apply to its calls in the location of this alias.
    pub fn rules(&self, alias: Option<&str>) -> impl Iterator<Item = &NamedRules> + Clone {
        let (rules, there) = match self {
            Self::Key(key) => (key.rules.as_slice(), None),
            Self::Grant(grant) | Self::Console(grant) => {
                let there = alias.and_then(|alias| grant.location_rules.get(alias));
                (grant.rules.as_slice(), there)
            }
        };
        rules.iter().chain(there)
    }

    /// The grant's entry in the audit; `None` for a key.
    pub fn audit_entry(&self) -> Option<GrantEntry<'_>> {
        let grant = self.terms()?;
        let (person, key) = match &grant.reach.holder {
            HolderRef::Person(person) => (Some(person.id.as_str()), None),
            HolderRef::Key(record) => (None, Some(record.id.as_str())),
        };
        Some(GrantEntry {
            client: &grant.client,
            person,
            key,
        })
    }

    /// A grant never may, whoever holds it.
    pub fn may_use_agency(&self) -> bool {
        matches!(self, Self::Key(key) if key.agency)
    }

    pub fn grant(&self) -> Option<&GrantRef> {
        match self {
            Self::Key(_) | Self::Console(_) => None,
            Self::Grant(grant) => Some(grant),
        }
    }

    /// The rights of a grant; `None` for a key.
    pub fn terms(&self) -> Option<&GrantRef> {
        match self {
            Self::Key(_) => None,
            Self::Grant(grant) | Self::Console(grant) => Some(grant),
        }
    }
}

/// Rules of a later version may forbid what this version would allow, so an unknown section allows nothing.
fn held_to(text: &str) -> NamedRules {
    NamedRules::parse(text).unwrap_or_else(|| NamedRules::Section(text.to_owned()))
}

/// All rules that apply to a key.
fn rules_of(record: &KeyRecord) -> Vec<NamedRules> {
    let section = record.policy.clone().map(NamedRules::Section);
    let own = record.rules.as_deref().map(held_to);
    section.into_iter().chain(own).collect()
}

impl From<&KeyRecord> for AccessKeyRef {
    fn from(record: &KeyRecord) -> Self {
        Self {
            id: record.id.clone(),
            rules: rules_of(record),
            agency: record.agency,
        }
    }
}

/// The parts of a stored grant that its holder decided.
#[derive(Clone, Copy, Debug)]
pub struct GrantTerms<'a> {
    pub id: &'a str,
    pub client: &'a str,
    /// Names of rules. A name without rules allows nothing.
    pub rules: &'a str,
    /// Names of rules that apply in addition.
    pub narrowings: &'a [String],
    pub locations: &'a [String],
    /// The token may only read.
    pub reads_only: bool,
}

impl<'a> From<&'a GrantRecord> for GrantTerms<'a> {
    fn from(record: &'a GrantRecord) -> Self {
        Self {
            id: &record.id,
            client: &record.client,
            rules: &record.rules,
            narrowings: &record.narrowings,
            locations: &record.locations,
            reads_only: record.scope == GrantScope::Read,
        }
    }
}

impl<'a> From<&'a AccessGrant> for GrantTerms<'a> {
    fn from(access: &'a AccessGrant) -> Self {
        Self {
            reads_only: access.scope == GrantScope::Read,
            ..Self::from(&access.grant)
        }
    }
}

impl GrantRef {
    pub fn new(terms: &GrantTerms<'_>, holder: HolderRef) -> Self {
        let narrowings = terms.narrowings.iter().map(|rules| held_to(rules));
        let own: Vec<_> = once(held_to(terms.rules)).chain(narrowings).collect();
        let reading = NamedRules::BuiltIn(BuiltInRules::ReadOnly);
        let reading = (terms.reads_only && !own.contains(&reading)).then_some(reading);
        let (holders, location_rules) = match &holder {
            HolderRef::Key(record) => (rules_of(record), BTreeMap::new()),
            HolderRef::Person(person) => {
                let there = person.locations.iter().filter_map(|location| {
                    let rules = NamedRules::Section(location.policy.clone()?);
                    Some((location.alias.clone(), rules))
                });
                let own = person.policy.clone().map(NamedRules::Section);
                (own.into_iter().collect(), there.collect())
            }
        };
        let every = terms.locations.iter().any(|alias| alias == EVERY);
        Self {
            id: terms.id.to_owned(),
            client: terms.client.to_owned(),
            asked_to_read: terms.reads_only,
            lacks_scope: AtomicBool::new(false),
            rules: own.into_iter().chain(reading).chain(holders).collect(),
            location_rules,
            narrowings: terms.narrowings.len(),
            reach: GrantReach {
                aliases: (!every).then(|| terms.locations.to_vec()),
                holder,
            },
        }
    }

    /// A person at the console, who chose these rules: every location of the person, under the person's own rules too.
    pub(super) fn at_console(person: Arc<Person>, rules: &NamedRules) -> Self {
        let id = person.id.clone();
        let terms = GrantTerms {
            id: &id,
            client: CONSOLE,
            rules: &rules.to_string(),
            narrowings: &[],
            locations: &[EVERY.to_owned()],
            reads_only: false,
        };
        Self::new(&terms, HolderRef::Person(person))
    }

    /// The names of the chosen rules. The holder's own rules apply beside them.
    pub(super) fn chosen_rules(&self) -> Option<String> {
        self.rules.first().map(ToString::to_string)
    }

    /// Whether the grant lost rights since the request arrived. `narrowings`: their number in the store
    /// now.
    pub fn lost_rights(&self, narrowings: usize) -> bool {
        narrowings > self.narrowings
    }

    /// Notes that a call was refused because the connection may only read.
    pub fn note_refusal(&self) {
        self.lacks_scope.fetch_or(self.asked_to_read, Relaxed);
    }

    /// Whether the refused call would have been allowed if the client had asked for write access when
    /// it was connected.
    pub fn lacks_scope(&self) -> bool {
        self.lacks_scope.load(Relaxed)
    }

    /// The person or the key that holds it.
    pub fn holder(&self) -> &HolderRef {
        &self.reach.holder
    }
}

/// By id: it is looked up once per request.
impl PartialEq for GrantRef {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for GrantRef {}

impl GrantReach {
    pub fn contains(&self, location: &ConfiguredLocation) -> bool {
        let is_granted = self.aliases.as_ref().is_none_or(|aliases| {
            aliases.contains(&location.alias) && !self.means_another(location)
        });
        is_granted && self.holder.reaches(location)
    }

    /// Whether the alias may have meant another location of the holder when it was chosen.
    fn means_another(&self, location: &ConfiguredLocation) -> bool {
        let is_holders = match &self.holder {
            HolderRef::Person(person) => location.shadows_one_of(Some(&person.id)),
            HolderRef::Key(_) => false,
        };
        is_holders || location.shadows_one_of(None)
    }

    /// The same locations, with the holder's present state.
    pub fn with_holder(&self, holder: HolderRef) -> Self {
        Self {
            aliases: self.aliases.clone(),
            holder,
        }
    }
}

impl HolderRef {
    /// Whether the holder reaches the location now. A location that a person connected belongs to that person
    /// alone, whatever its alias.
    pub fn reaches(&self, location: &ConfiguredLocation) -> bool {
        match (self, location.owner()) {
            (Self::Person(person), Some(owner)) => person.id == owner,
            (Self::Person(person), None) => {
                let is_named = person.reaches(&location.alias) && !location.shadows_one_of(None);
                person.reaches_all() || is_named
            }
            (Self::Key(record), owner) => match &record.locations {
                KeyLocations::All => owner.is_none(),
                KeyLocations::Only(aliases) => owner.is_none() && is_named_in(aliases, location),
                KeyLocations::Connected(ids) => location
                    .stored
                    .as_ref()
                    .is_some_and(|stored| ids.contains(&stored.id)),
            },
        }
    }
}

/// Whether one of the operator's locations is among those of these aliases. An alias that stood for another before opens
/// nothing: nobody can tell which was meant.
pub(super) fn is_named_in(aliases: &[String], location: &ConfiguredLocation) -> bool {
    aliases.contains(&location.alias) && !location.shadows_one_of(None)
}

/// What a call at the console is told of a person who is none any more.
pub(super) fn person_ended() -> Failure {
    let what = "Nothing was sent: you no longer have access to this server.";
    Failure::new(FailureClass::Auth, what)
        .with_remedy("Have the server's operator invite you again.")
}

/// The error for a call of a grant that has ended.
pub(super) fn connection_ended() -> Failure {
    let what = "Nothing was sent: this connection was ended.";
    Failure::new(FailureClass::Auth, what).with_remedy("Have a person connect this client again.")
}
