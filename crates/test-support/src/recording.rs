//! The fake HighLevel over HTTP: it records every request and answers as a test requires.

use std::future::{Future, ready};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// One request as received.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    pub method: Method,
    /// Path and query as received.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    status: Arc<OnceLock<u16>>,
}

impl RecordedRequest {
    /// A GET of `target` that nobody sent.
    pub fn get(target: &str) -> Self {
        Self {
            method: Method::GET,
            target: target.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            status: Arc::default(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The bearer token; empty if there is none.
    pub fn token(&self) -> &str {
        let token = self.header("authorization");
        let token = token.and_then(|header| header.strip_prefix("Bearer "));
        token.unwrap_or_default()
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A value of the query.
    pub fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let found = pairs.find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned())
    }

    /// The body as a form: an object of texts.
    pub fn form(&self) -> Value {
        let fields = form_urlencoded::parse(&self.body).into_owned();
        Value::Object(fields.map(|(name, value)| (name, value.into())).collect())
    }

    /// The body as JSON, or else as a form.
    pub fn fields(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| self.form())
    }

    /// Status of the answer; `None` until it is given.
    pub fn status(&self) -> Option<u16> {
        self.status.get().copied()
    }

    /// It changed something: a successful write that is not an exchange of a token.
    pub fn is_done_write(&self) -> bool {
        let is_write = self.method != Method::GET && !self.path().starts_with("/oauth/");
        is_write && self.status().is_some_and(|status| status < 300)
    }
}

/// Runs until the test ends.
pub struct Recording {
    pub url: String,
    requests: Arc<Mutex<Vec<RecordedRequest>>>,
}

impl Recording {
    /// Starts on a free port.
    pub async fn start(
        answer: impl Fn(&RecordedRequest) -> Response + Send + Sync + 'static,
    ) -> Self {
        Self::start_async(move |request| ready(answer(&request))).await
    }

    /// A fake with slow answers. It gives no answer that its caller no longer waits for.
    pub async fn start_async<F>(
        answer: impl Fn(RecordedRequest) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Response> + Send + 'static,
    {
        let requests = Arc::default();
        let url = serve(answer, Some(Arc::clone(&requests)));
        Self { url, requests }
    }

    /// A fake that keeps no requests, for loads whose record would fill the memory.
    pub async fn unrecorded<F>(
        answer: impl Fn(RecordedRequest) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Response> + Send + 'static,
    {
        Self {
            url: serve(answer, None),
            requests: Arc::default(),
        }
    }

    /// A fake that answers everything with this status and body.
    pub async fn always(status: u16, body: &'static str) -> Self {
        Self::start(move |_| json(status, body)).await
    }

    /// The requests so far, removed from the record.
    pub fn take(&self) -> Vec<RecordedRequest> {
        std::mem::take(&mut self.requests())
    }

    /// The requests so far, since the last removal.
    pub fn seen(&self) -> Vec<RecordedRequest> {
        self.requests().clone()
    }

    /// The number of requests for which `is_such` is true.
    pub fn count(&self, is_such: impl Fn(&RecordedRequest) -> bool) -> usize {
        self.requests().iter().filter(|one| is_such(one)).count()
    }

    /// The number of requests that changed something.
    pub fn writes(&self) -> usize {
        self.count(RecordedRequest::is_done_write)
    }

    fn requests(&self) -> MutexGuard<'_, Vec<RecordedRequest>> {
        self.requests.lock().expect("the lock")
    }
}

pub fn json(status: u16, body: impl Into<String>) -> Response {
    let status = axum::http::StatusCode::from_u16(status).expect("a status");
    let header = [("content-type", "application/json")];
    (status, header, body.into()).into_response()
}

/// Serves on a free port. Returns the URL.
fn serve<F>(
    answer: impl Fn(RecordedRequest) -> F + Send + Sync + 'static,
    requests: Option<Arc<Mutex<Vec<RecordedRequest>>>>,
) -> String
where
    F: Future<Output = Response> + Send + 'static,
{
    let shared = Arc::new((answer, requests));
    let respond = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
        let shared = Arc::clone(&shared);
        async move {
            let (answer, requests) = &*shared;
            let request = RecordedRequest {
                method,
                target: uri.to_string(),
                headers,
                body,
                status: Arc::default(),
            };
            if let Some(requests) = requests {
                requests.lock().expect("the lock").push(request.clone());
            }
            let status = Arc::clone(&request.status);
            let response = answer(request).await;
            // Nobody else sets it.
            let _ = status.set(response.status().as_u16());
            response
        }
    };
    let router = Router::new().fallback(respond);
    let router = router.layer(DefaultBodyLimit::disable());
    let (listener, url) = super::listen();
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}
