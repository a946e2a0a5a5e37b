"""The Python MCP SDK, which speaks 2026-07-28."""

import asyncio

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from expected import HEADERS, MCP_URL, check


async def main():
    async with httpx2.AsyncClient(headers=HEADERS) as http:
        async with Client(streamable_http_client(MCP_URL, http_client=http)) as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            read = await client.call_tool("contacts_get-contact", {"contactId": "c1"})
            write = await client.call_tool("contacts_add-tags", {"contactId": "c1", "tags": ["vip"]})
            check(names, read.content[0].text, write.content[0].text)


asyncio.run(main())
