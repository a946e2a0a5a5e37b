//! A location of the server's own.

use crate::upstream::tenant_id::TenantId;

/// What the server calls a location of its own.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfiguredLocation {
    pub alias: String,
    pub name: String,
    pub location: TenantId,
}
