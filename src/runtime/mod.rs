//! Everything that generated code may name: what a tool is, its arguments, and how its request is prepared.

pub mod arguments;
pub mod body;
pub mod decoding;
pub mod masking;
pub mod nearest;
pub mod prepare;
pub mod tool;
