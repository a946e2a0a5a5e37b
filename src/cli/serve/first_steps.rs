//! The first screen of a sandbox: the set-up of clients, and one call with its answer.

use secrecy::ExposeSecret;
use serde_json::Value;

use crate::call::{CallContext, Pipeline};
use crate::cli::{CliError, account, connect, print, tools};
use crate::config::Config;
use crate::surfaces::{OFFICIAL, tools_in};
use crate::telemetry::flush_log;

/// Takes no arguments and has a short answer.
const EXAMPLE: &str = "locations_get-location";

/// Lines of the answer that are shown. With everything else they fit into 24.
const SHOWN_LINES: usize = 5;

pub(super) async fn show(url: &str, config: &Config, pipeline: &Pipeline) -> Result<(), CliError> {
    let example = tools::find(&tools_in(OFFICIAL)?, EXAMPLE)?;
    let context = CallContext::local(account(config, pipeline, None)?);
    let answer = pipeline
        .call(example, serde_json::Map::new(), &context)
        .await;
    let clients = connect::to_the_sandbox(url, config)?;
    let proof = match config.server.opens_own_account() {
        true => String::new(),
        false => format!(
            "-H 'Authorization: Bearer {}' \\\n    -H 'locationId: {}' ",
            config.account.token.expose_secret(),
            config.account.location_id
        ),
    };
    let answer = beginning(&answer.text);
    // The log line of the call must come before the text about it.
    flush_log();
    print(format_args!(
        "{clients}A call:\n  curl -s {url} -H 'Content-Type: application/json' \\\n    \
         {proof}-H 'Accept: application/json, text/event-stream' -d '\n    \
         {{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\n     \
         \"params\":{{\"name\":\"{EXAMPLE}\",\"arguments\":{{}}}}}}'\n\
         The answer is in result.content[0].text:\n{answer}"
    ))
}

/// The first lines of an answer, indented; unchanged if it is not JSON.
fn beginning(text: &str) -> String {
    let whole = match serde_json::from_str::<Value>(text) {
        Ok(value) => format!("{value:#}"),
        Err(_) => text.to_owned(),
    };
    let mut lines = whole.lines();
    let mut shown: String = lines
        .by_ref()
        .take(SHOWN_LINES)
        .map(|line| format!("  {line}\n"))
        .collect();
    if lines.next().is_some() {
        shown.push_str("    …\n");
    }
    shown
}
