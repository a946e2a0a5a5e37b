//! From the tools that exist to the tools that are listed and called.

pub mod arguments;
pub mod dispatch;
pub mod shape;
pub mod surfaces;
