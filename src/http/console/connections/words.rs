//! A connection in the words of its page.

use crate::http::console::some;
use crate::http::oauth::SignIn;
use crate::http::pages::clean::one_line;
use crate::http::pages::connections::ConnectionRow;
use crate::http::pages::moment::Moment;
use oauth::DocumentUrl;
use policy::{BuiltInRules, NamedRules};
use state::clients::{ClientKind, ClientRecord};
use state::grants::{GrantHolder, GrantRecord};
use state::people::Person;

/// Most short names that are shown, in letters.
const MOST_NAMES: usize = 8_000;

pub(super) fn row(
    sign_in: &SignIn,
    grant: &GrantRecord,
    client: Option<&ClientRecord>,
    reader: &Person,
) -> ConnectionRow {
    let is_own = grant.holder == GrantHolder::Person(reader.id.clone());
    ConnectionRow {
        id: grant.id.clone(),
        client: match one_line(&grant.client_name, 60) {
            name if name.is_empty() => "a program without a name".to_owned(),
            name => name,
        },
        origin: client.map_or_else(|| "This assistant is no longer known".to_owned(), origin),
        holder: (!is_own).then(|| holder_name(sign_in, &grant.holder)),
        locations: match reaches_all(grant) {
            true => "all, and new ones too".to_owned(),
            false => some(&grant.locations),
        },
        rules: grant.all_rules().map(describe).collect(),
        used: grant.used.map(Moment),
        ends: Moment(grant.hard_until),
        idle_until: Moment(grant.idle_until),
    }
}

fn reaches_all(grant: &GrantRecord) -> bool {
    grant.locations.iter().any(|alias| alias == "*")
}

pub(super) fn every_location(grant: &GrantRecord) -> String {
    match reaches_all(grant) {
        true => "all, and new ones too".to_owned(),
        false => one_line(&grant.locations.join(", "), MOST_NAMES),
    }
}

/// The source of the client's name.
pub(in crate::http::console) fn origin(client: &ClientRecord) -> String {
    let host = match client.kind {
        ClientKind::Static => return "Added by the operator of this server".to_owned(),
        ClientKind::Registered => None,
        ClientKind::Document => DocumentUrl::parse(&client.id),
    };
    match host {
        Some(url) => format!("Published by {} (checked)", url.host()),
        None => "Nobody has checked this name".to_owned(),
    }
}

/// The person, or the access key; the id if it no longer exists.
pub(super) fn holder_name(sign_in: &SignIn, holder: &GrantHolder) -> String {
    match holder {
        GrantHolder::Person(id) => {
            let person = sign_in.people.find(id).ok().flatten();
            person.map_or_else(|| id.clone(), |person| one_line(&person.name, 64))
        }
        GrantHolder::Key(id) => {
            let key = sign_in.pipeline.controls().keys.valid(id);
            let name = key.map_or_else(|| id.clone(), |key| one_line(&key.name, 64));
            format!("access key {name}")
        }
    }
}

/// The rights of a client under rules of this name.
pub(in crate::http::console) fn describe(rules: &str) -> String {
    match NamedRules::parse(rules) {
        Some(NamedRules::BuiltIn(BuiltInRules::ReadOnly)) => "read only".to_owned(),
        Some(NamedRules::BuiltIn(BuiltInRules::AskFirst)) => {
            "change single records, and ask first for everything else".to_owned()
        }
        Some(NamedRules::BuiltIn(BuiltInRules::Everyday)) => {
            "do everyday work, and ask first for everything else".to_owned()
        }
        Some(NamedRules::BuiltIn(BuiltInRules::Everything)) => {
            "do everything that is allowed here".to_owned()
        }
        Some(NamedRules::Section(name)) => {
            format!("what the rules “{}” allow", one_line(&name, 60))
        }
        Some(NamedRules::Installed) | None => "nothing".to_owned(),
    }
}
