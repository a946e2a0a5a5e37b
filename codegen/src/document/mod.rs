//! HighLevel's documents: loaded, repaired, and cut down to what the client generator needs.

pub mod load;
pub mod overlay;
pub mod prune;
pub mod repair;
pub mod resolve;
