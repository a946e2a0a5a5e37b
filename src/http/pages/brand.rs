//! The names that people see: the operator's, and the operator's name for the CRM.

use url::Url;

use super::clean::one_line;
use crate::config::{BrandSettings, OauthSettings};

/// The operator's own branding. A customer of an agency may never have heard of HighLevel.
#[derive(Clone, Debug)]
pub(in crate::http) struct Brand {
    pub name: String,
    pub crm_name: String,
    /// The address of the CRM; `None`: not set.
    pub app_url: Option<String>,
    /// Where to ask for help: the target of a link, and its text.
    pub support: Option<(String, String)>,
}

impl Brand {
    pub(in crate::http) fn new(
        settings: &BrandSettings,
        oauth: &OauthSettings,
    ) -> Result<Self, String> {
        let name = match settings.name.trim() {
            "" if !oauth.is_on() => "highlevel-mcp",
            "" => oauth.host(),
            name => name,
        };
        let crm_name = match settings.crm_name.trim() {
            "" => "CRM",
            name => name,
        };
        let app_url = match settings.app_url.trim() {
            "" => None,
            text => Some(web_address(text).ok_or_else(|| {
                format!(
                    "brand.app_url {text:?} is not an address of a page; give one such as \"https://app.example.com\""
                )
            })?),
        };
        let support = match settings.support.trim() {
            "" => None,
            text => Some(support(text).ok_or_else(|| {
                format!(
                    "brand.support {text:?} is neither an address of a page nor of email; give one such as \
                     \"https://help.example.com\" or \"help@example.com\""
                )
            })?),
        };
        Ok(Self {
            name: one_line(name, 60),
            crm_name: one_line(crm_name, 60),
            app_url,
            support,
        })
    }
}

fn web_address(text: &str) -> Option<String> {
    let url: Url = text.parse().ok()?;
    matches!(url.scheme(), "https" | "http").then(|| url.to_string())
}

/// The target of the link, and its text.
fn support(text: &str) -> Option<(String, String)> {
    if let Some(address) = web_address(text) {
        let host = address.parse::<Url>().ok()?;
        let host = host.host_str()?.to_owned();
        return Some((address, host));
    }
    let (user, host) = text.split_once('@')?;
    let is_simple = |letter: char| letter.is_ascii_alphanumeric() || ".-_+".contains(letter);
    let is_email = [user, host]
        .iter()
        .all(|part| !part.is_empty() && part.chars().all(is_simple));
    is_email.then(|| (format!("mailto:{text}"), text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Flags};

    fn brand(variables: &[(&str, &str)]) -> Result<Brand, String> {
        let url = ("HIGHLEVEL_MCP_OAUTH_URL", "https://mcp.example.test");
        let variables = variables.iter().chain([&url]);
        let variables = variables.map(|(name, value)| ((*name).into(), (*value).into()));
        let config = Config::from_sources(&Flags::default(), variables).expect("settings");
        Brand::new(&config.brand, &config.oauth)
    }

    #[test]
    fn without_a_name_it_is_the_host() {
        let brand = brand(&[]).expect("a brand");
        assert_eq!(brand.name, "mcp.example.test");
        assert_eq!(brand.crm_name, "HighLevel");
        assert_eq!(brand.support, None);
    }

    #[test]
    fn help_is_at_a_page_or_by_email() {
        fn check(given: &str, expected: Option<(&str, &str)>) {
            let brand = brand(&[("HIGHLEVEL_MCP_BRAND_SUPPORT", given)]);
            let found = brand.ok().and_then(|brand| brand.support);
            let found = found
                .as_ref()
                .map(|(to, text)| (to.as_str(), text.as_str()));
            assert_eq!(found, expected, "{given}");
        }
        check(
            "https://help.example.com/ask",
            Some(("https://help.example.com/ask", "help.example.com")),
        );
        check(
            "help@example.com",
            Some(("mailto:help@example.com", "help@example.com")),
        );
        check("javascript:alert(1)", None);
        check("help@example.com?cc=x@y.z", None);
        check("call us", None);
    }
}
