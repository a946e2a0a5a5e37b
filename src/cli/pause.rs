//! `pause` and `resume`: the emergency stop, for every running server on the state folder.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::output::{OutputFlags, note};
use super::running_server::RunningServer;
use super::text::visible;
use super::{CliError, StateFlags, reach};
use crate::config::Flags;
use state::pause::Pauses;

#[derive(Args)]
pub(super) struct PauseCommand {
    /// Alias of the location to pause. Without it everything is paused.
    #[arg(long, value_name = "ALIAS")]
    location: Option<String>,
    /// Reason, shown to those whose calls are refused.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    of: StateFlags,
}

#[derive(Args)]
pub(super) struct Resume {
    /// Alias of the location to resume. Without it the pause of everything ends.
    #[arg(long, value_name = "ALIAS")]
    location: Option<String>,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    of: StateFlags,
}

impl PauseCommand {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        let (config, store) = self.of.open(flags)?;
        reach::check_known(&config, &store, self.location.as_slice())?;
        let pauses = Pauses::new(&store);
        let paused = pauses.pause(self.location.as_deref(), self.reason.as_deref());
        let paused = paused.wait()?;
        let sandbox = self.of.flag();
        let text = format!(
            "{} is paused: running servers on {} refuse everything except reads within 0.2 seconds. `highlevel-mcp \
             resume{}{sandbox}` ends this\n",
            describe(paused.location.as_deref()),
            store.shown(),
            option(paused.location.as_deref())
        );
        self.output.record(&paused, text)?;
        for other in RunningServer::find(&config)? {
            if !other.is_on_store_of(&config) {
                note(format_args!(
                    "{}; it is not paused ({} pauses it).",
                    other.elsewhere(),
                    other.flag()
                ));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Resume {
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        let (config, store) = self.of.open(flags)?;
        let pauses = Pauses::new(&store);
        let alias = self.location.as_deref();
        let ended = pauses.resume(alias).wait()?;
        if ended.is_none() {
            // A location that is gone could still be paused, so that this comes after.
            reach::check_known(&config, &store, self.location.as_slice())?;
        }
        let left = pauses.list().wait()?;
        let paused = json!({"location": alias, "ended": ended.is_some(), "paused": left});
        let left: Vec<&str> = left
            .iter()
            .map(|one| describe(one.location.as_deref()))
            .collect();
        let left = match left.as_slice() {
            [] => String::new(),
            left => format!("; still paused: {}", visible(&left.join(", "))),
        };
        let what_of = visible(describe(alias));
        let what = if ended.is_some() {
            "goes on"
        } else {
            "was not paused"
        };
        let text = format!("{what_of} {what}{left}\n");
        self.output.record(&paused, text)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn describe(alias: Option<&str>) -> &str {
    alias.unwrap_or("everything")
}

fn option(alias: Option<&str>) -> String {
    alias.map_or_else(String::new, |alias| format!(" --location {alias}"))
}
