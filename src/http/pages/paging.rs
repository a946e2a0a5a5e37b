//! Long lists in parts: the part that a page shows, and links to the neighbouring ones.

use std::ops::Range;

use maud::{Markup, html};

use super::form::FormFields;

/// The parameter of an address that names the part.
const PART: &str = "page";

/// A list in parts, with the part that is shown.
pub(in crate::http) struct ListParts {
    /// From 1.
    number: usize,
    parts: usize,
    total: usize,
    size: usize,
    /// The path of the page with its other parameters.
    address: String,
}

impl ListParts {
    /// The part of a list of `total` rows that `query` names, or the nearest one. `path` and `query` lead to the
    /// others.
    pub(in crate::http) fn new(path: &str, query: &FormFields, total: usize, size: usize) -> Self {
        let parts = total.div_ceil(size).max(1);
        let asked = query.one(PART).parse().unwrap_or(1);
        let mut address =
            form_urlencoded::Serializer::for_suffix(format!("{path}?"), path.len() + 1);
        let others = query
            .iter()
            .filter(|(name, value)| *name != PART && !value.is_empty());
        for (name, value) in others {
            address.append_pair(name, value);
        }
        Self {
            number: usize::clamp(asked, 1, parts),
            parts,
            total,
            size,
            address: address.finish(),
        }
    }

    /// The rows of the list in this part.
    pub(in crate::http) fn rows(&self) -> Range<usize> {
        let start = (self.number - 1) * self.size;
        start..self.total.min(start + self.size)
    }

    fn part(&self, number: usize) -> String {
        let and = if self.address.ends_with('?') { "" } else { "&" };
        format!("{}{and}{PART}={number}", self.address)
    }

    /// Empty if the list has one part.
    pub(super) fn links(&self) -> Markup {
        html! {
            @if self.parts > 1 {
                nav class="parts" aria-label="Parts of the list" {
                    @if self.number > 1 { a href=(self.part(self.number - 1)) rel="prev" { "Previous" } }
                    span { (self.number) " of " (self.parts) }
                    @if self.number < self.parts { a href=(self.part(self.number + 1)) rel="next" { "Next" } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_shown_in_parts_with_links_to_those_beside() {
        fn check(query: &str, total: usize, rows: Range<usize>, links: &[&str]) {
            let query = FormFields::parse(query.as_bytes()).unwrap_or_else(|_| panic!("{query}"));
            let paging = ListParts::new("/console/people", &query, total, 50);
            assert_eq!(paging.rows(), rows);
            let html = paging.links().into_string();
            let found: Vec<&str> = html
                .split("href=\"")
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
                .collect();
            assert_eq!(found, links, "{html}");
        }
        check("", 0, 0..0, &[]);
        check("page=7", 50, 0..50, &[]);
        check("page=0", 51, 0..50, &["/console/people?page=2"]);
        check(
            "page=x&find=a+%26b&who=",
            1_000,
            0..50,
            &["/console/people?find=a+%26b&amp;page=2"],
        );
        check(
            "page=2",
            120,
            50..100,
            &["/console/people?page=1", "/console/people?page=3"],
        );
        check(
            "page=99999999999999999999",
            120,
            0..50,
            &["/console/people?page=2"],
        );
        check("page=9", 120, 100..120, &["/console/people?page=2"]);
    }
}
