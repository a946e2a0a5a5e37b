// The TypeScript MCP SDK as a client that asks its user: prints what each answer of the user comes to, a line each, as
// JSON, over HTTP and over stdio.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const { MCP_URL, PROGRAM, HIGHLEVEL_URL, HIGHLEVEL_MCP_POLICY_FILE, HIGHLEVEL_MCP_STATE_FOLDER } = process.env;
const transports = [
  () =>
    new StreamableHTTPClientTransport(new URL(MCP_URL), {
      requestInit: { headers: { Authorization: "Bearer pit-client", locationId: "L0" } },
    }),
  () =>
    new StdioClientTransport({
      command: PROGRAM,
      args: ["stdio", "--base-url", HIGHLEVEL_URL],
      env: { HIGHLEVEL_TOKEN: "pit-client", HIGHLEVEL_LOCATION_ID: "L0", HIGHLEVEL_MCP_POLICY_FILE, HIGHLEVEL_MCP_STATE_FOLDER },
      stderr: "ignore",
    }),
];
for (const transport of transports) {
  const client = new Client({ name: "client-test", version: "1.0.0" }, { capabilities: { elicitation: { form: {} } } });
  let action;
  const asked = [];
  client.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
    asked.push(params.message);
    return action === "accept" ? { action, content: {} } : { action };
  });
  await client.connect(transport());
  for (action of ["decline", "cancel", "accept"]) {
    const call = { name: "contacts_add-tags", arguments: { contactId: "c1", tags: ["vip"] } };
    console.log(JSON.stringify((await client.callTool(call)).content[0].text));
  }
  console.log(JSON.stringify(asked));
  await client.close();
}
