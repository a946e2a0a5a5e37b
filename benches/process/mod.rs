//! A server in a process of its own, so that its CPU time and memory are its alone.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The setting of the server's own folder; builds from before it had one refuse it.
pub(crate) const STATE: (&str, &str) = (
    "HIGHLEVEL_MCP_STATE_FOLDER",
    concat!(env!("CARGO_TARGET_TMPDIR"), "/state"),
);

pub(crate) struct Process {
    pub url: String,
    child: Child,
}

impl Process {
    /// Starts one that says its address on a line of stderr.
    pub(crate) async fn start(command: &mut Command) -> Self {
        command.stderr(std::process::Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().expect("started");
        let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
        let line = loop {
            let line = lines
                .next_line()
                .await
                .expect("a line")
                .expect("an address");
            if line.contains("http://") {
                break line;
            }
        };
        let address = line.split("http://").nth(1).expect("an address");
        let end = address.find(['/', ' ']).unwrap_or(address.len());
        let url = format!("http://{}", &address[..end]);
        // Goes on reading, so that the process is never stopped by a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { url, child }
    }

    /// CPU time of all threads so far, in nanoseconds by the scheduler's own count.
    pub(crate) fn cpu(&self) -> Duration {
        let threads = std::fs::read_dir(self.file("task")).expect("Linux");
        let nanos = threads.map(|thread| {
            let stat = std::fs::read_to_string(thread.expect("a thread").path().join("schedstat"));
            let stat = stat.unwrap_or_default();
            let nanos = stat.split(' ').next().unwrap_or_default();
            nanos.parse::<u64>().unwrap_or(0)
        });
        Duration::from_nanos(nanos.sum())
    }

    /// Memory that it holds now (`VmRSS`) or ever held (`VmHWM`), in KiB.
    pub(crate) fn memory(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(self.file("status")).expect("Linux");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .expect("a line");
        let number = line.split_whitespace().nth(1).expect("a number");
        number.parse().expect("a number")
    }

    fn file(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.child.id().expect("running"))
    }
}
