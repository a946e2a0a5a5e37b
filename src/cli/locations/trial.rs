//! Tests whether locations can be reached: reads each, and changes nothing.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use crate::call::{CallContext, Pipeline};
use crate::cli::output::{Column, OutputFlags, TableRow, Text};
use crate::cli::terminal::waiting;
use crate::cli::text::sentences;
use crate::cli::{CliError, prepared_by, prepared_to_read, reach, runtime, tools};
use crate::config::{Config, Flags};
use crate::surfaces::{OFFICIAL, tools_in};
use crate::telemetry::Telemetry;
use crate::upstream::Caller;
use crate::upstream::caller::Credential;

/// Locations that are read at once.
const AT_ONCE: usize = 8;

/// The read of the location itself.
const PROBE: &str = "locations_get-location";

/// The result of reading a location: HighLevel's name for it, or the fault.
pub(in crate::cli) type Trial = Result<String, String>;

#[derive(Args)]
pub(in crate::cli) struct LocationTest {
    /// Aliases of the locations. Without any, all are tested.
    aliases: Vec<String>,
    #[command(flatten)]
    output: OutputFlags,
}

impl LocationTest {
    /// Exit code 1 if one cannot be reached.
    pub(super) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        test(&self.aliases, self.output, flags)
    }
}

/// The result for one location, as a list shows it.
#[derive(Serialize)]
struct TrialRow {
    /// `ok` or `fault`.
    state: &'static str,
    alias: String,
    /// HighLevel's name for it, or the fault.
    finding: String,
}

impl TableRow<3> for TrialRow {
    const COLUMNS: [Column; 3] = [
        Column::copied("State"),
        Column::copied("Alias"),
        Column::wrapped("Finding"),
    ];

    fn cells(&self) -> [Text; 3] {
        let state = match self.state {
            "ok" => Text::good(self.state),
            _ => Text::bad(self.state),
        };
        [
            state,
            self.alias.as_str().into(),
            self.finding.as_str().into(),
        ]
    }
}

fn test(aliases: &[String], output: OutputFlags, flags: &Flags) -> Result<ExitCode, CliError> {
    let config = Config::load(flags)?;
    let (_, pipeline) = prepared_to_read(config, |pipeline| check_known(pipeline, aliases))?;
    let snapshot = pipeline.snapshot();
    let known = || snapshot.locations.iter();
    let wanted =
        known().filter(|account| aliases.is_empty() || aliases.contains(&account.configured.alias));
    let (names, callers): (Vec<&str>, Vec<_>) = wanted
        .map(|account| (account.configured.alias.as_str(), Some(account.caller())))
        .unzip();
    let tried = read_locations(&pipeline, callers);
    let tried = runtime()?.block_on(waiting("asking HighLevel", tried))?;
    let failed = tried.iter().any(Result::is_err);
    let rows = names.into_iter().zip(tried).map(|(alias, tried)| {
        let (state, finding) = match tried {
            Ok(name) => ("ok", name),
            Err(what) => ("fault", what),
        };
        TrialRow {
            state,
            alias: alias.to_owned(),
            finding,
        }
    });
    output.rows(
        &rows.collect::<Vec<_>>(),
        "There is no location to test. `highlevel-mcp locations add --help` shows how to add one.",
    )?;
    Ok(ExitCode::from(u8::from(failed)))
}

fn check_known(pipeline: &Pipeline, aliases: &[String]) -> Result<(), CliError> {
    let snapshot = pipeline.snapshot();
    let is_unknown = |alias: &&String| snapshot.locations.find(alias).is_none();
    match aliases.iter().find(is_unknown) {
        Some(unknown) => {
            let known = snapshot.locations.iter();
            let known = known.map(|account| account.configured.alias.as_str());
            Err(reach::no_location(unknown, known))
        }
        None => Ok(()),
    }
}

/// The way to HighLevel by settings that need not be in any file yet.
pub(super) fn open(mut config: Config) -> Result<Pipeline, CliError> {
    // Reading a location stores nothing except a company's tokens, which may be renewed meanwhile.
    if config.companies.is_empty() {
        config.state.folder = "none".into();
        config.oauth.url.clear();
    }
    Ok(prepared_by(config, None, |_| Ok(Telemetry::default()))?.1)
}

/// Reads the location of this alias by settings that may be in no file yet.
pub(in crate::cli) fn try_alias(config: Config, alias: &str) -> Result<Trial, CliError> {
    let pipeline = open(config)?;
    let snapshot = pipeline.snapshot();
    let Some(account) = snapshot.locations.find(alias) else {
        return Err(reach::no_location(alias, []));
    };
    let tried = read_location(&pipeline, account.caller());
    runtime()?.block_on(waiting("asking HighLevel", tried))
}

/// Reads locations, several at once. The results are in the order of the aliases; `None` for one that does not exist.
pub(in crate::cli) async fn read_locations(
    pipeline: &Pipeline,
    callers: Vec<Option<Caller>>,
) -> Result<Vec<Trial>, CliError> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let tasks: Vec<_> = callers
        .into_iter()
        .map(|caller| {
            let (places, pipeline) = (Arc::clone(&places), pipeline.clone());
            tokio::spawn(async move {
                let _place = places.acquire().await;
                match caller {
                    Some(caller) => read_location(&pipeline, caller).await,
                    None => Ok(Err("is not in the settings".to_owned())),
                }
            })
        })
        .collect();
    let mut trials = Vec::new();
    for task in tasks {
        trials.push(task.await??);
    }
    Ok(trials)
}

/// Reads the location that the caller is bound to.
pub(in crate::cli) async fn read_location(
    pipeline: &Pipeline,
    caller: Caller,
) -> Result<Trial, CliError> {
    if let Credential::Unusable(why) = &caller.credential {
        return Ok(Err(why.to_string()));
    }
    let probe = tools::find(&tools_in(OFFICIAL)?, PROBE)?;
    let location = caller.location.as_ref();
    let location = location.map(|bound| bound.location().as_str().to_owned());
    let arguments = Map::from_iter([("locationId".to_owned(), json!(location))]);
    let context = CallContext::local(caller);
    let answer = pipeline.call(probe, arguments, &context).await;
    let told: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    let text = |pointer: &str| told.pointer(pointer).and_then(Value::as_str);
    Ok(if answer.is_error {
        let parts = [text("/error"), text("/message"), text("/remedy")];
        Err(sentences(parts.into_iter().flatten()))
    } else {
        Ok(text("/location/name")
            .or(text("/name"))
            .unwrap_or("reached")
            .to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::tests::check_fits;

    #[test]
    fn findings_fit_a_terminal() {
        let row = TrialRow {
            state: "fault",
            alias: "branch-of-a-long-name-40".to_owned(),
            finding: "HighLevel does not accept the token. Invalid JWT. Check that the whole token is in the file."
                .to_owned(),
        };
        check_fits(&TrialRow::COLUMNS, &[row.cells().into()]);
    }
}
