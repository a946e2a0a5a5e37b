//! The entry for a client's file of servers, beside the file's other entries.

use serde_json::{Map, Value, json};
use toml_edit::{DocumentMut, InlineTable, Item, Table, value};

use super::{Client, ClientAccess, NAME, Server};
use crate::cli::CliError;

const TOKEN_VARIABLE: &str = "HIGHLEVEL_TOKEN";

/// The table of servers in Codex's file, which is TOML.
const CODEX_TABLE: &str = "mcp_servers";

impl Server {
    /// The entry to write; `None` if the client has no such file, or its file needs the secret and there is none.
    pub(super) fn written_entry(&self, client: Client) -> Result<Option<Value>, CliError> {
        let literal = match &self.access {
            ClientAccess::Token(secret) => secret.literal().map(str::to_owned),
            ClientAccess::Sandbox | ClientAccess::OwnAccount(_) | ClientAccess::SignIn => {
                Some(String::new())
            }
        };
        match (literal, client) {
            (None, Client::ClaudeDesktop | Client::Zed) => Ok(None),
            (literal, _) => self.entry(client, &literal.unwrap_or_default()),
        }
    }

    /// The same for display, without a secret from the environment.
    pub(super) fn shown_entry(&self, client: Client) -> Result<Option<Value>, CliError> {
        let literal = match &self.access {
            ClientAccess::Token(secret) => secret.shown(),
            ClientAccess::Sandbox | ClientAccess::OwnAccount(_) | ClientAccess::SignIn => {
                String::new()
            }
        };
        self.entry(client, &literal)
    }

    /// `literal` is the secret for clients that do not read their environment.
    fn entry(&self, client: Client, literal: &str) -> Result<Option<Value>, CliError> {
        let url = &self.url;
        let entry = |member: &str, entry: Value| Some(json!({member: {NAME: entry}}));
        Ok(match client {
            // https://code.claude.com/docs/en/mcp: ${VAR} in headers.
            Client::ClaudeCode => entry(
                "mcpServers",
                self.remote(json!({"type": "http", "url": url}), "${HIGHLEVEL_TOKEN}"),
            ),
            // https://cursor.com/docs/mcp: ${env:NAME} in headers.
            Client::Cursor => entry(
                "mcpServers",
                self.remote(json!({"url": url}), "${env:HIGHLEVEL_TOKEN}"),
            ),
            // https://docs.windsurf.com/windsurf/cascade/mcp: ${env:NAME} in headers, the address as serverUrl.
            Client::Windsurf => entry(
                "mcpServers",
                self.remote(json!({"serverUrl": url}), "${env:HIGHLEVEL_TOKEN}"),
            ),
            // https://github.com/google-gemini/gemini-cli/blob/main/docs/tools/mcp-server.md: `url` means an older transport.
            Client::GeminiCli => entry(
                "mcpServers",
                self.remote(json!({"httpUrl": url}), "$HIGHLEVEL_TOKEN"),
            ),
            // https://zed.dev/docs/ai/mcp: Zed signs in at a server without an Authorization header.
            Client::Zed => entry("context_servers", self.remote(json!({"url": url}), literal)),
            Client::Opencode => entry("mcp", self.opencode()),
            Client::Codex => entry(CODEX_TABLE, self.codex()),
            Client::Vscode => Some(self.vscode()),
            Client::ClaudeDesktop => Some(self.desktop(literal)?),
            Client::ClaudeAi
            | Client::Chatgpt
            | Client::Goose
            | Client::Langgraph
            | Client::Librechat
            | Client::N8n
            | Client::OpenWebui
            | Client::OpenaiAgents => None,
        })
    }

    /// Header names and values, with the given stand-in for the secret if it must not be shown.
    pub(super) fn headers(&self, stand_in: &str) -> Vec<(&'static str, String)> {
        let ClientAccess::Token(secret) = &self.access else {
            return Vec::new();
        };
        let authorization = format!("Bearer {}", secret.named_or(stand_in));
        let location = self.location.clone().filter(|_| !secret.is_key());
        let location = location.map(|id| ("locationId", id));
        [("Authorization", authorization)]
            .into_iter()
            .chain(location)
            .collect()
    }

    /// The same for clients that read no environment.
    pub(super) fn shown_headers(&self) -> Vec<(&'static str, String)> {
        match &self.access {
            ClientAccess::Token(secret) => self.headers(&secret.shown()),
            ClientAccess::Sandbox | ClientAccess::OwnAccount(_) | ClientAccess::SignIn => {
                Vec::new()
            }
        }
    }

    fn remote(&self, mut entry: Value, stand_in: &str) -> Value {
        let headers = object(self.headers(stand_in));
        if !headers.is_empty() {
            entry["headers"] = headers.into();
        }
        entry
    }

    /// VS Code asks for the token once and keeps it
    /// (https://code.visualstudio.com/docs/copilot/reference/mcp-configuration).
    fn vscode(&self) -> Value {
        let stand_in = "${input:highlevel-token}";
        let entry = self.remote(json!({"type": "http", "url": self.url}), stand_in);
        let asks = entry.to_string().contains(stand_in);
        let mut whole = json!({"servers": {NAME: entry}});
        if asks {
            whole["inputs"] = json!([{
                "type": "promptString", "id": "highlevel-token", "password": true,
                "description": "HighLevel private integration token, or access key",
            }]);
        }
        whole
    }

    /// https://opencode.ai/docs/mcp-servers: {env:NAME} in headers; it signs in unless it is told otherwise.
    fn opencode(&self) -> Value {
        let entry = json!({"type": "remote", "url": self.url, "enabled": true});
        let mut entry = self.remote(entry, "{env:HIGHLEVEL_TOKEN}");
        if entry.get("headers").is_some() {
            entry["oauth"] = json!(false);
        }
        entry
    }

    /// https://developers.openai.com/codex/mcp: a secret is named by its variable, or is one of the fixed headers.
    fn codex(&self) -> Value {
        let mut entry = json!({"url": self.url});
        let ClientAccess::Token(secret) = &self.access else {
            return entry;
        };
        let mut headers = object(self.headers(TOKEN_VARIABLE));
        if secret.named_or("").is_empty() {
            entry["bearer_token_env_var"] = json!(TOKEN_VARIABLE);
            headers.shift_remove("Authorization");
        }
        if !headers.is_empty() {
            entry["http_headers"] = headers.into();
        }
        entry
    }

    /// Claude Desktop starts the program itself: its file takes no address and no variables.
    fn desktop(&self, literal: &str) -> Result<Value, CliError> {
        let program = std::env::current_exe()?;
        let mut entry = json!({"command": program.display().to_string(), "args": ["stdio"]});
        match &self.access {
            ClientAccess::Sandbox => entry["args"] = json!(["stdio", "--sandbox"]),
            ClientAccess::OwnAccount(None) => {}
            ClientAccess::OwnAccount(Some(settings)) => {
                let settings = std::path::absolute(settings)?;
                entry["args"] = json!(["stdio", "--config", settings.display().to_string()]);
            }
            // By this program's own login (`highlevel-mcp login`).
            ClientAccess::SignIn => entry["args"] = json!(["stdio", "--url", self.url]),
            ClientAccess::Token(secret) => {
                entry["env"] = json!({TOKEN_VARIABLE: literal});
                if secret.is_key() {
                    entry["args"] = json!(["stdio", "--url", self.url]);
                } else if let Some(location) = &self.location {
                    entry["env"]["HIGHLEVEL_LOCATION_ID"] = json!(location);
                }
            }
        }
        Ok(json!({"mcpServers": {NAME: entry}}))
    }
}

/// An entry in the syntax of the client's file.
pub(super) fn in_form_of(client: Client, entry: &Value) -> String {
    if client != Client::Codex {
        return format!("{entry:#}\n");
    }
    let mut document = DocumentMut::new();
    add_to_toml(&mut document, entry);
    document.to_string()
}

/// Adds the servers of `entry` to `document`, replacing those of the same names. False if something else has their
/// place.
pub(super) fn add_to_toml(document: &mut DocumentMut, entry: &Value) -> bool {
    let servers = document
        .entry(CODEX_TABLE)
        .or_insert_with(|| Item::Table(implicit_table()));
    let Some(servers) = servers.as_table_like_mut() else {
        return false;
    };
    for (name, server) in entry[CODEX_TABLE].as_object().into_iter().flatten() {
        let mut table = Table::new();
        for (key, member) in server.as_object().into_iter().flatten() {
            table.insert(key, toml_item(member));
        }
        servers.insert(name, Item::Table(table));
    }
    true
}

fn implicit_table() -> Table {
    let mut table = Table::new();
    table.set_implicit(true);
    table
}

fn toml_item(member: &Value) -> Item {
    let Some(members) = member.as_object() else {
        return value(member.as_str().unwrap_or_default());
    };
    let mut inline = InlineTable::new();
    for (name, text) in members {
        inline.insert(name, text.as_str().unwrap_or_default().into());
    }
    value(inline)
}

fn object(headers: Vec<(&'static str, String)>) -> Map<String, Value> {
    let members = headers.into_iter();
    members
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect()
}
