//! The generator's command line.

// It panics where a pipe is closed.
#![warn(clippy::print_stdout)]

use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    cli::run()
}
