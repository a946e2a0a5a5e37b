// The TypeScript MCP SDK: prints the names and the texts of two calls, a line each, as JSON.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const client = new Client({ name: "client-test", version: "1.0.0" });
await client.connect(
  new StreamableHTTPClientTransport(new URL(process.env.MCP_URL), {
    requestInit: { headers: { Authorization: "Bearer pit-client", locationId: "L0" } },
  }),
);
const { tools } = await client.listTools();
const call = async (name, args) => (await client.callTool({ name, arguments: args })).content[0].text;
const read = await call("contacts_get-contact", { contactId: "c1" });
const write = await call("contacts_add-tags", { contactId: "c1", tags: ["vip"] });
for (const line of [tools.map((tool) => tool.name), read, write]) {
  console.log(JSON.stringify(line));
}
await client.close();
