//! In which zone a time without an offset is.

use std::sync::Arc;

use jiff::tz::{Offset, TimeZone};

/// The zone of the location that a call is for, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(crate) enum LocalZone {
    /// Nobody asked yet: few calls need it.
    #[default]
    Unasked,
    Known(TimeZone),
    /// It cannot be learnt, and why.
    Unknown(Arc<String>),
    /// Times without an offset are UTC, as HighLevel's own two servers take them.
    Utc,
}

impl LocalZone {
    pub(crate) fn unknown(why: &str) -> Self {
        Self::Unknown(Arc::new(why.to_owned()))
    }
}

/// How to write a time whose zone is not known.
pub(super) const WORDS: &str = "give an offset, such as 2026-01-31T09:00:00-08:00, or a zone, such as 2026-01-31T09:00:00[America/Los_Angeles]";

/// An offset as RFC 3339 has it.
pub(super) fn offset_text(offset: Offset) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}
