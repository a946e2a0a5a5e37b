//! The instructions for each client: a command, a block of a file, a program, or steps on a page.

use super::{Client, ClientAccess, NAME, Server, entries};
use crate::cli::CliError;

impl Server {
    /// The text to paste, and where. Shows no secret but one that was given for this purpose.
    pub(super) fn printed(&self, client: Client) -> Result<String, CliError> {
        Ok(match client {
            Client::ClaudeCode => self.claude_mcp_add(),
            Client::N8n => self.n8n(),
            Client::Langgraph => self.langgraph(),
            Client::OpenaiAgents => self.openai_agents(),
            Client::Goose => self.goose(),
            Client::Librechat => self.librechat(),
            Client::OpenWebui => self.open_webui(),
            Client::ClaudeAi => self.claude_ai(),
            Client::Chatgpt => self.chatgpt(),
            _ => {
                let entry = self.shown_entry(client)?.unwrap_or_default();
                entries::in_form_of(client, &entry)
            }
        })
    }

    /// A shell expands the variable at once: the command must not run if it is empty.
    fn claude_mcp_add(&self) -> String {
        let variable = match self.missing_secret() {
            None => "$HIGHLEVEL_TOKEN",
            Some(_) => "${HIGHLEVEL_TOKEN:?is not set}",
        };
        let headers: String = self
            .headers(variable)
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
        match &self.access {
            ClientAccess::Sandbox | ClientAccess::OwnAccount(_) => {
                return lines + "  Authentication    None\n";
            }
            ClientAccess::SignIn => {
                return lines
                    + "  Authentication    MCP OAuth2, with a new credential: save it and press Connect\n";
            }
            ClientAccess::Token(_) => {}
        }
        lines += "  Authentication    Multiple Headers Auth, with a credential of these headers:\n";
        for (name, value) in self.shown_headers() {
            lines += &format!("    {name:<15} {value}\n");
        }
        lines
    }

    /// https://block.github.io/goose/docs/guides/config-files: an extension of the type streamable_http.
    fn goose(&self) -> String {
        let headers = yaml(&self.shown_headers(), "      ");
        let headers = match headers.is_empty() {
            true => String::new(),
            false => format!("    headers:\n{headers}"),
        };
        format!(
            "extensions:\n  {NAME}:\n    enabled: true\n    type: streamable_http\n    name: {NAME}\n    \
             description: HighLevel\n    uri: {}\n{headers}    timeout: 300\n",
            self.url
        )
    }

    /// https://www.librechat.ai/docs/configuration/librechat_yaml/object_structure/mcp_servers: ${NAME} in headers;
    /// private addresses need `mcpSettings.allowedAddresses`.
    fn librechat(&self) -> String {
        let headers = yaml(&self.headers("${HIGHLEVEL_TOKEN}"), "      ");
        let headers = match headers.is_empty() {
            true => String::new(),
            false => format!("    headers:\n{headers}"),
        };
        let settings = self
            .local_authority()
            .map(|authority| format!("mcpSettings:\n  allowedAddresses:\n    - \"{authority}\"\n"));
        format!(
            "mcpServers:\n  {NAME}:\n    type: streamable-http\n    url: {}\n{headers}{}",
            self.url,
            settings.unwrap_or_default()
        )
    }

    fn open_webui(&self) -> String {
        let mut lines = format!(
            "In Admin Settings, External Tools, add a connection:\n  Type  MCP (Streamable HTTP)\n  URL   {}\n",
            self.url
        );
        match &self.access {
            ClientAccess::Sandbox | ClientAccess::OwnAccount(_) => lines += "  Auth  None\n",
            ClientAccess::SignIn => {
                lines += "  Auth  OAuth 2.1; press Register Client\nEach person signs in when the tool is first used.\n";
            }
            ClientAccess::Token(secret) => {
                lines += &format!("  Auth  Bearer, with {}\n", secret.shown());
                for (name, value) in self.shown_headers().iter().skip(1) {
                    lines += &format!("  Headers  {{\"{name}\": \"{value}\"}}\n");
                }
            }
        }
        lines
    }

    fn claude_ai(&self) -> String {
        format!(
            "1. On claude.ai or in Claude Desktop open Settings, Connectors, and choose Add custom connector.\n\
             2. Paste this address, leave Advanced settings empty, and press Add:\n     {}\n\
             3. Press Connect, say who you are on the page that opens, choose what Claude may do, and press Allow.\n",
            self.url
        )
    }

    fn chatgpt(&self) -> String {
        format!(
            "1. In Settings, Apps, Advanced settings switch Developer mode on.\n\
             2. Choose Create app: a name, Authentication OAuth, and as MCP Server URL\n     {}\n\
             3. Press Create, say who you are on the page that opens, choose what ChatGPT may do, and press Allow.\n\
             4. In a conversation choose the app by the plus sign.\n",
            self.url
        )
    }
}

/// Headers as members of a YAML object, quoted because of their colons and braces.
fn yaml(headers: &[(&'static str, String)], indent: &str) -> String {
    headers
        .iter()
        .map(|(name, value)| format!("{indent}{name}: \"{value}\"\n"))
        .collect()
}
