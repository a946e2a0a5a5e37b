//! The fake HighLevel of bytes: for requests that HTTP libraries refuse to send, and for the fate of connections.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Runs until the test ends.
pub struct Wire {
    pub url: String,
    requests: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

/// A step after a request was read.
#[derive(Clone, Debug)]
pub enum Step {
    Send(Vec<u8>),
    Pause(Duration),
    /// The bytes one by one, this many milliseconds apart, repeatedly.
    Trickle(&'static [u8], u64),
    /// The same bytes this many times.
    Flood(Vec<u8>, usize),
    /// Ends the connection like a crashed peer.
    Reset,
    Close,
}

pub fn send(bytes: impl AsRef<[u8]>) -> Step {
    Step::Send(bytes.as_ref().to_vec())
}

/// A complete answer with this status line, further headers and body; JSON unless the headers say otherwise.
pub fn whole(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Step {
    let body = body.as_ref();
    let kind = match headers.contains("content-type:") {
        true => "",
        false => "content-type: application/json\r\n",
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{kind}{headers}content-length: {length}\r\n\r\n");
    Step::Send([head.as_bytes(), body].concat())
}

impl Wire {
    /// Answers the nth request, from 0, by the steps of `script`.
    pub async fn start(script: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::start_with(move |number, _| script(number)).await
    }

    /// The same with the request as an argument of the script.
    pub async fn start_with(
        script: impl Fn(usize, &str) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let shared = Arc::new((Arc::clone(&requests), script));
        let mut wire = Self::connections(move |mut stream| {
            let shared = Arc::clone(&shared);
            async move {
                let (requests, script) = &*shared;
                while let Some(request) = read_request(&mut stream).await {
                    let number = requests.fetch_add(1, Ordering::SeqCst);
                    let steps = script(number, &String::from_utf8_lossy(&request));
                    if !play(&mut stream, steps).await {
                        return;
                    }
                }
                // The peer ended it: a reset frees its port at once, instead of after a minute, for thousands of
                // connections.
                reset(&stream);
            }
        })
        .await;
        wire.requests = requests;
        wire
    }

    /// Passes each connection to `serve`.
    pub async fn connections<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (listener, url) = super::listen();
        let open = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&open);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (counter, served) = (Arc::clone(&counter), serve(stream));
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    served.await;
                    counter.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            url,
            requests: Arc::default(),
            open,
            accepting,
        }
    }

    /// The number of completely read requests.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// The number of open connections.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Stops listening.
    pub async fn stop(self) {
        self.accepting.abort();
        // It was ended.
        let _ = self.accepting.await;
    }
}

/// Whether the connection continues.
async fn play(stream: &mut TcpStream, steps: Vec<Step>) -> bool {
    for step in steps {
        let sent = match step {
            Step::Send(bytes) => stream.write_all(&bytes).await,
            Step::Pause(pause) => {
                let mut byte = [0];
                tokio::select! {
                    () = tokio::time::sleep(pause) => Ok(()),
                    // Nothing more is sent before the answer: the peer has gone.
                    _ = stream.peek(&mut byte) => return false,
                }
            }
            Step::Trickle(bytes, millis) => trickle(stream, bytes, millis).await,
            Step::Flood(bytes, times) => flood(stream, &bytes, times).await,
            Step::Reset => {
                reset(stream);
                return false;
            }
            Step::Close => {
                let _ = stream.shutdown().await;
                return false;
            }
        };
        if sent.is_err() {
            return false;
        }
    }
    true
}

async fn trickle(stream: &mut TcpStream, bytes: &[u8], millis: u64) -> std::io::Result<()> {
    loop {
        for byte in bytes {
            stream.write_all(&[*byte]).await?;
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
    }
}

async fn flood(stream: &mut TcpStream, bytes: &[u8], times: usize) -> std::io::Result<()> {
    for _ in 0..times {
        stream.write_all(bytes).await?;
    }
    Ok(())
}

/// The next close of the socket sends a reset instead of an orderly end.
pub fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// Head and body of one request; `None` if the peer has gone.
pub async fn read_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16_384];
    loop {
        if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .and_then(|length| length.trim().parse::<usize>().ok())
                .unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                return Some(bytes);
            }
        }
        let read = stream
            .read(&mut buffer)
            .await
            .ok()
            .filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
    }
}
