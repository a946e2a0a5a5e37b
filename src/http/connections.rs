//! Accepts connections until told to stop, then lets running calls finish.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, interval, sleep_until, timeout};
use tower::ServiceExt;

use crate::config;
use crate::http::client_address::Peer;
use crate::http::connection_limiter::{ConnectionLimiter, ConnectionPermit};
use crate::http::idle_timeout::{Clock, WatchedStream};
use crate::http::stopping::Stopping;
use crate::http::streamed_body::StreamedBody;
use crate::http::watched_body::WatchedBody;
use crate::telemetry::Metrics;

/// Pause after a failed accept: running out of file descriptors, for example, passes.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Most refused connections that get an answer at the same time. Further ones are closed without one.
const REFUSALS: usize = 256;

/// Largest head of a request, in bytes. It is held before anything is known of the sender. hyper accepts 400 KiB, which
/// with 2,048 connections is 800 MiB from one address.
const LARGEST_HEAD: usize = 32 << 10;

/// Longest time for a refusal to arrive.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n\
connection: close\r\ncontent-length: 90\r\n\r\n\
{\"error\":\"temporarily_unavailable\",\"error_description\":\"There are too many connections.\"}\n";

/// Connections that may wait to be accepted. A thousand clients at once overflow the usual 1024, and those left out
/// retry a second later.
const BACKLOG: u32 = 4096;

/// Listens on `address`.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves `router` on `listener` until `shutdown`, whose output is how long connections are still accepted.
/// `axum::serve` sets no deadlines, so a client that sends its request slowly would hold its connection for ever.
pub async fn run(
    listener: TcpListener,
    router: Router,
    stopping: Stopping,
    settings: &config::ServerSettings,
    metrics: &Arc<Metrics>,
    shutdown: impl Future<Output = Duration>,
) {
    let limiter = Arc::new(ConnectionLimiter::new(settings, Arc::clone(metrics)));
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    let (ending, ended) = watch::channel(());
    let serving = Serving {
        router,
        metrics: Arc::clone(metrics),
        stopping: stopping.clone(),
        head: Duration::from_millis(settings.header_timeout_ms),
        idle: Duration::from_millis(settings.idle_timeout_ms),
        ended,
    };
    let mut shutdown = pin!(shutdown);
    let mut drained = Instant::now();
    // A load balancer sends new connections until it notices the shutdown. Without one, only connected clients are
    // waited for.
    let is_balanced = settings.is_behind_proxy() || !settings.listen.ip().is_loopback();
    let mut look = interval(Duration::from_millis(20));
    loop {
        let stops = stopping.has_begun();
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => match limiter.acquire(address.ip()) {
                    Some(entry) => {
                        let peer = Peer(address.ip());
                        tokio::spawn(serving.clone().serve(stream, peer, entry));
                    }
                    None => {
                        metrics.refused_connections.inc();
                        refuse(stream, &refusals);
                    }
                },
                Err(error) => pause_after(&error).await,
            },
            drain = &mut shutdown, if !stops => {
                stopping.begin();
                drained = Instant::now() + drain;
            }
            () = sleep_until(drained), if stops => break,
            _ = look.tick(), if stops && !is_balanced => if limiter.count() == 0 { break },
        }
    }
    drop((listener, serving));
    ending.send_replace(());
    let grace = Duration::from_millis(settings.shutdown_grace_ms);
    if timeout(grace, ending.closed()).await.is_err() {
        tracing::warn!(
            "calls under way were cut off after {} ms",
            grace.as_millis()
        );
    }
}

/// Everything that one connection needs.
#[derive(Clone)]
struct Serving {
    router: Router,
    metrics: Arc<Metrics>,
    stopping: Stopping,
    head: Duration,
    idle: Duration,
    /// Changes when the server ends, and shows the server how many connections are left.
    ended: watch::Receiver<()>,
}

/// A connection at rest, which hyper does not hold.
struct Resting {
    stream: TcpStream,
    /// Bytes that hyper had read but not used: the beginning of a request.
    read: Bytes,
    /// The remaining idle time.
    left: Duration,
}

impl Serving {
    async fn serve(mut self, stream: TcpStream, peer: Peer, _entry: ConnectionPermit) {
        // Sends small answers at once. Otherwise they wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        let mut resting = Resting {
            stream,
            read: Bytes::new(),
            left: self.idle,
        };
        loop {
            // hyper's buffers take 16 KiB, so it starts only when there are bytes to read.
            if resting.read.is_empty() {
                let mut first = [0];
                tokio::select! {
                    peeked = timeout(resting.left, resting.stream.peek(&mut first)) => match peeked {
                        Ok(Ok(1..)) => {}
                        _ => return,
                    },
                    _ = self.ended.changed() => return,
                }
            }
            // A separate future on the heap, so that connections at rest stay small.
            match Box::pin(self.answer(resting, peer)).await {
                Some(again) => resting = again,
                None => return,
            }
        }
    }

    /// Serves the connection until it ends or rests. A resting connection is returned.
    async fn answer(&mut self, resting: Resting, peer: Peer) -> Option<Resting> {
        let clock = Arc::new(Clock::new(self.head, self.idle));
        let (router, watched) = (self.router.clone(), Arc::clone(&clock));
        let (metrics, stopping) = (Arc::clone(&self.metrics), self.stopping.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            watched.answering();
            let (mut parts, body) = request.into_parts();
            parts.extensions.insert(peer);
            let (body, rest) = WatchedBody::new(body);
            let request = Request::from_parts(parts, body);
            let (router, watched) = (router.clone(), Arc::clone(&watched));
            let (metrics, stopping) = (Arc::clone(&metrics), stopping.clone());
            // On the heap, because hyper does not give the connection back otherwise.
            Box::pin(async move {
                let mut answer = router.oneshot(request).await;
                if let Ok(answer) = &mut answer {
                    metrics.answered(answer.status().as_u16());
                    if !rest.read_out().await || stopping.has_begun() {
                        // Otherwise the client would reuse a connection that is about to end: hyper ends it if a
                        // request was not read.
                        let close = HeaderValue::from_static("close");
                        answer.headers_mut().insert(CONNECTION, close);
                    }
                    watched.answered(answer.body().size_hint().exact().is_some());
                }
                let clock = watched;
                answer.map(|answer| match answer.body().size_hint().exact() {
                    Some(_) => answer,
                    None => answer.map(|body| Body::new(StreamedBody { body, clock })),
                })
            })
        });
        let stream = WatchedStream {
            stream: resting.stream,
            read: resting.read,
            clock: Arc::clone(&clock),
        };
        let mut connection = http1::Builder::new()
            .max_buf_size(LARGEST_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let mut ends = false;
        loop {
            let rests = tokio::select! {
                // hyper first: pending work must not count as rest.
                biased;
                ended = &mut connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "connection ended");
                    }
                    return None;
                }
                () = clock.ran_out() => {
                    tracing::debug!("connection ended: its time ran out");
                    return None;
                }
                _ = self.ended.changed(), if !ends => false,
                () = clock.rests(), if !ends => true,
            };
            ends = true;
            // An idle hyper ends at once and silently.
            Pin::new(&mut connection).graceful_shutdown();
            let ended = poll_fn(|context| Poll::Ready(connection.poll_without_shutdown(context)));
            if rests && let Poll::Ready(Ok(())) = ended.await {
                let parts = connection.into_parts();
                return Some(Resting {
                    stream: parts.io.into_inner().stream,
                    // A copy, because even an empty slice keeps the whole buffer alive.
                    read: Bytes::copy_from_slice(&parts.read_buf),
                    left: clock.left(),
                });
            }
        }
    }
}

/// Answers 503 and waits for the client to read it: unread bytes from the client would turn the end into a reset.
fn refuse(mut stream: TcpStream, refusals: &Arc<Semaphore>) {
    let Ok(place) = Arc::clone(refusals).try_acquire_owned() else {
        return;
    };
    tokio::spawn(async move {
        let _ = timeout(REFUSAL_TIMEOUT, async {
            stream.write_all(REFUSAL).await?;
            stream.shutdown().await?;
            let mut rest = [0; 512];
            while stream.read(&mut rest).await? > 0 {}
            io::Result::Ok(())
        })
        .await;
        drop(place);
    });
}

async fn pause_after(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}
