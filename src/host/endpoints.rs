//! The MCP endpoints: one for every surface, made at its first request.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;

use crate::host::problem::Problem;
use crate::mcp;
use crate::tools::dispatch::Dispatch;
use crate::tools::surfaces::Surface;

/// The services so far, by the name of their surface: as many as there are sets of toolsets.
pub struct Endpoints {
    dispatch: Dispatch,
    max_body_bytes: usize,
    services: Mutex<BTreeMap<String, mcp::Service>>,
}

impl Endpoints {
    pub fn new(dispatch: Dispatch, max_body_bytes: usize) -> Self {
        Self {
            dispatch,
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

    fn service(&self, surface: &str) -> Result<mcp::Service, Problem> {
        let surface = Surface::of(surface)
            .map_err(|error| Problem::new(StatusCode::NOT_FOUND, "not_found", error.to_string()))?;
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(service) = services.get(&surface.name) {
            return Ok(service.clone());
        }
        let name = surface.name.clone();
        let handler = mcp::Handler::new(surface, self.dispatch.clone(), None).map_err(|error| {
            let what = format!("a tool's schema is broken: {error}");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", what)
        })?;
        let service = mcp::service(&handler, self.max_body_bytes);
        services.insert(name, service.clone());
        Ok(service)
    }
}
