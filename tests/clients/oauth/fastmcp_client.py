"""fastmcp's client with `auth="oauth"`: signs in where it must, lists, calls, and prints what it saw as a line of JSON.

MCP_URL is all it is told of the server; TOKENS is the folder of its tokens.
"""

import asyncio
import json
import os
import pathlib

from fastmcp import Client
from fastmcp.client.auth import OAuth
from key_value.aio.stores.filetree import FileTreeStore, FileTreeV1CollectionSanitizationStrategy, FileTreeV1KeySanitizationStrategy

URL = os.environ["MCP_URL"]
FOLDER = pathlib.Path(os.environ["TOKENS"])


async def main():
    FOLDER.mkdir(exist_ok=True)
    # Its keys are addresses, which are no names of files.
    store = FileTreeStore(
        data_directory=FOLDER,
        key_sanitization_strategy=FileTreeV1KeySanitizationStrategy(FOLDER),
        collection_sanitization_strategy=FileTreeV1CollectionSanitizationStrategy(FOLDER),
    )
    auth = OAuth(token_storage=store)
    async with Client(URL, auth=auth) as client:
        tools = await client.list_tools()
        answer = await client.call_tool("contacts_get-contact", {"contactId": "c1"})
    print(json.dumps({"tools": [tool.name for tool in tools], "text": answer.content[0].text}))


asyncio.run(main())
