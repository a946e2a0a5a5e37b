"""A LangGraph agent on the CRM: python agent.py [--really] ["what to do"].

MODEL names the model, such as openai:gpt-5 (its package and key must be there). Without it a scripted one does one task,
which needs no key: it is there so that everything else can be seen at work. On a real account nothing is written unless
--really is given; what would be written is shown.
"""

import argparse
import asyncio
import json
import os
import sys

import httpx
from langchain.agents import create_agent
from langchain_core.tools import StructuredTool
from langchain_mcp_adapters.client import MultiServerMCPClient

from scripted import TASK, Scripted, text_of

URL = os.environ.get("MCP_URL", "http://127.0.0.1:8100/mcp")
SANDBOX = "highlevel-sandbox"


def headers():
    """The account of the environment; none for a server that holds one itself, such as one on the sandbox."""
    token, location = os.environ.get("HIGHLEVEL_TOKEN"), os.environ.get("HIGHLEVEL_LOCATION_ID")
    given = {"Authorization": f"Bearer {token}" if token else None, "locationId": location}
    return {name: value for name, value in given.items() if value}


def server_name():
    """What the server says it is; ends with a sentence where it does not answer, or refuses."""
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "agent", "version": "1"}}
    request = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    accept = {"Accept": "application/json, text/event-stream"}
    try:
        reply = httpx.post(URL, json=request, headers=headers() | accept)
    except httpx.HTTPError as error:
        sys.exit(f"No server answers at {URL} ({error}). Start one in another terminal: highlevel-mcp serve --sandbox")
    body = json_of(reply)
    if "result" not in body:
        sys.exit(f"The server at {URL} refuses: {body.get('error_description') or body.get('error') or reply.status_code}")
    return body["result"]["serverInfo"]["name"]


def json_of(reply):
    """Of an answer that is JSON, or an event stream of one message."""
    lines = [line.removeprefix("data:").strip() for line in reply.text.splitlines() if line.startswith("data: {")]
    try:
        return json.loads(lines[0] if lines else reply.text)
    except ValueError:
        return {}


def only_shown(tool):
    """A tool that says what it would do. One that only reads is left as it is."""
    if (tool.metadata or {}).get("readOnlyHint"):
        return tool

    async def show_only(**arguments):
        print(f"\nwould write: {tool.name} {json.dumps(arguments)}")
        return json.dumps({"not_done": "This is a real account, and --really was not given."})

    return StructuredTool(
        name=tool.name, description=tool.description, args_schema=tool.args_schema, coroutine=show_only
    )


async def run(task, tools):
    agent = create_agent(os.environ.get("MODEL") or Scripted(), tools)
    print("you:", task)
    async for step in agent.astream({"messages": [("user", task)]}, stream_mode="updates"):
        for update in step.values():
            for message in update["messages"]:
                show(message)


def show(message):
    if message.type == "tool":
        text = text_of(message)
        if message.status == "error":
            # Whole: the remedy stands at its end.
            sys.exit(f"     → {text}")
        print(f"     → {shortened(text)}")
    for call in getattr(message, "tool_calls", []):
        print(f"\n{call['name']} {call['args']}")
    if message.type == "ai" and message.content:
        print("\nagent:", message.content)


def shortened(text):
    return text if len(text) <= 160 else text[:160] + "…"


async def main():
    parser = argparse.ArgumentParser(description="A LangGraph agent on the CRM.")
    parser.add_argument("task", nargs="?", default=TASK, help="what to do; anything but the usual task needs MODEL")
    parser.add_argument("--really", action="store_true", help="write to a real account, and text real people")
    given = parser.parse_args()
    if given.task != TASK and not os.environ.get("MODEL"):
        sys.exit(
            "Without a model this agent does one task, and not this one. Set MODEL, such as MODEL=openai:gpt-5 (with its "
            f"package and key), or run it without words to see that task:\n{TASK}"
        )
    is_real = server_name() != SANDBOX
    client = MultiServerMCPClient({"ghl": {"transport": "streamable_http", "url": URL, "headers": headers()}})
    tools = await client.get_tools()
    if is_real and not given.really:
        print("This is a real account: nothing is written without --really, and what would be is shown.\n")
        tools = [only_shown(tool) for tool in tools]
    await run(given.task, tools)


if __name__ == "__main__":
    asyncio.run(main())
