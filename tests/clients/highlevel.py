"""A HighLevel that records requests: prints its URL, answers every call, lists what came at /__requests."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REQUESTS = []


class Recorder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        if self.path == "/__requests":
            reply, REQUESTS[:] = list(REQUESTS), []
        else:
            headers = {name.lower(): value for name, value in self.headers.items()}
            REQUESTS.append({"method": self.command, "path": self.path, "headers": headers, "body": body})
            reply = {"contact": {"id": "c1", "firstName": "Ada"}, "tags": ["vip"]}
        data = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
