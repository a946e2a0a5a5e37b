//! The program; everything is in the library.

fn main() -> std::process::ExitCode {
    highlevel_mcp::cli::run()
}
