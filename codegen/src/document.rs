//! HighLevel's documents: loaded and repaired.

pub mod load;
pub mod overlay;
pub mod repair;
pub mod resolve;
