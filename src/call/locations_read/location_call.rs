//! Which locations a read is of, and what it cannot be made with.

use serde_json::{Value, json};

use super::super::arguments::Checker;
use super::super::batch::members;
use super::super::{Answer, LOCATION, Request};
use crate::upstream::Failure;
use crate::upstream::accounts::Account;
use crate::upstream::failure::FailureClass;
use tool::{Effect, TokenClass};

/// Most locations of one call.
pub(super) const MOST: usize = 100;

/// Stands for every location.
const EVERY: &str = "*";

/// Behind a location's alias or id: that one and all behind it, in the order in which `*` has them.
pub(super) const ON: &str = "..";

/// The call for one location.
pub(super) struct LocationCall {
    /// What names it in the call: its alias or its id.
    pub(super) name: String,
    pub(super) id: String,
    /// As the answer names it, unless the call tells more.
    pub(super) shown: Value,
    /// It is reached by the connection's own token, like all others of the sort.
    pub(super) by_own_token: bool,
}

impl LocationCall {
    pub(super) fn configured(account: &Account) -> Self {
        let (alias, id) = (
            &account.configured.alias,
            account.configured.location.as_str(),
        );
        Self {
            name: alias.clone(),
            id: id.to_owned(),
            shown: json!({"alias": alias, "id": id, "name": account.configured.name}),
            by_own_token: false,
        }
    }

    pub(super) fn own(id: &str, name: Option<&str>) -> Self {
        let mut shown = json!({"id": id});
        if let Some(name) = name {
            shown["name"] = json!(name);
        }
        Self {
            name: id.to_owned(),
            id: id.to_owned(),
            shown,
            by_own_token: true,
        }
    }

    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.id == name
    }

    /// One member of the answer.
    pub(super) fn row(&self, answer: &Answer) -> String {
        let shown = match &answer.configured {
            Some(known) => {
                json!({"alias": known.alias, "id": known.location.as_str(), "name": known.name})
            }
            None => self.shown.clone(),
        };
        format!("{{\"location\":{shown},{}}}", members(answer))
    }
}

/// Whether a name stands for all locations, or for all from one on.
pub(super) fn names_all(name: &str) -> bool {
    name == EVERY || name.ends_with(ON)
}

/// Why the request cannot be made for many locations.
pub(super) fn check(request: &Request<'_>, named: &[String]) -> Result<(), Failure> {
    let tool = request.tool;
    let refused = |what: String, remedy: &str| {
        let what = format!("Nothing was sent: {what}.");
        Err(Failure::new(FailureClass::Invalid, what).with_remedy(remedy))
    };
    if tool.effect != Effect::Read {
        let what = format!(
            "output.locations is for operations that only read, and {} has the effect {}",
            tool.name,
            tool.effect.name()
        );
        return refused(
            what,
            "Call it for one location at a time, named by `location`.",
        );
    }
    if tool.token == TokenClass::Agency {
        let what = format!(
            "{} is about the whole agency, not about a location",
            tool.name
        );
        return refused(what, "Leave output.locations out.");
    }
    let beside = match &request.options {
        options if options.items.is_some() => Some("items"),
        options if options.location.is_some() => Some(LOCATION),
        _ if request.arguments.contains_key(LOCATION)
            || Checker::named_location(tool, &request.arguments).is_some() =>
        {
            Some("a location among the arguments")
        }
        _ => None,
    };
    if let Some(beside) = beside {
        let what = format!("output.locations and {beside} exclude each other");
        return refused(what, "Give one of them.");
    }
    match named {
        [] => refused(
            "output.locations is empty".to_owned(),
            "Give aliases or ids, or [\"*\"] for all locations.",
        ),
        [_] => Ok(()),
        several if several.iter().any(|one| names_all(one)) => refused(
            "\"*\" stands for all locations, and nothing beside it".to_owned(),
            "Give [\"*\"] alone.",
        ),
        several if several.len() > MOST => refused(
            format!("output.locations names {} locations", several.len()),
            "Give at most 100 in one call.",
        ),
        _ => Ok(()),
    }
}

pub(super) fn gone(first: &str) -> Failure {
    let first: String = first.chars().take(64).collect();
    let what = format!("Nothing was sent: there is no location {first} here.");
    Failure::new(FailureClass::Location, what)
        .with_remedy("Begin anew with output.locations [\"*\"].")
}
