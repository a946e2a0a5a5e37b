//! Parses the location that a person names: its id, or the address of one of its pages.

use crate::upstream::TenantId;

/// Longest text that is parsed, in bytes.
const LONGEST: usize = 2_048;

/// A location as a person named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocationAddress {
    pub location: TenantId,
    /// Scheme and host of the page, if one was given: agencies have domains of their own.
    site: Option<String>,
}

impl LocationAddress {
    /// Parses an id, or an address with `/location/<id>` in its path, on any domain. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > LONGEST {
            return None;
        }
        if !text.contains('/') {
            return Some(Self {
                location: TenantId::parse(text)?,
                site: None,
            });
        }
        let path = text.split(['?', '#']).next()?;
        let mut parts = path.split('/').skip_while(|part| *part != "location");
        let location = TenantId::parse(parts.nth(1)?)?;
        let (host, _) = path.strip_prefix("https://")?.split_once('/')?;
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
        let is_plain = !host.is_empty() && host.bytes().all(is_host);
        Some(Self {
            location,
            site: is_plain.then(|| format!("https://{host}")),
        })
    }

    /// The page where its private integrations are made: on the given site, or else on `app_url`.
    pub fn integrations_page(&self, app_url: &str) -> String {
        let site = self.site.as_deref().unwrap_or(app_url);
        format!(
            "{}/v2/location/{}/settings/private-integrations",
            site.trim_end_matches('/'),
            self.location.as_str()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_named_by_its_id_or_by_any_of_its_pages() {
        let app = "https://app.example.com/";
        let page = |site: &str| format!("{site}/v2/location/Ab3/settings/private-integrations");
        for (text, site) in [
            ("Ab3", "https://app.example.com"),
            ("  Ab3\n", "https://app.example.com"),
            (
                "https://app.gohighlevel.com/v2/location/Ab3/dashboard",
                "https://app.gohighlevel.com",
            ),
            (
                "https://crm.agency.io/v2/location/Ab3",
                "https://crm.agency.io",
            ),
            (
                "https://crm.agency.io/v2/location/Ab3/contacts/smart_list/All?x=/location/No#/location/No",
                "https://crm.agency.io",
            ),
            (
                "https://app.gohighlevel.com/location/Ab3/",
                "https://app.gohighlevel.com",
            ),
            (
                "https://me@evil.example/v2/location/Ab3/",
                "https://app.example.com",
            ),
        ] {
            let address = LocationAddress::parse(text).expect(text);
            assert_eq!(address.location.as_str(), "Ab3", "{text}");
            assert_eq!(address.integrations_page(app), page(site), "{text}");
        }
        let long = format!("https://a/v2/location/Ab3/{}", "x".repeat(LONGEST));
        for text in [
            "",
            " ",
            "two words",
            "pit-1\u{7}",
            "https://app.gohighlevel.com/v2/dashboard",
            "https://app.gohighlevel.com/v2/location/",
            "https://app.gohighlevel.com/v2/location/a%20b/",
            "javascript://x/location/Ab3",
            "app.gohighlevel.com/v2/location/Ab3/../../x",
            &long,
        ] {
            assert_eq!(LocationAddress::parse(text), None, "{text}");
        }
    }
}
