//! The fields on a page, each with its label, its hint and its error.

use maud::{Markup, html};

use super::{FieldKind, ToolField};

impl ToolField {
    pub(in crate::http::pages::tools) fn markup(&self) -> Markup {
        let label = words(&self.key);
        if let FieldKind::Group(inner) = &self.kind {
            return html! {
                details open[self.is_required || self.has_problem() || !self.is_blank()] {
                    summary { (label) (self.mark()) }
                    @if let Some(hint) = &self.hint { p class="soft" { (hint) } }
                    @if let Some(problem) = &self.problem { p class="problem" role="alert" { (problem) } }
                    @for field in inner { (field.markup()) }
                }
            };
        }
        let hint = self.full_hint();
        let hint_id = format!("{}-hint", self.name);
        let problem_id = format!("{}-problem", self.name);
        let described = match (&hint, &self.problem) {
            (_, Some(_)) if hint.is_some() => Some(format!("{problem_id} {hint_id}")),
            (_, Some(_)) => Some(problem_id.clone()),
            (Some(_), None) => Some(hint_id.clone()),
            (None, None) => None,
        };
        html! {
            label class="field" for=(self.name) { (label) (self.mark()) }
            @if let Some(problem) = &self.problem { p id=(problem_id) class="problem" role="alert" { (problem) } }
            (self.control(described.as_deref()))
            @if let Some(hint) = hint { p id=(hint_id) class="soft" { (hint) } }
        }
    }

    fn mark(&self) -> Markup {
        html! { @if self.is_required { " " span class="soft" { "(required)" } } }
    }

    fn full_hint(&self) -> Option<String> {
        let form = match self.kind {
            FieldKind::Lines => Some("One per line."),
            FieldKind::Secret => Some("It is not shown again."),
            FieldKind::Json => Some("As JSON."),
            _ => None,
        };
        let parts = [self.hint.as_deref(), form];
        let hint = parts.into_iter().flatten().collect::<Vec<_>>().join(". ");
        Some(hint).filter(|hint| !hint.is_empty())
    }

    /// The server checks `required` fields, because its sentences say more than a browser's. They are still marked.
    fn control(&self, described: Option<&str>) -> Markup {
        let (name, value) = (self.name.as_str(), self.value.as_str());
        let is_needed = self.is_required.then_some("true");
        let is_wrong = self.problem.is_some().then_some("true");
        let option =
            |key: &str, text: &str| html! { option value=(key) selected[key == value] { (text) } };
        let area = |lines: usize| {
            html! {
                textarea id=(name) name=(name) rows=(lines) spellcheck="false" aria-required=[is_needed]
                    aria-invalid=[is_wrong] aria-describedby=[described] { (value) }
            }
        };
        match &self.kind {
            FieldKind::LongText => area(4),
            FieldKind::Lines | FieldKind::Json => area(3),
            FieldKind::Switch => html! {
                select id=(name) name=(name) aria-required=[is_needed] aria-invalid=[is_wrong] aria-describedby=[described] {
                    (option("", "Not given")) (option("yes", "Yes")) (option("no", "No"))
                }
            },
            FieldKind::Choice(values) => html! {
                select id=(name) name=(name) aria-required=[is_needed] aria-invalid=[is_wrong] aria-describedby=[described] {
                    (option("", "Not given")) @for one in values { (option(one, one)) }
                }
            },
            FieldKind::Secret => html! {
                input type="password" id=(name) name=(name) autocomplete="new-password" aria-required=[is_needed]
                    aria-invalid=[is_wrong] aria-describedby=[described];
            },
            FieldKind::Text | FieldKind::Number | FieldKind::Day | FieldKind::Group(_) => {
                let kind = match self.kind {
                    FieldKind::Day => "date",
                    _ => "text",
                };
                let mode = matches!(self.kind, FieldKind::Number).then_some("decimal");
                html! {
                    input type=(kind) id=(name) name=(name) value=(value) inputmode=[mode] autocomplete="off"
                        autocapitalize="none" spellcheck="false" aria-required=[is_needed] aria-invalid=[is_wrong]
                        aria-describedby=[described];
                }
            }
        }
    }
}

/// `contactId` in readable form: “Contact id”.
fn words(key: &str) -> String {
    let mut text = String::new();
    let mut was_lower = false;
    for letter in key.chars() {
        if letter == '_' || letter == '-' || letter == '.' {
            text.push(' ');
        } else if text.is_empty() {
            text.extend(letter.to_uppercase());
        } else {
            if letter.is_uppercase() && was_lower {
                text.push(' ');
            }
            text.extend(letter.to_lowercase());
        }
        was_lower = letter.is_lowercase() || letter.is_ascii_digit();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_fields_are_words() {
        for (key, expected) in [
            ("contactId", "Contact id"),
            ("first_name", "First name"),
            ("dnd", "Dnd"),
            ("customFields", "Custom fields"),
            ("address1", "Address1"),
            ("x-y.z", "X y z"),
        ] {
            assert_eq!(words(key), expected);
        }
    }
}
