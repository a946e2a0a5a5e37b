"""Speaks MCP to a server over stdio until its first answer: first_answer.py PROGRAM ARGUMENTS...

Initializes, lists the tools and asks for the location; fails where that is not the sandbox's. Prints the seconds from the start of
the program to that answer."""

import json
import subprocess
import sys
import time


def main():
    begun = time.monotonic()
    server = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def send(message: dict):
        server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        server.stdin.flush()

    def ask(number: int, method: str, parameters: dict) -> dict:
        send({"id": number, "method": method, "params": parameters})
        while True:
            line = server.stdout.readline()
            if not line:
                sys.exit(f"{method}: the server ended with {server.wait()} before it answered")
            answer = json.loads(line)
            if answer.get("id") == number:
                return answer["result"]

    client = {"name": "first-answer", "version": "1"}
    hello = ask(1, "initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client})
    if not hello["serverInfo"]["name"].startswith("highlevel"):
        sys.exit(f"this is another server: {hello['serverInfo']}")
    send({"method": "notifications/initialized"})
    tools = [tool["name"] for tool in ask(2, "tools/list", {})["tools"]]
    if "locations_get-location" not in tools:
        sys.exit(f"locations_get-location is not among {tools}")
    answer = ask(3, "tools/call", {"name": "locations_get-location", "arguments": {}})
    if answer.get("isError") or "Harbor Dental" not in answer["content"][0]["text"]:
        sys.exit(f"the answer is not the sandbox's: {answer}")
    took = time.monotonic() - begun
    server.stdin.close()
    status = server.wait(timeout=60)
    if status != 0:
        sys.exit(f"the server ended with {status} when its input ended")
    print(f"{took:.1f}")


main()
