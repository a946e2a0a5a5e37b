//! The two scopes.

/// The requested rights. A person may give less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedScope {
    Read,
    /// Write and read.
    Write,
}

impl AskedScope {
    /// Unknown scopes are ignored, because clients habitually request `openid`, `claudeai` and others. If none is
    /// known, no scope was requested.
    pub(crate) fn parse(scope: Option<&str>) -> Option<Self> {
        let named = |name: &str| scope.unwrap_or_default().split(' ').any(|one| one == name);
        match (named("write"), named("read")) {
            (true, _) => Some(Self::Write),
            (false, true) => Some(Self::Read),
            (false, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_scopes_count() {
        for (scope, expected) in [
            (None, None),
            (Some(""), None),
            (Some("openid email profile"), None),
            (Some("claudeai"), None),
            (Some("offline_access"), None),
            (Some("read"), Some(AskedScope::Read)),
            (Some("read offline_access"), Some(AskedScope::Read)),
            (Some("write"), Some(AskedScope::Write)),
            (Some("openid read write"), Some(AskedScope::Write)),
            (Some("READ"), None),
            (Some("readwrite"), None),
        ] {
            assert_eq!(AskedScope::parse(scope), expected, "{scope:?}");
        }
    }
}
