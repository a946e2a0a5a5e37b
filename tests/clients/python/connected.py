"""Runs what `connect` prints for a Python client, against the sandbox: connected.py PROGRAM CLIENT URL."""

import asyncio
import subprocess
import sys
import textwrap

USES = {
    "langgraph": "print(len(tools))",
    "openai-agents": "    print(len(await server.list_tools()))",
}

program, client, url = sys.argv[1:]
printed = subprocess.run(
    [program, "connect", client, "--sandbox", "--url", url], check=True, capture_output=True, text=True
)
body = printed.stdout + USES[client] + "\n"
scope = {}
exec("async def main():\n" + textwrap.indent(body, "    "), scope)
asyncio.run(scope["main"]())
