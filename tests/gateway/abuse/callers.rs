//! Kinds of callers for random calls: how each calls, and what may be sent for it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use super::agency::{OPERATOR, location};
use super::highlevel::AGENCY_TOKEN;
use super::program::Program;

/// A kind of caller.
pub(super) struct CallerProfile {
    pub name: &'static str,
    pub channel: Channel,
    headers: Vec<(&'static str, String)>,
    pub tokens: BTreeSet<String>,
    pub locations: BTreeSet<String>,
}

/// The server that it calls.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    /// A server with three locations of an agency, and keys.
    Locations,
    /// A server with an account of its own.
    Account,
    /// The same account over stdin and stdout.
    Stdio,
}

/// One call, ready to be made.
pub(super) struct RandomCall {
    pub path: String,
    pub tool: String,
    pub arguments: Value,
}

/// The program speaking MCP over stdin and stdout.
pub(super) struct StdioProgram {
    _child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl CallerProfile {
    /// Every kind of caller. `keys`: Authorization headers of access keys for the first location, for the first two,
    /// and for all of them with the agency's token.
    pub(super) fn all(keys: &[String; 3]) -> Vec<Self> {
        let branches = |numbers: &[usize]| -> (BTreeSet<String>, BTreeSet<String>) {
            let ids = numbers.iter().map(|number| location(*number));
            ids.map(|id| (format!("minted-{id}"), id)).unzip()
        };
        let own = |id: &str| {
            let token = BTreeSet::from([format!("pit-of-{id}")]);
            (token, BTreeSet::from([id.to_owned()]))
        };
        let both = |one: (BTreeSet<String>, BTreeSet<String>),
                    two: (BTreeSet<String>, BTreeSet<String>)| {
            (&one.0 | &two.0, &one.1 | &two.1)
        };
        let operator = || ("x-access-key", OPERATOR.to_owned());
        let authorization = |value: &str| ("authorization", value.to_owned());
        let at = |id: &str| ("locationid", id.to_owned());
        let agency = (BTreeSet::from([AGENCY_TOKEN.to_owned()]), BTreeSet::new());
        let nobody = BTreeSet::from(["pit-nobody".to_owned()]);
        let rows = [
            (
                "key of one location",
                Channel::Locations,
                vec![authorization(&keys[0])],
                branches(&[1]),
            ),
            (
                "key of two locations",
                Channel::Locations,
                vec![authorization(&keys[1])],
                branches(&[1, 2]),
            ),
            (
                "key with the agency's token",
                Channel::Locations,
                vec![authorization(&keys[2])],
                both(agency, branches(&[1, 2, 3])),
            ),
            (
                "the settings' key",
                Channel::Locations,
                vec![operator()],
                branches(&[1, 2, 3]),
            ),
            (
                "HighLevel token with its location",
                Channel::Locations,
                vec![authorization("Bearer pit-of-L9"), at("L9")],
                own("L9"),
            ),
            (
                "HighLevel token beside the settings' key",
                Channel::Locations,
                vec![operator(), authorization("Bearer pit-of-L9"), at("L9")],
                both(own("L9"), branches(&[1, 2, 3])),
            ),
            (
                "made-up token with another's location",
                Channel::Locations,
                vec![authorization("Bearer pit-nobody"), at(&location(1))],
                (nobody, branches(&[1]).1),
            ),
            ("own account", Channel::Account, vec![], own("L9")),
            (
                "HighLevel token where the server has an account",
                Channel::Account,
                vec![authorization("Bearer pit-of-L8"), at("L8")],
                own("L8"),
            ),
            ("stdio", Channel::Stdio, vec![], own("L9")),
        ];
        let profiles = rows.map(|(name, channel, headers, (tokens, locations))| Self {
            name,
            channel,
            headers,
            tokens,
            locations,
        });
        profiles.into()
    }

    /// Makes one call over HTTP, and confirms it if asked to.
    pub(super) async fn call(&self, program: &Program, call: RandomCall) {
        let headers = self.headers.iter();
        let headers: Vec<(&str, &str)> = headers
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let path = match self.channel {
            // That server has no other locations.
            Channel::Account | Channel::Stdio => {
                call.path.replace("/l/b01", "").replace("/l/b02", "")
            }
            Channel::Locations => call.path,
        };
        let called = program.confirmed(&headers, &path, &call.tool, call.arguments);
        called.await;
    }
}

impl StdioProgram {
    /// Performs the handshake with a program that was just started.
    pub(super) async fn greet(mut child: Child) -> Self {
        let stdin = child.stdin.take().expect("stdin");
        let stdout = child.stdout.take().expect("stdout");
        let mut program = Self {
            _child: child,
            stdin,
            lines: BufReader::new(stdout).lines(),
        };
        let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "cases", "version": "1"}});
        program.request("initialize", hello).await;
        program
            .write(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            .await;
        program
    }

    pub(super) async fn call(&mut self, call: RandomCall) {
        let params = json!({"name": call.tool, "arguments": call.arguments});
        self.request("tools/call", params).await;
    }

    async fn request(&mut self, method: &str, params: Value) {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.write(&request).await;
        let line = self.lines.next_line().await.expect("a line");
        let answer: Value = serde_json::from_str(&line.expect("a frame")).expect("JSON");
        assert_eq!(answer["id"], 1, "{answer}");
    }

    async fn write(&mut self, frame: &Value) {
        let frame = format!("{frame}\n");
        let written = self.stdin.write_all(frame.as_bytes());
        written.await.expect("written");
    }
}
