//! `invite`: a link by which a person joins.

use std::process::ExitCode;

use clap::Args;
use jiff::SignedDuration;
use secrecy::ExposeSecret;
use serde_json::json;
use state::links::{Invitation, Links, Offer};
use state::people::PersonRole;

use super::output::{OutputFlags, note};
use super::people::{PersonRights, describe};
use super::text::{given_name, visible};
use super::{CliError, StateFlags, reach, sign_in};
use crate::config::{Flags, parse_duration};

#[derive(Args)]
pub(super) struct Invite {
    /// Name of the person in lists and records.
    #[arg(value_parser = given_name)]
    name: String,
    #[command(flatten)]
    reach: InviteReach,
    /// Section of rules that applies to the person.
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// The person may approve calls in these locations.
    #[arg(long)]
    may_approve: bool,
    /// Number of people who may join with the link.
    #[arg(long, value_name = "N", default_value_t = 1)]
    uses: u32,
    /// How long the link is valid: a number with m, h or d.
    #[arg(long = "for", value_name = "TIME", default_value = "7d", value_parser = duration)]
    lasts: SignedDuration,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    of: StateFlags,
}

/// Who is given none of these reaches nothing.
#[derive(Args)]
#[group(required = true, multiple = true)]
struct InviteReach {
    /// Aliases of the locations that the person reaches.
    #[arg(long, value_name = "ALIAS", num_args = 1..)]
    locations: Vec<String>,
    /// The person reaches every location of the server, future ones too.
    #[arg(long, conflicts_with = "locations")]
    all_locations: bool,
    /// The person may connect locations with their own tokens.
    #[arg(long)]
    vault: bool,
    /// The person becomes an operator: reaches every location, approves every call, invites others.
    #[arg(long, conflicts_with_all = ["locations", "all_locations"])]
    operator: bool,
}

impl Invite {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        let role = match self.reach.operator {
            true => PersonRole::Operator,
            false => PersonRole::Member,
        };
        let invitation = Invitation {
            name: self.name,
            role,
            all_locations: self.reach.all_locations,
            locations: self.reach.locations,
            policy: self.policy,
            may_vault: self.reach.vault,
            may_approve: self.may_approve,
        };
        let what = describe(&PersonRights::from(&invitation));
        let invited = invitation.name.clone();
        let name = visible(&invited);
        let (config, (record, text)) = self.of.change(flags, |config, store| {
            sign_in::url(config)?;
            reach::check_given(config, store, &invitation.locations)?;
            reach::check_policy(config, store, invitation.policy.as_deref())?;
            let offer = Offer::Invite(invitation.clone());
            let made = Links::new(store).make(offer, self.lasts, self.uses, None);
            Ok(made.wait()?)
        })?;
        let url = sign_in::url(&config)?;
        let (who, whom) = match self.uses {
            1 => (
                "The first person who opens it joins".to_owned(),
                "that person",
            ),
            uses => (
                format!("The first {uses} people who open it join"),
                "those people",
            ),
        };
        note(format_args!(
            "This link invites {name}: {what}.\n{who}, until {:.0}. Send it only to {whom}.\nIt is not shown again:",
            record.expires
        ));
        let address = format!("{url}/console/join#{}", text.expose_secret());
        let made = json!({
            "id": record.id, "name": invited, "url": address, "expires": record.expires, "uses_left": record.uses_left,
        });
        self.output.record(&made, format_args!("{address}\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn duration(text: &str) -> Result<SignedDuration, String> {
    let lasts = parse_duration(text).and_then(|lasts| SignedDuration::try_from(lasts).ok());
    lasts.ok_or_else(|| "give a whole number with m, h or d, such as 7d".to_owned())
}
