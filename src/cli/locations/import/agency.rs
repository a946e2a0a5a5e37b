//! The locations of an agency as HighLevel lists them.

use std::collections::BTreeSet;
use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::csv_rows::alias_of_name;
use super::{ImportRow, ImportSource, RowFault};
use crate::call::{CallContext, Pipeline};
use crate::cli::output::{OutputFlags, note};
use crate::cli::terminal::{print_relayed, waiting};
use crate::cli::{CliError, prepared_to_read, print, runtime, tools};
use crate::config::Config;
use crate::http::own_account;
use crate::surfaces::tools_in;
use crate::upstream::{Caller, TenantId};
use tool::nearest;

const LIST: &str = "locations_search-locations";

/// Rows of one page. HighLevel may give fewer.
const ROWS: usize = 100;

/// Longest list: 10,000 locations.
const MOST_PAGES: usize = 100;

/// The note on a list from a token that reaches none of the listed locations.
const FILL_IN: &str = "A private integration of an agency lists its sub-accounts but reaches none of their records. \
                       Create a private integration in each sub-account (HighLevel: Settings, Private Integrations), \
                       put its token into the last column, and run `highlevel-mcp locations import FILE`. With a \
                       Marketplace app this is not necessary: docs/agency.md.";

/// The locations in which the company's app is installed, each reached through the company.
pub(super) fn installed(
    config: Config,
    company: &str,
) -> Result<Vec<Result<ImportRow, RowFault>>, CliError> {
    let known: Vec<String> = config.companies.keys().cloned().collect();
    let absent = || {
        let names = known.iter().map(|one| (one.as_str(), one));
        let remedy = match (known.contains(&company.to_owned()), nearest(company, names)) {
            (true, _) => {
                "it cannot be used; `highlevel-mcp config check` shows the reason".to_owned()
            }
            (false, Some(near)) => format!("there is none; did you mean {near}?"),
            (false, None) => {
                "there is none; docs/agency.md explains how to connect an agency".to_owned()
            }
        };
        CliError(format!("[companies.{company}]: {remedy}"))
    };
    let (_, pipeline) = prepared_to_read(config, |pipeline| {
        let snapshot = pipeline.snapshot();
        let found = snapshot.locations.company(company);
        found.map(drop).ok_or_else(absent)
    })?;
    let snapshot = pipeline.snapshot();
    let found = snapshot.locations.company(company).ok_or_else(absent)?;
    let listed = pipeline.installed_locations(found);
    let listed = runtime()?.block_on(waiting("asking HighLevel", listed));
    let mut aliases = BTreeSet::new();
    let rows = listed.map_err(CliError)?.into_iter().map(|location| {
        let alias = free_alias(&location.name, &location.location, &mut aliases);
        let Some(id) = TenantId::parse(&location.location) else {
            return Err(RowFault {
                label: location.location,
                alias,
                what: "HighLevel gives it an id of another form".to_owned(),
            });
        };
        Ok(ImportRow {
            label: location.location,
            alias,
            name: Some(location.name).filter(|name| !name.is_empty()),
            id,
            source: ImportSource::Company(company.to_owned()),
        })
    });
    Ok(rows.collect())
}

/// Prints the locations that the account's own token lists, as CSV with an empty column for their tokens.
pub(super) fn print_locations(
    mut config: Config,
    output: OutputFlags,
) -> Result<ExitCode, CliError> {
    config.tools.max_answer_bytes = usize::MAX;
    let (config, pipeline) = prepared_to_read(config, |_| Ok(()))?;
    let own = own_account(&config.account)?.ok_or_else(|| {
        CliError(
            "there is no token of the agency. Set HIGHLEVEL_TOKEN to a private integration token of the agency \
             (HighLevel: the agency's Settings, Private Integrations). An agency of the settings is named: \
             --from-agency ALIAS"
                .to_owned(),
        )
    })?;
    let caller = Caller {
        location: None,
        home: None,
        ..own
    };
    let context = CallContext::local(caller);
    let listed = list(&pipeline, &context);
    let listed = runtime()?.block_on(waiting("asking HighLevel", listed))?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["alias", "location_id", "name", "token"])?;
    let mut aliases = BTreeSet::new();
    let mut lines = String::new();
    for (id, name) in &listed {
        let alias = free_alias(name, id, &mut aliases);
        let record = json!({"alias": alias, "location": id, "location_name": name});
        lines += &format!("{record}\n");
        writer.write_record([alias.as_str(), id, name, ""])?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| CliError(error.to_string()))?;
    match output.is_json() {
        true => print_relayed(&lines)?,
        false => print(String::from_utf8_lossy(&bytes))?,
    }
    note(FILL_IN);
    Ok(ExitCode::SUCCESS)
}

/// Ids and names, each once.
async fn list(
    pipeline: &Pipeline,
    context: &CallContext,
) -> Result<Vec<(String, String)>, CliError> {
    let tool = tools::find(&tools_in("all")?, LIST)?;
    let mut found: Vec<(String, String)> = Vec::new();
    let mut skip = 0;
    for _ in 0..MOST_PAGES {
        let arguments = Map::from_iter([
            ("limit".to_owned(), json!(ROWS.to_string())),
            ("skip".to_owned(), json!(skip.to_string())),
        ]);
        let answer = pipeline.call(tool, arguments, context).await;
        let told: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        if answer.is_error {
            let part = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
            let what = format!("{} {}", part("error"), part("remedy"));
            return Err(CliError(what.trim().to_owned()));
        }
        let rows = told["locations"].as_array().cloned().unwrap_or_default();
        let before = found.len();
        skip += rows.len();
        for row in &rows {
            let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            let id = text("id");
            if !id.is_empty() && found.iter().all(|(known, _)| *known != id) {
                found.push((id, text("name")));
            }
        }
        // A page without anything new is the last.
        if found.len() == before {
            break;
        }
    }
    Ok(found)
}

/// An alias that nothing else in the list has.
fn free_alias(name: &str, id: &str, aliases: &mut BTreeSet<String>) -> String {
    let base = alias_of_name(name).or_else(|| alias_of_name(id));
    let base = base.unwrap_or_else(|| "location".to_owned());
    let short: String = base.chars().take(35).collect();
    let numbered = (2..).map(|number| format!("{}-{number}", short.trim_end_matches('-')));
    let mut candidates = std::iter::once(base.clone()).chain(numbered);
    let free = candidates.find(|alias| !aliases.contains(alias));
    let free = free.unwrap_or(base);
    aliases.insert(free.clone());
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_of_one_name_get_aliases_of_their_own() {
        let mut aliases = BTreeSet::new();
        for (name, expected) in [
            ("Harbor Dental", "harbor-dental"),
            ("HARBOR dental!", "harbor-dental-2"),
            ("Harbor & Dental", "harbor-dental-3"),
            ("東京", "l1"),
            (
                "A name that is much longer than an alias may be",
                "a-name-that-is-much-longer-than-an-alias",
            ),
            (
                "A name that is much longer than an alias can be",
                "a-name-that-is-much-longer-than-an-2",
            ),
        ] {
            assert_eq!(free_alias(name, "L1", &mut aliases), expected);
        }
    }
}
