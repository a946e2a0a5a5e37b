//! The end of a browser's sign-in: a listener on this machine that waits for one answer.

use std::convert::Infallible;
use std::io;

use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::cli::CliError;

const PATH: &str = "/callback";

/// An address where nobody listens. Browsers do not even try this port.
pub(super) const REDIRECT_TO_NOBODY: &str = "http://127.0.0.1:1/callback";

pub(super) struct Callback {
    listener: TcpListener,
    /// The address that the server redirects the browser to.
    pub redirect: String,
}

/// The query of that address.
#[derive(Default)]
pub(super) struct CallbackParameters {
    state: Option<String>,
    code: Option<SecretString>,
    issuer: Option<String>,
    error: Option<String>,
    description: Option<String>,
}

impl Callback {
    pub(super) async fn bind() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let redirect = format!("http://{}{PATH}", listener.local_addr()?);
        Ok(Self { listener, redirect })
    }

    /// Waits for the answer to our own request. Other pages may send requests here, too, and are rejected.
    pub(super) async fn wait(self, state: &str) -> Result<CallbackParameters, CliError> {
        let (found, mut answers) = mpsc::channel(1);
        loop {
            let stream = tokio::select! {
                answer = answers.recv() => {
                    return answer.ok_or_else(|| CliError("the sign-in broke off".to_owned()));
                }
                accepted = self.listener.accept() => accepted?.0,
            };
            let (found, state) = (found.clone(), state.to_owned());
            tokio::spawn(async move {
                let answer = service_fn(|request| {
                    let (found, state) = (found.clone(), state.clone());
                    async move { Ok::<_, Infallible>(respond(&request, &state, &found)) }
                });
                // A browser that disconnects has its answer or does not want it.
                let _ = http1::Builder::new()
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            });
        }
    }
}

fn respond(
    request: &Request<Incoming>,
    state: &str,
    found: &mpsc::Sender<CallbackParameters>,
) -> Response<Full<Bytes>> {
    let parameters = CallbackParameters::parse(request.uri().query().unwrap_or_default());
    if request.uri().path() != PATH || parameters.state.as_deref() != Some(state) {
        return page(StatusCode::NOT_FOUND, "There is nothing here.");
    }
    let words = match parameters.code {
        Some(_) => "You are signed in. You may close this window and go back to the terminal.",
        None => "You are not signed in. You may close this window. The terminal shows the reason.",
    };
    // The first answer counts, and the channel has room for it.
    let _ = found.try_send(parameters);
    page(StatusCode::OK, words)
}

fn page(status: StatusCode, words: &str) -> Response<Full<Bytes>> {
    let text = format!("<!doctype html><title>highlevel-mcp</title><p>{words}</p>\n");
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    let html = http::HeaderValue::from_static("text/html; charset=utf-8");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, html);
    response
}

impl CallbackParameters {
    pub(super) fn parse(query: &str) -> Self {
        let mut parameters = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
            match &*name {
                "state" => parameters.state = Some(value),
                "code" => parameters.code = Some(value.into()),
                "iss" => parameters.issuer = Some(value),
                "error" => parameters.error = Some(value),
                "error_description" => parameters.description = Some(value),
                _ => {}
            }
        }
        parameters
    }

    /// Fails where it answers another question, another server than `issuer` answers, or the person said no.
    pub(super) fn code(self, state: &str, issuer: &str) -> Result<SecretString, CliError> {
        let refused = |what: String| Err(CliError(format!("{what}; nothing was stored")));
        // A refusal gives nothing, whosever it is; some come without their state.
        let is_bare_refusal = self.state.is_none() && self.error.is_some();
        if self.state.as_deref() != Some(state) && !is_bare_refusal {
            return refused("the answer belongs to another sign-in".to_owned());
        }
        if self.issuer.is_some_and(|found| found != issuer) {
            return refused(format!("the answer came from another server than {issuer}"));
        }
        match (self.code, self.error.as_deref()) {
            (Some(code), None) => Ok(code),
            (_, Some("access_denied")) => refused("you did not allow it".to_owned()),
            (_, Some(error)) => {
                let words = self.description.as_deref().unwrap_or(error);
                let words = crate::cli::terminal::visible(words);
                refused(format!(
                    "{issuer} did not let you sign in: {words}"
                ))
            }
            (None, None) => refused(
                "the address contains no code. Copy the whole address, including everything after the question \
                 mark".to_owned(),
            ),
        }
    }
}
