//! The frame of every page.

use maud::{DOCTYPE, Markup, html};

use super::assets::Assets;
use super::brand::Brand;
use super::{Page, PageKind, Part};

/// The parts of the console with their addresses and names, in the order of how often they are needed.
const PARTS: [(Part, &str, &str); 4] = [
    (Part::Home, "/console", "Home"),
    (Part::Approvals, "/console/approvals", "Approvals"),
    (Part::Connections, "/console/connections", "Connections"),
    (Part::Locations, "/console/locations", "Sub-accounts"),
];

pub(super) fn frame(page: &Page, brand: &Brand, assets: &Assets) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex, nofollow";
                title { (page.title) " · " (brand.name) }
                link rel="stylesheet" href=(assets.style.path());
                link rel="icon" href=(assets.icon.path());
                @if page.kind == PageKind::Entry {
                    script src=(assets.link_script.path()) defer {}
                }
            }
            body {
                header {
                    @match &assets.logo {
                        Some(logo) => { img src=(logo.path()) alt=(brand.name); }
                        None => { strong { (brand.name) } }
                    }
                    @if let PageKind::Console(here) = page.kind {
                        nav aria-label="Console" {
                            @for (part, path, name) in PARTS {
                                a href=(path) aria-current=[(part == here).then_some("page")] { (name) }
                            }
                        }
                    }
                }
                main {
                    h1 { (page.title) }
                    (page.body)
                }
                footer {
                    p {
                        "This server is run by " (brand.name) "."
                        @if let Some((to, text)) = &brand.support {
                            " Questions? " a href=(to) rel="noreferrer" { (text) } "."
                        }
                        @if let (PageKind::Console(_), Some(url)) = (page.kind, &brand.app_url) {
                            " " a href=(url) rel="noreferrer" { "Open " (brand.crm_name) }
                        }
                    }
                }
            }
        }
    }
}
