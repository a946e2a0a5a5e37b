//! The MCP endpoints: one for each requested surface. The most recent ones are kept.

use std::sync::{Mutex, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use hashlink::LruCache;
use tower::ServiceExt;

use crate::call::Pipeline;
use crate::http::problem::HttpProblem;
use crate::mcp::{self, LongText, PlainCall};
use crate::surfaces::{Endpoint, MOST_TOOLSETS};
use tool::LONGEST_NAME;

/// Most endpoints that are kept. There is a surface for every set of toolsets, and anybody may request them all. Making
/// one costs a look at every tool, and it holds only the addresses of its tools.
const MOST_KEPT: usize = 64;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The most recently requested endpoints.
pub(super) struct Endpoints {
    pipeline: Pipeline,
    largest_request: usize,
    /// By the requested name: the same toolsets in another order are another entry.
    served: Mutex<LruCache<String, ServedEndpoint>>,
}

/// The two services of one endpoint. Cheap to clone.
#[derive(Clone)]
struct ServedEndpoint {
    /// For calls in their plain form.
    handler: mcp::Handler,
    /// For everything else.
    service: mcp::Service,
}

impl Endpoints {
    pub(super) fn new(pipeline: Pipeline, largest_request: usize) -> Self {
        Self {
            pipeline,
            largest_request,
            served: Mutex::new(LruCache::new(MOST_KEPT)),
        }
    }

    /// Answers `request` with the tools of this surface.
    pub(super) async fn answer(&self, surface: &str, request: Request) -> Response {
        match self.endpoint(surface) {
            Ok(endpoint) => endpoint.answer(request).await,
            Err(problem) => problem.into_response(),
        }
    }

    /// Whether there is a surface of this name.
    pub(super) fn has(&self, surface: &str) -> bool {
        may_be_surface(surface) && Endpoint::parse(surface).is_ok()
    }

    fn endpoint(&self, asked: &str) -> Result<ServedEndpoint, HttpProblem> {
        let served = || self.served.lock().unwrap_or_else(PoisonError::into_inner);
        if !may_be_surface(asked) {
            let what = format!(
                "There is no such endpoint: its name has more than {MOST_TOOLSETS} toolsets, or one with more than \
                 {LONGEST_NAME} characters."
            );
            return Err(HttpProblem::new(StatusCode::NOT_FOUND, "not_found", what));
        }
        if let Some(endpoint) = served().get(asked) {
            return Ok(endpoint.clone());
        }
        // Outside the lock, so that others need not wait for it.
        let endpoint = Endpoint::parse(asked).map_err(|error| {
            HttpProblem::new(StatusCode::NOT_FOUND, "not_found", error.to_string())
        })?;
        let handler = mcp::Handler::new(endpoint, self.pipeline.clone(), None);
        let endpoint = ServedEndpoint {
            service: mcp::service(&handler, self.largest_request),
            handler,
        };
        served().insert(asked.to_owned(), endpoint.clone());
        Ok(endpoint)
    }
}

impl ServedEndpoint {
    async fn answer(self, request: Request) -> Response {
        let (mut parts, body) = request.into_parts();
        // The body is complete: it was read and limited when the request was admitted.
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let plain = PlainCall::read(&parts, &body);
        if let Some(call) = plain {
            return match self.handler.answer(call, &parts).await {
                Ok(frame) => ([(CONTENT_TYPE, JSON)], frame).into_response(),
                Err(error) => {
                    tracing::error!(%error, "an answer cannot be written");
                    StatusCode::INTERNAL_SERVER_ERROR.into_response()
                }
            };
        }
        let text = LongText::default();
        parts.extensions.insert(text.clone());
        let request = Request::from_parts(parts, Body::from(body));
        match self.service.oneshot(request).await {
            Ok(response) => with_text(text, response.into_response()).await,
            Err(never) => match never {},
        }
    }
}

/// `answer` with the long text that the call kept separately, if it did.
async fn with_text(text: LongText, answer: Response) -> Response {
    // A stream begins before its call has ended: that call writes its text itself.
    let Some(text) = text.close() else {
        return answer;
    };
    let (parts, body) = answer.into_parts();
    // The library has the whole answer already.
    let written = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let filled = mcp::fill_in(&written, &text).map(Body::from);
    Response::from_parts(parts, filled.unwrap_or_else(|| Body::from(written)))
}

/// Whether the name can be that of a surface, and toolsets are worth looking up.
fn may_be_surface(asked: &str) -> bool {
    let mut parts = asked.split(['+', '/']);
    let fits = parts
        .by_ref()
        .take(MOST_TOOLSETS + 2)
        .all(|part| part.len() <= LONGEST_NAME);
    fits && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::call::Controls;
    use crate::catalog::TOOLS;
    use crate::config::{Config, Flags};
    use crate::telemetry::Telemetry;
    use crate::upstream::Transport;

    fn endpoints() -> Endpoints {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().to_str().expect("UTF-8").to_owned();
        let variables = [("HIGHLEVEL_MCP_STATE_FOLDER".into(), path.into())];
        let config = Config::from_sources(&Flags::default(), variables).expect("settings");
        let transport = Transport::new(&config.upstream, &config.limits).expect("a transport");
        let controls = Controls::open(&config, &transport).expect("files");
        let telemetry = Telemetry::default();
        let pipeline = Pipeline::new(TOOLS, transport, &config, telemetry, controls);
        Endpoints::new(pipeline.expect("a pipeline"), 1)
    }

    #[test]
    fn any_number_of_sets_leaves_a_few() {
        let endpoints = endpoints();
        let toolsets: BTreeSet<&str> = TOOLS
            .iter()
            .flat_map(|tool| tool.toolsets)
            .copied()
            .collect();
        let toolsets: Vec<&str> = toolsets.into_iter().collect();
        let mut asked = 0;
        for one in &toolsets {
            for other in &toolsets {
                let endpoint = endpoints.endpoint(&format!("x/{one}+{other}"));
                assert!(endpoint.is_ok(), "{one} {other}");
                asked += 1;
            }
        }
        assert!(asked > 1_000, "{asked}");
        let served = endpoints.served.lock().expect("nobody");
        assert_eq!(served.len(), MOST_KEPT);
    }

    #[test]
    fn endless_names_are_not_compared() {
        fn check(asked: &str, expected: bool) {
            assert_eq!(may_be_surface(asked), expected, "{}", asked.len());
        }
        check("", true);
        check("x/contacts+calendars/readonly", true);
        check(
            &format!("x/{}contacts", "contacts+".repeat(MOST_TOOLSETS - 1)),
            true,
        );
        check(
            &format!("x/{}contacts", "contacts+".repeat(MOST_TOOLSETS + 1)),
            false,
        );
        check(&"c".repeat(LONGEST_NAME), true);
        check(&"c".repeat(LONGEST_NAME + 1), false);
        check(&"/".repeat(1000), false);
    }
}
