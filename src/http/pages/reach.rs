//! The fields of a form that select the sub-accounts for others.

use maud::{Markup, html};

/// Most sub-accounts with a box each. Others are typed by their short names.
pub(in crate::http) const MOST_BOXES: usize = 60;

pub(in crate::http) struct LocationBox {
    pub alias: String,
    pub name: String,
    pub is_chosen: bool,
}

pub(in crate::http) struct ReachFields {
    pub boxes: Vec<LocationBox>,
    pub unlisted: usize,
    pub takes_all: bool,
    /// Short names that were typed before.
    pub others: String,
}

impl ReachFields {
    pub(super) fn fields(&self) -> Markup {
        html! {
            fieldset {
                legend { "Which sub-accounts" }
                label class="choice" {
                    input type="checkbox" name="location" value="*" checked[self.takes_all];
                    span { b { "All sub-accounts of this server" } span { "Future ones too." } }
                }
                @for one in &self.boxes {
                    label class="choice" {
                        input type="checkbox" name="location" value=(one.alias) checked[one.is_chosen];
                        span { b { (one.name) } span class="soft" { (one.alias) } }
                    }
                }
            }
            @if self.unlisted > 0 {
                label class="field" for="others" { "Others, of " (self.unlisted) " that are not listed" }
                p id="others-hint" class="soft" { "Their short names, separated by commas." }
                input type="text" id="others" name="others" value=(self.others) maxlength="8000" autocomplete="off"
                    autocapitalize="none" spellcheck="false" aria-describedby="others-hint";
            }
        }
    }
}
