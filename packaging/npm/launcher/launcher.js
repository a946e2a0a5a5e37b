#!/usr/bin/env node
// Starts the program that the package of this platform holds, and lives and ends with it.
"use strict";

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const { name, optionalDependencies } = require("./package.json");

const platform = `${process.platform}-${process.arch}`;
const program = find();

// A terminal sends these to the program, too, which takes a second one as more than the first.
const OF_TERMINALS = ["SIGINT", "SIGQUIT"];
const FORWARDED = ["SIGHUP", "SIGTERM", "SIGUSR2", ...OF_TERMINALS];
const isAtTerminal = hasTerminal();
// Before the program starts: it may be told to end as soon as it has.
for (const signal of FORWARDED) {
  process.on(signal, () => {
    if (!isAtTerminal || !OF_TERMINALS.includes(signal)) child.kill(signal);
  });
}

const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
child.on("error", (error) => fail(`${program} cannot be started: ${error.message}`));
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code);
  for (const forwarded of FORWARDED) process.removeAllListeners(forwarded);
  process.kill(process.pid, signal);
  // A signal that does not end this process, or only later.
  setTimeout(() => process.exit(128 + os.constants.signals[signal]), 1000);
});

function find() {
  try {
    return require.resolve(`${name}-${platform}/bin/${name}`);
  } catch {
    const platforms = Object.keys(optionalDependencies).map((one) => one.slice(name.length + 1));
    if (platforms.includes(platform)) {
      fail(
        `the package ${name}-${platform} is missing: install ${name} anew, without --omit=optional or --no-optional` +
          (platform.startsWith("linux") ? "; a Linux without glibc, such as Alpine, needs the container" : ""),
      );
    }
    fail(
      `there is no program for ${platform}, only for ${platforms.join(", ")}: ` +
        (process.platform === "win32" ? "run it in WSL or in Docker" : "use the container, or build it from source"),
    );
  }
}

function hasTerminal() {
  try {
    fs.closeSync(fs.openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}

function fail(text) {
  process.stderr.write(`${name}: ${text}\n`);
  process.exit(2);
}
