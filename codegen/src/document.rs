//! HighLevel's documents: loaded and repaired.

pub mod load;
pub(crate) mod overlay;
pub(crate) mod repair;
pub mod resolve;
