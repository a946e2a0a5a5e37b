//! What each client is to be told: an entry of its file, or text to paste. The token is named, not repeated.

use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::{Client, ClientAccess, NAME, Server};
use crate::cli::CliError;

const TOKEN_VARIABLE: &str = "HIGHLEVEL_TOKEN";
/// Stands for a token that has to be filled in by hand.
const UNKNOWN: &str = "pit-…";

impl Server {
    /// What the client's file is to hold beside what it holds already; `None` where the client has no such file.
    pub(super) fn entry(&self, client: Client) -> Result<Option<Value>, CliError> {
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
            Client::Vscode => Some(self.vscode()),
            Client::ClaudeDesktop => {
                let token = self.token.as_ref().map(ExposeSecret::expose_secret);
                Some(self.desktop(token.unwrap_or(UNKNOWN))?)
            }
            Client::N8n | Client::Langgraph | Client::OpenaiAgents => None,
        })
    }

    /// The entry to show: the same, but no token in it.
    pub(super) fn without_token(&self, client: Client) -> Result<Value, CliError> {
        match client {
            Client::ClaudeDesktop => self.desktop(UNKNOWN),
            _ => Ok(self.entry(client)?.unwrap_or_default()),
        }
    }

    /// What a person pastes, and where. Needs no token, and shows none.
    pub(super) fn printed(&self, client: Client) -> Result<String, CliError> {
        Ok(match client {
            Client::ClaudeCode => self.claude_mcp_add(),
            Client::N8n => self.n8n(),
            Client::Langgraph => self.langgraph(),
            Client::OpenaiAgents => self.openai_agents(),
            _ => format!("{:#}\n", self.without_token(client)?),
        })
    }

    /// Header names and values, with the given stand-in for the token.
    fn headers(&self, token: &str) -> Vec<(&'static str, String)> {
        if self.access != ClientAccess::Token {
            return Vec::new();
        }
        let authorization = ("Authorization", format!("Bearer {token}"));
        let location = self.location.clone().map(|id| ("locationId", id));
        [authorization].into_iter().chain(location).collect()
    }

    fn remote(&self, mut entry: Value, token: &str) -> Value {
        let headers: Map<String, Value> = self
            .headers(token)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        if !headers.is_empty() {
            entry["headers"] = headers.into();
        }
        entry
    }

    /// VS Code asks for the token once and keeps it
    /// (https://code.visualstudio.com/docs/copilot/reference/mcp-configuration).
    fn vscode(&self) -> Value {
        let entry = json!({"type": "http", "url": self.url});
        let entry = self.remote(entry, "${input:highlevel-token}");
        let mut whole = json!({"servers": {NAME: entry}});
        if self.access == ClientAccess::Token {
            whole["inputs"] = json!([{
                "type": "promptString", "id": "highlevel-token", "password": true,
                "description": "HighLevel private integration token",
            }]);
        }
        whole
    }

    /// Claude Desktop starts the program itself: its file takes no address, and no variables.
    fn desktop(&self, token: &str) -> Result<Value, CliError> {
        let program = std::env::current_exe()?;
        let mut entry = json!({"command": program.display().to_string(), "args": ["stdio"]});
        match self.access {
            ClientAccess::Sandbox => entry["args"] = json!(["stdio", "--sandbox"]),
            // By the login of this program (`highlevel-mcp login`).
            ClientAccess::SignIn => entry["args"] = json!(["stdio", "--url", self.url]),
            ClientAccess::Token => {
                entry["env"] = json!({TOKEN_VARIABLE: token});
                if let Some(location) = &self.location {
                    entry["env"]["HIGHLEVEL_LOCATION_ID"] = json!(location);
                }
            }
        }
        Ok(json!({"mcpServers": {NAME: entry}}))
    }

    fn claude_mcp_add(&self) -> String {
        let headers: String = self
            .headers("$HIGHLEVEL_TOKEN")
            .iter()
            .map(|(name, value)| format!(" \\\n  --header \"{name}: {value}\""))
            .collect();
        format!(
            "claude mcp add --transport http {NAME} {}{headers}\n",
            self.url
        )
    }

    fn n8n(&self) -> String {
        let mut lines = format!(
            "In an MCP Client Tool node:\n  Endpoint          {}\n  Server Transport  HTTP Streamable\n",
            self.url
        );
        match self.access {
            ClientAccess::Sandbox => return lines + "  Authentication    None\n",
            ClientAccess::SignIn => {
                return lines
                    + "  Authentication    MCP OAuth2, with a new credential: save it and press Connect\n";
            }
            ClientAccess::Token => {}
        }
        lines += "  Authentication    Multiple Headers Auth, with a credential of these headers:\n";
        for (name, value) in self.headers(UNKNOWN) {
            lines += &format!("    {name:<15} {value}\n");
        }
        lines
    }

    fn langgraph(&self) -> String {
        format!(
            "import os\n\nfrom langchain_mcp_adapters.client import MultiServerMCPClient\n\n\
             client = MultiServerMCPClient({{\n    \"{NAME}\": {{\n        \"transport\": \"streamable_http\",\n        \
             \"url\": \"{}\",\n{}    }}\n}})\ntools = await client.get_tools()\n",
            self.url,
            self.python_headers()
        )
    }

    fn openai_agents(&self) -> String {
        format!(
            "import os\n\nfrom agents import Agent\nfrom agents.mcp import MCPServerStreamableHttp\n\n\
             async with MCPServerStreamableHttp(\n    name=\"{NAME}\",\n    params={{\n        \"url\": \"{}\",\n{}    }},\n\
             ) as server:\n    agent = Agent(name=\"assistant\", mcp_servers=[server])\n",
            self.url,
            self.python_headers()
        )
    }

    /// A member `headers` of a Python dictionary; the token is read from the environment.
    fn python_headers(&self) -> String {
        let headers = self.headers("{os.environ['HIGHLEVEL_TOKEN']}");
        if headers.is_empty() {
            return String::new();
        }
        let items: Vec<String> = headers
            .iter()
            .map(|(name, value)| {
                let prefix = if value.contains('{') { "f" } else { "" };
                format!("\"{name}\": {prefix}\"{value}\"")
            })
            .collect();
        format!("        \"headers\": {{{}}},\n", items.join(", "))
    }
}
