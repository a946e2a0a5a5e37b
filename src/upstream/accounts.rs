//! The server's own locations: their names, and the credentials that reach them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use secrecy::ExposeSecret;

use crate::config::{self, Config};
use crate::upstream::Caller;
use crate::upstream::caller::{Credential, LocationBinding};
use crate::upstream::company::{self, Company, Oauth};
use crate::upstream::configured_location::ConfiguredLocation;
use crate::upstream::tenant_id::TenantId;
use state::Store;
use tool::nearest;

/// The configured locations by alias.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    all: BTreeMap<String, Arc<Account>>,
    /// The usable companies of the settings.
    companies: BTreeMap<String, Company>,
    /// Faults in the settings of locations and companies, as sentences for the operator.
    faults: Vec<String>,
}

/// One location with its account.
#[derive(Clone, Debug)]
pub struct Account {
    pub configured: Arc<ConfiguredLocation>,
    pub credential: Credential,
    pub company: Option<TenantId>,
}

/// Longest alias, in characters.
const LONGEST_ALIAS: usize = 40;

impl Accounts {
    /// A location with an unusable alias, id or secret keeps its alias and its rules, but no call reaches it. The
    /// others work, and nothing acts in the wrong location.
    pub fn new(config: &Config, oauth: &Oauth, store: &Store) -> Self {
        let (companies, mut faults) = companies(config, oauth, store);
        let mut aliases: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (alias, settings) in &config.locations {
            let same = aliases.entry(settings.location_id.as_str());
            same.or_default().push(alias.as_str());
        }
        let mut all = BTreeMap::new();
        for (alias, settings) in &config.locations {
            let twins = aliases.get(settings.location_id.as_str());
            let mut twins = twins.into_iter().flatten().copied();
            let twin = twins.find(|other| *other != alias.as_str());
            let found = credential(config, settings, &companies);
            let timezone = settings.timezone.as_deref().map(TimeZone::get).transpose();
            let location = tenant(&settings.location_id);
            let fault = match (&location, twin, &found, &timezone) {
                _ if !is_alias(alias) => Some(format!(
                    "is not an alias: 1 to {LONGEST_ALIAS} of a-z, 0-9, - and _"
                )),
                (Err(what), ..) => Some(format!("location_id {what}")),
                (_, Some(other), ..) => Some(format!(
                    "has the location_id of [locations.{other}]; give one alias to each"
                )),
                (_, _, Err(what), _) => Some(what.clone()),
                (.., Err(_)) => Some(
                    "timezone: is not a time zone. Give an IANA name such as America/Los_Angeles"
                        .to_owned(),
                ),
                _ => None,
            };
            let fault = fault.map(|what| format!("[locations.{alias}] {what}"));
            faults.extend(fault.clone());
            let location = location.unwrap_or_else(|_| TenantId::of_none());
            let (credential, company) = match (fault, found) {
                (None, Ok(found)) => found,
                (fault, _) => (Credential::Unusable(fault.unwrap_or_default().into()), None),
            };
            let name = match settings.name.as_str() {
                "" => alias,
                _ => &settings.name,
            };
            let configured = Arc::new(ConfiguredLocation {
                alias: alias.clone(),
                name: name.clone(),
                location,
                timezone: timezone.unwrap_or_default(),
                stored: None,
                shadows: Vec::new(),
            });
            let account = Account {
                configured,
                credential,
                company,
            };
            all.insert(alias.clone(), Arc::new(account));
        }
        let companies = companies.into_iter();
        let companies = companies.filter_map(|(alias, company)| Some((alias.to_owned(), company?)));
        Self {
            all,
            companies: companies.collect(),
            faults,
        }
    }

    /// Faults in the settings of locations and companies: one sentence each, which names the section.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// Whether the settings have the location twice, so that its rules are ambiguous, whatever token a call brings.
    pub fn is_doubled(&self, location: &TenantId) -> bool {
        let twins = self.iter().filter(|account| {
            account.configured.stored.is_none() && account.configured.location == *location
        });
        !self.faults.is_empty() && twins.take(2).count() == 2
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// By alias.
    pub fn find(&self, alias: &str) -> Option<&Account> {
        self.all.get(alias).map(Arc::as_ref)
    }

    /// The operator's location of this id at HighLevel: that of the settings before a connected one.
    pub fn of_location(&self, location: &str) -> Option<&Account> {
        let shared = self.iter().filter(|account| {
            account.configured.owner().is_none() && account.configured.location.as_str() == location
        });
        shared.min_by_key(|account| account.configured.stored.is_some())
    }

    /// The same settings, with `connected` in place of the connected locations. An alias of the settings stays theirs.
    /// Calls in unchanged locations go on.
    pub fn with_connected(&self, connected: Vec<Account>) -> Self {
        let settings = self.all.iter();
        let settings = settings.filter(|(_, account)| account.configured.stored.is_none());
        let settings = settings.map(|(alias, account)| {
            let account = account.shadowing(&connected);
            (alias.clone(), account)
        });
        let mut accounts: BTreeMap<_, _> = settings.collect();
        for account in connected {
            let alias = account.configured.alias.clone();
            if accounts.contains_key(&alias) {
                tracing::warn!(
                    alias,
                    "a connected location has an alias of the settings, which hold"
                );
                continue;
            }
            let known = self.all.get(&alias).filter(|known| known.is_same(&account));
            let account = known.map_or_else(|| Arc::new(account), Arc::clone);
            accounts.insert(alias, account);
        }
        Self {
            all: accounts,
            companies: self.companies.clone(),
            faults: self.faults.clone(),
        }
    }

    /// Whether running calls in the location of this alias may go on under `other`.
    pub fn is_same_in(&self, other: &Self, alias: &str) -> bool {
        match (self.all.get(alias), other.all.get(alias)) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }

    /// A company of the settings by its alias there; `None` also if it cannot be used.
    pub fn company(&self, alias: &str) -> Option<&Company> {
        self.companies.get(alias)
    }

    /// The companies whose tokens reach any of the locations.
    pub fn companies(&self) -> Vec<&Company> {
        let mut companies: Vec<&Company> = Vec::new();
        for account in self.iter() {
            if let Credential::Company(company) = &account.credential
                && !companies.iter().any(|known| known.id() == company.id())
            {
                companies.push(company);
            }
        }
        companies
    }

    /// Sorted by alias.
    pub fn iter(&self) -> impl Iterator<Item = &Account> {
        self.all.values().map(Arc::as_ref)
    }
}

impl Account {
    /// The same location of the settings, with the connected locations that its alias hides.
    fn shadowing(self: &Arc<Self>, connected: &[Self]) -> Arc<Self> {
        let own = &self.configured;
        let others = connected.iter().map(|other| other.configured.as_ref());
        let others =
            others.filter(|other| other.alias == own.alias && other.location != own.location);
        let shadows: Vec<_> = others
            .map(|other| other.owner().map(str::to_owned))
            .collect();
        if shadows == own.shadows {
            return Arc::clone(self);
        }
        Arc::new(Self {
            configured: Arc::new(ConfiguredLocation {
                shadows,
                ..own.as_ref().clone()
            }),
            ..self.as_ref().clone()
        })
    }

    fn is_same(&self, other: &Self) -> bool {
        self.configured == other.configured
            && self.company == other.company
            && self.credential.identity() == other.credential.identity()
    }

    /// A caller that acts only in this location.
    pub fn caller(&self) -> Caller {
        Caller {
            credential: self.credential.clone(),
            location: Some(LocationBinding::Pin(self.configured.location.clone())),
            company: self.company.clone(),
            configured: Some(Arc::clone(&self.configured)),
            home: Some(self.configured.location.clone()),
        }
    }
}

/// Whether `text` is allowed in a path and in a policy.
pub(crate) fn is_alias(text: &str) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
    };
    (1..=LONGEST_ALIAS).contains(&text.len()) && text.bytes().all(plain)
}

/// The credential of a location, with the location's company if it has one.
type Reaching = (Credential, Option<TenantId>);

fn credential(
    config: &Config,
    settings: &config::Location,
    companies: &BTreeMap<&str, Option<Company>>,
) -> Result<Reaching, String> {
    match (&settings.token, &settings.company) {
        (Some(source), None) => {
            let token = config.secret(source);
            let token = token.map_err(|error| format!("token: {error}"))?;
            let credential = Credential::from_secret(&token).ok_or_else(|| {
                let why = Credential::problem(token.expose_secret());
                format!("token: {source} does not contain a HighLevel token: {why}")
            })?;
            Ok((credential, None))
        }
        (None, Some(name)) => match companies.get(name.as_str()) {
            Some(Some(company)) => Ok((
                Credential::Company(company.clone()),
                Some(company.id().clone()),
            )),
            Some(None) => Err(format!(
                "company: [companies.{name}] cannot be used. Correct that"
            )),
            None => {
                let near = nearest(name, companies.keys().map(|one| (*one, *one)));
                let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
                Err(format!("company: there is no [companies.{name}]{near}"))
            }
        },
        _ => Err("needs one of token and company".to_owned()),
    }
}

/// The companies by alias, `None` if one cannot be used, and their faults. Their pairs are read at first use.
fn companies<'a>(
    config: &'a Config,
    oauth: &Oauth,
    store: &Store,
) -> (BTreeMap<&'a str, Option<Company>>, Vec<String>) {
    let mut companies: BTreeMap<&str, Option<Company>> = BTreeMap::new();
    let mut faults = Vec::new();
    for (alias, settings) in &config.companies {
        let made = company(config, settings, oauth, store).and_then(|company| {
            let others = companies.iter();
            let mut others = others.filter_map(|(other, known)| Some((other, known.as_ref()?)));
            match others.find_map(|(other, known)| Some((other, company.clash(known)?))) {
                Some((other, what)) => Err(format!(
                    "has the {what} of [companies.{other}]; each needs its own"
                )),
                None => Ok(company),
            }
        });
        let made = made.map_err(|what| faults.push(format!("[companies.{alias}] {what}")));
        companies.insert(alias, made.ok());
    }
    (companies, faults)
}

fn company(
    config: &Config,
    settings: &config::CompanySettings,
    oauth: &Oauth,
    store: &Store,
) -> Result<Company, String> {
    let company_id = tenant(&settings.company_id).map_err(|what| format!("company_id {what}"))?;
    let client_secret = config.secret(&settings.client_secret);
    let client_secret = client_secret.map_err(|error| format!("client_secret: {error}"))?;
    let settings = company::CompanyAppSettings {
        company_id,
        client_id: settings.client_id.clone(),
        client_secret,
        pair_file: settings.pair_file.clone(),
    };
    Company::new(oauth, store, settings)
}

fn tenant(id: &str) -> Result<TenantId, String> {
    TenantId::parse(id).ok_or_else(|| {
        format!("{id:?} is not a HighLevel id: 1 to 64 letters, digits, hyphens or underscores")
    })
}
