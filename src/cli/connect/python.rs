//! Complete programs for the two Python libraries: they list the server's tools, as a start for a person's own code.

use super::secret::ClientSecret;
use super::{ClientAccess, NAME, Server};

/// Ends the program before anything is sent if the environment has no token.
const TOKEN: &str = "TOKEN = os.environ.get(\"HIGHLEVEL_TOKEN\") or sys.exit(\n    \
    \"HIGHLEVEL_TOKEN is not set: an access key (highlevel-mcp keys create), or a HighLevel token\"\n)\n";

impl Server {
    pub(super) fn langgraph(&self) -> String {
        let imports = "from langchain_mcp_adapters.client import MultiServerMCPClient\n";
        let body = format!(
            "    client = MultiServerMCPClient(\n        \
             {{\"{NAME}\": {{\"transport\": \"streamable_http\", \"url\": URL, \"headers\": HEADERS}}}}\n    )\n    \
             tools = await client.get_tools()\n    \
             # An agent takes them as they are: create_agent(model, tools).\n    \
             for tool in tools:\n        print(tool.name)\n"
        );
        self.program(imports, &body)
    }

    pub(super) fn openai_agents(&self) -> String {
        let imports = "from agents.mcp import MCPServerStreamableHttp\n";
        let body = format!(
            "    params = {{\"url\": URL, \"headers\": HEADERS}}\n    \
             async with MCPServerStreamableHttp(name=\"{NAME}\", params=params) as server:\n        \
             # An agent takes it as it is: Agent(name=\"assistant\", mcp_servers=[server]).\n        \
             for tool in await server.list_tools():\n            print(tool.name)\n"
        );
        self.program(imports, &body)
    }

    fn program(&self, imports: &str, body: &str) -> String {
        let is_named = match &self.access {
            ClientAccess::Token(secret) => !matches!(secret, ClientSecret::Given(_)),
            ClientAccess::Sandbox | ClientAccess::OwnAccount(_) | ClientAccess::SignIn => false,
        };
        let headers: Vec<String> = self
            .headers("{TOKEN}")
            .iter()
            .map(|(name, value)| {
                let prefix = if value.contains('{') { "f" } else { "" };
                format!("\"{name}\": {prefix}\"{value}\"")
            })
            .collect();
        let (system, token) = match is_named {
            true => ("import os\nimport sys\n", TOKEN),
            false => ("", ""),
        };
        format!(
            "import asyncio\n{system}\n{imports}\nURL = \"{}\"\n{token}HEADERS = {{{}}}\n\n\n\
             async def main():\n{body}\n\nasyncio.run(main())\n",
            self.url,
            headers.join(", ")
        )
    }
}
