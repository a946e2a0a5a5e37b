"""Takes real clients through the life of a connection by address alone: journey.py PROGRAM INSTALLED [CLIENT...]

For each client: it signs in, lists and calls; it does so again without asking anybody; its access token expires, and it
refreshes; its connection is ended, and it gets nothing; it signs in anew. INSTALLED is where tests/clients/run put the clients.
`MCP_PATH` is the path that they are given, `/mcp` where it is not set.
A client whose program is not there is skipped with a line that says so; all else that is missing is a failure.
"""

import json
import os
import pathlib
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
WANTED = "contacts_get-contact"
NAME = "ghl"
# Clients whose id is the address of a document. The documents are pinned, because the tests may run without internet.
DOCUMENTS = {
    "https://claude.ai/oauth/claude-code-client-metadata": {
        "client_name": "Claude Code", "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"], "token_endpoint_auth_method": "none",
    },
    "https://chatgpt.com/oauth/codex/client.json": {
        "client_name": "Codex", "redirect_uris": ["http://127.0.0.1/callback", "http://localhost/callback"], "token_endpoint_auth_method": "none",
    },
}
# The beginnings of the server's own secrets, and the token of its location. The first link is on stderr on purpose.
SECRET = re.compile(r"hl(?:a|r|c|s|cs|k)_[A-Za-z0-9_-]{16,}|pit-acme")
# With these variables the machine's own clients are neither read nor changed.
PATHS = "/usr/local/bin:/usr/bin:/bin"


class Failure(Exception):
    pass


def run(command, env, folder, lasts=150, **options):
    """Returns the output. A failure contains stderr."""
    done = subprocess.run(command, env=env, cwd=folder, timeout=lasts, text=True, capture_output=True, stdin=subprocess.DEVNULL, **options)
    if done.returncode:
        raise Failure(f"{command[0]} ended with {done.returncode}: {(done.stdout + done.stderr)[-1500:]}")
    return done.stdout


def last_json(text):
    return json.loads(text.strip().splitlines()[-1])


class Server:
    """The program with sign-in, one location, and an access key for whoever signs in."""

    def __init__(self, program, folder, highlevel):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.state = folder / "state"
        pinned = folder / "documents"
        pinned.mkdir()
        for number, (address, about) in enumerate(DOCUMENTS.items()):
            (pinned / f"{number}.json").write_text(json.dumps({"client_id": address} | about))
        settings = folder / "settings.toml"
        settings.write_text(
            f'[server]\ndrain_ms = 0\nshutdown_grace_ms = 1000\n[upstream]\nbase_url = "{highlevel}"\n[state]\nfolder = "{self.state}"\nname = "store"\n'
            f'[oauth]\nurl = "{self.url}"\npinned_documents = "{pinned}"\n[locations.acme]\nname = "Acme Dental"\nlocation_id = "L0"\n'
            'token = { env = "ACME_TOKEN" }\n'
        )
        self.env = {"PATH": PATHS, "ACME_TOKEN": "pit-acme", "HIGHLEVEL_MCP_LOG_LEVEL": "trace"}
        self.program, self.settings, self.log_path = program, settings, folder / "server.log"
        self.log = open(self.log_path, "w")
        self.serve = [program, "serve", "--config", settings, "--listen", f"127.0.0.1:{port}"]
        self.start()
        made = self.command("keys", "create", "--name", "person", "--location", "acme")
        self.secret = next(word for word in made.split() if word.startswith("hlk_"))

    def start(self):
        self.process = subprocess.Popen(self.serve, env=self.env, stdout=self.log, stderr=self.log)
        for _ in range(100):
            try:
                urllib.request.urlopen(f"{self.url}/readyz", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)

    def restart(self):
        """Resets the count of registrations: here all clients have one address, which may register five times a minute."""
        self.stop()
        self.start()

    def command(self, *arguments):
        return run([self.program, *arguments, "--config", self.settings], self.env, HERE)

    def rows(self, statement):
        """Runs a statement in the store. A new revision tells every cache about a change."""
        with sqlite3.connect(next(self.state.glob("store*.db")), timeout=10) as store:
            rows = store.execute(statement).fetchall()
            if not statement.startswith("SELECT"):
                store.execute("UPDATE revision SET n = n + 1")
        store.close()
        # Every process looks every 100 ms.
        time.sleep(0.4)
        return rows

    def check_log(self):
        """Fails if the log shows a token, a code, a key or a one-time link."""
        shown = SECRET.search(self.log_path.read_text())
        if shown:
            raise Failure(f"the server's log shows a secret: {shown[0][:8]}…")

    def expire(self):
        """Ends every access token, as time does."""
        self.rows("UPDATE access SET expires_at = 1")

    def refreshes(self):
        """Counts the replacements of refresh tokens."""
        return self.rows("SELECT COALESCE(SUM(seq), 0) FROM oauth_grant")[0][0]

    def end(self):
        self.command("connections", "end", "--all")
        # Every process hears of it within 0.2 s, on a busy machine later.
        time.sleep(1)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


class Client:
    """A client, driven by commands in place of a person. `use` lists and calls: it returns the names of tools and the text of the call."""

    def __init__(self, name, world):
        self.world, self.folder = world, world.folder / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.env = {
            "HOME": str(self.folder), "PATH": f"{world.bin}:{PATHS}", "BROWSER": str(world.browser), "SIGN_IN_SECRET": world.server.secret,
            "SIGN_IN_LOG": str(world.log), "MCP_URL": world.url, "PYTHONDONTWRITEBYTECODE": "1", "TOKENS": str(self.folder / "tokens"),
        }

    def sign_in(self):
        """Starts the sign-in, if the client does not do that by itself."""

    def age(self):
        """Makes the access token expire for the client, too, if the client uses its own clock."""

    def change(self, path, change):
        file = self.folder / path
        kept = json.loads(file.read_text())
        change(kept)
        file.write_text(json.dumps(kept))


class Library(Client):
    """One of our programs on a client's library. It signs in by itself."""

    def __init__(self, name, world, command):
        super().__init__(name, world)
        self.command = command

    def use(self):
        seen = last_json(run(self.command, self.env, HERE))
        self.env.pop("EXPIRED", None)
        return seen["tools"], seen["text"]

    def age(self):
        self.env["EXPIRED"] = "1"


class FastMcp(Library):
    def age(self):
        for file in (self.folder / "tokens").rglob("*"):
            if file.is_file() and '"expires_at"' in file.read_text():
                kept = json.loads(file.read_text())
                if "expires_at" in kept.get("value", {}):
                    kept["value"]["expires_at"] = 1
                    file.write_text(json.dumps(kept))


class Agent(Client):
    """An agent with a scripted model. Its tools are those that the model was shown."""

    def ask(self):
        """Lets the agent look up the contact, and returns its last text."""
        raise NotImplementedError

    def use(self):
        said = self.ask()
        if "DONE Ada" not in said:
            raise Failure(f"the agent did not call: {said[-1500:]}")
        with urllib.request.urlopen(f"{self.world.model}/__seen") as reply:
            return json.load(reply)["tools"], '{"firstName":"Ada"}'


class ClaudeCode(Agent):
    def __init__(self, name, world, program):
        super().__init__(name, world)
        self.program = program
        self.env |= {"ANTHROPIC_BASE_URL": world.model, "ANTHROPIC_API_KEY": "scripted", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
        run([program, "mcp", "add", "--transport", "http", NAME, world.url], self.env, self.folder)

    def sign_in(self):
        # It opens a browser where there is a terminal.
        run(["script", "-qec", f"{self.program} mcp login {NAME}", "/dev/null"], self.env, self.folder)

    def ask(self):
        return run([self.program, "-p", "Look up contact c1", "--allowedTools", f"mcp__{NAME}__*"], self.env, self.folder)

    def age(self):
        def age(kept):
            for entry in kept["mcpOAuth"].values():
                entry["expiresAt"] = 1

        self.change(".claude/.credentials.json", age)


class Codex(Agent):
    def __init__(self, name, world, program):
        super().__init__(name, world)
        self.program = program
        self.env["SCRIPTED_KEY"] = "scripted"
        home = self.folder / ".codex"
        home.mkdir()
        (home / "config.toml").write_text(
            'mcp_oauth_credentials_store = "file"\nmodel = "scripted"\nmodel_provider = "scripted"\n[model_providers.scripted]\nname = "scripted"\n'
            f'base_url = "{world.model}/v1"\nenv_key = "SCRIPTED_KEY"\nwire_api = "responses"\n'
        )
        self.is_added = False

    def sign_in(self):
        if self.is_added:
            run([self.program, "mcp", "login", NAME], self.env, self.folder)
        else:
            # It signs in at once.
            run([self.program, "mcp", "add", NAME, "--url", self.world.url], self.env, self.folder)
        self.is_added = True

    def ask(self):
        approve = f'mcp_servers.{NAME}.default_tools_approval_mode="approve"'
        return run([self.program, "exec", "--skip-git-repo-check", "-c", approve, "Look up contact c1"], self.env, self.folder)

    def age(self):
        def age(kept):
            for entry in kept.values():
                entry["expires_at"] = 1

        self.change(".codex/.credentials.json", age)


class Opencode(Agent):
    def __init__(self, name, world, program):
        super().__init__(name, world)
        self.program = program
        provider = {
            "npm": "@ai-sdk/openai-compatible", "name": "scripted", "options": {"baseURL": f"{world.model}/v1", "apiKey": "scripted"},
            "models": {"scripted": {"name": "scripted", "tool_call": True}},
        }
        settings = {
            "autoupdate": False, "share": "disabled", "model": "scripted/scripted", "small_model": "scripted/scripted",
            "provider": {"scripted": provider}, "mcp": {NAME: {"type": "remote", "url": world.url}},
        }
        (self.folder / "opencode.json").write_text(json.dumps(settings))

    def sign_in(self):
        run([self.program, "mcp", "auth", NAME], self.env, self.folder)

    def ask(self):
        return run([self.program, "run", "Look up contact c1"], self.env, self.folder)

    def age(self):
        def age(kept):
            kept[NAME]["tokens"]["expiresAt"] = 1

        self.change(".local/share/opencode/mcp-auth.json", age)


class Stdio(Client):
    """A program that carries MCP between stdin and the address."""

    def __init__(self, name, world, command):
        super().__init__(name, world)
        self.command = command

    def use(self):
        program = subprocess.Popen(
            self.command, env=self.env, cwd=self.folder, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(self.folder / "log", "a")
        )
        # Who waits for a person who is not asked waits for ever.
        patience = threading.Timer(90, program.kill)
        patience.start()
        try:
            hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "journey", "version": "1"}}
            self.request(program, 1, "initialize", hello)
            program.stdin.write('{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')
            tools = self.request(program, 2, "tools/list", {})["tools"]
            answer = self.request(program, 3, "tools/call", {"name": WANTED, "arguments": {"contactId": "c1"}})
            return [tool["name"] for tool in tools], answer["content"][0]["text"]
        finally:
            patience.cancel()
            program.kill()
            program.wait()

    def request(self, program, number, method, params):
        program.stdin.write(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + "\n")
        program.stdin.flush()
        for line in program.stdout:
            frame = json.loads(line)
            if frame.get("id") == number:
                if "error" in frame:
                    raise Failure(f"{method}: {frame['error']}")
                return frame["result"]
        raise Failure(f"{method}: the program ended: {(self.folder / 'log').read_text()[-1500:]}")


class Own(Stdio):
    """Our own `login` and `stdio --url`."""

    def __init__(self, name, world, program):
        own = ["--state", str(world.folder / name / "own")]
        super().__init__(name, world, [program, "stdio", "--url", world.url, *own])
        self.login = [program, "login", "--url", world.url, *own]

    def sign_in(self):
        run(self.login, self.env, self.folder)


class World:
    """What all clients share: the server, the model, the browser."""

    def __init__(self, program, folder):
        self.folder, self.bin = folder, folder / "bin"
        shutil.rmtree(folder, ignore_errors=True)
        self.bin.mkdir(parents=True)
        self.browser, self.log = self.bin / "browser", folder / "sign-ins.jsonl"
        # As a person's, it leaves the client to itself at once.
        self.browser.write_text(f'#!/bin/sh\n{sys.executable} {HERE}/browser.py "$@" >/dev/null 2>&1 &\n')
        self.browser.chmod(0o755)
        # Some start it by that name.
        (self.bin / "xdg-open").symlink_to(self.browser)
        self.log.touch()
        self.children = []
        self.model, self.highlevel = self.start("model.py"), self.start("../highlevel.py")
        self.server = Server(program, folder, self.highlevel)
        self.url = self.server.url + os.environ.get("MCP_PATH", "/mcp")

    def start(self, script):
        child = subprocess.Popen([sys.executable, HERE / script], stdout=subprocess.PIPE, text=True)
        self.children.append(child)
        return child.stdout.readline().strip()

    def sign_ins(self):
        """Counts the sign-ins of all clients so far. Fails if one failed."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        broken = [line for line in lines if line["error"]]
        if broken:
            raise Failure(f"sign-in failed: {broken[-1]}")
        return len(lines)

    def calls(self):
        """Requests for the contact that reached HighLevel since the last look."""
        with urllib.request.urlopen(f"{self.highlevel}/__requests") as reply:
            requests = json.load(reply)
        wanted = [one for one in requests if one["path"] == "/contacts/c1"]
        for one in wanted:
            if one["headers"]["authorization"] != "Bearer pit-acme":
                raise Failure("a call left with another token than the location's")
        return len(wanted)

    def stop(self):
        self.server.stop()
        for child in self.children:
            child.kill()


def uses(client, sign_ins, what):
    """Lists and calls, after this number of sign-ins."""
    before = client.world.sign_ins()
    if sign_ins:
        client.sign_in()
    client.world.calls()
    tools, text = client.use()
    if not any(tool.replace("-", "_").endswith(WANTED.replace("-", "_")) for tool in tools):
        raise Failure(f"{what}: the tool is not listed: {tools}")
    if "Ada" not in text or client.world.calls() != 1:
        raise Failure(f"{what}: the call did not reach HighLevel once: {text[:500]}")
    asked = client.world.sign_ins() - before
    if asked != sign_ins:
        raise Failure(f"{what}: the person was asked {asked} times and not {sign_ins}")


def journey(client):
    """The steps; each adds its name."""
    server = client.world.server
    yield "connect", lambda: uses(client, 1, "connect")
    yield "go on", lambda: uses(client, 0, "go on")

    def refresh():
        before = server.refreshes()
        server.expire()
        client.age()
        uses(client, 0, "refresh")
        if server.refreshes() <= before:
            raise Failure("nothing was refreshed")

    yield "refresh", refresh

    def revoke():
        server.end()
        if type(client).sign_in is Client.sign_in:
            # It signs in again by itself: the next step sees that it has to.
            return
        client.world.calls()
        try:
            client.use()
        except (Failure, subprocess.TimeoutExpired):
            pass
        else:
            raise Failure("a connection that was ended still works")
        if client.world.calls():
            raise Failure("a connection that was ended still calls")

    yield "revoke", revoke
    yield "again", lambda: uses(client, 1, "again")


def clients(program, installed):
    """Each client by its name, with the program to run (None if it is not installed) and its constructor."""
    node = installed / "npm" / "node_modules"
    found = lambda path: path if path.exists() else None
    python = lambda name: found(installed / name / "bin" / "python")
    script = lambda name, argument: [shutil.which("node"), str(installed / "npm" / "typescript.mjs"), argument] if (node / name).exists() else None
    claude = found(node / "@anthropic-ai/claude-code-linux-x64/claude")
    codex = found(node / "@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex")
    opencode = found(node / "opencode-linux-x64/bin/opencode")
    remote = found(node / ".bin/mcp-remote")
    of_library = lambda command: lambda name, world: Library(name, world, command)
    return {
        "login": (program, lambda name, world: Own(name, world, str(program))),
        "mcp1": (python("mcp1"), lambda name, world: Library(name, world, [python("mcp1"), "python_sdk.py"])),
        "mcp2": (python("mcp2"), lambda name, world: Library(name, world, [python("mcp2"), "python_sdk.py"])),
        "fastmcp": (python("fastmcp"), lambda name, world: FastMcp(name, world, [python("fastmcp"), "fastmcp_client.py"])),
        "typescript-sdk": (script("@modelcontextprotocol/sdk", "sdk"), of_library(script("@modelcontextprotocol/sdk", "sdk"))),
        "typescript-client": (script("@modelcontextprotocol/client", "client"), of_library(script("@modelcontextprotocol/client", "client"))),
        "mcp-remote": (remote, lambda name, world: Stdio(name, world, [str(remote), world.url])),
        "claude-code": (claude, lambda name, world: ClaudeCode(name, world, str(claude))),
        "codex": (codex, lambda name, world: Codex(name, world, str(codex))),
        "opencode": (opencode, lambda name, world: Opencode(name, world, str(opencode))),
    }


def main(program, installed, only):
    known = clients(program, installed)
    world = World(program, installed / "journey")
    failed = False
    try:
        for name, (there, make) in known.items():
            if only and name not in only:
                continue
            if there is None:
                print(f"SKIPPED {name} by address alone: it is not installed for this platform")
                continue
            done = []
            try:
                world.server.restart()
                for step, take in journey(make(name, world)):
                    take()
                    done.append(step)
                print(f"PASS {name} by address alone: {', '.join(done)}")
            except (Failure, subprocess.TimeoutExpired, OSError) as failure:
                failed = True
                print(f"FAIL {name} after {', '.join(done) or 'nothing'}: {failure}")
                world.log.write_text("")
    finally:
        world.stop()
    try:
        world.server.check_log()
        print("PASS the server's log at its lowest level: no secret")
    except Failure as failure:
        failed = True
        print(f"FAIL {failure}")
    sys.exit(failed)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve(), sys.argv[3:])
