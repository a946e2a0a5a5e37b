//! A HighLevel that records every request and answers as a test tells it.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    pub method: Method,
    /// Path and query as they were written.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl RecordedRequest {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Runs until the test ends.
pub struct Recording {
    pub url: String,
    requests: Arc<Mutex<Vec<RecordedRequest>>>,
}

type AnswerFn = Arc<dyn Fn(&RecordedRequest) -> Response + Send + Sync>;
type RecordingState = (Arc<Mutex<Vec<RecordedRequest>>>, AnswerFn);

impl Recording {
    /// Starts on a free port.
    pub async fn start(
        answer: impl Fn(&RecordedRequest) -> Response + Send + Sync + 'static,
    ) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let shared: RecordingState = (Arc::clone(&requests), Arc::new(answer));
        let router = Router::new().fallback(record).with_state(shared);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, requests }
    }

    /// One that answers everything with this status and body.
    pub async fn always(status: u16, body: &'static str) -> Self {
        Self::start(move |_| json(status, body)).await
    }

    /// What arrived so far, taken out.
    pub fn take(&self) -> Vec<RecordedRequest> {
        std::mem::take(&mut self.requests.lock().expect("the lock"))
    }
}

pub fn json(status: u16, body: impl Into<String>) -> Response {
    let status = axum::http::StatusCode::from_u16(status).expect("a status");
    let header = [("content-type", "application/json")];
    (status, header, body.into()).into_response()
}

async fn record(
    State((requests, answer)): State<RecordingState>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let recorded = RecordedRequest {
        method,
        target: uri.to_string(),
        headers,
        body,
    };
    let response = answer(&recorded);
    requests.lock().expect("the lock").push(recorded);
    response
}
