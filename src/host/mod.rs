//! The axum host.
