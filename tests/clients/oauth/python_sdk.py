"""The Python MCP SDK, 1.x and 2.x: signs in where it must, lists, calls, and prints what it saw as a line of JSON.

MCP_URL is all it is told of the server. TOKENS is the file where this program keeps what the SDK has it keep; EXPIRED says that
the access token's time is over, which the SDK does not keep with it.
"""

import asyncio
import json
import os
import pathlib
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from urllib.parse import parse_qs, urlsplit

from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

URL = os.environ["MCP_URL"]
FILE = pathlib.Path(os.environ["TOKENS"])
IS_2 = version("mcp").startswith("2.")
CALL = ("contacts_get-contact", {"contactId": "c1"})


class Storage:
    def read(self, name, kind):
        kept = json.loads(FILE.read_text()) if FILE.exists() else {}
        return kind.model_validate(kept[name]) if name in kept else None

    def write(self, name, value):
        kept = json.loads(FILE.read_text()) if FILE.exists() else {}
        FILE.write_text(json.dumps(kept | {name: value.model_dump(mode="json", exclude_none=True)}))

    async def get_tokens(self):
        return self.read("tokens", OAuthToken)

    async def set_tokens(self, tokens):
        self.write("tokens", tokens)

    async def get_client_info(self):
        return self.read("client", OAuthClientInformationFull)

    async def set_client_info(self, client):
        self.write("client", client)


class Callback(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"You may close this window.")

    def log_message(self, *_):
        pass


class Person:
    """Opens the address in a browser, and listens where that ends."""

    def __init__(self):
        self.server = HTTPServer(("127.0.0.1", 0), Callback)
        self.redirect = f"http://127.0.0.1:{self.server.server_port}/callback"

    async def open(self, url):
        self.waiting = threading.Thread(target=self.server.handle_request)
        self.waiting.start()
        subprocess.run([os.environ["BROWSER"], url], check=True)

    async def end(self):
        await asyncio.to_thread(self.waiting.join, 60)
        query = self.server.query
        if not IS_2:
            return query["code"], query.get("state")
        from mcp.client.auth import AuthorizationCodeResult

        return AuthorizationCodeResult(code=query["code"], state=query.get("state"), iss=query.get("iss"))


async def main():
    person = Person()
    about = OAuthClientMetadata(
        client_name="Python SDK", redirect_uris=[person.redirect], grant_types=["authorization_code", "refresh_token"], response_types=["code"]
    )
    provider = OAuthClientProvider(URL, about, Storage(), person.open, person.end)
    if os.environ.get("EXPIRED"):
        await provider._initialize()
        provider.context.token_expiry_time = 1.0
    if IS_2:
        import httpx2
        from mcp import Client

        async with httpx2.AsyncClient(auth=provider, timeout=60) as http:
            async with Client(streamable_http_client(URL, http_client=http)) as client:
                tools = (await client.list_tools()).tools
                answer = await client.call_tool(*CALL)
    else:
        import httpx
        from mcp import ClientSession

        async with httpx.AsyncClient(auth=provider, timeout=60) as http:
            async with streamable_http_client(URL, http_client=http) as (read, write, *_):
                async with ClientSession(read, write) as client:
                    await client.initialize()
                    tools = (await client.list_tools()).tools
                    answer = await client.call_tool(*CALL)
    print(json.dumps({"tools": [tool.name for tool in tools], "text": answer.content[0].text}))


asyncio.run(main())
