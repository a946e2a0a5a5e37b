//! `doctor`: checks everything between this machine and HighLevel's records, with a remedy for each fault.

mod account;
mod live;
mod probes;
mod public;
mod setup;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::json;

use super::question::{ask, can_ask};
use super::sandbox::SandboxListener;
use super::terminal::{Text, table, waiting};
use super::{CliError, prepared_by, print, rehearsal, runtime};
use crate::call::Pipeline;
use crate::config::{Config, Flags};
use crate::surfaces::{OFFICIAL, tools_in};
use crate::telemetry::Telemetry;
use crate::upstream::{Claims, Transport};
use tool::Tool;

/// Tolerance for the clock in seconds: the Date header has whole seconds, and an answer takes a while.
const CLOCK: i64 = 30;

#[derive(Args)]
pub(super) struct Doctor {
    /// Check the simulated HighLevel, which shows what a healthy account looks like.
    #[arg(long)]
    sandbox: bool,
    /// Call the reads of HighLevel's 36 official tools and write the names and types of their answers to FILE, without
    /// values, for an issue (docs/live.md).
    #[arg(long, value_name = "FILE")]
    live_report: Option<PathBuf>,
    /// For the report, also create, change, tag, annotate and delete a test contact.
    #[arg(long, requires = "live_report")]
    writes: bool,
    /// Run --writes without asking.
    #[arg(long, requires = "writes")]
    yes: bool,
    /// Check a server from outside, as claude.ai, Codex, Gemini CLI and others do before they sign in. Reports what its
    /// proxy must change. Needs no settings.
    #[arg(long, value_name = "URL", conflicts_with_all = ["sandbox", "live_report"])]
    public: Option<String>,
    /// Print the findings as JSON.
    #[arg(long, conflicts_with = "live_report")]
    json: bool,
}

/// One line of the report.
#[derive(Serialize)]
struct Finding {
    mark: CheckMark,
    subject: String,
    /// The finding, and for a fault its remedy.
    what: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum CheckMark {
    Ok,
    Warning,
    Fault,
    /// It could not or must not be tried.
    Untried,
}

impl Doctor {
    /// Exit code 1 if there is a fault.
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        if let Some(file) = &self.live_report {
            return self.report(file, flags);
        }
        if let Some(url) = &self.public {
            let examination = async { waiting("asking the server", public::examine(url)).await };
            return self.show(runtime()?.block_on(examination)?);
        }
        let sandbox = SandboxListener::when(self.sandbox)?;
        let (config, pipeline, opened) = setup::open(Config::load(flags)?, sandbox.as_ref())?;
        let official = tools_in(OFFICIAL)?;
        let findings = runtime()?.block_on(async {
            sandbox.as_ref().map(SandboxListener::serve).transpose()?;
            let examination = examine(&config, &pipeline, &official, opened);
            waiting("asking HighLevel", examination).await
        })?;
        self.show(findings)
    }

    fn show(&self, findings: Vec<Finding>) -> Result<ExitCode, CliError> {
        let count = |mark| findings.iter().filter(|one| one.mark == mark).count();
        let (faults, warnings) = (count(CheckMark::Fault), count(CheckMark::Warning));
        if self.json {
            print(format_args!("{:#}\n", json!({"findings": findings})))?;
        } else {
            let rows = findings.into_iter().map(Finding::row).collect();
            table(["", "What", "Finding"], rows)?;
            print(format_args!("{}\n", summary(faults, warnings)))?;
        }
        Ok(ExitCode::from(u8::from(faults > 0)))
    }

    /// Exit code 1 if the throw-away contact may be left.
    fn report(&self, file: &Path, flags: &Flags) -> Result<ExitCode, CliError> {
        let sandbox = SandboxListener::when(self.sandbox)?;
        let config = Config::load(flags)?;
        if let Some((config, pipeline)) = rehearsal(&config, sandbox.as_ref())? {
            super::account(&config, &pipeline, None)?;
        }
        let (config, pipeline) = prepared_by(config, sandbox.as_ref(), Telemetry::start_quietly)?;
        let mut caller = super::account(&config, &pipeline, None)?;
        let claims = Claims::parse(config.account.token.expose_secret());
        if !account::location(&mut caller, claims.as_ref(), &mut Vec::new()) {
            let what = "no location. Set HIGHLEVEL_LOCATION_ID (the address of the sub-account's pages contains it)";
            return Err(CliError(what.to_owned()));
        }
        if self.writes && !self.yes && !agreed()? {
            return Err(CliError("nothing was called".to_owned()));
        }
        let throw_away = runtime()?.block_on(async {
            sandbox.as_ref().map(SandboxListener::serve).transpose()?;
            let report = live::write_report((&config, &pipeline), caller, file, self.writes);
            waiting("asking HighLevel", report).await
        })?;
        pipeline.telemetry().finish();
        print(format_args!(
            "{} holds the names and types of HighLevel's answers, and no values. Read it before you share it\n",
            file.display()
        ))?;
        match throw_away {
            live::ThrowAway::NotMade | live::ThrowAway::Deleted => Ok(ExitCode::SUCCESS),
            live::ThrowAway::Left(name) => {
                print(format_args!(
                    "the contact \"highlevel-mcp live report {name}\" may still exist. Look for it in HighLevel and \
                     delete it\n"
                ))?;
                Ok(ExitCode::from(1))
            }
        }
    }
}

/// Asks the person at the terminal. Without a terminal nobody can be asked.
fn agreed() -> Result<bool, CliError> {
    if !can_ask() {
        let what = "--writes changes the account. Give --yes, because nobody can be asked here";
        return Err(CliError(what.to_owned()));
    }
    ask(
        "This creates a contact in your account, changes it, adds a note and the tag \"highlevel-mcp live report\", \
         and deletes it. Workflows that are triggered by a new contact or tag will start. Continue?",
    )
}

/// Such as `2 faults, 1 warning`.
fn summary(faults: usize, warnings: usize) -> String {
    let counted = |count: usize, what: &str| match count {
        0 => format!("no {what}"),
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    match warnings {
        0 => counted(faults, "fault"),
        warnings => format!(
            "{}, {}",
            counted(faults, "fault"),
            counted(warnings, "warning")
        ),
    }
}

/// `opened`: findings from opening the set-up.
async fn examine(
    config: &Config,
    pipeline: &Pipeline,
    official: &[&'static Tool],
    opened: Vec<Finding>,
) -> Result<Vec<Finding>, CliError> {
    let mut findings = vec![setup::settings(config, pipeline)];
    if opened.iter().all(|finding| finding.subject != "state") {
        findings.push(setup::state(pipeline));
    }
    findings.extend(opened);
    findings.extend(setup::keys(config, pipeline)?);
    findings.extend(setup::sign_in(config));
    findings.extend(setup::windows(pipeline).await);
    let is_reachable = reach(pipeline.transport(), &mut findings).await;
    findings.extend(setup::locations(pipeline, is_reachable).await?);
    let login = account::login(config, pipeline, &mut findings)?;
    let is_login = login.is_some();
    let Some(mut caller) = login.or_else(|| account::credential(config, &mut findings)) else {
        return Ok(findings);
    };
    let mut obstacle = (!is_reachable).then_some("HighLevel does not answer");
    let secret = config.account.token.expose_secret();
    let claims = Claims::parse(secret);
    if !is_login {
        account::token(claims.as_ref(), secret.starts_with("pit-"), &mut findings);
    }
    if !account::location(&mut caller, claims.as_ref(), &mut findings) {
        obstacle = obstacle.or(Some("no location to test it on"));
    }
    let scopes = claims.and_then(|claims| claims.scopes);
    let probed = probes::run(pipeline, official, &caller, scopes.as_deref(), obstacle);
    findings.extend(probed.await);
    Ok(findings)
}

/// Whether HighLevel answers there, and the time that it gives.
async fn reach(transport: &Transport, findings: &mut Vec<Finding>) -> bool {
    let reached = match transport.reach().await {
        Ok(reached) => reached,
        Err(failure) => {
            let remedy = failure.remedy.unwrap_or_default();
            let what = format!("{} {remedy}", failure.sentence);
            findings.push(Finding::fault("HighLevel", what));
            return false;
        }
    };
    let took = reached.took.as_millis();
    findings.push(Finding::ok("HighLevel", format!("answers after {took} ms")));
    findings.push(match reached.ahead {
        None => Finding::new(CheckMark::Untried, "clock", "HighLevel's answer has no date"),
        Some(ahead) if ahead.abs() <= CLOCK => {
            Finding::ok("clock", format!("within {CLOCK} s of HighLevel's"))
        }
        Some(ahead) => {
            let which = if ahead > 0 { "behind" } else { "ahead of" };
            let off = ahead.abs();
            let what = format!(
                "{off} s {which} HighLevel's, so that expired tokens are not recognised. Set this machine's clock"
            );
            Finding::new(CheckMark::Warning, "clock", what)
        }
    });
    true
}

impl Finding {
    fn new(mark: CheckMark, subject: impl Into<String>, what: impl Into<String>) -> Self {
        let (subject, what) = (subject.into(), what.into());
        Self {
            mark,
            subject,
            what,
        }
    }

    fn ok(subject: &str, what: impl Into<String>) -> Self {
        Self::new(CheckMark::Ok, subject, what)
    }

    fn fault(subject: &str, what: impl Into<String>) -> Self {
        Self::new(CheckMark::Fault, subject, what)
    }

    fn row(self) -> [Text; 3] {
        let mark = match self.mark {
            CheckMark::Ok => Text::good("ok"),
            CheckMark::Warning => Text::warning("warning"),
            CheckMark::Fault => Text::bad("fault"),
            CheckMark::Untried => Text::aside("untried"),
        };
        [mark, self.subject.into(), self.what.into()]
    }
}
