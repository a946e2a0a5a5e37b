//! The axum host: endpoints, who may call them, and the connections they come over.

mod access;
mod connections;
mod endpoints;
mod guard;
mod origin;
mod problem;
mod routes;

pub use access::{Access, AccessError, own_account};
pub use connections::run;
pub use routes::router;
