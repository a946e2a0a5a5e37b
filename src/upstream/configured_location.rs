//! A location of the server's own.

use jiff::tz::TimeZone;

use crate::upstream::tenant_id::TenantId;

/// What the server calls a location of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfiguredLocation {
    pub alias: String,
    pub name: String,
    pub location: TenantId,
    /// Its time zone, where the settings say it.
    pub timezone: Option<TimeZone>,
    /// Where somebody connected it, and it does not stand in the settings.
    pub stored: Option<StoredLocation>,
    /// Owners of others that were connected under this alias before the settings had it: persons, or the operator. What
    /// was said of those is not said of this one.
    pub shadows: Vec<Option<String>>,
}

/// What of a connected location stands in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLocation {
    /// Of the location.
    pub id: String,
    /// Of what reaches it at HighLevel.
    pub credential: String,
    /// The person whose alone it is; `None`: the operator's.
    pub owner: Option<String>,
    /// HighLevel refused its token lately.
    pub is_refused: bool,
    /// It appeared by itself, where an app was installed.
    pub is_install: bool,
}

impl ConfiguredLocation {
    /// The person whose alone it is.
    pub fn owner(&self) -> Option<&str> {
        self.stored.as_ref()?.owner.as_deref()
    }

    /// Whether a connected location of this person, or of the operator, had its alias before.
    pub fn shadows_one_of(&self, owner: Option<&str>) -> bool {
        let mut owners = self.shadows.iter();
        owners.any(|shadowed| shadowed.as_deref() == owner)
    }
}
