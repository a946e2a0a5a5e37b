//! The few files that pages load: the style, scripts for links, times and live parts, an icon, and the operator's logo.

use std::path::Path;

use axum::body::Bytes;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::config::BrandSettings;

/// Largest logo, in bytes: people wait for it on every page.
const LARGEST_LOGO: u64 = 256 << 10;

/// Picture types of browsers, by file extension.
const PICTURES: [(&str, &str); 6] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("svg", "image/svg+xml"),
];

/// htmx 2.0.11 from npm (0BSD; its licence is beside it). It refreshes the live parts of pages.
const HTMX: &str = include_str!("htmx/htmx.min.js");

/// A file whose name depends on its content: another content has another name.
pub(super) struct Asset {
    name: String,
    content_type: &'static str,
    bytes: Bytes,
}

pub(super) struct Assets {
    pub style: Asset,
    pub link_script: Asset,
    pub moment_script: Asset,
    pub htmx: Asset,
    pub passkey_script: Asset,
    pub icon: Asset,
    pub logo: Option<Asset>,
}

impl Asset {
    fn new(stem: &str, ending: &str, content_type: &'static str, bytes: Bytes) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
        let hash: String = state::hex(digest.as_ref()).chars().take(16).collect();
        Self {
            name: format!("{stem}-{hash}.{ending}"),
            content_type,
            bytes,
        }
    }

    /// The address of the file on pages.
    pub(super) fn path(&self) -> String {
        format!("/assets/{}", self.name)
    }

    pub(super) fn response(&self) -> Response {
        let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
        let content_type = HeaderValue::from_static(self.content_type);
        let headers = [(CACHE_CONTROL, kept), (CONTENT_TYPE, content_type)];
        (headers, self.bytes.clone()).into_response()
    }
}

impl Assets {
    pub(super) fn new(brand: &BrandSettings) -> Result<Self, String> {
        let built_in = |stem, ending, content_type, text: &'static str| {
            Asset::new(
                stem,
                ending,
                content_type,
                Bytes::from_static(text.as_bytes()),
            )
        };
        Ok(Self {
            style: built_in("style", "css", "text/css", include_str!("style.css")),
            link_script: built_in("link", "js", "text/javascript", include_str!("link.js")),
            moment_script: built_in("moment", "js", "text/javascript", include_str!("moment.js")),
            htmx: built_in("htmx", "js", "text/javascript", HTMX),
            passkey_script: built_in(
                "passkey",
                "js",
                "text/javascript",
                include_str!("passkey.js"),
            ),
            icon: built_in(
                "icon",
                "svg",
                "image/svg+xml",
                include_str!("../../icon.svg"),
            ),
            logo: match brand.logo.as_str() {
                "" => None,
                path => Some(read_logo(Path::new(path))?),
            },
        })
    }

    pub(super) fn find(&self, name: &str) -> Option<&Asset> {
        let all = [
            &self.style,
            &self.link_script,
            &self.moment_script,
            &self.passkey_script,
            &self.htmx,
            &self.icon,
        ];
        let mut all = all.into_iter().chain(&self.logo);
        all.find(|asset| asset.name == name)
    }
}

/// Read once: pages load nothing from other addresses, so that nobody else learns who opens them.
fn read_logo(path: &Path) -> Result<Asset, String> {
    let place = path.display();
    let ending = path.extension().and_then(|ending| ending.to_str());
    let ending = ending.map(str::to_lowercase).unwrap_or_default();
    let Some((ending, content_type)) = PICTURES.iter().find(|(known, _)| *known == ending) else {
        return Err(format!(
            "brand.logo {place:?} must be the path of a picture on this machine that ends in .png, .jpg, .webp, .gif or .svg"
        ));
    };
    let unread = |error| format!("brand.logo {place} cannot be read: {error}; correct the path");
    let size = std::fs::metadata(path).map_err(unread)?.len();
    if size > LARGEST_LOGO {
        return Err(format!(
            "brand.logo {place} has {size} bytes; give a picture of at most {LARGEST_LOGO}"
        ));
    }
    let bytes = std::fs::read(path).map_err(unread)?;
    Ok(Asset::new("logo", ending, content_type, bytes.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Flags};

    fn assets(logo: &str) -> Result<Assets, String> {
        let variables = [("HIGHLEVEL_MCP_BRAND_LOGO".into(), logo.into())];
        let config = Config::from_sources(&Flags::default(), variables).expect("settings");
        Assets::new(&config.brand)
    }

    #[test]
    fn a_logo_is_a_small_picture_of_this_machine() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str, bytes: usize| {
            let path = folder.path().join(name);
            std::fs::write(&path, vec![7; bytes]).expect("a file");
            path.to_str().expect("UTF-8").to_owned()
        };
        let good = assets(&path("logo.PNG", 3)).expect("a logo");
        let logo = good.logo.as_ref().expect("a logo");
        assert!(logo.path().ends_with(".png"), "{}", logo.path());
        assert!(good.find(&logo.name).is_some());
        assert!(assets("").expect("none").logo.is_none());
        for (given, part) in [
            ("https://cdn.example/logo.png", "cannot be read"),
            (&*path("logo.html", 3), "must be the path of a picture"),
            (&*path("large.png", 300 << 10), "at most 262144"),
        ] {
            let error = assets(given).err().unwrap_or_default();
            assert!(error.contains(part), "{given}: {error}");
        }
    }

    #[test]
    fn htmx_is_as_it_was_published() {
        let digest = ring::digest::digest(&ring::digest::SHA256, HTMX.as_bytes());
        let published = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717";
        assert_eq!(state::hex(digest.as_ref()), published);
    }

    #[test]
    fn another_content_has_another_name() {
        let name = |text: &'static str| Asset::new("style", "css", "text/css", text.into()).name;
        assert_ne!(name("a"), name("b"));
        assert_eq!(name("a"), name("a"));
    }
}
