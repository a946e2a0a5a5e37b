//! The work of the server's build script: generates into `OUT_DIR`, and tells cargo when to do so again.

use std::env;
use std::path::{Path, PathBuf};

use crate::document::load::load;
use crate::error::Errors;
use crate::generation::{generate, write};

/// Generates from `openapi/` beside the package. Every problem becomes a separate cargo error.
pub fn run() {
    let openapi = Path::new("openapi");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", openapi.display());
    let out_dir = env::var_os("OUT_DIR")
        .map(PathBuf::from)
        .unwrap_or_default();
    if let Err(Errors(problems)) = build(openapi, &out_dir) {
        for problem in problems {
            // An instruction to cargo is one line.
            println!("cargo::error={}", problem.to_string().replace('\n', " "));
        }
    }
}

fn build(openapi: &Path, out_dir: &Path) -> Result<(), Errors> {
    let generation = generate(&load(openapi)?)?;
    Ok(write(&generation, out_dir)?)
}
