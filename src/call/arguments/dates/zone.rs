//! The zone of a time without an offset.

use std::sync::Arc;

use jiff::tz::{Offset, TimeZone};

/// The zone of the call's location, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(crate) enum LocalZone {
    /// Not looked up yet: few calls need it.
    #[default]
    Unasked,
    Known(TimeZone),
    /// It cannot be looked up, for this reason.
    Unknown(Arc<String>),
    /// Times without an offset are UTC, as on HighLevel's own two servers.
    Utc,
}

impl LocalZone {
    pub(crate) fn unknown(why: &str) -> Self {
        Self::Unknown(Arc::new(why.to_owned()))
    }
}

/// How to write a time whose zone is unknown.
pub(super) const WORDS: &str = "give an offset, such as 2026-01-31T09:00:00-08:00, or a zone, such as 2026-01-31T09:00:00[America/Los_Angeles]";

/// An offset in the form of RFC 3339.
pub(super) fn offset_text(offset: Offset) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}
