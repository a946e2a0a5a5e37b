"""The sample of HighLevel's own page without its model: langchain-mcp-adapters over Streamable HTTP."""

import asyncio

from langchain_mcp_adapters.client import MultiServerMCPClient

from expected import HEADERS, MCP_URL, check


def text_of(result):
    return result if isinstance(result, str) else result[0]["text"]


async def main():
    server = {"transport": "streamable_http", "url": MCP_URL, "headers": HEADERS}
    client = MultiServerMCPClient({"ghl": server})
    tools = {tool.name: tool for tool in await client.get_tools()}
    read = await tools["contacts_get-contact"].ainvoke({"contactId": "c1"})
    write = await tools["contacts_add-tags"].ainvoke({"contactId": "c1", "tags": ["vip"]})
    check(list(tools), text_of(read), text_of(write))


asyncio.run(main())
