//! `people`: who may sign in and who is invited, and the end of that.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use state::Store;
use state::links::{Invitation, LinkRecord, Links, Offer};
use state::people::{People, Person, PersonRole};
use state::vault::Vault;

use super::terminal::{Text, table, visible};
use super::{CliError, StateFlags, print, sign_in};
use crate::config::Flags;

#[derive(Subcommand)]
pub(super) enum PeopleCommand {
    /// Who may sign in, and open invitations.
    List(List),
    /// Let a person sign in no more, and end all they have: sessions, connections, links, invitations that they made. Or
    /// end an invitation.
    End {
        /// Name or id of the person, or the invitation's id.
        who: String,
        /// Remove the locations, too, that the person connected, with the tokens kept for them.
        #[arg(long)]
        remove_locations: bool,
        #[command(flatten)]
        of: StateFlags,
    },
}

#[derive(Args)]
pub(super) struct List {
    /// Those too whose access has ended.
    #[arg(long)]
    ended: bool,
    #[command(flatten)]
    of: StateFlags,
}

impl PeopleCommand {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        match self {
            Self::List(list) => list.run(flags)?,
            Self::End {
                who,
                remove_locations,
                of,
            } => end(&of.open(flags)?.1, &who, remove_locations)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    fn run(self, flags: &Flags) -> Result<(), CliError> {
        let (config, store) = self.of.open(flags)?;
        sign_in::warn_when_off(&config);
        let people = People::new(&store).list().wait()?;
        let people = people
            .iter()
            .filter(|person| self.ended || person.ended.is_none());
        let links = Links::new(&store).list().wait()?;
        let rows = people
            .map(person_row)
            .chain(links.iter().filter_map(invitation_row));
        table(["Name", "Role", "Seen", "Id", "May"], rows.collect())
    }
}

fn end(store: &Store, who: &str, removes_locations: bool) -> Result<(), CliError> {
    // No person's id begins so.
    if who.starts_with("lnk_") {
        let link = Links::new(store).end(who, None).wait()?;
        return print(format_args!("nobody joins by {} any more\n", link.id));
    }
    let people = People::new(store);
    let person = people.end(who, None).wait()?;
    print(format_args!(
        "{} ({}) may sign in no more; running servers refuse all they had within 0.2 seconds\n",
        visible(&person.name),
        person.id
    ))?;
    let vault = Vault::new(store);
    let connected = vault.list().wait()?;
    let connected = connected
        .iter()
        .filter(|location| location.owner.as_ref() == Some(&person.id));
    let count = connected.clone().count();
    if removes_locations {
        for location in connected {
            vault.remove(&location.id, None).wait()?;
        }
        print(format_args!(
            "Removed, with their tokens: {count} locations that this person connected\n"
        ))?;
    } else if count > 0 {
        eprintln!(
            "Locations that this person connected, and their tokens, are kept: {count}. --remove-locations removes them."
        );
    }
    if !people.has_operator() {
        eprintln!(
            "There is no operator now: `highlevel-mcp console link` makes a link for the next."
        );
    }
    Ok(())
}

fn person_row(person: &Person) -> [Text; 5] {
    let role = match person.role {
        _ if person.ended.is_some() => Text::bad("ended"),
        PersonRole::Operator => Text::good("operator"),
        PersonRole::Member => Text::good("member"),
    };
    let seen = person.seen.map_or_else(|| "never".to_owned(), day);
    [
        visible(&person.name).into(),
        role,
        Text::aside(seen),
        person.id.as_str().into(),
        visible(&describe(&PersonRights::from(person))).into(),
    ]
}

/// Of one by which somebody may still join.
fn invitation_row(link: &LinkRecord) -> Option<[Text; 5]> {
    let Offer::Invite(invitation) = &link.offer else {
        return None;
    };
    if link.ended.is_some() || link.uses_left == 0 {
        return None;
    }
    let uses = match link.uses_left {
        1 => String::new(),
        uses => format!("; {uses} may join"),
    };
    let rights = describe(&PersonRights::from(invitation));
    Some([
        visible(&invitation.name).into(),
        Text::warning("invited"),
        Text::aside("-"),
        link.id.as_str().into(),
        visible(&format!("{rights}; join until {}{uses}", day(link.expires))).into(),
    ])
}

/// What a person may do, or may once the person has joined.
pub(super) struct PersonRights<'a> {
    role: PersonRole,
    all_locations: bool,
    /// Aliases, and whether the person approves calls there.
    locations: Vec<(&'a str, bool)>,
    approves_all: bool,
    policy: Option<&'a str>,
    may_vault: bool,
}

impl<'a> From<&'a Person> for PersonRights<'a> {
    fn from(person: &'a Person) -> Self {
        let locations = person.locations.iter();
        Self {
            role: person.role,
            all_locations: person.all_locations,
            locations: locations
                .map(|one| (one.alias.as_str(), one.may_approve))
                .collect(),
            approves_all: person.approves_all,
            policy: person.policy.as_deref(),
            may_vault: person.may_vault,
        }
    }
}

impl<'a> From<&'a Invitation> for PersonRights<'a> {
    fn from(invitation: &'a Invitation) -> Self {
        let locations = invitation.locations.iter();
        Self {
            role: invitation.role,
            all_locations: invitation.all_locations,
            locations: locations
                .map(|alias| (alias.as_str(), invitation.may_approve))
                .collect(),
            approves_all: invitation.may_approve && invitation.all_locations,
            policy: invitation.policy.as_deref(),
            may_vault: invitation.may_vault,
        }
    }
}

pub(super) fn describe(rights: &PersonRights) -> String {
    let is_operator = rights.role == PersonRole::Operator;
    let aliases: Vec<&str> = rights.locations.iter().map(|(alias, _)| *alias).collect();
    let approved: Vec<&str> = rights
        .locations
        .iter()
        .filter(|(_, may_approve)| *may_approve)
        .map(|(alias, _)| *alias)
        .collect();
    let reach = match (is_operator || rights.all_locations, aliases.is_empty()) {
        (true, _) => "every location".to_owned(),
        (false, false) => aliases.join(", "),
        (false, true) => "no location yet".to_owned(),
    };
    let approves = if is_operator || rights.approves_all {
        Some("approves calls".to_owned())
    } else if approved.is_empty() {
        None
    } else if approved == aliases && !rights.all_locations {
        Some("approves calls there".to_owned())
    } else {
        Some(format!("approves calls in {}", approved.join(", ")))
    };
    let rules = rights.policy.map(|policy| format!("rules {policy}"));
    let invites = is_operator.then(|| "invites others".to_owned());
    let vault = (rights.may_vault && !is_operator).then(|| "brings own locations".to_owned());
    let further = [approves, rules, invites, vault];
    let parts = [Some(reach)].into_iter().chain(further).flatten();
    parts.collect::<Vec<_>>().join("; ")
}

/// The day alone: lists have little room.
pub(super) fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_described_in_words() {
        let rights = |role, all_locations, locations: &[(&'static str, bool)]| PersonRights {
            role,
            all_locations,
            locations: locations.to_vec(),
            approves_all: false,
            policy: None,
            may_vault: false,
        };
        let two = [("acme", true), ("globex", false)];
        for (rights, words) in [
            (
                rights(PersonRole::Operator, true, &[]),
                "every location; approves calls; invites others",
            ),
            (rights(PersonRole::Member, true, &[]), "every location"),
            (
                PersonRights {
                    approves_all: true,
                    policy: Some("front-desk"),
                    ..rights(PersonRole::Member, true, &two)
                },
                "every location; approves calls; rules front-desk",
            ),
            (
                rights(PersonRole::Member, false, &two),
                "acme, globex; approves calls in acme",
            ),
            (
                rights(PersonRole::Member, false, &two[..1]),
                "acme; approves calls there",
            ),
            (rights(PersonRole::Member, false, &two[1..]), "globex"),
            (
                PersonRights {
                    may_vault: true,
                    ..rights(PersonRole::Member, false, &[])
                },
                "no location yet; brings own locations",
            ),
        ] {
            assert_eq!(describe(&rights), words);
        }
    }
}
