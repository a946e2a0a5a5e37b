//! `people`: lists and ends people who may sign in, and invitations.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use state::Store;
use state::links::{Invitation, LinkRecord, Links, Offer};
use state::people::{People, Person, PersonRole};
use state::vault::{Vault, VaultLocation};

use super::output::{Column, OutputFlags, TableRow, Text, note};
use super::text::{count, visible};
use super::{CliError, StateFlags, sign_in};
use crate::config::Flags;

#[derive(Subcommand)]
pub(super) enum PeopleCommand {
    /// List the people who may sign in, and open invitations.
    List(List),
    /// End a person's access, with all their sessions, connections, links and invitations. Or end an invitation.
    End {
        /// Name or id of the person, or id of the invitation.
        who: String,
        /// Also remove the locations that the person connected, with their stored tokens.
        #[arg(long)]
        remove_locations: bool,
        #[command(flatten)]
        output: OutputFlags,
        #[command(flatten)]
        of: StateFlags,
    },
}

#[derive(Args)]
pub(super) struct List {
    /// Also people whose access has ended.
    #[arg(long)]
    ended: bool,
    #[command(flatten)]
    output: OutputFlags,
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
                output,
                of,
            } => end(&of.open(flags)?.1, &who, remove_locations, output)?,
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
        let people = people.map(PersonRow::new);
        let rows: Vec<PersonRow> = people
            .chain(links.iter().filter_map(PersonRow::invited))
            .collect();
        self.output.rows(
            &rows,
            "Nobody may sign in, and nobody is invited. `highlevel-mcp console link` creates a link for the first \
             operator, `highlevel-mcp invite` links for others.",
        )
    }
}

fn end(
    store: &Store,
    who: &str,
    removes_locations: bool,
    output: OutputFlags,
) -> Result<(), CliError> {
    // No person's id begins like this.
    if who.starts_with("lnk_") {
        let link = Links::new(store).end(who, None).wait()?;
        let text = format!(
            "the invitation of {} has ended. Nobody can join with it\n",
            link.id
        );
        return output.record(&json!({"id": link.id, "state": "ended"}), text);
    }
    let people = People::new(store);
    let person = people.end(who, None).wait()?;
    let mut text = format!(
        "{} ({}) may no longer sign in. Running servers refuse everything that this person had within 0.2 seconds\n",
        visible(&person.name),
        person.id
    );
    let vault = Vault::new(store);
    let connected = vault.list().wait()?;
    let connected = connected
        .iter()
        .filter(|location| location.owner.as_ref() == Some(&person.id));
    let connected: Vec<&VaultLocation> = connected.collect();
    let many = count(connected.len(), "location");
    if removes_locations {
        for location in &connected {
            vault.remove(&location.id, None).wait()?;
        }
        text += &format!("Removed, with their tokens: {many} that this person connected\n");
    } else if !connected.is_empty() {
        note(format_args!(
            "Kept, with their tokens: {many} that this person connected. --remove-locations removes them."
        ));
    }
    let removed = if removes_locations {
        connected.len()
    } else {
        0
    };
    let record = json!({"id": person.id, "name": person.name, "state": "ended", "removed_locations": removed});
    output.record(&record, text)?;
    if !people.has_operator() {
        note(
            "There is no operator now. `highlevel-mcp console link` creates a link for the next one.",
        );
    }
    Ok(())
}

/// A person who may sign in, or may once they have joined, as a list shows them.
#[derive(Serialize)]
struct PersonRow<'a> {
    id: &'a str,
    name: &'a str,
    /// `active`, `invited` or `ended`.
    state: &'static str,
    role: &'static str,
    all_locations: bool,
    locations: Vec<&'a str>,
    /// The listed locations where the person may approve calls.
    approves_in: Vec<&'a str>,
    approves_all: bool,
    policy: Option<&'a str>,
    may_vault: bool,
    created: Timestamp,
    seen: Option<Timestamp>,
    ended: Option<Timestamp>,
    /// For an invitation: its expiry, and the number of people who may join.
    expires: Option<Timestamp>,
    uses_left: Option<u32>,
    #[serde(skip)]
    may: String,
}

impl<'a> PersonRow<'a> {
    fn new(person: &'a Person) -> Self {
        let rights = PersonRights::from(person);
        let state = match person.ended {
            Some(_) => "ended",
            None => "active",
        };
        Self {
            seen: person.seen,
            ended: person.ended,
            ..Self::with(&rights, &person.id, &person.name, state, person.created)
        }
    }

    /// The row of a link by which somebody may still join.
    fn invited(link: &'a LinkRecord) -> Option<Self> {
        let Offer::Invite(invitation) = &link.offer else {
            return None;
        };
        if link.ended.is_some() || link.uses_left == 0 {
            return None;
        }
        let rights = PersonRights::from(invitation);
        let uses = match link.uses_left {
            1 => String::new(),
            uses => format!("; {uses} may join"),
        };
        let row = Self::with(&rights, &link.id, &invitation.name, "invited", link.created);
        Some(Self {
            expires: Some(link.expires),
            uses_left: Some(link.uses_left),
            may: format!("{}; join until {}{uses}", row.may, day(link.expires)),
            ..row
        })
    }

    fn with(
        rights: &PersonRights<'a>,
        id: &'a str,
        name: &'a str,
        state: &'static str,
        created: Timestamp,
    ) -> Self {
        let locations = rights.locations.iter();
        let approved = locations.clone().filter(|(_, may_approve)| *may_approve);
        Self {
            id,
            name,
            state,
            role: rights.role.name(),
            all_locations: rights.all_locations || rights.role == PersonRole::Operator,
            approves_in: approved.map(|(alias, _)| *alias).collect(),
            locations: locations.map(|(alias, _)| *alias).collect(),
            approves_all: rights.approves_all || rights.role == PersonRole::Operator,
            policy: rights.policy,
            may_vault: rights.may_vault,
            created,
            seen: None,
            ended: None,
            expires: None,
            uses_left: None,
            may: describe(rights),
        }
    }
}

impl TableRow<5> for PersonRow<'_> {
    const COLUMNS: [Column; 5] = [
        Column::copied("Name"),
        Column::shortened("Role").least(8),
        Column::copied("Seen").rank(1),
        Column::copied("Id"),
        Column::wrapped("May"),
    ];

    fn cells(&self) -> [Text; 5] {
        let (role, seen) = match self.state {
            "ended" => (Text::bad("ended"), Text::time_or(self.seen, "never")),
            "invited" => (Text::warning("invited"), Text::aside("-")),
            _ => (Text::good(self.role), Text::time_or(self.seen, "never")),
        };
        [
            self.name.into(),
            role,
            seen,
            self.id.into(),
            self.may.as_str().into(),
        ]
    }
}

/// The rights of a person, or of an invited person after joining.
pub(super) struct PersonRights<'a> {
    role: PersonRole,
    all_locations: bool,
    /// Aliases, and whether the person may approve calls there.
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
    let vault = (rights.may_vault && !is_operator).then(|| "connects own locations".to_owned());
    let further = [approves, rules, invites, vault];
    let parts = [Some(reach)].into_iter().chain(further).flatten();
    parts.collect::<Vec<_>>().join("; ")
}

/// Only the day: lists have little room.
pub(super) fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::tests::check_fits;

    #[test]
    fn people_fit_a_terminal() {
        let aliases: Vec<String> = (1..=40)
            .map(|number| format!("branch-{number:02}"))
            .collect();
        let rights = PersonRights {
            role: PersonRole::Member,
            all_locations: false,
            locations: aliases.iter().map(|alias| (alias.as_str(), true)).collect(),
            approves_all: false,
            policy: Some("front-desk-of-the-western-branches"),
            may_vault: true,
        };
        let time = "2026-11-28T04:48:54Z".parse().expect("a time");
        let name = "Ada Abbott-Featherstonehaugh of the western branches";
        let row = PersonRow {
            seen: Some(time),
            ..PersonRow::with(&rights, "per_0123456789abcdefghij", name, "active", time)
        };
        check_fits(&PersonRow::COLUMNS, &[row.cells().into()]);
    }

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
                "no location yet; connects own locations",
            ),
        ] {
            assert_eq!(describe(&rights), words);
        }
    }
}
