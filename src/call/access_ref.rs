//! What the server itself gave a caller: an access key, a grant of sign-in, or a seat at the console. Calls, counts and
//! records are kept under it.

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

/// A key or a grant, as it was when the request came.
#[derive(Clone, Debug)]
pub enum AccessRef {
    Key(AccessKeyRef),
    Grant(Arc<GrantRef>),
    /// A person at the console: as a grant of theirs, under the rules that they chose there and the person's id. No client
    /// has it.
    Console(Arc<GrantRef>),
}

/// An access key as far as calls are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKeyRef {
    pub id: String,
    rules: Vec<NamedRules>,
    /// It may act with the agency's own token.
    pub agency: bool,
}

/// What a person, or the holder of a key, let one client do.
#[derive(Debug)]
pub struct GrantRef {
    pub id: String,
    /// As OAuth knows the client.
    pub client: String,
    pub reach: GrantReach,
    /// The client asked to read alone, and can ask for more.
    asked_to_read: bool,
    /// It was refused something for that.
    lacks_scope: AtomicBool,
    rules: Vec<NamedRules>,
    /// A person's, for single locations, by alias.
    location_rules: BTreeMap<String, NamedRules>,
    /// How many rules had been added to it when the request came.
    narrowings: usize,
}

/// The locations of a grant, as far as its holder reaches them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantReach {
    /// Aliases; `None`: all that the holder reaches, new ones too.
    aliases: Option<Vec<String>>,
    pub holder: HolderRef,
}

/// Whose a grant is. It ends with its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HolderRef {
    Person(Arc<Person>),
    Key(Arc<KeyRecord>),
}

/// Stands in a grant for every location of its holder.
const EVERY: &str = "*";

/// What the audit has in the place of a client for what people do at the console themselves.
const CONSOLE: &str = "console";

impl AccessRef {
    pub fn id(&self) -> &str {
        match self {
            Self::Key(key) => &key.id,
            Self::Grant(grant) | Self::Console(grant) => &grant.id,
        }
    }

    /// As audit and approvals name it.
    pub fn who(&self) -> String {
        match self {
            Self::Key(key) => format!("key:{}", key.id),
            Self::Grant(grant) => format!("grant:{}", grant.id),
            Self::Console(grant) => format!("person:{}", grant.id),
        }
    }

    /// All that hold for its calls in the location of this alias.
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

    /// Whose grant it is, for the audit; `None` of a key.
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

    /// What a person, or the holder of a key, let it do; `None` of a key.
    pub fn terms(&self) -> Option<&GrantRef> {
        match self {
            Self::Key(_) => None,
            Self::Grant(grant) | Self::Console(grant) => Some(grant),
        }
    }
}

/// Rules of a later version may take away what this one would let through: a section that there is not lets nothing
/// through.
fn held_to(text: &str) -> NamedRules {
    NamedRules::parse(text).unwrap_or_else(|| NamedRules::Section(text.to_owned()))
}

/// All that hold for a key.
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

/// A grant as the store has it, for its holder.
#[derive(Clone, Copy, Debug)]
pub struct GrantTerms<'a> {
    pub id: &'a str,
    pub client: &'a str,
    /// By name; what there is not lets nothing through.
    pub rules: &'a str,
    /// The same; they hold beside it.
    pub narrowings: &'a [String],
    pub locations: &'a [String],
    /// Its token may only read.
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

    /// Of a person at the console, who chose these rules: in all that the person reaches, by what holds for the person.
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

    /// The rules that were chosen, by name; those of the holder stand beside them.
    pub(super) fn chosen_rules(&self) -> Option<String> {
        self.rules.first().map(ToString::to_string)
    }

    /// Whether rights were taken from it since the request came; `narrowings` as the store counts them now.
    pub fn lost_rights(&self, narrowings: usize) -> bool {
        narrowings > self.narrowings
    }

    /// A call was refused because the connection may only read.
    pub fn note_refusal(&self) {
        self.lacks_scope.fetch_or(self.asked_to_read, Relaxed);
    }

    /// Whether its client would have what it was refused, had it asked for that when it was connected.
    pub fn lacks_scope(&self) -> bool {
        self.lacks_scope.load(Relaxed)
    }

    /// The person who holds it, or the key.
    pub fn holder(&self) -> &HolderRef {
        &self.reach.holder
    }
}

/// By id: it is looked up once for each request.
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

    /// Whether the alias may have stood for another location when it was chosen, which the holder reached.
    fn means_another(&self, location: &ConfiguredLocation) -> bool {
        let is_holders = match &self.holder {
            HolderRef::Person(person) => location.shadows_one_of(Some(&person.id)),
            HolderRef::Key(_) => false,
        };
        is_holders || location.shadows_one_of(None)
    }

    /// The same for the holder as it is now.
    pub fn with_holder(&self, holder: HolderRef) -> Self {
        Self {
            aliases: self.aliases.clone(),
            holder,
        }
    }
}

impl HolderRef {
    /// Whether the location is the holder's now. What a person connected is nobody else's, whatever it is called.
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
    let what = "Nothing was sent: you are nobody of this server any more.";
    Failure::new(FailureClass::Auth, what)
        .with_remedy("Have the server's operator invite you again.")
}

/// What a call of a grant is told that has ended.
pub(super) fn connection_ended() -> Failure {
    let what = "Nothing was sent: this connection was ended.";
    Failure::new(FailureClass::Auth, what).with_remedy("Have a person connect this client again.")
}
