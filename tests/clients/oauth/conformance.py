"""The protocol's own scenarios for authorization servers: conformance.py PROGRAM FOLDER NODE SUITE

A person with an access key signs in by the pages, as the suite asks for; nothing of ours allows by itself. FOLDER is for what
this writes, NODE and SUITE run the suite.
"""

import json
import pathlib
import re
import subprocess
import sys
import urllib.request

from journey import PATHS, Failure, World

REVISIONS = ("2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28")
SCENARIOS = ("authorization-server-metadata-endpoint", "authorization-code-grant")
PORT = 47616


def register(url):
    """The id of a client without a secret: the suite sends none where the server takes such clients."""
    about = {"client_name": "conformance", "redirect_uris": [f"http://127.0.0.1:{PORT}/callback"]}
    request = urllib.request.Request(f"{url}/register", json.dumps(about).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)["client_id"]


def judge(folder):
    """How many checks passed; every scenario must have run, and no check failed."""
    passed = 0
    for scenario in SCENARIOS:
        runs = list(folder.glob(f"authorization-server-{scenario}-*/checks.json"))
        if len(runs) != 1:
            raise Failure(f"{scenario} ran {len(runs)} times")
        checks = json.loads(runs[0].read_text())
        failed = [f"{check['id']}: {check.get('errorMessage')}" for check in checks if check["status"] == "FAILURE"]
        if failed or not checks:
            raise Failure(f"{scenario}: {failed}")
        passed += sum(check["status"] == "SUCCESS" for check in checks)
    return passed


def run(world, node, suite, revision):
    results = world.folder / revision
    command = [
        node, suite, "authorization", "--url", world.server.url, "--client-id", register(world.server.url), "--resource", world.url,
        "--port", str(PORT), "--output-dir", results, "--spec-version", revision,
    ]
    browser_env = {"PATH": PATHS, "SIGN_IN_SECRET": world.server.secret, "SIGN_IN_LOG": str(world.log)}
    suite_run = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={"PATH": PATHS})
    said = []
    try:
        page, listens = None, False
        for line in suite_run.stdout:
            said.append(line)
            page = page or re.search(r"https?://\S+code_challenge=\S+", line)
            listens = listens or "Callback server started" in line
            if page and listens:
                subprocess.run([world.browser, page[0]], env=browser_env, check=True)
                page, listens = None, False
        suite_run.wait(60)
    finally:
        suite_run.kill()
    world.sign_ins()
    try:
        return judge(results)
    except Failure as failure:
        raise Failure(f"{revision}: {failure}\n{''.join(said)[-3000:]}") from failure


def main(program, folder, node, suite):
    world = World(program, folder)
    try:
        for revision in REVISIONS:
            passed = run(world, node, suite, revision)
            print(f"PASS conformance {revision}, authorization server: {len(SCENARIOS)} scenarios, {passed} checks passed")
    except Failure as failure:
        print(f"FAIL conformance, authorization server: {failure}")
        sys.exit(1)
    finally:
        world.stop()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve(), sys.argv[3], sys.argv[4])
