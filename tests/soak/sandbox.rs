//! The simulated HighLevel in a process of its own, with its log in a file.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::client::get;
use crate::network::free_address;
use crate::options::Options;

/// It ends on drop.
pub(crate) struct SandboxProcess {
    pub url: String,
    pub log: PathBuf,
    _child: Child,
}

impl SandboxProcess {
    pub(crate) async fn start(options: &Options, folder: &Path) -> Self {
        let address = free_address();
        let log = folder.join("sandbox.jsonl");
        let branches = options.locations.to_string();
        // An older build may not support the log.
        let mut command = Command::new(env!("CARGO_BIN_EXE_highlevel-mcp"));
        command
            .args(["sandbox", "--listen", &address.to_string()])
            .args(["--branches", &branches])
            .arg("--log")
            .arg(&log)
            .stdout(Stdio::null())
            .kill_on_drop(true);
        let child = command.spawn().expect("a sandbox");
        for _ in 0..600 {
            if get(address, "/__sandbox/webhook-key").await == Some(200) {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
        Self {
            url: format!("http://{address}"),
            log,
            _child: child,
        }
    }
}
