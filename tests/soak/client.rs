//! An agent's side of MCP over HTTP, written as bytes: connections that it cuts, and the outcome of each request.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for an answer; many clients give up then.
const LONGEST: Duration = Duration::from_secs(60);

/// The outcome of a request.
#[derive(Debug)]
pub(crate) enum Reply {
    /// It was sent, and no answer came.
    Lost,
    /// HTTP's own status, and the body.
    Answer(u16, String),
}

/// The result of a call.
#[derive(Clone, Debug)]
pub(crate) enum CallResult {
    Done(Value),
    /// The token that confirms the preview.
    Preview(String),
    /// Nothing happened: the class of the reason, and the time to wait.
    Nothing(String, Option<Duration>),
    /// It is running at some instance.
    UnderWay,
    /// It may or may not have happened.
    Unknown,
    /// The server accepted no request: its status.
    Refused(u16),
    NotConnected,
    Lost,
}

/// Connections of one agent, one to each instance.
pub(crate) struct Client {
    key: String,
    open: Vec<Option<TcpStream>>,
}

impl Client {
    pub(crate) fn new(key: &str, instances: usize) -> Self {
        Self {
            key: key.to_owned(),
            open: std::iter::repeat_with(|| None).take(instances).collect(),
        }
    }

    /// Calls a tool at an instance. If `cut` is set, the connection is cut after that time, answered or not.
    pub(crate) async fn call(
        &mut self,
        (instance, address): (usize, SocketAddr),
        (tool, arguments): (&str, &Value),
        cut: Option<Duration>,
    ) -> CallResult {
        let params = json!({"name": tool, "arguments": arguments});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let body = body.to_string();
        let request = format!(
            "POST /mcp/orchestrator HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\naccept: application/json, text/event-stream\r\n\
             content-length: {}\r\n\r\n{body}",
            self.key,
            body.len()
        );
        let kept = &mut self.open[instance];
        let Some(mut stream) = connected(kept.take(), address).await else {
            return CallResult::NotConnected;
        };
        let limit = cut.unwrap_or(LONGEST);
        match timeout(limit, ask(&mut stream, request.as_bytes())).await {
            Ok(Some((status, body, stays))) => {
                if stays && cut.is_none() {
                    *kept = Some(stream);
                }
                read(Reply::Answer(status, body))
            }
            _ => read(Reply::Lost),
        }
    }
}

/// The status of a GET without a credential. `None` if nobody answers within a second.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Option<u16> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let asked = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        ask(&mut stream, request.as_bytes()).await
    };
    let answer = timeout(Duration::from_secs(1), asked).await.ok()?;
    answer.map(|(status, ..)| status)
}

/// The open connection, or a new one.
async fn connected(kept: Option<TcpStream>, address: SocketAddr) -> Option<TcpStream> {
    if let Some(stream) = kept
        && matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    {
        return Some(stream);
    }
    let stream = TcpStream::connect(address).await.ok()?;
    stream.set_nodelay(true).ok()?;
    Some(stream)
}

/// Status, body, and whether the connection stays open. `None` if it ended before.
async fn ask(stream: &mut TcpStream, request: &[u8]) -> Option<(u16, String, bool)> {
    stream.write_all(request).await.ok()?;
    let mut answer = Vec::new();
    let mut buffer = [0; 16_384];
    loop {
        let read = stream.read(&mut buffer).await.ok()?;
        if read == 0 {
            return None;
        }
        answer.extend_from_slice(&buffer[..read]);
        let Some(end) = answer.windows(4).position(|part| part == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .map_or(Some(0), |length| length.trim().parse().ok())?;
        if answer.len() >= end + 4 + length {
            let status = head.get(9..12)?.parse().ok()?;
            let body = String::from_utf8_lossy(&answer[end + 4..]).into_owned();
            let stays = !head.contains("connection: close");
            return Some((status, body, stays));
        }
    }
}

/// The call's result in the reply.
fn read(reply: Reply) -> CallResult {
    let (status, body) = match reply {
        Reply::Lost => return CallResult::Lost,
        Reply::Answer(status, body) => (status, body),
    };
    let result: Option<Value> = serde_json::from_str(&body).ok();
    let result = result.filter(|_| status == 200);
    let Some(result) = result.as_ref().and_then(|reply| reply.get("result")) else {
        return CallResult::Refused(status);
    };
    let text = result["content"][0]["text"].as_str().unwrap_or_default();
    let answer: Value = serde_json::from_str(text).unwrap_or_default();
    if let Some(token) = answer["confirm"].as_str() {
        return CallResult::Preview(token.to_owned());
    }
    if result["isError"] != true || answer.get("outcomes").is_some() {
        return CallResult::Done(answer);
    }
    let what = answer["error"].as_str().unwrap_or_default();
    match answer["class"].as_str().unwrap_or_default() {
        "unknown_outcome" => CallResult::Unknown,
        _ if what.contains("still under way") => CallResult::UnderWay,
        _ if what.contains("are used up") => CallResult::Nothing("cap".to_owned(), None),
        "refused" if !what.starts_with("Nothing was sent") => {
            CallResult::Nothing(format!("refused: {what}"), None)
        }
        "refused" => CallResult::Nothing(
            "refused".to_owned() + &what["Nothing was sent".len()..],
            None,
        ),
        class => {
            let wait = answer["retryAfterMs"].as_u64().map(Duration::from_millis);
            CallResult::Nothing(class.to_owned(), wait)
        }
    }
}
