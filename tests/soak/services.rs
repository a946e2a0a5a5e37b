//! PostgreSQL and Valkey for a run, started by the script `tests/services`, and the faults that they get.

use std::net::SocketAddr;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services");

/// A server that ends on drop.
pub(crate) struct Service {
    pub url: String,
    control: Mutex<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
    _child: Child,
}

impl Service {
    pub(crate) async fn start(name: &str) -> Self {
        let mut command = Command::new(SCRIPT);
        command
            .arg(name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("the script");
        let input = child.stdin.take().expect("its input");
        let output = child.stdout.take().expect("its output");
        let mut lines = BufReader::new(output).lines();
        let url = lines.next_line().await.expect("a line");
        let url = url.unwrap_or_else(|| panic!("there is no {name} here"));
        let pid = lines.next_line().await.expect("a line");
        assert!(pid.is_some_and(|line| line.starts_with("pid ")));
        Self {
            url,
            control: Mutex::new((input, lines)),
            _child: child,
        }
    }

    /// Host and port of its URL.
    pub(crate) fn address(&self) -> SocketAddr {
        let (_, rest) = self.url.split_once("://").expect("a URL");
        let rest = rest.rsplit('@').next().unwrap_or(rest);
        let host = rest.split('/').next().unwrap_or(rest);
        host.parse().expect("an address")
    }

    /// The same URL with another address.
    pub(crate) fn url_behind(&self, address: SocketAddr) -> String {
        let own = self.address().to_string();
        self.url.replace(&own, &address.to_string())
    }

    /// Sends the order `stop`, `start`, `pause` or `resume`.
    pub(crate) async fn obey(&self, order: &str) {
        let mut control = self.control.lock().await;
        let (input, lines) = &mut *control;
        let order = format!("{order}\n");
        input.write_all(order.as_bytes()).await.expect("heard");
        let done = lines.next_line().await.expect("a line").expect("a line");
        assert!(done.starts_with("done "), "{order}: {done}");
    }
}
