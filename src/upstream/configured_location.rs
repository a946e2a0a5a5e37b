//! A location of the server's own.

use jiff::tz::TimeZone;

use crate::upstream::tenant_id::TenantId;

/// What the server calls a location of its own.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfiguredLocation {
    pub alias: String,
    pub name: String,
    pub location: TenantId,
    /// Its time zone, where the settings say it.
    pub timezone: Option<TimeZone>,
}
