// The TypeScript SDK 1.x (`sdk`) and client 2.x (`client`), named by the argument: signs in where it must, lists, calls, and
// prints what it saw as a line of JSON. MCP_URL is all it is told of the server; TOKENS is the file of its tokens.

import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";

const isSdk = process.argv[2] === "sdk";
const { Client } = await import(isSdk ? "@modelcontextprotocol/sdk/client/index.js" : "@modelcontextprotocol/client");
const { StreamableHTTPClientTransport } = await import(
  isSdk ? "@modelcontextprotocol/sdk/client/streamableHttp.js" : "@modelcontextprotocol/client"
);
const { UnauthorizedError } = await import(
  isSdk ? "@modelcontextprotocol/sdk/client/auth.js" : "@modelcontextprotocol/client"
);

const file = process.env.TOKENS;
const read = () => (existsSync(file) ? JSON.parse(readFileSync(file)) : {});
const keep = (part) => writeFileSync(file, JSON.stringify({ ...read(), ...part }));

let arrived;
const query = new Promise((resolve) => (arrived = resolve));
const server = createServer((request, response) => {
  response.end("You may close this window.");
  arrived(new URL(request.url, "http://127.0.0.1").searchParams);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const redirectUrl = `http://127.0.0.1:${server.address().port}/callback`;

const provider = {
  redirectUrl,
  clientMetadata: {
    client_name: "TypeScript SDK",
    redirect_uris: [redirectUrl],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
  },
  clientInformation: () => read().client,
  saveClientInformation: (client) => keep({ client }),
  tokens: () => read().tokens,
  saveTokens: (tokens) => keep({ tokens }),
  redirectToAuthorization: (url) => void spawn(process.env.BROWSER, [url.href], { stdio: "inherit" }),
  saveCodeVerifier: (verifier) => keep({ verifier }),
  codeVerifier: () => read().verifier,
  saveDiscoveryState: (discovery) => keep({ discovery }),
  discoveryState: () => read().discovery,
  invalidateCredentials: (what) => {
    const none = { client: undefined, tokens: undefined, verifier: undefined, discovery: undefined };
    keep(what === "all" ? none : { [what]: undefined });
  },
};

const connect = async () => {
  const transport = new StreamableHTTPClientTransport(new URL(process.env.MCP_URL), { authProvider: provider });
  const client = new Client({ name: "client-test", version: "1.0.0" });
  try {
    await client.connect(transport);
    return client;
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    const parameters = await query;
    // 2.x takes all of them, to compare `iss`.
    await transport.finishAuth(isSdk ? parameters.get("code") : parameters);
    return connect();
  }
};

const client = await connect();
const { tools } = await client.listTools();
const answer = await client.callTool({ name: "contacts_get-contact", arguments: { contactId: "c1" } });
console.log(JSON.stringify({ tools: tools.map((tool) => tool.name), text: answer.content[0].text }));
await client.close();
server.close();
server.closeAllConnections();
