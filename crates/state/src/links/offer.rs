//! The purpose of a link, and the person that it creates.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::StoreError;
use crate::people::{Person, PersonLocation, PersonRole, check_name};

/// Longest lifetime of a link.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);

/// Most people who may join by one link.
const MOST_USES: u32 = 1_000;

/// Most locations of one invitation. A person who needs more gets all.
const MOST_LOCATIONS: usize = 1_000;

/// The purpose of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Offer {
    /// To become the operator of a server that has none. It is valid as long as there is none.
    First,
    /// To sign in again.
    Login {
        person: String,
    },
    Invite(Invitation),
}

/// The rights of people who join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    pub name: String,
    pub role: PersonRole,
    pub all_locations: bool,
    /// Aliases.
    pub locations: Vec<String>,
    pub policy: Option<String>,
    pub may_vault: bool,
    /// In every location that the person reaches.
    pub may_approve: bool,
}

impl Offer {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Login { .. } => "login",
            Self::Invite(_) => "invite",
        }
    }

    /// The person that it creates; a login creates nobody.
    pub(super) fn person(&self, id: &str, name: Option<&str>) -> Option<Person> {
        let new = |default: &str, role| Person::new(id.to_owned(), name.unwrap_or(default), role);
        match self {
            Self::First => Some(new("operator", PersonRole::Operator)),
            Self::Login { .. } => None,
            Self::Invite(invitation) => {
                let mut person = new(&invitation.name, invitation.role);
                person.all_locations |= invitation.all_locations;
                person.approves_all |= invitation.may_approve && invitation.all_locations;
                person.may_vault |= invitation.may_vault;
                person.policy.clone_from(&invitation.policy);
                let location = |alias: &String| PersonLocation {
                    alias: alias.clone(),
                    policy: None,
                    may_approve: invitation.may_approve,
                };
                let aliases = BTreeSet::from_iter(&invitation.locations);
                person.locations = aliases.into_iter().map(location).collect();
                Some(person)
            }
        }
    }

    /// Refuses contradictory offers.
    pub(super) fn check(&self, lasts: SignedDuration, uses: u32) -> Result<(), StoreError> {
        let wrong = |what: String| Err(StoreError::from(what));
        if lasts <= SignedDuration::ZERO || lasts > LONGEST {
            return wrong(
                "a link lasts more than no time and at most a year; give another time".to_owned(),
            );
        }
        let most = match self {
            Self::Invite(_) => MOST_USES,
            _ => 1,
        };
        if !(1..=most).contains(&uses) {
            return wrong(format!(
                "a link for {uses} people cannot be made; this one is for 1 to {most}"
            ));
        }
        match self {
            Self::First | Self::Login { .. } => Ok(()),
            Self::Invite(invitation) => invitation.check(),
        }
    }
}

impl Invitation {
    fn check(&self) -> Result<(), StoreError> {
        check_name(&self.name)?;
        let reaches_nothing = self.role == PersonRole::Member
            && !self.all_locations
            && self.locations.is_empty()
            && !self.may_vault;
        let what = if reaches_nothing {
            "an invitation needs locations; name some, or all of them, or allow the person to connect some"
                .to_owned()
        } else if self.locations.len() > MOST_LOCATIONS {
            format!(
                "an invitation names {MOST_LOCATIONS} locations at most; give all of them instead"
            )
        } else {
            return Ok(());
        };
        Err(StoreError::from(what))
    }
}
