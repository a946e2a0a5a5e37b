//! The axum host: endpoints, who may call them, and the connections they come over.

mod access;
mod address;
mod client_address;
mod clock;
mod connections;
mod doors;
mod endpoints;
mod guard;
mod intake;
mod malformed;
mod metrics;
mod origin;
mod problem;
mod routes;
mod stopping;

pub use access::{Access, AccessError, own_account};
pub use connections::{listen, run};
pub use metrics::serve_metrics;
pub use routes::router;
pub use stopping::Stopping;
