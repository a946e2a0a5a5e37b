//! The only place that knows rmcp.
