"""An npm registry on this machine with the archives of one folder: registry.py FOLDER. Prints its address.

With it `npx` works as after the packages are published."""

import base64
import functools
import hashlib
import http.server
import json
import pathlib
import sys
import tarfile
import urllib.parse


def document(archive: pathlib.Path, address: str) -> dict:
    """What the registry says of a package that has one version."""
    with tarfile.open(archive) as files:
        package = json.load(files.extractfile("package/package.json"))
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    package["dist"] = {"tarball": f"{address}/-/{archive.name}", "integrity": f"sha512-{digest}"}
    version = package["version"]
    return {"name": package["name"], "dist-tags": {"latest": version}, "versions": {version: package}}


class Handler(http.server.BaseHTTPRequestHandler):
    def __init__(self, folder: pathlib.Path, *arguments):
        self.folder = folder
        super().__init__(*arguments)

    def do_GET(self):
        path = urllib.parse.unquote(self.path)
        address = f"http://{self.headers['Host']}"
        archives = {archive.name: archive for archive in self.folder.glob("*.tgz")}
        if path.startswith("/-/") and path[3:] in archives:
            return self.answer(200, archives[path[3:]].read_bytes())
        documents = (document(archive, address) for archive in archives.values())
        for one in documents:
            if path == f"/{one['name']}":
                return self.answer(200, json.dumps(one).encode())
        self.answer(404, b'{"error": "not found"}')

    # Some clients of npm tell it what they are about to install.
    do_POST = do_GET

    def answer(self, status: int, body: bytes):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    handler = functools.partial(Handler, pathlib.Path(sys.argv[1]))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()


main()
