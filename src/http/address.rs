//! Parses the path of an MCP endpoint: location and tools.

use percent_encoding::percent_decode_str;

/// `/mcp/l/<alias>/<surface>`. Alias and surface are optional.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub alias: Option<String>,
    /// In the form of `Endpoint::parse`.
    pub surface: String,
}

impl Address {
    /// Some clients encode the `+` between toolsets.
    pub(super) fn parse(path: &str) -> Self {
        let path = percent_decode_str(path).decode_utf8_lossy();
        let path = path.strip_prefix("/mcp").unwrap_or(&path);
        let path = path.trim_matches('/');
        let Some(named) = path.strip_prefix("l/") else {
            return Self {
                alias: None,
                surface: path.to_owned(),
            };
        };
        let (alias, surface) = named.split_once('/').unwrap_or((named, ""));
        Self {
            alias: Some(alias.to_owned()),
            surface: surface.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_location_and_surface() {
        fn check(path: &str, alias: Option<&str>, surface: &str) {
            let found = Address::parse(path);
            let found = (found.alias.as_deref(), found.surface.as_str());
            assert_eq!(found, (alias, surface), "{path}");
        }
        check("/mcp", None, "");
        check("/mcp/", None, "");
        check("/mcp/official/readonly", None, "official/readonly");
        check("/mcp/l/acme", Some("acme"), "");
        check("/mcp/l/acme/", Some("acme"), "");
        check(
            "/mcp/l/acme/x/contacts+calendars",
            Some("acme"),
            "x/contacts+calendars",
        );
        check("/mcp/x/contacts%2Bcalendars", None, "x/contacts+calendars");
        check("/mcp/l/", None, "l");
        check("/mcp/legacy", None, "legacy");
    }
}
