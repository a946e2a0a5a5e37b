//! The MCP endpoints: one for every surface, made at its first request.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;

use crate::host::problem::Problem;
use crate::mcp;
use crate::call::Pipeline;
use crate::surfaces::Endpoint;

/// Most ways to ask for a surface that are remembered: the same toolsets may stand in any order.
const MOST_ASKED: usize = 256;

/// The services so far.
pub struct Endpoints {
    pipeline: Pipeline,
    max_body_bytes: usize,
    services: Mutex<Services>,
}

#[derive(Default)]
struct Services {
    /// By the name of their surface: as many as there are sets of toolsets.
    by_name: BTreeMap<String, mcp::Service>,
    /// As they were asked for: to tell which surface that is takes a look at every tool.
    asked: BTreeMap<String, mcp::Service>,
}

impl Endpoints {
    pub fn new(pipeline: Pipeline, max_body_bytes: usize) -> Self {
        Self {
            pipeline,
            max_body_bytes,
            services: Mutex::default(),
        }
    }

    /// Answers `request` with the tools of the surface of this name.
    pub async fn answer(&self, surface: &str, request: Request) -> Response {
        match self.service(surface) {
            Ok(service) => match service.oneshot(request).await {
                Ok(response) => response.into_response(),
                Err(never) => match never {},
            },
            Err(problem) => problem.into_response(),
        }
    }

    fn service(&self, asked: &str) -> Result<mcp::Service, Problem> {
        let services = || self.services.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(service) = services().asked.get(asked) {
            return Ok(service.clone());
        }
        let endpoint = Endpoint::parse(asked)
            .map_err(|error| Problem::new(StatusCode::NOT_FOUND, "not_found", error.to_string()))?;
        let mut services = services();
        let service = match services.by_name.get(&endpoint.name) {
            Some(service) => service.clone(),
            None => {
                let name = endpoint.name.clone();
                let handler = mcp::Handler::new(endpoint, self.pipeline.clone(), None);
                let handler = handler.map_err(|error| {
                    let what = format!("a tool's schema is broken: {error}");
                    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", what)
                })?;
                let service = mcp::service(&handler, self.max_body_bytes);
                services.by_name.insert(name, service.clone());
                service
            }
        };
        if services.asked.len() < MOST_ASKED {
            services.asked.insert(asked.to_owned(), service.clone());
        }
        Ok(service)
    }
}
