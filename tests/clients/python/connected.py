"""Runs what `connect` prints for a Python client, against the sandbox, and counts what it lists: connected.py PROGRAM CLIENT URL."""

import subprocess
import sys

program, client, url = sys.argv[1:]
printed = subprocess.run(
    [program, "connect", client, "--sandbox", "--url", url], check=True, capture_output=True, text=True
)
listed = subprocess.run([sys.executable, "-c", printed.stdout], check=True, capture_output=True, text=True)
print(len(listed.stdout.split()))
