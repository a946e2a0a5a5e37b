//! Sends prepared requests to HighLevel and judges what comes back.

use std::error::Error;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{ACCEPT, AUTHORIZATION, DATE, HeaderName, HeaderValue};
use reqwest::{Request, Response, Url, redirect};
use serde::de::IgnoredAny;

use crate::config;
use crate::highlevel::failure::{Class, Failure};
use crate::highlevel::{Caller, template, verdict};
use crate::runtime::prepare::Upstream;
use crate::runtime::tool::{Effect, Tool};

/// HighLevel's proxy refuses some default agents of HTTP libraries (Cloudflare 1010).
const USER_AGENT: &str = concat!("highlevel-mcp/", env!("CARGO_PKG_VERSION"));

const VERSION: HeaderName = HeaderName::from_static("version");

/// Sent by progenitor with every request; not a header that HighLevel knows.
const API_VERSION: HeaderName = HeaderName::from_static("api-version");

/// The one path to the network. Cheap to clone; one connection pool for the whole process.
#[derive(Clone)]
pub struct Transport {
    upstream: Upstream,
    base: Url,
    max_response_bytes: usize,
    simulated: bool,
}

/// What asking for nothing in particular told.
#[derive(Debug)]
pub struct Reached {
    pub took: Duration,
    /// Seconds by which HighLevel's clock is ahead of ours.
    pub ahead: Option<i64>,
}

/// A successful answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// JSON text.
    pub body: String,
}

impl Transport {
    /// Fails where the base URL is no http(s) URL or the client cannot be made.
    pub fn new(settings: &config::Upstream) -> Result<Self, String> {
        let base_url = settings.base_url.trim_end_matches('/').to_owned();
        let base = Url::parse(&base_url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| format!("upstream.base_url {base_url:?} is no http or https URL"))?;
        // An error means that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
            .timeout(Duration::from_millis(settings.total_timeout_ms))
            .build()
            .map_err(|error| format!("the HTTP client cannot be made: {error}"))?;
        Ok(Self {
            upstream: Upstream { base_url, http },
            base,
            max_response_bytes: settings.max_response_bytes,
            simulated: settings.simulated,
        })
    }

    /// What the generated handlers build requests for.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Whether HighLevel is the built-in sandbox.
    pub fn is_simulated(&self) -> bool {
        self.simulated
    }

    /// `request` as it would leave, or why it would not.
    pub fn ready(
        &self,
        tool: &Tool,
        mut request: Request,
        caller: &Caller,
    ) -> Result<Request, Failure> {
        template::check(&self.base, tool.path, request.url()).map_err(|what| {
            Failure::new(Class::Refused, format!("The request was not sent: {what}."))
        })?;
        dress(&mut request, tool, caller)?;
        Ok(request)
    }

    /// Asks the base URL for anything, without a credential.
    pub async fn reach(&self) -> Result<Reached, Failure> {
        let start = Instant::now();
        let request = self.upstream.http.get(self.base.clone());
        let response = request.send().await.map_err(|error| {
            Failure::new(
                Class::Upstream,
                format!("{} cannot be reached: {}.", self.base, innermost(&error)),
            )
            .with_remedy("Check the network, proxies and upstream.base_url.")
        })?;
        let date = response.headers().get(DATE);
        let date = date.and_then(|date| rfc2822::parse(date.to_str().ok()?).ok());
        let ahead = date.map(|date| date.timestamp().as_second() - Timestamp::now().as_second());
        let took = start.elapsed();
        Ok(Reached { took, ahead })
    }

    /// Sends `request` on behalf of `caller`. Dropping the future ends the call.
    pub async fn execute(
        &self,
        tool: &Tool,
        request: Request,
        caller: &Caller,
    ) -> Result<Reply, Failure> {
        let request = self.ready(tool, request, caller)?;
        let response = self.upstream.http.execute(request).await;
        let mut response = response.map_err(|error| unanswered(tool, &error))?;
        let body = self.body(tool, &mut response).await?;
        if response.status().is_success() {
            accepted(tool, response.status().as_u16(), body)
        } else {
            let (status, headers) = (response.status(), response.headers());
            Err(verdict::verdict(tool, caller, status, headers, &body))
        }
    }

    /// The decompressed body, up to the largest that is taken.
    async fn body(&self, tool: &Tool, response: &mut Response) -> Result<Vec<u8>, Failure> {
        let announced = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(0);
        let mut body = Vec::with_capacity(announced.min(self.max_response_bytes));
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| unanswered(tool, &error))?
        {
            if body.len() + chunk.len() > self.max_response_bytes {
                let most = self.max_response_bytes;
                let what =
                    format!("HighLevel's answer is larger than {most} bytes and was dropped.");
                return Err(Failure::new(answered_badly(tool), what)
                    .with_remedy("Ask for less, for example with a smaller limit."));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Adds what HighLevel wants with every request.
fn dress(request: &mut Request, tool: &Tool, caller: &Caller) -> Result<(), Failure> {
    let bearer = format!("Bearer {}", caller.credential.expose());
    let Ok(mut authorization) = HeaderValue::from_str(&bearer) else {
        return Err(Failure::new(
            Class::Auth,
            "The token holds characters that no token has.",
        ));
    };
    authorization.set_sensitive(true);
    let headers = request.headers_mut();
    headers.remove(API_VERSION);
    headers.insert(AUTHORIZATION, authorization);
    headers.insert(VERSION, HeaderValue::from_static(tool.version));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    Ok(())
}

/// No answer, or not all of one.
fn unanswered(tool: &Tool, error: &reqwest::Error) -> Failure {
    if error.is_connect() {
        return Failure::new(
            Class::Upstream,
            "HighLevel cannot be reached; nothing was sent.",
        )
        .with_remedy("Check the network and upstream.base_url, then try again.");
    }
    let what = if error.is_timeout() {
        "HighLevel did not answer in time"
    } else if error.is_decode() && !lost_connection(error) {
        "HighLevel's answer is compressed in a way that cannot be read"
    } else {
        "the connection to HighLevel broke before its answer was complete"
    };
    let class = answered_badly(tool);
    let (sentence, remedy) = match class {
        Class::UnknownOutcome => (
            format!("It is not known whether this happened: {what}."),
            "Read the record to see whether the change is there before you repeat the call.",
        ),
        _ => (
            format!("There is no answer: {what}."),
            "This call only reads, it may be repeated.",
        ),
    };
    Failure::new(class, sentence).with_remedy(remedy)
}

/// The cause that says most: reqwest's own words name only the step that failed.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// reqwest calls every fault of a body a decoding fault; those of the connection are hyper's.
fn lost_connection(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<hyper::Error>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The class of a call that was sent and got no usable answer.
fn answered_badly(tool: &Tool) -> Class {
    match tool.effect {
        Effect::Read => Class::Upstream,
        _ => Class::UnknownOutcome,
    }
}

/// A 2xx answer, if it is one: proxies answer 200 with a page of HTML.
fn accepted(tool: &Tool, status: u16, body: Vec<u8>) -> Result<Reply, Failure> {
    let blank = body.iter().all(u8::is_ascii_whitespace);
    if blank && tool.effect != Effect::Read && status == 204 {
        let body = r#"{"status":204}"#.to_owned();
        return Ok(Reply { status, body });
    }
    let what = match String::from_utf8(body) {
        _ if blank => "is empty",
        Err(_) => "is not UTF-8 text",
        Ok(body) => match serde_json::from_str::<IgnoredAny>(&body) {
            Ok(_) => return Ok(Reply { status, body }),
            Err(_) if body.trim_start().starts_with('<') => "is a page of HTML, no JSON",
            Err(error) if error.is_eof() => "is JSON that breaks off",
            Err(_) => "is no JSON",
        },
    };
    let class = answered_badly(tool);
    let mut failure = Failure::new(
        class,
        format!("HighLevel says success, but its answer {what}."),
    )
    .with_remedy(match class {
        Class::UnknownOutcome => "Read the record to see whether the change is there.",
        _ => "Try again; if it stays so, check upstream.base_url and proxies in between.",
    });
    failure.status = Some(status);
    Err(failure)
}
