//! `stdio`: MCP over stdin and stdout for one account.

use std::process::ExitCode;

use super::{Refused, account, prepared, runtime};
use crate::config::Flags;
use crate::mcp;
use crate::tools::surfaces::Surface;

pub fn run(flags: &Flags) -> Result<ExitCode, Refused> {
    let (config, dispatch) = prepared(flags)?;
    let caller = account(&config)?;
    let handler = mcp::Handler::new(Surface::official(), dispatch, Some(caller))?;
    runtime()?.block_on(mcp::serve(handler))?;
    Ok(ExitCode::SUCCESS)
}
