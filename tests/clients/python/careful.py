"""What examples/langgraph does where it must be careful: careful.py PYTHON AGENT PROGRAM."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

python, agent, program = sys.argv[1:]
NOW = __import__("datetime").datetime.now(__import__("datetime").timezone.utc).isoformat()
STAGES = [{"id": "s1", "name": "New"}, {"id": "s2", "name": "Won"}]
CONTACTS = [{"id": "c1", "contactName": "Ada", "dateAdded": NOW}]
DEALS = [{"id": "o1", "name": "Crown", "pipelineId": "p1", "pipelineStageId": "s1"}]


class HighLevel(BaseHTTPRequestHandler):
    """An account with one contact and one deal, which counts what is written."""

    token, contacts, deals, writes = "pit-real", CONTACTS, DEALS, []

    def answer(self, writes):
        if writes:
            HighLevel.writes.append(self.path)
        known = self.headers.get("authorization") == f"Bearer {HighLevel.token}"
        body = {"message": "Invalid JWT"} if not known else self.body()
        text = json.dumps(body).encode()
        self.send_response(200 if known else 401)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def body(self):
        if "pipelines" in self.path:
            return {"pipelines": [{"id": "p1", "name": "P", "stages": STAGES}]}
        if "opportunities" in self.path:
            return {"opportunities": HighLevel.deals, "meta": {"total": len(HighLevel.deals)}}
        return {"contacts": HighLevel.contacts, "count": len(HighLevel.contacts)}

    def do_GET(self):
        self.answer(False)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.answer("search" not in self.path)

    def do_PUT(self):
        self.do_POST()

    def log_message(self, *_):
        pass


def run(*arguments, **variables):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HIGHLEVEL_", "MODEL"))}
    done = subprocess.run([python, agent, *arguments], env=environment | variables, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def check(name, got, code, *parts):
    status, text = got
    assert status == code, f"{name}: {status}\n{text}"
    assert "Traceback" not in text, f"{name}:\n{text}"
    for part in parts:
        assert part in text, f"{name}: no {part!r} in\n{text}"


check("no server", run(MCP_URL="http://127.0.0.1:9/mcp"), 1, "No server answers at http://127.0.0.1:9/mcp")
check("another task", run("Who came in this week?"), 1, "Without a model this agent does one task, and not this one.")

upstream = ThreadingHTTPServer(("127.0.0.1", 0), HighLevel)
threading.Thread(target=upstream.serve_forever, daemon=True).start()
with tempfile.TemporaryDirectory() as state:
    settings = {
        "HIGHLEVEL_MCP_STATE_FOLDER": state,
        "HIGHLEVEL_MCP_METRICS_LISTEN": "",
        "HIGHLEVEL_MCP_UPSTREAM_BASE_URL": f"http://127.0.0.1:{upstream.server_port}",
    }
    server = subprocess.Popen(
        [program, "serve", "--listen", "127.0.0.1:0"], env=os.environ | settings, stderr=subprocess.PIPE, text=True
    )
    try:
        line = next(line for line in server.stderr if "serving" in line)
        account = {
            "MCP_URL": "http://" + line.split("http://")[1].split("/mcp")[0] + "/mcp",
            "HIGHLEVEL_TOKEN": "pit-real",
            "HIGHLEVEL_LOCATION_ID": "L0",
        }
        shown = ["real account", "would write: contacts_add-tags", "would write: conversations_send-a-new-message",
                 "would write: opportunities_update-opportunity", "Nothing was changed and nobody was texted."]
        check("a real account", run(**account), 0, *shown)
        assert HighLevel.writes == [], HighLevel.writes
        HighLevel.deals = []
        check("few records", run(**account), 0, "1 contacts came")
        HighLevel.contacts = []
        check("no records", run("--really", **account), 0, "0 contacts came", "No open deal has a next stage.")
        assert HighLevel.writes == [], HighLevel.writes
        check("a wrong token", run(**account | {"HIGHLEVEL_TOKEN": "pit-wrong"}), 1, "remedy")
        no_token = {name: value for name, value in account.items() if name != "HIGHLEVEL_TOKEN"}
        check("no token", run(**no_token), 1, "refuses: ", "Authorization: Bearer pit-")
    finally:
        server.terminate()
        server.wait()
