//! One server for many sub-accounts: the location of each call, its permissions, confirmation and audit.

mod adding;
mod audit;
mod commands;
mod company;
mod confirmation;
mod forty;
mod json;
#[cfg(feature = "keyring")]
mod keyring;
mod locations;
mod pause;
mod printed;
mod rules;

use std::fmt::Write;

use ::sandbox::SandboxOptions;
use highlevel_mcp::call::Snapshot;
use highlevel_mcp::config::{Config, Flags};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use state::keys::{KeyLocations, Keys};

use crate::sandbox::Sandbox;
use test_support::server::TestServer;

/// A server with this many locations of its own, `b01` and so on, in front of a sandbox.
pub(crate) struct Agency {
    pub sandbox: Sandbox,
    pub server: TestServer,
    settings: tempfile::TempDir,
    /// Flags and environment that the server's settings were read from.
    variables: Vec<(String, String)>,
}

/// The id of a branch of the sandbox.
pub(crate) fn branch(number: usize) -> String {
    format!("locBranch{number:011}")
}

/// The alias that the server gives it.
pub(crate) fn alias(number: usize) -> String {
    format!("b{number:02}")
}

impl Agency {
    pub(crate) async fn start(branches: usize, rules: &str) -> Self {
        Self::start_with(branches, rules, &[]).await
    }

    /// With environment variables besides the usual ones.
    pub(crate) async fn start_with(branches: usize, rules: &str, further: &[(&str, &str)]) -> Self {
        let options = SandboxOptions {
            branches,
            calls_per_interval: Some(10_000_000),
            ..SandboxOptions::default()
        };
        let sandbox = Sandbox::start(options).await;
        let settings = tempfile::tempdir().expect("a folder");
        write(&settings, &Vec::from_iter(1..=branches), rules);
        let path = |name: &str| {
            settings
                .path()
                .join(name)
                .to_str()
                .expect("UTF-8")
                .to_owned()
        };
        let variables = [
            ("HIGHLEVEL_MCP_CONFIG", path("settings.toml")),
            ("HIGHLEVEL_MCP_POLICY_FILE", path("rules.toml")),
            (
                "HIGHLEVEL_MCP_SERVER_ACCESS_KEY",
                "operator-of-this-agency-1".to_owned(),
            ),
            (
                "HIGHLEVEL_MCP_LIMITS_CALLS_PER_INTERVAL",
                "100000".to_owned(),
            ),
        ];
        let mut variables = Vec::from(variables.map(|(name, value)| (name.to_owned(), value)));
        let further = further.iter();
        variables.extend(further.map(|(name, value)| (name.to_string(), value.to_string())));
        let borrowed = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let server = TestServer::start_with(&sandbox.url, &Vec::from_iter(borrowed)).await;
        Self {
            sandbox,
            server,
            settings,
            variables,
        }
    }

    /// Another process on the same store.
    pub(crate) async fn another(&self) -> TestServer {
        let folder = self.server.state.path().to_str().expect("UTF-8");
        let mut variables = vec![("HIGHLEVEL_MCP_STATE_FOLDER", folder)];
        let own = self.variables.iter();
        variables.extend(own.map(|(name, value)| (name.as_str(), value.as_str())));
        TestServer::start_with(&self.sandbox.url, &variables).await
    }

    /// Makes the server read other rules and other branches, as SIGHUP does.
    pub(crate) fn reload(&self, rules: &str, branches: &[usize]) {
        self.try_reload(rules, branches).expect("usable settings");
    }

    pub(crate) fn try_reload(&self, rules: &str, branches: &[usize]) -> Result<(), String> {
        write(&self.settings, branches, rules);
        let variables = self
            .variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        let config = Config::from_sources(&Flags::default(), variables).expect("settings");
        self.server.pipeline.replace_snapshot(Snapshot::read(
            &config,
            &self.server.pipeline.transport().oauth(),
            &self.server.pipeline.controls().store,
            self.server.pipeline.controls().sign_in.as_ref(),
        )?);
        Ok(())
    }

    /// A key of the server's, as a client sends it.
    pub(crate) fn key(&self, name: &str, aliases: Option<&[&str]>, policy: Option<&str>) -> String {
        let locations = match aliases {
            None => KeyLocations::All,
            Some(aliases) => KeyLocations::Only(aliases.iter().map(ToString::to_string).collect()),
        };
        let keys = Keys::new(&self.server.store());
        let made = keys.create(name, locations, policy, None).wait();
        let (_, key) = made.expect("a key");
        format!("Bearer {}", key.expose_secret())
    }

    /// A call with this Authorization header at this endpoint. `Err` if the tool reports an error.
    pub(crate) async fn call(
        &mut self,
        path: &'static str,
        authorization: &str,
        tool: &str,
        arguments: Value,
    ) -> Result<Value, Value> {
        self.server.path = path;
        let headers = [("authorization", authorization)];
        let (text, is_error) = self.server.call_with(&headers, tool, arguments).await;
        let value = serde_json::from_str(&text).unwrap_or_else(|_| json!(text));
        if is_error { Err(value) } else { Ok(value) }
    }

    /// The names in the list of this endpoint.
    pub(crate) async fn listed(
        &mut self,
        path: &'static str,
        authorization: &str,
    ) -> (Vec<String>, Value) {
        self.server.path = path;
        let headers = [("authorization", authorization)];
        let list = self
            .server
            .rpc_with(&headers, "tools/list", json!({}))
            .await;
        let tools = list["result"]["tools"].as_array().expect("tools");
        let names = tools
            .iter()
            .map(|tool| tool["name"].as_str().expect("a name").to_owned());
        (names.collect(), list["result"]["cacheScope"].clone())
    }

    /// Requests that changed something, as the sandbox saw them.
    pub(crate) async fn writes(&self) -> Vec<Value> {
        let mut seen = self.sandbox.requests().await;
        seen.retain(|request| request["method"] != "GET");
        seen
    }
}

/// Writes settings with these branches, a token file for each, and the rules.
fn write(folder: &tempfile::TempDir, branches: &[usize], rules: &str) {
    let path = |name: &str| folder.path().join(name);
    let mut text = String::new();
    for number in branches {
        let token = path(&format!("token-{number}"));
        std::fs::write(&token, format!("pit-sandbox-branch-{number:02}\n")).expect("written");
        let (alias, id, token) = (alias(*number), branch(*number), token.display());
        writeln!(
            text,
            "[locations.{alias}]\nname = \"Branch {number:02}\"\nlocation_id = \"{id}\"\ntoken = {{ file = \"{token}\" }}"
        )
        .expect("written");
    }
    std::fs::write(path("settings.toml"), text).expect("written");
    // A file without a rule is refused.
    let rules = match rules {
        "" => "[server]\nconfirm = { read = \"off\" }\n",
        rules => rules,
    };
    std::fs::write(path("rules.toml"), rules).expect("written");
}

/// A contact of a branch, found by a read that the key may make.
pub(crate) async fn contact(agency: &mut Agency, authorization: &str, location: &str) -> String {
    let arguments = json!({"location": location, "limit": 1});
    let found = agency
        .call("/mcp", authorization, "contacts_get-contacts", arguments)
        .await
        .expect("contacts");
    found["contacts"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned()
}
