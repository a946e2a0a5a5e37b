//! The frame of every page.

use maud::{DOCTYPE, Markup, html};

use super::assets::Assets;
use super::brand::Brand;
use super::parts::PARTS;
use super::{Page, PageKind, Part, Reader};

/// The address of the number of waiting requests, for open pages.
pub(in crate::http) const WAITING: &str = "/console/approvals-waiting";

/// htmx works without these: code in attributes, a style of its own, copies of pages in the browser's storage, other
/// sites.
const HTMX_SETTINGS: &str = r#"{"allowEval":false,"allowScriptTags":false,"includeIndicatorStyles":false,"selfRequestsOnly":true,"historyEnabled":false,"historyCacheSize":0}"#;

pub(super) fn frame(page: &Page, brand: &Brand, assets: &Assets) -> Markup {
    let is_console = matches!(page.kind, PageKind::Console(_));
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
                @if is_console {
                    meta name="htmx-config" content=(HTMX_SETTINGS);
                    script src=(assets.htmx.path()) defer {}
                    script src=(assets.moment_script.path()) defer {}
                }
            }
            body class=[is_console.then_some("console")] {
                @if is_console {
                    a class="skip" href="#main" { "Skip to the content" }
                }
                header {
                    @match &assets.logo {
                        Some(logo) => { img src=(logo.path()) alt=(brand.name); }
                        None => { strong { (brand.name) } }
                    }
                    @if let (PageKind::Console(here), Some(reader)) = (page.kind, page.reader) {
                        (menu(here, reader))
                    }
                }
                main id="main" {
                    h1 { (page.title) }
                    (page.body)
                }
                footer {
                    p {
                        "This server is run by " (brand.name) "."
                        @if let Some((to, text)) = &brand.support {
                            " Questions? " a href=(to) rel="noreferrer" { (text) } "."
                        }
                        @if let (true, Some(url)) = (is_console, &brand.app_url) {
                            " " a href=(url) rel="noreferrer" { "Open " (brand.crm_name) }
                        }
                    }
                }
            }
        }
    }
}

/// Folded on a phone, without script. Wide screens unfold it by style.
fn menu(here: Part, reader: Reader) -> Markup {
    let waiting = reader.waiting;
    let shown = PARTS
        .iter()
        .filter(|one| reader.is_operator || !one.is_for_operators);
    html! {
        details class="menu" {
            summary {
                "Menu"
                @if waiting > 0 { " " span class="badge" { (waiting) span class="hidden" { " waiting" } } }
            }
            nav aria-label="Console" {
                @for one in shown {
                    a href=(one.path) aria-current=[(one.part == here).then_some("page")] {
                        (one.name)
                        @if one.part == Part::Approvals { " " (badge(waiting)) }
                    }
                }
            }
        }
    }
}

/// The number of waiting requests, which the page keeps up to date.
pub(in crate::http) fn badge(waiting: usize) -> Markup {
    html! {
        span class="badge" hidden[waiting == 0] hx-get=(WAITING) hx-trigger="every 10s" hx-swap="outerHTML" {
            (waiting) span class="hidden" { " waiting" }
        }
    }
}
