//! Notes for a person beside the printed text, one sentence per line.

use url::{Host, Url};

use super::secret::ClientSecret;
use super::{Client, ClientAccess, NAME, Server};
use crate::cli::invocation::program;

/// The name by which containers reach their host.
pub(super) const DOCKER_HOST: &str = "host.docker.internal";

impl Server {
    /// That nobody gave a token, and what to do.
    pub(super) fn missing_secret(&self) -> Option<String> {
        let ClientAccess::Token(ClientSecret::Missing) = &self.access else {
            return None;
        };
        Some(format!(
            "HIGHLEVEL_TOKEN is not set, but the client needs it. Set it to an access key (`{} keys create`) or to a \
             HighLevel token, or give --key. --sandbox is for a server that needs neither.",
            program()
        ))
    }

    pub(super) fn notes(&self, client: Client) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(path) = client.file().and_then(|file| file.path) {
            let path = path.display();
            notes.push(match client {
                Client::ClaudeCode => format!("--write adds it to {path} in this folder instead."),
                _ => format!("Add it to {path}, beside the other entries. --write does that."),
            });
        }
        match client {
            Client::ClaudeCode => {
                notes.push(format!(
                    "If {NAME} exists already, remove it first: claude mcp remove {NAME}"
                ));
            }
            Client::Goose => {
                notes.push(
                    "Put it into ~/.config/goose/config.yaml, below `extensions`.".to_owned(),
                );
            }
            Client::Librechat => {
                notes.push("Put it into librechat.yaml, and restart LibreChat.".to_owned());
            }
            Client::Langgraph | Client::OpenaiAgents => {
                let package = match client {
                    Client::Langgraph => "langchain-mcp-adapters",
                    _ => "openai-agents",
                };
                notes.push(format!(
                    "This is a complete program: save it, pip install {package}, and run it."
                ));
            }
            Client::ClaudeDesktop => notes.extend(self.desktop_note()),
            _ => {}
        }
        notes.extend(self.access_note(client));
        notes.extend(self.network_note(client));
        notes
    }

    /// The remaining step to get access.
    fn access_note(&self, client: Client) -> Option<String> {
        Some(match (&self.access, client) {
            (ClientAccess::SignIn, Client::Codex) => {
                format!("Then sign in: codex mcp login {NAME}")
            }
            (ClientAccess::SignIn, Client::GeminiCli) => {
                format!("Then sign in, in a conversation: /mcp auth {NAME}")
            }
            (ClientAccess::SignIn, Client::Opencode) => {
                format!("Then sign in: opencode mcp auth {NAME}")
            }
            (ClientAccess::SignIn, Client::ClaudeCode) => {
                format!("Then sign in: claude mcp login {NAME}")
            }
            (
                ClientAccess::Token(ClientSecret::Environment(_) | ClientSecret::Missing),
                Client::Codex
                | Client::Cursor
                | Client::GeminiCli
                | Client::Opencode
                | Client::Windsurf,
            ) => format!(
                "{} reads HIGHLEVEL_TOKEN from its own environment. Start it from a terminal where the variable is \
                 set.",
                client.name()
            ),
            (
                ClientAccess::Token(secret),
                Client::Zed | Client::Goose | Client::N8n | Client::OpenWebui,
            ) if !matches!(secret, ClientSecret::Given(_)) => {
                format!("Replace {} by your own.", secret.shown())
            }
            _ => return None,
        })
    }

    /// A note if Claude Desktop starts something else than was asked for.
    fn desktop_note(&self) -> Option<String> {
        Some(match &self.access {
            ClientAccess::Sandbox => "Claude Desktop starts a sandbox of its own.".to_owned(),
            ClientAccess::OwnAccount(_) => "Claude Desktop starts the program itself, which takes its token from the \
                                            settings. It needs no running server."
                .to_owned(),
            ClientAccess::SignIn => format!(
                "Sign in once, in a terminal: {} login --url {}",
                program(),
                self.url
            ),
            ClientAccess::Token(secret) if secret.is_key() => return None,
            ClientAccess::Token(_) => {
                "Claude Desktop starts the program itself, with the token. It needs no running server."
                    .to_owned()
            }
        })
    }

    /// A note if the client cannot reach the address as it is.
    fn network_note(&self, client: Client) -> Option<String> {
        let authority = self.local_authority()?;
        if !client.can_send_token() {
            return Some(format!(
                "{} calls from the internet and cannot reach {authority}. Use the server's public address instead \
                 (oauth.url).",
                client.name()
            ));
        }
        if !client.is_often_in_docker() {
            return None;
        }
        let port = authority.rsplit_once(':').map_or("80", |(_, port)| port);
        let container = match (authority.starts_with(DOCKER_HOST), &self.access) {
            (true, _) => "For the container".to_owned(),
            // A caller from another host has to show something; `connect` then prints it.
            (false, ClientAccess::OwnAccount(_)) => format!(
                "In Docker that address is the container itself. Give --url {DOCKER_HOST}:{port} and --key with an \
                 access key (`{} keys create`), and",
                program()
            ),
            (false, _) => format!(
                "In Docker that address is the container itself. Give --url {DOCKER_HOST}:{port}, and"
            ),
        };
        Some(format!(
            "{container} start the server with --allowed-host {DOCKER_HOST}. On Linux it must also listen on Docker's own network: \
             --listen 172.17.0.1:{port} --tls off, and the container needs --add-host {DOCKER_HOST}:host-gateway."
        ))
    }

    /// Host and port, if they are of this machine.
    pub(super) fn local_authority(&self) -> Option<String> {
        let url = Url::parse(&self.url).ok()?;
        let is_local = match url.host()? {
            Host::Domain(name) => name == "localhost" || name == DOCKER_HOST,
            Host::Ipv4(ip) => ip.is_loopback(),
            Host::Ipv6(ip) => ip.is_loopback(),
        };
        let port = url.port_or_known_default()?;
        is_local.then(|| format!("{}:{port}", url.host_str().unwrap_or_default()))
    }
}
