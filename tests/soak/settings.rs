//! The settings and rules that all instances share, and the access keys of the agents.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt, stream};
use tokio::process::Command;

use crate::intent::{alias, is_narrow};
use crate::options::Options;
use crate::trouble::Stores;

/// Concurrent commands that create keys.
const AT_ONCE: usize = 4;

/// The flags and environment of every process of the program.
pub(crate) struct Settings {
    pub folder: PathBuf,
    program: PathBuf,
    config: PathBuf,
    upstream: String,
    locations: usize,
}

impl Settings {
    pub(crate) fn write(
        options: &Options,
        folder: &Path,
        (upstream, stores): (&str, &Stores),
    ) -> Self {
        let rules = folder.join("rules.toml");
        let text = format!(
            "[server]\ncaps = {{ send = {{ hour = {} }} }}\n[policies.narrow]\ncaps = {{ write = {{ hour = {} }} }}\n",
            options.sends, options.narrow_writes
        );
        write_privately(&rules, &text);
        let mut state = format!("folder = {:?}\n", folder.join("state"));
        if let Some(url) = &stores.database_url {
            let key = folder.join("store.key");
            write_privately(&key, &random_key());
            state += &format!("url = {url:?}\nkeys = [{{ file = {key:?} }}]\n");
        }
        if let Some(url) = &stores.windows_url {
            state += &format!("[windows]\nurl = {url:?}\n");
        }
        let mut text = format!(
            "[server]\nown_account = \"key\"\n[state]\n{state}[audit]\narguments = \"full\"\n[metrics]\nlisten = \"\"\n\
             [policy]\nfile = {rules:?}\n"
        );
        for location in 0..options.locations {
            let (alias, number) = (alias(location), location + 1);
            write!(
                text,
                "[locations.{alias}]\nlocation_id = \"locBranch{number:011}\"\ntoken = {{ env = \"SOAK_TOKEN_{number}\" }}\n"
            )
            .expect("a text");
        }
        let config = folder.join("settings.toml");
        write_privately(&config, &text);
        Self {
            folder: folder.to_owned(),
            program: options.program.clone(),
            config,
            upstream: upstream.to_owned(),
            locations: options.locations,
        }
    }

    /// A command of the program under these settings.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("HIGHLEVEL_MCP_CONFIG", &self.config)
            .env("HIGHLEVEL_MCP_UPSTREAM_BASE_URL", &self.upstream)
            .kill_on_drop(true);
        for number in 1..=self.locations {
            let token = format!("pit-sandbox-branch-{number:02}");
            command.env(format!("SOAK_TOKEN_{number}"), token);
        }
        command
    }

    /// The output of a command of the program.
    pub(crate) async fn output(&self, arguments: &[&str]) -> String {
        let mut command = self.command(&self.program);
        command.args(arguments).stdin(Stdio::null());
        let output = command.output().await.expect("run");
        let text = String::from_utf8(output.stdout).expect("text");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        text
    }

    /// Creates a key for each agent, for the location that it works in.
    pub(crate) async fn make_keys(&self, agents: usize) -> Vec<String> {
        let make = async |agent: usize| {
            let (name, alias) = (format!("agent-{agent}"), alias(agent % self.locations));
            let mut arguments = vec!["keys", "create", "--name", &name, "--location", &alias];
            if is_narrow(agent) {
                arguments.extend(["--policy", "narrow"]);
            }
            let header = self.output(&arguments).await;
            let key = header.trim().strip_prefix("Authorization: Bearer ");
            key.expect("a key").to_owned()
        };
        // The first command creates the store.
        let mut keys = vec![make(0).await];
        let others = stream::iter(1..agents).map(make).buffered(AT_ONCE);
        keys.extend(others.collect::<Vec<_>>().await);
        keys
    }
}

/// A random key for sealing secrets in this run.
fn random_key() -> String {
    let bytes: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
        .take(32)
        .collect();
    STANDARD.encode(bytes)
}

fn write_privately(path: &Path, text: &str) {
    std::fs::write(path, text).expect("written");
    let only_us = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, only_us).expect("private");
}
