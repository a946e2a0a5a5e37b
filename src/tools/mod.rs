//! What calls are made of: arguments as HighLevel takes them, answers as callers want them, and search.

pub mod arguments;
pub mod output;
pub mod read_back;
pub mod search;
pub mod shape;
