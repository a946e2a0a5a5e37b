//! Completions for shells: commands, flags, tools, toolsets and locations.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, Args, Command, ValueEnum};
use clap_complete::Shell;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};

use super::locations::connected;
use super::{CliError, help, print};
use crate::catalog::TOOLS;
use crate::config::{Config, Flags};
use crate::surfaces::{Endpoint, endpoint_names};

/// The variable by which a shell's script calls this program.
const VARIABLE: &str = "COMPLETE";

const PROGRAM: &str = "highlevel-mcp";

#[derive(Args)]
pub(super) struct Completions {
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self) -> Result<ExitCode, CliError> {
        let name = self.shell.to_possible_value();
        let name = name.as_ref().map_or("", |value| value.get_name());
        let shells = Shells::builtins();
        let shell = shells.completer(name);
        let shell =
            shell.ok_or_else(|| CliError(format!("there are no completions for {name}")))?;
        let mut script = Vec::new();
        shell.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)?;
        print(String::from_utf8(script)?)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Answers a shell that asks for completions, and ends the program. Returns if no shell asks.
pub(super) fn answer_shell() {
    CompleteEnv::with_factory(|| with_candidates(help::command()))
        .var(VARIABLE)
        .bin(PROGRAM)
        .complete();
}

/// The command with candidates for each argument.
fn with_candidates(command: Command) -> Command {
    let is_new = command.get_name() == "add";
    let with_own = |arg: Arg| {
        let named = arg.get_value_names().and_then(<[_]>::first);
        match named.map(ToString::to_string).as_deref() {
            Some("TOOL") => arg.add(ArgValueCandidates::new(tools)),
            Some("TOOLSETS" | "SURFACE" | "ENDPOINT") => {
                arg.add(ArgValueCandidates::new(endpoints))
            }
            // A new location's alias does not exist yet, and a company's alias is of another kind.
            Some("ALIAS") if !is_new => arg.add(ArgValueCandidates::new(locations)),
            _ => arg,
        }
    };
    command.mut_args(with_own).mut_subcommands(with_candidates)
}

fn tools() -> Vec<CompletionCandidate> {
    let metas = ["orchestrator", "compat"].into_iter();
    let metas = metas.filter_map(|name| Endpoint::parse(name).ok());
    let metas =
        metas.flat_map(|endpoint| endpoint.list().map(|one| one.name()).collect::<Vec<_>>());
    let all = TOOLS.iter().map(|tool| tool.name).chain(metas);
    all.map(CompletionCandidate::new).collect()
}

fn endpoints() -> Vec<CompletionCandidate> {
    endpoint_names().map(CompletionCandidate::new).collect()
}

/// The locations of the settings and those that people connected. Errors are dropped: a shell cannot show them.
fn locations() -> Vec<CompletionCandidate> {
    let line: Vec<String> = std::env::args().collect();
    let Ok(mut config) = Config::load(&flags_of(&line)) else {
        return Vec::new();
    };
    config.upstream.simulated = line.iter().any(|word| word == "--sandbox");
    let connected = connected(&config).unwrap_or_default();
    let connected = connected.into_iter().map(|location| location.alias);
    let aliases = config.locations.into_keys().chain(connected);
    aliases.map(CompletionCandidate::new).collect()
}

/// The flags of the line so far that tell where the settings and the store are.
fn flags_of(line: &[String]) -> Flags {
    let value = |flag: &str| {
        let mut words = line.iter();
        words
            .find_map(|word| match word.strip_prefix(flag)? {
                "" => None,
                rest => rest.strip_prefix('=').map(str::to_owned),
            })
            .or_else(|| {
                let place = line.iter().position(|word| word == flag)?;
                line.get(place + 1).cloned()
            })
    };
    Flags {
        config: value("--config").map(PathBuf::from),
        base_url: value("--base-url"),
        state: value("--state"),
        ..Flags::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_decides_settings_and_store() {
        fn check(line: &str, config: Option<&str>, state: Option<&str>) {
            let line: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let flags = flags_of(&line);
            let found = flags.config.as_ref().and_then(|path| path.to_str());
            assert_eq!((found, flags.state.as_deref()), (config, state), "{line:?}");
        }
        check(
            "highlevel-mcp -- highlevel-mcp call --location h",
            None,
            None,
        );
        check(
            "highlevel-mcp --config a.toml call --state=/s",
            Some("a.toml"),
            Some("/s"),
        );
        check(
            "highlevel-mcp call --config=b.toml --state",
            Some("b.toml"),
            None,
        );
    }
}
