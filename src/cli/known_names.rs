//! Names of callers, people and locations for the ids in approvals, audit and events.

use std::collections::HashMap;

use state::Store;
use state::approvals::Approvals;
use state::grants::GrantHolder;
use state::keys::Keys;
use state::people::People;
use state::vault::Vault;

use super::CliError;
use crate::call::open_grants;
use crate::config::Config;

/// Characters of a credential's HMAC that distinguish it from others.
const CREDENTIAL_LETTERS: usize = 8;

/// The names in the store and the settings at one moment.
pub(super) struct KnownNames {
    /// Names by their ids.
    keys: HashMap<String, String>,
    people: HashMap<String, String>,
    /// The client's name and the holder's.
    grants: HashMap<String, (String, String)>,
    /// Name and alias by HighLevel's id; names by alias.
    locations: HashMap<String, (String, String)>,
    aliases: HashMap<String, String>,
    approvals: Approvals,
}

impl KnownNames {
    pub(super) fn read(config: &Config, store: &Store) -> Result<Self, CliError> {
        let keys = Keys::new(store).list().wait()?;
        let keys: HashMap<_, _> = keys.into_iter().map(|key| (key.id, key.name)).collect();
        let people = People::new(store).list().wait()?;
        let people: HashMap<_, _> = people
            .into_iter()
            .map(|person| (person.id, person.name))
            .collect();
        let grants = open_grants(&config.oauth, store).list(None).wait()?;
        let grants = grants.into_iter().map(|grant| {
            let holder = match &grant.holder {
                GrantHolder::Person(id) => people.get(id).unwrap_or(id).clone(),
                GrantHolder::Key(id) => format!("key {}", keys.get(id).unwrap_or(id)),
            };
            (grant.id, (grant.client_name, holder))
        });
        let grants = grants.collect();
        let mut known = Self {
            keys,
            people,
            grants,
            locations: HashMap::new(),
            aliases: HashMap::new(),
            approvals: Approvals::new(store),
        };
        for (alias, location) in &config.locations {
            known.add_location(alias, &location.location_id, &location.name);
        }
        for location in Vault::new(store).list().wait()? {
            known.add_location(&location.alias, &location.location, &location.name);
        }
        Ok(known)
    }

    fn add_location(&mut self, alias: &str, id: &str, name: &str) {
        let both = (name.to_owned(), alias.to_owned());
        self.locations.entry(id.to_owned()).or_insert(both);
        self.aliases.insert(alias.to_owned(), name.to_owned());
    }

    /// The name of a caller: an access key or a connection. `None`: it has no name, or no longer has one.
    pub(super) fn caller(&self, who: &str) -> Option<String> {
        let (kind, id) = who.split_once(':')?;
        match kind {
            "key" => self.keys.get(id).map(|name| format!("key {name}")),
            "grant" => {
                let (client, holder) = self.grants.get(id)?;
                Some(format!("{client}, for {holder}"))
            }
            _ => None,
        }
    }

    /// The same for a cell. A credential has no name and is shown by the start of its id.
    pub(super) fn caller_or_id(&self, who: &str) -> String {
        self.caller(who)
            .unwrap_or_else(|| match who.strip_prefix("credential:") {
                Some(hmac) => {
                    let first: String = hmac.chars().take(CREDENTIAL_LETTERS).collect();
                    format!("token {first}")
                }
                None => who.to_owned(),
            })
    }

    /// Every id under which the audit knows callers of this name: keys, people, clients, and ids as given.
    pub(super) fn callers_named(&self, name: &str) -> Vec<String> {
        let is_it = |known: &str| known.eq_ignore_ascii_case(name);
        let keys = self.keys.iter().filter(|(_, known)| is_it(known));
        let keys = keys.flat_map(|(id, _)| [id.clone(), format!("key:{id}")]);
        let people = self.people.iter().filter(|(_, known)| is_it(known));
        let people = people.map(|(id, _)| id.clone());
        let grants = self.grants.iter();
        let grants = grants.filter(|(_, (client, holder))| is_it(client) || is_it(holder));
        let grants = grants.map(|(id, _)| format!("grant:{id}"));
        let bare = ["key", "grant", "credential"].map(|kind| format!("{kind}:{name}"));
        let known = keys.chain(people).chain(grants).chain(bare);
        known.chain([name.to_owned()]).collect()
    }

    /// The name of a person, key, connection or approval of an event.
    pub(super) fn thing(&self, id: &str) -> Option<&str> {
        let grant = || self.grants.get(id).map(|(client, _)| client);
        let found = self.people.get(id).or_else(|| self.keys.get(id));
        found.or_else(grant).map(String::as_str)
    }

    /// The name of a location by its alias or HighLevel's id; `None` if it has none.
    pub(super) fn location(&self, alias: Option<&str>, id: Option<&str>) -> Option<&str> {
        let by_alias = alias.and_then(|alias| self.aliases.get(alias));
        let by_id = || Some(&self.locations.get(id?)?.0);
        let name = by_alias.or_else(by_id)?;
        Some(name.as_str()).filter(|name| !name.is_empty())
    }

    /// A location for a cell: its alias, else its name or id.
    pub(super) fn location_or_id<'a>(
        &'a self,
        alias: Option<&'a str>,
        id: Option<&'a str>,
    ) -> Option<&'a str> {
        let known = || Some(self.locations.get(id?)?.1.as_str());
        alias.or_else(known).or(id)
    }

    /// The person who decided about an approval, while that is stored.
    pub(super) fn decider(&self, handle: &str) -> Result<Option<String>, CliError> {
        let approval = self.approvals.get(handle).wait()?;
        Ok(approval.and_then(|approval| approval.decided_by))
    }
}
