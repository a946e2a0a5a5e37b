"""Judges what the conformance suite wrote: check.py REVISION FOLDER; every check of what applies must have passed."""

import json
import pathlib
import sys

revision, folder = sys.argv[1], pathlib.Path(sys.argv[2])
applicable = json.loads(pathlib.Path(__file__).with_name("applicable.json").read_text())[revision]
faults, passed = [], 0
for scenario, exceptions in applicable.items():
    runs = [run for run in folder.glob(f"server-{scenario}-*/checks.json") if run.parent.name[len(f"server-{scenario}-") :][:2] == "20"]
    if len(runs) != 1:
        faults.append(f"{scenario}: ran {len(runs)} times")
        continue
    checks = json.loads(runs[0].read_text())
    failed = {check["id"]: check.get("errorMessage", "") for check in checks if check["status"] == "FAILURE"}
    passed += sum(check["status"] == "SUCCESS" for check in checks)
    faults += [f"{scenario}: {name}: {why}" for name, why in failed.items() if name not in exceptions]
    faults += [f"{scenario}: {name} passes; remove its exception" for name in exceptions if name not in failed]
for fault in faults:
    print(f"conformance {revision}: {fault}")
print(f"{len(applicable)} scenarios, {passed} checks passed, {len(faults)} faults")
sys.exit(bool(faults))
