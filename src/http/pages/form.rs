//! Forms: the values they send, and parts that several of them share.

use axum::http::StatusCode;
use maud::{Markup, html};
use secrecy::SecretString;

use super::notice::PageProblem;

/// Largest form, in bytes: it contains the sealed request.
pub(in crate::http) const LARGEST_FORM: usize = 64 << 10;

/// Most fields of one form.
const MOST_FIELDS: usize = 500;

/// The field that proves that a form is one of ours, for this browser.
const TOKEN: &str = "form";

/// The fields of a form that was sent.
#[derive(Clone)]
pub(in crate::http) struct FormFields(Vec<(String, String)>);

impl FormFields {
    pub(in crate::http) fn parse(body: &[u8]) -> Result<Self, PageProblem> {
        let pairs = form_urlencoded::parse(body).take(MOST_FIELDS + 1);
        let pairs = pairs.map(|(name, value)| (name.into_owned(), value.into_owned()));
        let fields: Vec<_> = pairs.collect();
        if fields.len() > MOST_FIELDS {
            return Err(PageProblem::new(
                StatusCode::BAD_REQUEST,
                "The form was not accepted",
                "It had more fields than the page has. Open the page again.",
            ));
        }
        Ok(Self(fields))
    }

    pub(in crate::http) fn token(&self) -> &str {
        self.one(TOKEN)
    }

    /// The first field of that name; empty if there is none.
    pub(in crate::http) fn one<'a>(&'a self, name: &'a str) -> &'a str {
        self.all(name).next().unwrap_or_default()
    }

    pub(in crate::http) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let fields = self.0.iter().filter(move |(field, _)| field == name);
        fields.map(|(_, value)| value.trim())
    }

    /// Every field as received.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A field that is shown nowhere.
    pub(in crate::http) fn secret(&self, name: &str) -> SecretString {
        self.one(name).into()
    }
}

pub(super) fn token(sealed: &str) -> Markup {
    html! { input type="hidden" name=(TOKEN) value=(sealed); }
}

/// The error of a form, above it.
pub(super) fn problem(text: Option<&str>) -> Markup {
    html! {
        @if let Some(text) = text {
            p class="problem" role="alert" { (text) }
        }
    }
}

/// A field whose value is never shown again.
pub(super) fn secret(name: &str, label: &str, hint: &str) -> Markup {
    let hint_id = format!("{name}-hint");
    html! {
        label class="field" for=(name) { (label) }
        p id=(hint_id) class="soft" { (hint) }
        input type="password" id=(name) name=(name) required autocomplete="off" autocapitalize="none" spellcheck="false"
            aria-describedby=(hint_id);
    }
}

/// A value that is shown once, in a field from which it can be copied without script.
pub(super) fn copied(name: &str, label: &str, value: &str) -> Markup {
    html! {
        label class="field" for=(name) { (label) }
        input type="text" id=(name) value=(value) readonly autocomplete="off" spellcheck="false";
    }
}

pub(super) fn text(name: &str, label: &str, most: usize, is_required: bool) -> Markup {
    text_again(name, label, most, is_required, "")
}

/// A field with what was typed before an error, so that nobody types it twice. It must not be a secret.
pub(super) fn text_again(
    name: &str,
    label: &str,
    most: usize,
    is_required: bool,
    typed: &str,
) -> Markup {
    html! {
        label class="field" for=(name) { (label) }
        input type="text" id=(name) name=(name) value=[(!typed.is_empty()).then_some(typed)] maxlength=(most)
            required[is_required] autocomplete="off" autocapitalize="none" spellcheck="false";
    }
}
