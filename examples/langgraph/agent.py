"""A LangGraph agent on the CRM: python agent.py ["what to do"].

MODEL names the model, such as openai:gpt-5 (its package and key must be there). Without it the scripted one answers,
which needs no key and always does the same: it is there so that everything else can be seen at work.
"""

import asyncio
import os
import sys

from langchain.agents import create_agent
from langchain_mcp_adapters.client import MultiServerMCPClient

from scripted import Scripted

TASK = (
    "Find the contacts of the last seven days, tag the two newest with 'new-this-week', text the newest one a welcome, "
    "look the message up in the conversation, and move the newest open deal to its next stage."
)


def headers():
    """The account of the environment; none for a server that holds one itself, such as one on the sandbox."""
    token, location = os.environ.get("HIGHLEVEL_TOKEN"), os.environ.get("HIGHLEVEL_LOCATION_ID")
    given = {"Authorization": f"Bearer {token}" if token else None, "locationId": location}
    return {name: value for name, value in given.items() if value}


async def main():
    url = os.environ.get("MCP_URL", "http://127.0.0.1:8100/mcp")
    client = MultiServerMCPClient({"ghl": {"transport": "streamable_http", "url": url, "headers": headers()}})
    tools = await client.get_tools()
    agent = create_agent(os.environ.get("MODEL") or Scripted(), tools)
    task = sys.argv[1] if len(sys.argv) > 1 else TASK
    print("you:", task)
    async for step in agent.astream({"messages": [("user", task)]}, stream_mode="updates"):
        for update in step.values():
            for message in update["messages"]:
                show(message)


def show(message):
    if message.type == "tool":
        print(f"     → {shortened(text_of(message))}")
        if message.status == "error":
            sys.exit(1)
    for call in getattr(message, "tool_calls", []):
        print(f"\n{call['name']} {call['args']}")
    if message.type == "ai" and message.content:
        print("\nagent:", message.content)


def text_of(message):
    blocks = message.content
    return blocks if isinstance(blocks, str) else "".join(block.get("text", "") for block in blocks)


def shortened(text):
    return text if len(text) <= 160 else text[:160] + "…"


if __name__ == "__main__":
    asyncio.run(main())
