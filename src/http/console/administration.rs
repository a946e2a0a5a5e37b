//! Shared by the operators' pages: the locations that they may give to others.

use crate::http::pages::clean::one_line;
use crate::http::pages::form::FormFields;
use crate::http::pages::reach::{LocationBox, MOST_BOXES, ReachFields};
use crate::upstream::accounts::Accounts;

/// In forms: every location of the server's own.
pub(super) const EVERY: &str = "*";

/// The locations that an operator may give to others: all but those that a person connected alone.
pub(super) fn reach_fields(accounts: &Accounts, before: Option<&FormFields>) -> ReachFields {
    let all = accounts.iter().map(|account| &account.configured);
    let mut all: Vec<_> = all.filter(|location| location.owner().is_none()).collect();
    all.sort_by_key(|location| location.name.to_lowercase());
    let is_chosen =
        |alias: &str| before.is_some_and(|before| before.all("location").any(|one| one == alias));
    let boxes = all.iter().take(MOST_BOXES).map(|location| LocationBox {
        alias: location.alias.clone(),
        name: one_line(&location.name, 60),
        is_chosen: is_chosen(&location.alias),
    });
    ReachFields {
        boxes: boxes.collect(),
        unlisted: all.len().saturating_sub(MOST_BOXES),
        takes_all: is_chosen(EVERY),
        others: before.map_or_else(String::new, |before| before.one("others").to_owned()),
    }
}

/// The locations that a form names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ChosenLocations {
    All,
    /// Aliases, in order; empty if none was ticked.
    Only(Vec<String>),
}

/// Fails with a sentence if one of them may not be given to others.
pub(super) fn chosen_locations(
    accounts: &Accounts,
    fields: &FormFields,
) -> Result<ChosenLocations, String> {
    let others = fields.one("others").split([',', ' ']);
    let others = others.filter(|alias| !alias.is_empty());
    let mut chosen: Vec<String> = Vec::new();
    for alias in fields.all("location").chain(others) {
        if alias == EVERY {
            return Ok(ChosenLocations::All);
        }
        let found = accounts.find(alias).map(|account| &account.configured);
        if found.is_none_or(|location| location.owner().is_some() || location.alias != alias) {
            return Err(format!(
                "There is no sub-account “{}” that you can give. Check the short name.",
                one_line(alias, 60)
            ));
        }
        chosen.push(alias.to_owned());
    }
    chosen.sort();
    chosen.dedup();
    Ok(ChosenLocations::Only(chosen))
}
