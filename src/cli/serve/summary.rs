//! A server's summary at its start: a table on a terminal, elsewhere a line in the log.

use std::io::IsTerminal;
use std::path::Path;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use state::keys::Keys;
use state::vault::Vault;

use crate::call::Pipeline;
use crate::cli::invocation::program;
use crate::cli::{CliError, terminal::visible};
use crate::config::{Config, LogFormat};
use crate::telemetry::flush_log;

/// Width in characters: no line wraps on a terminal of 80 columns.
const WIDTH: usize = 79;

/// The column of the table's values.
const INDENT: usize = 13;

/// The facts of the summary.
pub(super) struct Summary {
    url: String,
    tools: usize,
    /// Names and values in display order.
    rows: Vec<(&'static str, String)>,
    /// The first step, if no caller can call anything yet.
    next: Option<String>,
    /// The cap that applies without rules.
    cap: Option<String>,
    highlevel: String,
    locations: usize,
    keys: usize,
}

impl Summary {
    pub(super) fn new(
        config: &Config,
        pipeline: &Pipeline,
        url: String,
        tools: usize,
    ) -> Result<Self, CliError> {
        let store = &pipeline.controls().store;
        let snapshot = pipeline.snapshot();
        let now = Timestamp::now();
        let keys = Keys::new(store).list().wait()?;
        let is_valid = |key: &&state::keys::KeyRecord| {
            key.revoked.is_none() && key.expires.is_none_or(|expires| expires > now)
        };
        let keys = keys.iter().filter(is_valid).count();
        let own = snapshot.locations.iter().count();
        let connected = Vault::new(store).list().wait()?.len();
        let is_sandbox = pipeline.is_simulated();
        let highlevel = if is_sandbox {
            "a sandbox: simulated, with made-up records".to_owned()
        } else {
            config.upstream.base_url.clone()
        };
        let has_account = !config.account.token.expose_secret().is_empty();
        let is_ready = has_account || own + connected > 0 || config.oauth.is_on();
        let cap = snapshot.rules.default_cap();
        let mut rows = vec![("HighLevel", highlevel.clone())];
        // A sandbox's contents are known, and its first screen is full.
        if !is_sandbox {
            rows.push(("account", account(config)));
            rows.push(("locations", locations(own, connected)));
            rows.push(("keys", counted(keys, "access key")));
            rows.push(("rules", rules(config)));
            let settings = config.file.as_ref().map(|file| readable(&file.path));
            let without = "no file; defaults and environment".to_owned();
            rows.push(("settings", settings.unwrap_or(without)));
        }
        if config.oauth.is_on() {
            rows.push(("sign-in", format!("{}/mcp", config.oauth.url)));
            rows.push(("console", format!("{}/console", config.oauth.url)));
        } else if !is_sandbox {
            rows.push(("sign-in", "off".to_owned()));
        }
        let folder = config.state.folder()?;
        let without = "none: calls that change something are refused".to_owned();
        rows.push(("state", folder.as_deref().map(readable).unwrap_or(without)));
        Ok(Self {
            url,
            tools,
            rows,
            next: (!is_ready).then(next),
            cap,
            highlevel,
            locations: own + connected,
            keys,
        })
    }

    /// Prints the table on a terminal. Elsewhere it logs the line that programs look for.
    pub(super) fn show(&self, format: LogFormat) {
        if format != LogFormat::Json && std::io::stderr().is_terminal() {
            // Pending log lines come first.
            flush_log();
            eprint!("{}", self.table());
            return;
        }
        let (tools, url, highlevel) = (self.tools, &self.url, &self.highlevel);
        let (locations, keys) = (self.locations, self.keys);
        tracing::info!(
            locations,
            keys,
            "serving {tools} tools at {url} for {highlevel}"
        );
        if let Some(cap) = &self.cap {
            tracing::info!("{cap}");
        }
    }

    fn table(&self) -> String {
        let mut table = fitted(&format!("Serving {} tools at {}", self.tools, self.url)) + "\n";
        for (name, value) in &self.rows {
            let value = visible(value);
            table += &fitted(&format!("  {name:<width$}{value}", width = INDENT - 2));
            table.push('\n');
        }
        if let Some(next) = &self.next {
            table += next;
        }
        table
    }
}

/// The first steps of a new user.
fn next() -> String {
    let program = program();
    let pad = " ".repeat(INDENT);
    format!(
        "Nobody can call yet, unless clients send their own tokens. To begin:\n\
         {pad}set HIGHLEVEL_TOKEN and HIGHLEVEL_LOCATION_ID, or\n\
         {pad}{program} init   (asks for everything it needs)\n\
         {pad}{program} locations add --help\n\
         {pad}{program} serve --sandbox   (made-up records)\n"
    )
}

fn account(config: &Config) -> String {
    let account = &config.account;
    match (
        account.token.expose_secret(),
        account.location_id.as_str(),
        account.company_id.as_str(),
    ) {
        ("", ..) => "none of its own".to_owned(),
        (_, "", "") => "the token of HIGHLEVEL_TOKEN".to_owned(),
        (_, "", company) => format!("company {company}"),
        (_, location, _) => format!("location {location}"),
    }
}

fn locations(own: usize, connected: usize) -> String {
    match (own, connected) {
        (0, 0) => "none".to_owned(),
        (own, 0) => counted(own, "location"),
        (own, connected) => format!("{own} of the settings, {connected} connected"),
    }
}

fn rules(config: &Config) -> String {
    let file = &config.policy.file;
    let file = match file.as_os_str().is_empty() {
        true => "no file".to_owned(),
        false => readable(file),
    };
    match config.policy.sends_per_hour {
        0 => file,
        most => format!("{file}; without a cap, at most {most} sends per hour and location"),
    }
}

fn counted(number: usize, noun: &str) -> String {
    match number {
        0 => "none".to_owned(),
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

/// A path in the usual notation.
fn readable(path: &Path) -> String {
    let home = dirs::home_dir().and_then(|home| Some(path.strip_prefix(home).ok()?.to_owned()));
    match home {
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}

/// `line`, shortened in its middle if it is too long.
fn fitted(line: &str) -> String {
    let letters: Vec<char> = line.chars().collect();
    if letters.len() <= WIDTH {
        return line.to_owned();
    }
    let head = WIDTH / 2;
    let tail = WIDTH - head - 1;
    let begins = letters.iter().take(head);
    let ends = letters.iter().skip(letters.len() - tail);
    begins.chain([&'…']).chain(ends).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        let path = format!("/{}/end", "x".repeat(200));
        for (line, end) in [("short", "rt"), (path.as_str(), "/end"), ("ä€ö", "ö")] {
            let fitted = fitted(line);
            assert!(fitted.chars().count() <= WIDTH, "{fitted}");
            assert!(fitted.ends_with(end), "{fitted}");
        }
    }
}
