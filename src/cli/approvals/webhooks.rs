//! `approvals webhooks`: the receivers of messages about waiting calls.

use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;

use crate::call::{ApprovalWebhooks, WebhookTest};
use crate::cli::output::{Column, OutputFlags, TableRow, Text};
use crate::cli::{CliError, runtime};
use crate::config::{Config, Flags};

#[derive(Subcommand)]
pub(in crate::cli) enum WebhooksCommand {
    /// Send a sample notice to each receiver and show the results. Fails if a receiver did not accept it.
    Test {
        #[command(flatten)]
        output: OutputFlags,
    },
}

/// The result of a sample.
#[derive(Serialize)]
struct WebhookRow {
    /// The position in the settings, from 1.
    number: usize,
    shape: &'static str,
    host: String,
    problem: Option<String>,
}

impl From<WebhookTest> for WebhookRow {
    fn from(test: WebhookTest) -> Self {
        Self {
            number: test.number,
            shape: test.shape,
            host: test.host,
            problem: test.problem,
        }
    }
}

impl TableRow<4> for WebhookRow {
    const COLUMNS: [Column; 4] = [
        Column::copied("Number"),
        Column::copied("Shape").rank(1),
        Column::shortened("Host"),
        Column::wrapped("Sample"),
    ];

    fn cells(&self) -> [Text; 4] {
        let sample = match &self.problem {
            None => Text::good("taken"),
            Some(problem) => Text::bad(format!("not accepted: {problem}")),
        };
        let number = self.number.to_string();
        [
            number.into(),
            self.shape.into(),
            self.host.as_str().into(),
            sample,
        ]
    }
}

impl WebhooksCommand {
    pub(in crate::cli) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        let Self::Test { output } = self;
        let webhooks = ApprovalWebhooks::open(&Config::load(flags)?)?;
        if webhooks.is_empty() {
            let what = "the settings have no webhook. Add [[approvals.webhooks]] with a url, and with a shape if it \
                        belongs to Slack or Teams";
            return Err(CliError(what.to_owned()));
        }
        let tests = runtime()?.block_on(webhooks.test());
        let rows: Vec<WebhookRow> = tests.into_iter().map(Into::into).collect();
        output.rows(&rows, "")?;
        Ok(match rows.iter().all(|row| row.problem.is_none()) {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::tests::check_fits;

    #[test]
    fn hosts_and_problems_of_any_length_fit_a_terminal() {
        let row = WebhookRow {
            number: 12,
            shape: "slack",
            host: "hooks.example.test.".repeat(9),
            problem: Some("it cannot be reached: ".repeat(9)),
        };
        check_fits(&WebhookRow::COLUMNS, &[row.cells().into()]);
    }
}
