//! The server's own locations: what each is called, and the credential that reaches it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::config::{Config, ConfigError};
use crate::upstream::Caller;
use crate::upstream::caller::{Credential, LocationBinding};
use crate::upstream::company::{self, Companies, Company, Oauth};
use crate::upstream::configured_location::ConfiguredLocation;
use crate::upstream::tenant_id::TenantId;
use state::Store;

/// The configured locations by alias.
#[derive(Clone, Debug, Default)]
pub struct Accounts(BTreeMap<String, Arc<Account>>);

/// One of them.
#[derive(Clone, Debug)]
pub struct Account {
    pub configured: Arc<ConfiguredLocation>,
    pub credential: Credential,
    pub company: Option<TenantId>,
}

/// Longest alias, in characters.
const LONGEST_ALIAS: usize = 40;

impl Accounts {
    /// Fails where an alias, an id or a secret is not usable: a server that knows half of its
    /// locations would act in the wrong ones sooner or later.
    pub fn new(config: &Config, oauth: &Oauth, store: &Store) -> Result<Self, ConfigError> {
        let companies = companies(config, oauth, store)?;
        let mut accounts = BTreeMap::new();
        let mut by_id: BTreeMap<&str, &str> = BTreeMap::new();
        for (alias, settings) in &config.locations {
            let wrong = |what: String| ConfigError::new(format!("[locations.{alias}] {what}"));
            if !is_alias(alias) {
                let what = format!("is no alias: 1 to {LONGEST_ALIAS} of a-z, 0-9, - and _");
                return Err(wrong(what));
            }
            let id = settings.location_id.as_str();
            let location = tenant(id).map_err(|what| wrong(format!("location_id {what}")))?;
            if let Some(other) = by_id.insert(id, alias) {
                return Err(wrong(format!(
                    "has the location_id of [locations.{other}]; give one alias to each"
                )));
            }
            let (credential, company) = match (&settings.token, &settings.company) {
                (Some(source), None) => {
                    let token = config
                        .secret(source)
                        .map_err(|error| wrong(format!("token: {error}")))?;
                    let credential = Credential::from_secret(&token).ok_or_else(|| {
                        wrong(format!(
                            "token: {source} holds no HighLevel token: it is neither pit-… nor a JWT"
                        ))
                    })?;
                    (credential, None)
                }
                (None, Some(name)) => {
                    let company = companies
                        .get(name.as_str())
                        .ok_or_else(|| wrong(format!("company: there is no [companies.{name}]")))?;
                    (
                        Credential::Company(company.clone()),
                        Some(company.id().clone()),
                    )
                }
                _ => return Err(wrong("needs one of token and company".to_owned())),
            };
            let name = if settings.name.is_empty() {
                alias
            } else {
                &settings.name
            };
            let timezone = settings.timezone.as_deref().map(TimeZone::get).transpose();
            let timezone = timezone.map_err(|_| {
                let what =
                    "timezone: is no time zone; give an IANA name such as America/Los_Angeles";
                wrong(what.to_owned())
            })?;
            let configured = Arc::new(ConfiguredLocation {
                alias: alias.clone(),
                name: name.clone(),
                location,
                timezone,
                stored: None,
                shadows: Vec::new(),
            });
            let account = Account {
                configured,
                credential,
                company,
            };
            accounts.insert(alias.clone(), Arc::new(account));
        }
        Ok(Self(accounts))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// By alias.
    pub fn find(&self, alias: &str) -> Option<&Account> {
        self.0.get(alias).map(Arc::as_ref)
    }

    /// The operator's, by the id that HighLevel has for it: the settings' before one that was connected.
    pub fn of_location(&self, location: &str) -> Option<&Account> {
        let shared = self.iter().filter(|account| {
            account.configured.owner().is_none() && account.configured.location.as_str() == location
        });
        shared.min_by_key(|account| account.configured.stored.is_some())
    }

    /// The same settings with `connected` in place of the locations that were connected before. An alias of the settings
    /// stays theirs. Calls under way to what has not changed go on.
    pub fn with_connected(&self, connected: Vec<Account>) -> Self {
        let settings = self.0.iter();
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
            let known = self.0.get(&alias).filter(|known| known.is_same(&account));
            let account = known.map_or_else(|| Arc::new(account), Arc::clone);
            accounts.insert(alias, account);
        }
        Self(accounts)
    }

    /// Whether calls in the location of this alias go on by `other` as they do here.
    pub fn is_same_in(&self, other: &Self, alias: &str) -> bool {
        match (self.0.get(alias), other.0.get(alias)) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }

    /// Those whose tokens reach any of the locations.
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
        self.0.values().map(Arc::as_ref)
    }
}

impl Account {
    /// Itself, as one of the settings beside those that were connected.
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

    /// Acts in this location and in no other.
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

/// Whether `text` can stand in a path and in a policy.
pub(crate) fn is_alias(text: &str) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
    };
    (1..=LONGEST_ALIAS).contains(&text.len()) && text.bytes().all(plain)
}

/// By alias. Their pairs are read when they are used.
fn companies<'a>(
    config: &'a Config,
    oauth: &Oauth,
    store: &Store,
) -> Result<BTreeMap<&'a str, Company>, ConfigError> {
    let wrong = |alias: &str, what: String| ConfigError::new(format!("[companies.{alias}] {what}"));
    let mut settings = Vec::new();
    for (alias, company) in &config.companies {
        let company_id = tenant(&company.company_id)
            .map_err(|what| wrong(alias, format!("company_id {what}")))?;
        let client_secret = config
            .secret(&company.client_secret)
            .map_err(|error| wrong(alias, format!("client_secret: {error}")))?;
        settings.push(company::CompanyAppSettings {
            company_id,
            client_id: company.client_id.clone(),
            client_secret,
            pair_file: company.pair_file.clone(),
        });
    }
    let companies = Companies::new(oauth, store, settings).map_err(ConfigError::new)?;
    let made = companies.iter().cloned();
    Ok(config
        .companies
        .keys()
        .map(String::as_str)
        .zip(made)
        .collect())
}

fn tenant(id: &str) -> Result<TenantId, String> {
    TenantId::parse(id).ok_or_else(|| {
        format!("{id:?} is no HighLevel id: 1 to 64 letters, digits, hyphens or underscores")
    })
}
