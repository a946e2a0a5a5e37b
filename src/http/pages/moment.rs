//! A time on a page: in UTC, and by script in the reader's own zone.

use jiff::Timestamp;
use maud::{Markup, Render, html};

/// To the minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct Moment(pub Timestamp);

impl Moment {
    pub(super) fn utc(self) -> String {
        self.0.strftime("%Y-%m-%d %H:%M UTC").to_string()
    }

    pub(super) fn or_never(moment: Option<Self>) -> Markup {
        html! { @match moment { Some(moment) => (moment), None => "never" } }
    }
}

impl Render for Moment {
    fn render(&self) -> Markup {
        html! { time datetime=(self.0.strftime("%Y-%m-%dT%H:%M:%SZ")) { (self.utc()) } }
    }
}
