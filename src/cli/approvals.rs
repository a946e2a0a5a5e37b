//! `approvals`: calls that wait for a person to say yes or no.

mod webhooks;

use std::fmt::Write;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};

use super::terminal::visible;
use super::{CliError, StateFlags, print};
use crate::config::Flags;
use state::approvals::{Approval, ApprovalState, Approvals};
use state::clock::SteadyClock;
use webhooks::WebhooksCommand;

/// How long a command waits for what a server makes of an approved call, and from one look to the next.
const LONGEST: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(100);

#[derive(Subcommand)]
pub(super) enum ApprovalsCommand {
    /// What waits, with all that is needed to judge it.
    List {
        /// What is decided, done or expired, too.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        of: StateFlags,
    },
    /// Let the call be made, once: a running server makes it, or its client when it comes back.
    Approve(Decision),
    /// Refuse the call.
    Deny(Decision),
    /// Who is told that a call waits: the setting approvals.webhooks.
    Webhooks {
        #[command(subcommand)]
        command: WebhooksCommand,
    },
}

#[derive(Args)]
pub(super) struct Decision {
    /// apr_…, as `approvals list` shows it.
    handle: String,
    /// A word to the client, such as why not.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Who decides, for the record.
    #[arg(long, value_name = "NAME", default_value = "command line")]
    by: String,
    #[command(flatten)]
    of: StateFlags,
}

impl ApprovalsCommand {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        match self {
            Self::List { all, of } => list(&Approvals::new(&of.open(flags)?.1), all)?,
            Self::Approve(decision) => decision.make(flags, true)?,
            Self::Deny(decision) => decision.make(flags, false)?,
            Self::Webhooks { command } => return command.run(flags),
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Decision {
    fn make(&self, flags: &Flags, approve: bool) -> Result<(), CliError> {
        let approvals = Approvals::new(&self.of.open(flags)?.1);
        let note = self.note.as_deref();
        let decided = approvals.decide(&self.handle, approve, &self.by, note);
        let decided = decided.wait()?;
        let what = match (approve, decided.runs_alone) {
            (false, _) => "is denied".to_owned(),
            (true, false) => format!(
                "is approved; its client must call again by {:.0}",
                decided.expires
            ),
            (true, true) => outcome(&approvals, &decided)?,
        };
        print(format_args!(
            "{} ({}) {what}\n",
            decided.handle,
            visible(&decided.tool)
        ))
    }
}

/// What came of a call that a running server makes, where it comes soon.
fn outcome(approvals: &Approvals, decided: &Approval) -> Result<String, CliError> {
    let since = Instant::now();
    while since.elapsed() < LONGEST {
        let held = approvals.get(&decided.handle).wait()?;
        let done = held.filter(|held| held.state == ApprovalState::Done);
        if let Some(done) = done {
            let how = if done.is_error { "failed" } else { "was made" };
            let answer = done.outcome.unwrap_or_default();
            return Ok(format!(
                "is approved, and the call {how}: {}",
                visible(&answer)
            ));
        }
        sleep(LOOK);
    }
    Ok(format!(
        "is approved; a running server makes the call, or its client when it comes back, until {:.0}",
        decided.expires
    ))
}

/// A block each on a terminal, for a preview fits no cell; one JSON object a line in a pipe.
fn list(approvals: &Approvals, all: bool) -> Result<(), CliError> {
    let now = SteadyClock::now();
    let waits = |approval: &Approval| {
        approval.state == ApprovalState::Pending && !approval.has_expired(now)
    };
    let mut text = String::new();
    for approval in approvals.list().wait()? {
        if !all && !waits(&approval) {
            continue;
        }
        if std::io::stdout().is_terminal() {
            text += &block(&approval, now)?;
        } else {
            writeln!(text, "{}", serde_json::to_string(&approval)?)?;
        }
    }
    if text.is_empty() {
        eprintln!("nothing waits for an approval");
    }
    print(text)
}

fn block(approval: &Approval, now: jiff::Timestamp) -> Result<String, CliError> {
    let state = if approval.has_expired(now) {
        "expired"
    } else {
        approval.state.name()
    };
    let id = approval.location.as_deref();
    let location = match (approval.alias.as_deref(), id) {
        (Some(alias), Some(id)) => format!("{alias} ({id})"),
        (alias, id) => alias.or(id).unwrap_or("-").to_owned(),
    };
    let mut text = String::new();
    let Approval {
        handle,
        tool,
        effect,
        who,
        ..
    } = approval;
    writeln!(text, "{handle}")?;
    writeln!(text, "  State     {state}")?;
    let calls: usize = approval.locations.iter().map(|one| one.calls).sum();
    let many = if calls > 1 {
        format!(", {calls} calls")
    } else {
        String::new()
    };
    writeln!(
        text,
        "  Call      {} ({}){many}",
        visible(tool),
        visible(effect)
    )?;
    writeln!(text, "  Location  {}", visible(&location))?;
    if approval.locations.len() > 1 {
        for one in &approval.locations {
            let calls = if one.calls == 1 { "call" } else { "calls" };
            let location = visible(&one.location);
            writeln!(text, "            {location}: {} {calls}", one.calls)?;
        }
    }
    writeln!(text, "  Who       {}", visible(who))?;
    writeln!(text, "  Asked     {:.0}", approval.created)?;
    writeln!(text, "  Expires   {:.0}", approval.expires)?;
    if let Some(by) = &approval.decided_by {
        let note = approval.note.as_deref().unwrap_or_default();
        writeln!(text, "  Decided   by {} {}", visible(by), visible(note))?;
    }
    let preview = serde_json::to_string_pretty(&approval.preview)?;
    for line in preview.lines() {
        writeln!(text, "  {}", visible(line))?;
    }
    text.push('\n');
    Ok(text)
}
