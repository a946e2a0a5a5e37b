//! A person's choices: their locations, and the rules for a client.

use std::collections::BTreeSet;

use oauth::AskedScope;

use super::client_request::ClientRequest;
use crate::call::HolderRef;
use crate::http::pages::brand::Brand;
use crate::http::pages::clean::one_line;
use crate::http::pages::consent::{LocationRow, MOST_LISTED, RulesRow};
use crate::http::pages::form::FormFields;
use crate::upstream::accounts::Accounts;
use policy::{BuiltInRules, NamedRules, Policy};
use state::people::PersonRole;

/// Every location that the holder reaches, future ones included.
pub(super) const EVERY: &str = "*";

/// The locations of the person who decides.
pub(super) struct LocationChoice {
    pub rows: Vec<LocationRow>,
    pub unlisted: usize,
    pub takes_all: bool,
}

/// The name by which a page addresses the person who decides.
pub(super) fn name(holder: &HolderRef) -> String {
    match holder {
        HolderRef::Person(person) => one_line(&person.name, 64),
        HolderRef::Key(record) => format!(
            "the holder of the access key “{}”",
            one_line(&record.name, 64)
        ),
    }
}

/// The aliases of every location that `holder` reaches.
pub(super) fn reach(accounts: &Accounts, holder: &HolderRef) -> BTreeSet<String> {
    let all = accounts.iter().map(|account| &account.configured);
    let within = all.filter(|location| holder.reaches(location));
    within.map(|location| location.alias.clone()).collect()
}

pub(super) fn locations(
    accounts: &Accounts,
    holder: &HolderRef,
    asked: &ClientRequest,
    before: Option<&FormFields>,
) -> LocationChoice {
    let all = accounts.iter().map(|account| &account.configured);
    let mut all: Vec<_> = all.filter(|location| holder.reaches(location)).collect();
    let wanted = alias_in(asked.request.resource.as_str());
    let is_alone = all.len() == 1;
    // If a client connects to one location's own address, that location comes first.
    all.sort_by_key(|location| {
        (
            Some(location.alias.as_str()) != wanted,
            location.name.to_lowercase(),
        )
    });
    let is_chosen = |alias: &str| match before {
        Some(before) => before.all("location").any(|chosen| chosen == alias),
        None => is_alone || wanted == Some(alias),
    };
    let unlisted = all.len().saturating_sub(MOST_LISTED);
    let rows = all
        .into_iter()
        .take(MOST_LISTED)
        .map(|location| LocationRow {
            name: one_line(&location.name, 80),
            zone: location
                .timezone
                .as_ref()
                .and_then(|zone| zone.iana_name())
                .map(str::to_owned),
            is_chosen: is_chosen(&location.alias),
            alias: location.alias.clone(),
        });
    LocationChoice {
        rows: rows.collect(),
        unlisted,
        takes_all: before
            .is_some_and(|before| before.all("location").any(|chosen| chosen == EVERY)),
    }
}

/// The location of an endpoint for one location.
fn alias_in(resource: &str) -> Option<&str> {
    let (_, rest) = resource.split_once("/mcp/l/")?;
    rest.split('/').next().filter(|alias| !alias.is_empty())
}

pub(super) fn rules(
    brand: &Brand,
    policy: &Policy,
    holder: &HolderRef,
    asked: &ClientRequest,
    before: Option<&FormFields>,
) -> Vec<RulesRow> {
    let mut rows: Vec<RulesRow> = match asked.request.scope {
        AskedScope::Read => vec![rules_row(brand, BuiltInRules::ReadOnly)],
        AskedScope::Write => {
            let built_in = BuiltInRules::ALL.map(|rules| rules_row(brand, rules));
            built_in
                .into_iter()
                .chain(sections(brand, policy, holder))
                .collect()
        }
    };
    let usual = BuiltInRules::AskFirst.name();
    let chosen = before.map_or(usual, |before| before.one("rules"));
    let is_there = rows.iter().any(|row| row.value == chosen);
    for (index, row) in rows.iter_mut().enumerate() {
        row.is_chosen = if is_there {
            row.value == chosen
        } else {
            index == 0
        };
    }
    rows
}

/// A set of built-in rules, in words.
pub(in crate::http) fn rules_row(brand: &Brand, rules: BuiltInRules) -> RulesRow {
    let (title, text) = match rules {
        BuiltInRules::ReadOnly => ("Read only", "It looks things up and changes nothing.".to_owned()),
        BuiltInRules::AskFirst => (
            "Ask me first",
            "It looks things up and changes single records. Messages, payments, deletions and changes to many records \
             wait until you approve them."
                .to_owned(),
        ),
        BuiltInRules::Everyday => (
            "Everyday work",
            "It also sends single messages, up to 50 a day. Everything else waits until you approve it.".to_owned(),
        ),
        BuiltInRules::Everything => (
            "Everything",
            format!(
                "It does everything that {} allows, including payments and deletions. You are not asked: the assistant \
                 confirms by itself.",
                brand.name
            ),
        ),
    };
    RulesRow {
        value: rules.name().to_owned(),
        title: title.to_owned(),
        text,
        is_chosen: false,
    }
}

/// The operator's own rules. A member sees only the names of those that apply to them: others may be confidential.
fn sections<'a>(
    brand: &'a Brand,
    policy: &'a Policy,
    holder: &'a HolderRef,
) -> impl Iterator<Item = RulesRow> + 'a {
    let is_for = |name: &&str| match holder {
        HolderRef::Key(record) => record.policy.as_deref() == Some(*name),
        HolderRef::Person(person) => {
            let mut own = person.locations.iter().map(|location| &location.policy);
            person.role == PersonRole::Operator
                || person.policy.as_deref() == Some(*name)
                || own.any(|policy| policy.as_deref() == Some(*name))
        }
    };
    let names = policy.policy_names().filter(is_for).collect::<Vec<_>>();
    names.into_iter().map(|name| RulesRow {
        value: NamedRules::Section(name.to_owned()).to_string(),
        title: one_line(name, 60),
        text: format!("Rules made by {}.", brand.name),
        is_chosen: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_of_one_location_names_it() {
        for (resource, expected) in [
            ("https://mcp.example/mcp", None),
            ("https://mcp.example/mcp/official", None),
            ("https://mcp.example/mcp/l/acme", Some("acme")),
            ("https://mcp.example/mcp/l/acme/official", Some("acme")),
            ("https://mcp.example/mcp/l/", None),
        ] {
            assert_eq!(alias_in(resource), expected, "{resource}");
        }
    }
}
