//! `stdio --url`: relays MCP between stdin and stdout and a remote server, with this program's login there or with an
//! access key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};

use super::keeper::RelayCredential;
use super::sse::{LARGEST, SseLines};
use crate::cli::CliError;
use crate::cli::web::{ServerAddress, why};
use crate::mcp::{BoundedLine, BoundedLines, StdioLimits};

/// Most requests at the server at a time. Further ones wait here, so that a cancellation or an answer of the user behind
/// them is still read.
const MOST_SENT: usize = 64;

/// Most open requests, with those that wait.
const MOST_OPEN: usize = 256;

/// Lines that wait for stdout.
const MOST_LINES: usize = 256;

/// JSON-RPC: the server has failed.
const SERVER_ERROR: i64 = -32_000;

pub(super) struct Relay {
    http: reqwest::Client,
    address: ServerAddress,
    credential: RelayCredential,
    /// The result of the handshake.
    handshake: Mutex<Handshake>,
    lines: mpsc::Sender<String>,
}

#[derive(Clone, Default)]
struct Handshake {
    version: Option<HeaderValue>,
    session: Option<HeaderValue>,
}

/// The parts of a client's frame that the relay needs.
#[derive(Deserialize)]
struct ClientFrame {
    id: Option<Value>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
}

impl Relay {
    /// Runs until stdin ends and all requests are answered, or the time for that is over.
    pub(super) async fn run(
        http: reqwest::Client,
        address: ServerAddress,
        credential: RelayCredential,
        limits: StdioLimits,
    ) -> Result<(), CliError> {
        let (lines, written) = mpsc::channel(MOST_LINES);
        let writing = tokio::spawn(write(written));
        let relay = Arc::new(Self {
            http,
            address,
            credential,
            handshake: Mutex::default(),
            lines,
        });
        let room = Arc::new(Semaphore::new(MOST_SENT));
        let mut open = JoinSet::new();
        let mut requests = HashMap::<String, AbortHandle>::new();
        let mut input = BoundedLines::new(tokio::io::stdin(), limits.frame_bytes);
        loop {
            let line = match input.next().await? {
                BoundedLine::Whole(line) => line,
                BoundedLine::TooLong(id) => {
                    let most = limits.frame_bytes;
                    let id = serde_json::to_value(id).unwrap_or_default();
                    relay
                        .refuse(&id, &format!("The request is larger than {most} bytes."))
                        .await;
                    continue;
                }
                BoundedLine::End => break,
            };
            let line = line.trim_ascii().to_vec();
            if line.is_empty() {
                continue;
            }
            let Ok(frame) = serde_json::from_slice::<ClientFrame>(&line) else {
                relay
                    .refuse(&Value::Null, "The line is not a JSON-RPC frame.")
                    .await;
                continue;
            };
            let handshake = frame.method.as_deref() == Some("initialize");
            if frame.id.is_none() || frame.method.is_none() || handshake {
                // In order: later frames may depend on these.
                if frame.method.as_deref() == Some("notifications/cancelled") {
                    let gone = requests.remove(&frame.params["requestId"].to_string());
                    gone.inspect(AbortHandle::abort);
                }
                relay.carry(frame, line).await;
                continue;
            }
            while open.try_join_next().is_some() {}
            requests.retain(|_, request| !request.is_finished());
            let id = frame.id.clone().unwrap_or_default();
            if open.len() >= MOST_OPEN {
                let what =
                    format!("{MOST_OPEN} requests are open. Wait for an answer to one of them.");
                relay.refuse(&id, &what).await;
                continue;
            }
            let (relay, room) = (Arc::clone(&relay), Arc::clone(&room));
            let request = open.spawn(async move {
                // The semaphore is never closed.
                let _place = room.acquire().await;
                relay.carry(frame, line).await;
            });
            requests.insert(id.to_string(), request);
        }
        let finish = async { while open.join_next().await.is_some() {} };
        // Requests that are unanswered by then are given up.
        let _ = tokio::time::timeout(limits.grace, finish).await;
        drop(open);
        drop(relay);
        writing.await??;
        Ok(())
    }

    /// Sends a frame, and writes the answer.
    async fn carry(&self, frame: ClientFrame, line: Vec<u8>) {
        let id = frame.id.clone().filter(|_| frame.method.is_some());
        if let Err(sentence) = self.exchange(&frame, line).await {
            match id {
                Some(id) => self.refuse(&id, &sentence).await,
                None => tracing::warn!(reason = sentence, "a message was not delivered"),
            }
        }
    }

    async fn exchange(&self, frame: &ClientFrame, line: Vec<u8>) -> Result<(), String> {
        let access = self.credential.access().await?;
        let mut response = self.post(frame, line.clone(), &access.token).await?;
        if response.status().as_u16() == 401 {
            // The token was revoked, or has expired by the server's clock.
            if let Some(access) = self.credential.renew(access.generation).await? {
                response = self.post(frame, line, &access.token).await?;
            }
        }
        let status = response.status().as_u16();
        if frame.method.as_deref() == Some("initialize") {
            self.handshake().session = response.headers().get("mcp-session-id").cloned();
        }
        let content = response.headers().get("content-type");
        let content = content
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if content.starts_with("text/event-stream") {
            let mut events = SseLines::default();
            while let Some(part) = response.chunk().await.map_err(|error| self.lost(&error))? {
                for data in events.feed(&part) {
                    self.write(&data).await;
                }
                if events.is_too_large() {
                    return Err(self.too_large());
                }
            }
            return Ok(());
        }
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.lost(&error))? {
            body.extend_from_slice(&part);
            if body.len() > LARGEST {
                return Err(self.too_large());
            }
        }
        if body.trim_ascii().is_empty() && status < 300 {
            return Ok(());
        }
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if answer.get("jsonrpc").is_some() || answer.is_array() {
            if frame.method.as_deref() == Some("initialize") {
                let version = answer["result"]["protocolVersion"].as_str();
                self.handshake().version =
                    version.and_then(|text| HeaderValue::from_str(text).ok());
            }
            self.write(&answer.to_string()).await;
            return Ok(());
        }
        let words = answer["error_description"].as_str();
        let words = words.unwrap_or("and no JSON-RPC");
        Err(format!(
            "The server at {} answers {status}: {words}",
            self.address.origin
        ))
    }

    async fn post(
        &self,
        frame: &ClientFrame,
        line: Vec<u8>,
        token: &secrecy::SecretString,
    ) -> Result<reqwest::Response, String> {
        let Handshake { version, session } = self.handshake().clone();
        let mut request = self
            .http
            .post(self.address.endpoint.clone())
            .bearer_auth(token.expose_secret())
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        // Since 2026-07-28 each request carries its version, and headers repeat it.
        let own = frame.params["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str();
        match (own, version) {
            (Some(own), _) => {
                request = request.header("mcp-protocol-version", own);
                request = request.header("mcp-method", frame.method.as_deref().unwrap_or_default());
                let name = frame.params["name"]
                    .as_str()
                    .or_else(|| frame.params["uri"].as_str());
                if let Some(name) = name {
                    request = request.header("mcp-name", name);
                }
            }
            (None, Some(version)) => request = request.header("mcp-protocol-version", version),
            (None, None) => {}
        }
        if let Some(session) = session {
            request = request.header("mcp-session-id", session);
        }
        request
            .body(line)
            .send()
            .await
            .map_err(|error| self.lost(&error))
    }

    fn lost(&self, error: &reqwest::Error) -> String {
        format!(
            "The server at {} cannot be reached: {}. It is not known whether the call was made.",
            self.address.origin,
            why(error)
        )
    }

    fn too_large(&self) -> String {
        format!(
            "The answer of the server at {} is larger than {LARGEST} bytes.",
            self.address.origin
        )
    }

    async fn refuse(&self, id: &Value, sentence: &str) {
        let error = json!({"code": SERVER_ERROR, "message": sentence});
        let frame = json!({"jsonrpc": "2.0", "id": id, "error": error});
        self.write(&frame.to_string()).await;
    }

    async fn write(&self, line: &str) {
        // If nobody reads any more, stdin ends, too.
        let _ = self.lines.send(line.to_owned()).await;
    }

    fn handshake(&self) -> std::sync::MutexGuard<'_, Handshake> {
        self.handshake
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes one whole line after the other.
async fn write(mut lines: mpsc::Receiver<String>) -> std::io::Result<()> {
    let mut stdout = tokio::io::stdout();
    while let Some(line) = lines.recv().await {
        stdout.write_all(format!("{line}\n").as_bytes()).await?;
        stdout.flush().await?;
    }
    Ok(())
}

/// It waits ten minutes for the next part of an answer: a call may wait for a person.
pub(super) fn patient_client() -> Result<reqwest::Client, CliError> {
    crate::cli::web::client_with(|builder| builder.read_timeout(Duration::from_secs(600)))
}
