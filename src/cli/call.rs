//! `call`: one tool call from the terminal.

use std::process::ExitCode;

use clap::Args;

use super::{Refused, account, prepared, runtime};
use crate::config::Flags;
use crate::tools::surfaces::Surface;

#[derive(Args)]
pub struct Call {
    /// Tool name; `highlevel-mcp tools` lists them.
    name: String,
    /// Arguments as a JSON object.
    #[arg(default_value = "{}")]
    arguments: String,
}

impl Call {
    pub fn run(self, flags: &Flags) -> Result<ExitCode, Refused> {
        let surface = Surface::of("all")?;
        let tool = super::tools::find(&surface, &self.name)?;
        let arguments = serde_json::from_str(&self.arguments).map_err(|error| {
            Refused(format!(
                "the arguments are no JSON object: {error}; give them as '{{\"name\": \"value\"}}'"
            ))
        })?;
        let (config, dispatch) = prepared(flags)?;
        let caller = account(&config)?;
        let answer = runtime()?.block_on(dispatch.call(tool, arguments, &caller));
        println!("{}", answer.text);
        Ok(ExitCode::from(u8::from(answer.is_error)))
    }
}
