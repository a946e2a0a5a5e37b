//! A location of the server's own.

use jiff::tz::TimeZone;

use crate::upstream::tenant_id::TenantId;

/// The server's own data of a location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfiguredLocation {
    pub alias: String,
    pub name: String,
    pub location: TenantId,
    /// Its time zone, if the settings have one.
    pub timezone: Option<TimeZone>,
    /// Set if somebody connected it, and it is not in the settings.
    pub stored: Option<StoredLocation>,
    /// Owners of locations that were connected under this alias before the settings had it: persons, or the operator.
    /// Rights to those do not apply to this one.
    pub shadows: Vec<Option<String>>,
}

/// The stored data of a connected location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLocation {
    /// Id of the location.
    pub id: String,
    /// Id of the credential that reaches it.
    pub credential: String,
    /// The person to whom alone it belongs; `None`: the operator.
    pub owner: Option<String>,
    /// HighLevel refused its token recently.
    pub is_refused: bool,
    /// It appeared automatically, because an app was installed.
    pub is_install: bool,
}

impl ConfiguredLocation {
    /// The person to whom alone it belongs.
    pub fn owner(&self) -> Option<&str> {
        self.stored.as_ref()?.owner.as_deref()
    }

    /// Whether a connected location of this person, or of the operator, had its alias before.
    pub fn shadows_one_of(&self, owner: Option<&str>) -> bool {
        let mut owners = self.shadows.iter();
        owners.any(|shadowed| shadowed.as_deref() == owner)
    }
}
