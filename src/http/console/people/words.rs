//! People and invitations in the words of their pages.

use crate::http::console::some;
use crate::http::pages::clean::one_line;
use crate::http::pages::moment::Moment;
use crate::http::pages::people::{InvitationCard, PersonCard};
use state::links::{Invitation, LinkRecord, Offer};
use state::people::{Person, PersonRole};

pub(super) fn person_row(person: &Person) -> PersonCard {
    PersonCard {
        id: person.id.clone(),
        name: one_line(&person.name, 64),
        role: role(person.role),
        may: PersonTerms::from(person).describe(),
        seen: person.seen.map(Moment),
        ended: person.ended.map(Moment),
    }
}

/// The row of a link by which somebody may still join.
pub(super) fn invitation_row(link: &LinkRecord) -> Option<InvitationCard> {
    let Offer::Invite(invitation) = &link.offer else {
        return None;
    };
    let is_open = link.ended.is_none() && link.uses_left > 0;
    is_open.then(|| InvitationCard {
        id: link.id.clone(),
        name: one_line(&invitation.name, 64),
        role: role(invitation.role),
        may: describe_invitation(invitation),
        until: Moment(link.expires),
        uses: link.uses_left,
    })
}

pub(super) fn describe_invitation(invitation: &Invitation) -> String {
    PersonTerms::from(invitation).describe()
}

fn role(role: PersonRole) -> &'static str {
    match role {
        PersonRole::Operator => "operator",
        PersonRole::Member => "member",
    }
}

/// The rights of a person, or of an invited person after joining.
struct PersonTerms {
    is_operator: bool,
    all_locations: bool,
    locations: Vec<String>,
    /// The locations among these where the person may approve calls.
    approved: Vec<String>,
    approves_all: bool,
    policy: Option<String>,
    may_vault: bool,
}

impl From<&Person> for PersonTerms {
    fn from(person: &Person) -> Self {
        let approved = person.locations.iter().filter(|one| one.may_approve);
        Self {
            is_operator: person.role == PersonRole::Operator,
            all_locations: person.all_locations,
            locations: person
                .locations
                .iter()
                .map(|one| one.alias.clone())
                .collect(),
            approved: approved.map(|one| one.alias.clone()).collect(),
            approves_all: person.approves_all,
            policy: person.policy.clone(),
            may_vault: person.may_vault,
        }
    }
}

impl From<&Invitation> for PersonTerms {
    fn from(invitation: &Invitation) -> Self {
        let approved = match invitation.may_approve {
            true => invitation.locations.clone(),
            false => Vec::new(),
        };
        Self {
            is_operator: invitation.role == PersonRole::Operator,
            all_locations: invitation.all_locations,
            locations: invitation.locations.clone(),
            approved,
            approves_all: invitation.may_approve && invitation.all_locations,
            policy: invitation.policy.clone(),
            may_vault: invitation.may_vault,
        }
    }
}

impl PersonTerms {
    fn describe(&self) -> String {
        let reach = match (
            self.is_operator || self.all_locations,
            self.locations.is_empty(),
        ) {
            (true, _) => "every sub-account".to_owned(),
            (false, false) => some(&self.locations),
            (false, true) => "no sub-account yet".to_owned(),
        };
        let approves = if self.is_operator || self.approves_all {
            Some("approves actions".to_owned())
        } else if self.approved.is_empty() {
            None
        } else if self.approved == self.locations && !self.all_locations {
            Some("approves actions there".to_owned())
        } else {
            Some(format!("approves actions in {}", some(&self.approved)))
        };
        let rules = self.policy.as_ref();
        let rules = rules.map(|policy| format!("under the rules “{}”", one_line(policy, 60)));
        let invites = self.is_operator.then(|| "invites others".to_owned());
        let connects = self.may_vault && !self.is_operator;
        let connects = connects.then(|| "connects their own sub-accounts".to_owned());
        let further = [approves, rules, invites, connects];
        let parts = [Some(reach)].into_iter().chain(further).flatten();
        parts.collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rights_of_a_person_are_described_in_words() {
        fn check(change: impl FnOnce(&mut PersonTerms), expected: &str) {
            let aliases = ["acme", "globex"].map(str::to_owned);
            let mut terms = PersonTerms {
                is_operator: false,
                all_locations: false,
                locations: aliases.to_vec(),
                approved: Vec::new(),
                approves_all: false,
                policy: None,
                may_vault: false,
            };
            change(&mut terms);
            assert_eq!(terms.describe(), expected);
        }
        check(|_| (), "acme, globex");
        check(
            |terms| terms.is_operator = true,
            "every sub-account; approves actions; invites others",
        );
        check(
            |terms| terms.approved = terms.locations.clone(),
            "acme, globex; approves actions there",
        );
        check(
            |terms| terms.approved.push("acme".to_owned()),
            "acme, globex; approves actions in acme",
        );
        check(
            |terms| {
                terms.locations.clear();
                terms.may_vault = true;
                terms.policy = Some("front desk".to_owned());
            },
            "no sub-account yet; under the rules “front desk”; connects their own sub-accounts",
        );
        check(
            |terms| {
                terms.all_locations = true;
                terms.approves_all = true;
            },
            "every sub-account; approves actions",
        );
        check(
            |terms| terms.locations = (0..7).map(|number| format!("b{number}")).collect(),
            "b0, b1, b2, b3, b4 and 2 more",
        );
    }
}
