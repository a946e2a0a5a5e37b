//! `approvals webhooks`: who is told that a call waits.

use std::fmt::Write;
use std::process::ExitCode;

use clap::Subcommand;

use crate::call::ApprovalWebhooks;
use crate::cli::text::visible;
use crate::cli::{CliError, print, runtime};
use crate::config::{Config, Flags};

#[derive(Subcommand)]
pub(in crate::cli) enum WebhooksCommand {
    /// Send a sample to each, and say what came of it. Fails where one did not take it.
    Test,
}

impl WebhooksCommand {
    pub(in crate::cli) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        let Self::Test = self;
        let webhooks = ApprovalWebhooks::open(&Config::load(flags)?)?;
        if webhooks.is_empty() {
            let what = "the settings name no webhook; add [[approvals.webhooks]] with a url, and with a shape where it \
                        is Slack's or Teams'";
            return Err(CliError(what.to_owned()));
        }
        let tests = runtime()?.block_on(webhooks.test());
        let mut text = String::new();
        for test in &tests {
            let came = match &test.problem {
                None => "took a sample".to_owned(),
                Some(problem) => format!("did not take a sample: {problem}"),
            };
            let host = visible(&test.host);
            writeln!(
                text,
                "webhook {} ({}, {host}) {came}",
                test.number, test.shape
            )?;
        }
        print(text)?;
        Ok(match tests.iter().all(|test| test.problem.is_none()) {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}
