"""What every client must see and what must reach HighLevel, for the Python clients and the inspector."""

import json
import os
import sys
import urllib.request

TOOLS = json.loads(os.environ["TOOLS"])
MCP_URL = os.environ.get("MCP_URL")
HEADERS = {"Authorization": "Bearer pit-client", "locationId": "L0"}


def check(names, read, write):
    """The names of the list, the texts of contacts_get-contact and contacts_add-tags."""
    assert sorted(names) == TOOLS, names
    for text in (read, write):
        assert json.loads(text)["contact"]["firstName"] == "Ada", text
    with urllib.request.urlopen(os.environ["HIGHLEVEL_URL"] + "/__requests") as reply:
        requests = json.load(reply)
    assert [(one["method"], one["path"]) for one in requests] == [
        ("GET", "/contacts/c1"),
        ("POST", "/contacts/c1/tags"),
    ], requests
    for one in requests:
        assert one["headers"]["authorization"] == "Bearer pit-client", one
        assert one["headers"]["version"] == "2021-07-28", one
    assert json.loads(requests[1]["body"]) == {"tags": ["vip"]}, requests[1]


if __name__ == "__main__":
    # Reads three lines: the names, and the two texts, each as JSON.
    names, read, write = (json.loads(line) for line in sys.stdin)
    check(names, read, write)
