//! The checks of `doctor` on the server's own set-up: settings, state, rules, access keys, sign-in and locations.

use std::path::Path;

use super::{CheckMark, Finding};
use crate::call::{Pipeline, open_store, read_rules};
use crate::cli::locations::trial;
use crate::cli::sandbox::SandboxListener;
use crate::cli::{CliError, prepared_by};
use crate::config::Config;
use crate::telemetry::Telemetry;
use ::state::keys::KeyLocations;
use ::state::network_file_system;

/// Up to this many locations get a line each. Of more, only the unreachable ones do.
const FEW: usize = 5;

/// Most unreachable locations that are named.
const MOST_NAMED: usize = 10;

/// The settings with everything that can be opened. A part that cannot be opened becomes a finding and is left out, so
/// that the rest is checked.
pub(super) fn open(
    mut config: Config,
    sandbox: Option<&SandboxListener>,
) -> Result<(Config, Pipeline, Vec<Finding>), CliError> {
    let mut findings = Vec::new();
    if let Some(sandbox) = sandbox {
        sandbox.stands_in(&mut config);
    }
    if let Some(what) = config.audit.file_fault() {
        findings.push(Finding::fault("audit", what));
    }
    let keys = config.check_state_keys();
    let opened = keys.map_err(|error| error.to_string());
    if let Err(what) = opened.and_then(|()| open_store(&config)) {
        findings.push(Finding::fault("state", what));
        config.state.keep_nothing();
        config.state.keys.clear();
        // Nobody can sign in without a store.
        config.oauth.url.clear();
    }
    let file = config.policy.file.clone();
    let rules = match file.as_os_str().is_empty() {
        true => Ok(()),
        false => read_rules(&file)
            .map(drop)
            .map_err(|error| error.to_string()),
    };
    if let Err(what) = rules {
        findings.push(Finding::fault("rules", what.replace('\n', "; ")));
        config.policy.file.clear();
    }
    let silent = |_: &Config| Ok(Telemetry::default());
    let opened = match prepared_by(config.clone(), sandbox, silent) {
        // Rules that match no location of the settings.
        Err(CliError(what)) if !config.policy.file.as_os_str().is_empty() => {
            findings.push(Finding::fault("rules", what));
            config.policy.file.clear();
            prepared_by(config, sandbox, silent)?
        }
        opened => opened?,
    };
    let (config, pipeline) = opened;
    if findings.iter().all(|finding| finding.subject != "rules") {
        findings.push(match file.as_os_str().is_empty() {
            true => Finding::ok("rules", "none of your own. The defaults apply"),
            false => Finding::ok("rules", file.display().to_string()),
        });
    }
    Ok((config, pipeline, findings))
}

pub(super) fn settings(config: &Config, pipeline: &Pipeline) -> Finding {
    let highlevel = if pipeline.is_simulated() {
        "HighLevel is the sandbox"
    } else {
        &config.upstream.base_url
    };
    let file = match &config.file {
        Some(file) => format!("read from {}", file.path.display()),
        None => "no file".to_owned(),
    };
    Finding::ok("settings", format!("valid, {file}; {highlevel}"))
}

/// The place of the store.
pub(super) fn state(pipeline: &Pipeline) -> Finding {
    let store = &pipeline.controls().store;
    if let Some(database) = store.database() {
        return Finding::ok("state", database.to_owned());
    }
    let Some(path) = store.path() else {
        let what = "nothing is stored (state.folder is none). Calls that change something are refused unless \
                    audit.enabled is false";
        return Finding::new(CheckMark::Warning, "state", what);
    };
    match path.parent().and_then(network_file_system) {
        Some(kind) => Finding::fault("state", on_network(path, kind)),
        None => Finding::ok("state", path.display().to_string()),
    }
}

fn on_network(path: &Path, kind: &str) -> String {
    format!(
        "{} is on {kind}, whose locks are not reliable: two processes may break the file. Give a state.folder on a \
         disk of this machine",
        path.display()
    )
}

/// The number of valid access keys, and those that name a missing location.
pub(super) fn keys(config: &Config, pipeline: &Pipeline) -> Result<Vec<Finding>, CliError> {
    let records = pipeline.controls().keys.list().wait()?;
    let now = jiff::Timestamp::now();
    let is_valid = |expires: Option<jiff::Timestamp>| expires.is_none_or(|end| end > now);
    let valid = records.iter();
    let valid = valid.filter(|record| record.revoked.is_none() && is_valid(record.expires));
    let mut count = 0;
    let mut findings = Vec::new();
    let snapshot = pipeline.snapshot();
    for record in valid {
        count += 1;
        let KeyLocations::Only(aliases) = &record.locations else {
            continue;
        };
        let gone = aliases.iter();
        // A connected location may come back. One that is missing in the settings was removed by hand.
        let mut gone = gone.filter(|alias| snapshot.locations.find(alias).is_none());
        if let (Some(alias), false) = (gone.next(), config.oauth.is_on()) {
            let what = format!(
                "{} names {alias}, which is no longer a location. Add it again, or revoke the key",
                record.name
            );
            findings.push(Finding::new(CheckMark::Warning, "access keys", what));
        }
    }
    let what = match count {
        0 => "none".to_owned(),
        1 => "1 is valid".to_owned(),
        count => format!("{count} are valid"),
    };
    findings.insert(0, Finding::ok("access keys", what));
    Ok(findings)
}

/// The address of sign-in, and settings that are rarely intended.
pub(super) fn sign_in(config: &Config) -> Vec<Finding> {
    if !config.oauth.is_on() {
        return vec![Finding::ok("sign-in", "off (oauth.url is empty)")];
    }
    let url = &config.oauth.url;
    let what = format!("at {url}; `highlevel-mcp doctor --public {url}` checks it from outside");
    let warnings = config.sign_in_warnings();
    let warnings = warnings
        .into_iter()
        .map(|what| Finding::new(CheckMark::Warning, "sign-in", what));
    std::iter::once(Finding::ok("sign-in", what))
        .chain(warnings)
        .collect()
}

/// Whether the Valkey answers, if instances share their windows there.
pub(super) async fn windows(pipeline: &Pipeline) -> Option<Finding> {
    let transport = pipeline.transport();
    let (_, valkey) = transport.sharing();
    let address = valkey?.address;
    Some(match transport.probe_valkey().await? {
        Ok(took) => {
            let took = took.as_secs_f64() * 1_000.0;
            let what =
                format!("shared through the Valkey {address}, which answers after {took:.1} ms");
            Finding::ok("windows", what)
        }
        Err(why) => {
            let what = format!(
                "the Valkey {address} cannot be used: {why}. Until it can, each instance uses only its part of every \
                 limit; see windows.url"
            );
            Finding::new(CheckMark::Warning, "windows", what)
        }
    })
}

/// Whether each location of the settings can be reached. Sends nothing if HighLevel does not answer.
pub(super) async fn locations(
    pipeline: &Pipeline,
    is_reachable: bool,
) -> Result<Vec<Finding>, CliError> {
    let snapshot = pipeline.snapshot();
    let accounts = || {
        let all = snapshot.locations.iter();
        all.filter(|account| account.configured.stored.is_none())
    };
    let companies = snapshot.locations.faults().iter();
    let companies = companies.filter(|fault| fault.starts_with("[companies."));
    let mut findings: Vec<Finding> = companies
        .map(|fault| Finding::fault("companies", fault))
        .collect();
    let count = accounts().count();
    if count == 0 {
        return Ok(findings);
    }
    if !is_reachable {
        let what = format!("{count} in the settings; HighLevel does not answer");
        findings.push(Finding::new(CheckMark::Untried, "locations", what));
        return Ok(findings);
    }
    let callers = accounts().map(|account| Some(account.caller())).collect();
    let trials = trial::read_locations(pipeline, callers).await?;
    let failed = trials.iter().filter(|trial| trial.is_err()).count();
    if count > FEW && failed < count {
        let what = format!("{} of {count} can be reached", count - failed);
        findings.push(Finding::ok("locations", what));
    }
    let mut named = 0;
    for (account, trial) in accounts().zip(trials) {
        let subject = format!("location {}", account.configured.alias);
        match trial {
            Ok(name) if count <= FEW => findings.push(Finding::ok(&subject, name)),
            Ok(_) => {}
            Err(what) => {
                named += 1;
                if named <= MOST_NAMED {
                    findings.push(Finding::fault(&subject, what));
                }
            }
        }
    }
    if named > MOST_NAMED {
        let more = named - MOST_NAMED;
        let what =
            format!("{more} more cannot be reached; `highlevel-mcp locations test` names all");
        findings.push(Finding::fault("locations", what));
    }
    Ok(findings)
}
