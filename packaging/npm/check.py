"""Tests that the launcher of the npm package is transparent: exit codes, signals, streams, and its message if the program is missing.
A shell script replaces the program."""

import json
import os
import pathlib
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
# Exits or dies as its arguments say, echoes its input, or prints the names of the signals that reach it.
PROGRAM = """#!/bin/bash
case "$1" in
exit) exit "$2" ;;
die) kill -"$2" $$ ; sleep 5 ;;
echo) exec cat ;;
esac
trap 'echo INT' INT
trap 'echo HUP' HUP
trap 'echo TERM; exit 7' TERM
echo ready
while :; do sleep 0.05; done
"""


def install(folder: pathlib.Path) -> list[str]:
    """The launcher and a program of this platform, as npm lays them; the command that starts it."""
    launcher = folder / "node_modules/highlevel-mcp"
    launcher.mkdir(parents=True)
    for name in ["launcher.js", "package.json"]:
        shutil.copy(HERE / "launcher" / name, launcher)
    words = subprocess.run(["node", "-p", "`${process.platform}-${process.arch}`"], capture_output=True, text=True, check=True)
    program = folder / f"node_modules/highlevel-mcp-{words.stdout.strip()}/bin/highlevel-mcp"
    program.parent.mkdir(parents=True)
    program.write_text(PROGRAM)
    program.chmod(0o755)
    return ["node", str(launcher / "launcher.js")]


def start(command: list[str], **more) -> subprocess.Popen:
    """Without a terminal, as clients start it."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True, **more)
    assert process.stdout.readline() == "ready\n"
    return process


def signals_are_forwarded(command: list[str]):
    process = start(command)
    for number, line in [(signal.SIGINT, "INT\n"), (signal.SIGHUP, "HUP\n"), (signal.SIGTERM, "TERM\n")]:
        process.send_signal(number)
        assert process.stdout.readline() == line, line
    assert process.wait(10) == 7


def exit_codes_are_passed_on(command: list[str]):
    for code in [0, 1, 2, 130]:
        assert subprocess.run([*command, "exit", str(code)]).returncode == code, code


def death_by_a_signal_is_passed_on(command: list[str]):
    for name in ["KILL", "TERM", "ABRT", "SEGV"]:
        ended = subprocess.run([*command, "die", name], preexec_fn=no_core).returncode
        assert ended == -getattr(signal, f"SIG{name}"), (name, ended)


def no_core():
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def streams_are_the_programs_own(command: list[str]):
    text = "a line\n" * 100_000
    assert subprocess.run([*command, "echo"], input=text, capture_output=True, text=True, check=True).stdout == text


def ctrl_c_reaches_the_program_once(command: list[str]):
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    seen = read_until(terminal, b"ready")
    os.write(terminal, b"\x03")
    seen += read_until(terminal, b"INT")
    time.sleep(1)
    os.kill(child, signal.SIGTERM)
    seen += read_until(terminal, b"TERM")
    assert seen.count(b"INT") == 1, seen
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7, status


def read_until(terminal: int, word: bytes) -> bytes:
    seen = b""
    while word not in seen:
        seen += os.read(terminal, 1000)
    return seen


def a_missing_program_is_named(command: list[str]):
    modules = pathlib.Path(command[1]).parents[1]
    for folder in modules.glob("highlevel-mcp-*"):
        shutil.rmtree(folder)
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 2 and "--omit=optional" in ended.stderr, ended
    # A platform without a program.
    package = pathlib.Path(command[1]).parent / "package.json"
    content = json.loads(package.read_text())
    content["optionalDependencies"] = {"highlevel-mcp-plan9-mips": "1.0.0"}
    package.write_text(json.dumps(content))
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 2 and "only for plan9-mips" in ended.stderr, ended


def main():
    # A signal that is not forwarded would otherwise be waited for.
    signal.alarm(60)
    checks = [
        exit_codes_are_passed_on,
        death_by_a_signal_is_passed_on,
        signals_are_forwarded,
        streams_are_the_programs_own,
        ctrl_c_reaches_the_program_once,
        a_missing_program_is_named,
    ]
    with tempfile.TemporaryDirectory() as folder:
        command = install(pathlib.Path(folder))
        for check in checks:
            check(command)
    print(f"PASS the launcher of npm: {', '.join(check.__name__.replace('_', ' ') for check in checks)}")


sys.exit(main())
