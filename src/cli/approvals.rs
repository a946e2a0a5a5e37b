//! `approvals`: calls that wait for a person to say yes or no.

mod item;
mod webhooks;

use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};

use self::item::ApprovalItem;
use super::known_names::KnownNames;
use super::output::OutputFlags;
use super::text::{given_name, visible};
use super::{CliError, StateFlags};
use crate::config::Flags;
use state::approvals::{Approval, ApprovalState, Approvals};
use state::clock::SteadyClock;
use webhooks::WebhooksCommand;

/// How long a command waits for a server to make an approved call, and the interval of its look-ups.
const LONGEST: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(100);

#[derive(Subcommand)]
pub(super) enum ApprovalsCommand {
    /// List waiting calls, with everything that is needed to judge them.
    List {
        /// Also calls that are decided, done or expired.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        output: OutputFlags,
        #[command(flatten)]
        of: StateFlags,
    },
    /// Show one call, with everything that would be sent.
    Show(ApprovalShow),
    /// Approve a call, once. A running server then makes it, or its client does when it calls again.
    Approve(Decision),
    /// Deny a call.
    Deny(Decision),
    /// Test the receivers of notices about waiting calls (the setting approvals.webhooks).
    Webhooks {
        #[command(subcommand)]
        command: WebhooksCommand,
    },
}

#[derive(Args)]
pub(super) struct ApprovalShow {
    /// Id of the call (apr_…), from `approvals list`.
    handle: String,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    of: StateFlags,
}

#[derive(Args)]
pub(super) struct Decision {
    /// Id of the call (apr_…), from `approvals list`.
    handle: String,
    /// Note to the client, such as the reason.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Name of the person who decides, for the record.
    #[arg(long, value_name = "NAME", default_value = "command line", value_parser = given_name)]
    by: String,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    of: StateFlags,
}

impl ApprovalsCommand {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        match self {
            Self::List { all, output, of } => list(&of, flags, all, output)?,
            Self::Show(show) => show.run(flags)?,
            Self::Approve(decision) => decision.make(flags, true)?,
            Self::Deny(decision) => decision.make(flags, false)?,
            Self::Webhooks { command } => return command.run(flags),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn list(of: &StateFlags, flags: &Flags, all: bool, output: OutputFlags) -> Result<(), CliError> {
    let (config, store) = of.open(flags)?;
    let names = KnownNames::read(&config, &store)?;
    let now = SteadyClock::now();
    let waits = |approval: &&Approval| {
        all || approval.state == ApprovalState::Pending && !approval.has_expired(now)
    };
    let approvals = Approvals::new(&store).list().wait()?;
    let items = approvals.iter().filter(waits);
    let items: Vec<ApprovalItem> = items
        .map(|approval| ApprovalItem::new(approval, &names, now, of))
        .collect();
    let none = match all {
        false => "No call waits for an approval. --all shows those of the last week.",
        true => "No call has waited for an approval in the last week.",
    };
    output.rows(&items, none)
}

impl ApprovalShow {
    fn run(self, flags: &Flags) -> Result<(), CliError> {
        let (config, store) = self.of.open(flags)?;
        let approval = Approvals::new(&store).get(&self.handle).wait()?;
        let Some(approval) = approval else {
            return Err(CliError(format!(
                "there is no approval {}; `highlevel-mcp approvals list --all` shows those of the last week",
                self.handle
            )));
        };
        let names = KnownNames::read(&config, &store)?;
        let item = ApprovalItem::new(&approval, &names, SteadyClock::now(), &self.of);
        self.output.fields(&item, item.everything())
    }
}

impl Decision {
    fn make(&self, flags: &Flags, approve: bool) -> Result<(), CliError> {
        let (config, store) = self.of.open(flags)?;
        let approvals = Approvals::new(&store);
        let note = self.note.as_deref().map(str::trim);
        let note = note.filter(|note| !note.is_empty());
        let decided = approvals.decide(&self.handle, approve, &self.by, note);
        let decided = decided.wait()?;
        let done = match approve && decided.runs_alone {
            true => outcome(&approvals, &decided)?,
            false => None,
        };
        let what = match (approve, decided.runs_alone, &done) {
            (false, ..) => "is denied".to_owned(),
            (true, false, _) => format!(
                "is approved. Its client must call again by {:.0}",
                decided.expires
            ),
            (true, true, Some(done)) => {
                let how = if done.is_error { "failed" } else { "was made" };
                let answer = visible(done.outcome.as_deref().unwrap_or_default());
                format!("is approved, and the call {how}: {answer}")
            }
            (true, true, None) => format!(
                "is approved. A running server makes the call, or its client does when it calls again, until {:.0}",
                decided.expires
            ),
        };
        let text = format!("{} ({}) {what}\n", decided.handle, visible(&decided.tool));
        let now_is = done.as_ref().unwrap_or(&decided);
        let names = KnownNames::read(&config, &store)?;
        let item = ApprovalItem::new(now_is, &names, SteadyClock::now(), &self.of);
        self.output.record(&item, text)
    }
}

/// The call that a running server makes, with its result if that comes soon.
fn outcome(approvals: &Approvals, decided: &Approval) -> Result<Option<Approval>, CliError> {
    let since = Instant::now();
    while since.elapsed() < LONGEST {
        let held = approvals.get(&decided.handle).wait()?;
        let done = held.filter(|held| held.state == ApprovalState::Done);
        if done.is_some() {
            return Ok(done);
        }
        sleep(LOOK);
    }
    Ok(None)
}
