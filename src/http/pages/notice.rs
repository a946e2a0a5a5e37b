//! Pages of a few sentences: an error or a result, and the next step.

use axum::http::StatusCode;
use maud::html;

use super::{Page, PageKind};

/// The reason that a page cannot be shown, for the person in front of it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) struct PageProblem {
    pub status: StatusCode,
    pub title: &'static str,
    /// The problem and its remedy, one paragraph each.
    pub sentences: Vec<String>,
    /// The next page: its address and its name.
    pub link: Option<(&'static str, &'static str)>,
}

impl PageProblem {
    pub(in crate::http) fn new(
        status: StatusCode,
        title: &'static str,
        sentence: impl Into<String>,
    ) -> Self {
        Self {
            status,
            title,
            sentences: vec![sentence.into()],
            link: None,
        }
    }

    pub(in crate::http) fn with_sentence(mut self, sentence: impl Into<String>) -> Self {
        self.sentences.push(sentence.into());
        self
    }

    pub(in crate::http) fn with_link(self, path: &'static str, name: &'static str) -> Self {
        Self {
            link: Some((path, name)),
            ..self
        }
    }

    pub(in crate::http) fn page(&self, kind: PageKind) -> Page {
        let (status, reason) = (self.status.as_u16(), self.title);
        tracing::info!(status, reason, "a page was refused");
        let body = html! {
            @for sentence in &self.sentences {
                p { (sentence) }
            }
            @if let Some((path, name)) = self.link {
                div class="buttons" { a class="button" href=(path) { (name) } }
            }
        };
        Page::new(kind, self.title, body).with_status(self.status)
    }
}
