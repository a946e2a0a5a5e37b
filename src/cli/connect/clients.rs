//! The clients: their names, their files of servers, and how they get access.

use std::path::PathBuf;

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Client {
    ClaudeAi,
    ClaudeCode,
    ClaudeDesktop,
    Chatgpt,
    Codex,
    Cursor,
    GeminiCli,
    Goose,
    Langgraph,
    Librechat,
    N8n,
    OpenWebui,
    OpenaiAgents,
    Opencode,
    Vscode,
    Windsurf,
    Zed,
}

impl Client {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ClaudeAi => "Claude on the web",
            Self::ClaudeCode => "Claude Code",
            Self::ClaudeDesktop => "Claude Desktop",
            Self::Chatgpt => "ChatGPT",
            Self::Codex => "Codex",
            Self::Cursor => "Cursor",
            Self::GeminiCli => "Gemini CLI",
            Self::Goose => "Goose",
            Self::Langgraph => "LangGraph",
            Self::Librechat => "LibreChat",
            Self::N8n => "n8n",
            Self::OpenWebui => "Open WebUI",
            Self::OpenaiAgents => "OpenAI Agents",
            Self::Opencode => "opencode",
            Self::Vscode => "VS Code",
            Self::Windsurf => "Windsurf",
            Self::Zed => "Zed",
        }
    }

    /// Its name on the command line.
    pub(in crate::cli) fn flag_value(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether it reads a file that `--write` can add to.
    pub(in crate::cli) fn has_file(self) -> bool {
        self.file().is_some()
    }

    /// Whether it signs in where the server says. Libraries do so only inside a program that shows a person the page.
    pub(super) fn can_sign_in(self) -> bool {
        !matches!(self, Self::Langgraph | Self::OpenaiAgents)
    }

    /// False for web pages without a field for a header.
    pub(in crate::cli) fn can_send_token(self) -> bool {
        !matches!(self, Self::ClaudeAi | Self::Chatgpt)
    }

    /// Whether it often runs in a container, whose 127.0.0.1 is not this machine.
    pub(super) fn is_often_in_docker(self) -> bool {
        matches!(self, Self::N8n | Self::Librechat | Self::OpenWebui)
    }

    /// The file of servers that `--write` adds to; project files are in the current directory. `None`: it has no such
    /// file.
    pub(super) fn file(self) -> Option<ServersFile> {
        let home = |path: &str| ServersFile {
            path: dirs::home_dir().map(|home| home.join(path)),
        };
        let here = |path: &str| ServersFile {
            path: Some(PathBuf::from(path)),
        };
        Some(match self {
            Self::ClaudeCode => here(".mcp.json"),
            Self::Vscode => here(".vscode/mcp.json"),
            Self::Codex => home(".codex/config.toml"),
            Self::Cursor => home(".cursor/mcp.json"),
            Self::GeminiCli => home(".gemini/settings.json"),
            Self::Opencode => home(".config/opencode/opencode.json"),
            Self::Windsurf => home(".codeium/windsurf/mcp_config.json"),
            Self::Zed => home(".config/zed/settings.json"),
            Self::ClaudeDesktop => ServersFile {
                path: dirs::config_dir()
                    .map(|folder| folder.join("Claude/claude_desktop_config.json")),
            },
            Self::ClaudeAi
            | Self::Chatgpt
            | Self::Goose
            | Self::Langgraph
            | Self::Librechat
            | Self::N8n
            | Self::OpenWebui
            | Self::OpenaiAgents => return None,
        })
    }

    /// The person's next step after the file has changed.
    pub(super) fn after_write(self) -> &'static str {
        match self {
            Self::ClaudeCode => "run `claude` in this folder and approve it there",
            _ => "restart the client",
        }
    }
}

/// The place of a client's servers. The path is missing if there is no home directory.
pub(super) struct ServersFile {
    pub path: Option<PathBuf>,
}
