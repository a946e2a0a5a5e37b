"""What a user's answers come to: of the Python MCP SDK before 2026-07-28, and of what a client prints."""

import asyncio
import json
import os
import sys
import urllib.request

from expected import HEADERS, MCP_URL

ACTIONS = ["decline", "cancel", "accept"]


def check(texts, asked):
    """The texts of three calls, one for each action, and the questions."""
    told = ["the user said no to contacts_add-tags", "closed the question", "Ada"]
    for text, part in zip(texts, told, strict=True):
        assert part in text, (text, part)
    assert len(asked) == 3 and all(one.startswith("contacts_add-tags: ") for one in asked), asked
    with urllib.request.urlopen(os.environ["HIGHLEVEL_URL"] + "/__requests") as reply:
        requests = [one for one in json.load(reply) if one["method"] != "GET"]
    return len(requests)


async def main():
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client
    from mcp.types import ElicitResult

    asked = []
    actions = iter(ACTIONS)

    async def answer(_, params):
        asked.append(params.message)
        action = next(actions)
        return ElicitResult(action=action, content={} if action == "accept" else None)

    async with streamablehttp_client(MCP_URL, headers=HEADERS) as (read, write, _):
        async with ClientSession(read, write, elicitation_callback=answer) as session:
            await session.initialize()
            arguments = {"contactId": "c1", "tags": ["vip"]}
            results = [await session.call_tool("contacts_add-tags", arguments) for _ in ACTIONS]
    assert check([result.content[0].text for result in results], asked) == 1


if sys.argv[1:] == ["-"]:
    # Reads four lines for each transport: three texts and the questions, each as JSON.
    lines = [json.loads(line) for line in sys.stdin]
    transports = len(lines) // 4
    assert transports == 2, lines
    written = sum(check(lines[start : start + 3], lines[start + 3]) for start in range(0, len(lines), 4))
    assert written == transports, written
else:
    asyncio.run(main())
