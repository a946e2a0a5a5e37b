//! A client that writes its request as bytes: it takes as little as possible of the cores that it shares with the server.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// One connection of one tenant, made at its first use.
pub(crate) struct Client {
    address: SocketAddr,
    request: Vec<u8>,
    stream: Option<TcpStream>,
}

impl Client {
    pub(crate) fn new(url: &str, tenant: usize) -> Self {
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"contacts_get-contact","arguments":{"contactId":"c1"}}}"#;
        let request = format!(
            "POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer pit-{tenant}\r\nlocationid: L{tenant}\r\n\
             content-type: application/json\r\naccept: application/json, text/event-stream\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        Self {
            address: url
                .trim_start_matches("http://")
                .parse()
                .expect("an address"),
            request: request.into_bytes(),
            stream: None,
        }
    }

    pub(crate) async fn connect(&mut self) -> &mut TcpStream {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.address)
                .await
                .expect("a connection");
            let _ = stream.set_nodelay(true);
            self.stream = Some(stream);
        }
        self.stream.as_mut().expect("a connection")
    }

    /// Calls the tool: the HTTP status, or 0 where the answer is a tool's error.
    pub(crate) async fn call(&mut self) -> u16 {
        let request = std::mem::take(&mut self.request);
        let answer = self.ask(&request).await;
        self.request = request;
        let (status, body) = answer;
        if body.contains("\"isError\":true") {
            0
        } else {
            status
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> u16 {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        self.ask(request.as_bytes()).await.0
    }

    /// Sends these bytes: the HTTP status, and the body.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> (u16, String) {
        let stream = self.connect().await;
        stream.write_all(request).await.expect("written");
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let read = stream.read(&mut buffer).await.expect("an answer");
            assert!(read > 0, "the connection ended");
            answer.extend_from_slice(&buffer[..read]);
            let text = String::from_utf8_lossy(&answer);
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .and_then(|length| length.parse::<usize>().ok())
                .expect("a length");
            if body.len() >= length {
                let status = head[9..12].parse().expect("a status");
                return (status, body.to_owned());
            }
        }
    }
}

/// So many connections, from five addresses, that have sent half a request.
pub(crate) async fn hold(url: &str, connections: usize) -> Vec<TcpStream> {
    let address: SocketAddr = url
        .trim_start_matches("http://")
        .parse()
        .expect("an address");
    let mut held = Vec::new();
    for number in 0..connections {
        let socket = TcpSocket::new_v4().expect("a socket");
        let own = format!("127.0.0.{}:0", 2 + number % 5);
        socket
            .bind(own.parse().expect("an address"))
            .expect("an address of this machine");
        let mut stream = socket.connect(address).await.expect("a connection");
        stream
            .write_all(b"POST /mcp HTTP/1.1\r\nx-a: ")
            .await
            .expect("written");
        held.push(stream);
    }
    held
}

pub(crate) fn percentile(mut taken: Vec<Duration>, percent: usize) -> Duration {
    taken.sort_unstable();
    let place = taken.len() * percent / 100;
    taken
        .get(place.min(taken.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}
