//! The axum host: endpoints, identification of callers, and connections.

mod access;
mod address;
mod client_address;
mod connection_limiter;
mod connections;
mod console;
mod elicitation;
mod endpoints;
mod front_page;
mod guard;
mod idle_timeout;
mod json_rpc_errors;
mod metrics;
mod oauth;
mod origin;
mod pages;
mod passkeys;
mod problem;
mod request_limits;
mod routes;
mod stopping;
mod stream_probe;
mod streamed_body;
mod watched_body;

pub use access::{Access, AccessError, own_account};
pub use connections::{listen, run};
pub use metrics::serve_metrics;
pub use oauth::SignIn;
pub use routes::router;
pub use stopping::Stopping;
