//! Limits on an argument: its values, prefixes, length and size.

mod read;

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

use super::Denial;
use super::argument::{ArgumentPath, Unreadable};
use super::selector::Selector;
use tool::{Arguments, Tool, is_blank};

/// One `[[arguments]]` of a section.
#[derive(Clone, Debug)]
pub(crate) struct Constraint {
    /// Such as `[server] arguments "pipelineId"`.
    pub rule: String,
    pub tools: Vec<Selector>,
    pub argument: ArgumentPath,
    pub tests: Vec<Test>,
    pub required: bool,
    /// Addresses in memory of the tools with the argument: others cannot be required to give it.
    pub having: BTreeSet<usize>,
}

/// The test of every value.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    OneOf(Vec<Plain>),
    NoneOf(Vec<Plain>),
    StartsWith(Vec<String>),
    /// In characters.
    MaxLength(u32),
    AtMost(f64),
}

/// A value in the file.
#[derive(Clone, Debug)]
pub(crate) enum Plain {
    Text(String),
    Number(f64),
    Flag(bool),
}

/// Most reported values of one rule.
const MOST_TOLD: usize = 10;

/// Longest reported part of a caller's value, in characters.
const LONGEST_EXCERPT: usize = 60;

impl Constraint {
    /// Whether `tool` has the argument and is one of the rule's tools.
    pub(crate) fn binds(&self, tool: &Tool) -> bool {
        self.argument.find_in(tool).is_some() && self.tools.iter().any(|one| one.matches(tool))
    }

    /// Checks the arguments that a call of `tool` will send.
    pub(crate) fn check(&self, tool: &Tool, arguments: &Arguments) -> Result<(), Denial> {
        if !self.binds(tool) {
            return Ok(());
        }
        let name = &self.argument.text;
        let denied = |key: &str, what: String| Denial {
            rule: format!("{} {key}", self.rule),
            what,
            retry_after: None,
            is_callers: false,
        };
        let values = match self.argument.values(tool, arguments) {
            Ok(values) => values,
            Err(Unreadable(value)) => {
                return Err(Denial {
                    rule: self.rule.clone(),
                    what: format!(
                        "{name} is held to rules here, and {} has no such field.",
                        excerpt(value)
                    ),
                    retry_after: None,
                    is_callers: false,
                });
            }
        };
        if self.requires(tool) && values.iter().all(|value| is_blank(value)) {
            return Err(denied("required", format!("{name} must be given here.")));
        }
        for (test, value) in self
            .tests
            .iter()
            .flat_map(|test| values.iter().map(move |value| (test, value)))
        {
            if !test.passes(value) {
                let what = format!(
                    "{name} must be {} here, not {}.",
                    test.wanted(),
                    excerpt(value)
                );
                return Err(denied(test.key(), what));
            }
        }
        Ok(())
    }

    /// The rule without its place, such as `one of "a", "b"; required`.
    pub(crate) fn wanted(&self, tool: &Tool) -> String {
        let required = self.requires(tool).then(|| "required".to_owned());
        let tests = self.tests.iter().map(Test::wanted);
        Vec::from_iter(tests.chain(required)).join("; ")
    }

    fn requires(&self, tool: &Tool) -> bool {
        self.required && self.having.contains(&tool.address())
    }
}

impl Test {
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::OneOf(_) => "one_of",
            Self::NoneOf(_) => "none_of",
            Self::StartsWith(_) => "starts_with",
            Self::MaxLength(_) => "max_length",
            Self::AtMost(_) => "at_most",
        }
    }

    /// Whether a value that is not a list may be sent. A value that cannot be tested fails.
    fn passes(&self, value: &Value) -> bool {
        let text = comparable_text(value);
        match self {
            Self::OneOf(allowed) => allowed.iter().any(|one| one.is(value, false)),
            Self::NoneOf(denied) => {
                let comparable = text.is_some() || value.is_null();
                comparable && !denied.iter().any(|one| one.is(value, true))
            }
            Self::StartsWith(starts) => {
                text.is_some_and(|text| starts.iter().any(|start| text.starts_with(start)))
            }
            Self::MaxLength(most) => match text {
                Some(text) => u32::try_from(text.chars().count()).is_ok_and(|long| long <= *most),
                None => value.is_null(),
            },
            Self::AtMost(most) => number(value).is_some_and(|number| number <= *most),
        }
    }

    fn wanted(&self) -> String {
        let list = |values: &mut dyn ExactSizeIterator<Item = String>| {
            let more = values.len().saturating_sub(MOST_TOLD);
            let told = Vec::from_iter(values.take(MOST_TOLD)).join(", ");
            match more {
                0 => told,
                more => format!("{told} and {more} more"),
            }
        };
        match self {
            Self::OneOf(values) => format!("one of {}", list(&mut values.iter().map(Plain::shown))),
            Self::NoneOf(values) => {
                format!("none of {}", list(&mut values.iter().map(Plain::shown)))
            }
            Self::StartsWith(starts) => format!(
                "a text that starts with {}",
                list(&mut starts.iter().map(|start| format!("{start:?}")))
            ),
            Self::MaxLength(most) => format!("at most {most} characters long"),
            Self::AtMost(most) => format!("a number of at most {most}"),
        }
    }
}

impl Plain {
    /// Whether `value` is this. If `loosely`, case and surrounding blanks make no difference: `Spam ` must not bypass a
    /// rule against `spam`, and HighLevel may treat both alike.
    fn is(&self, value: &Value, loosely: bool) -> bool {
        match self {
            Self::Number(wanted) => number(value) == Some(*wanted),
            Self::Flag(wanted) => {
                comparable_text(value).is_some_and(|text| text == wanted.to_string())
            }
            Self::Text(wanted) => comparable_text(value).is_some_and(|text| {
                if loosely {
                    text.trim().to_lowercase() == wanted.trim().to_lowercase()
                } else {
                    text == wanted.as_str()
                }
            }),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
        }
    }
}

/// A plain value as text: numbers are sent as text in paths and queries.
fn comparable_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(_) | Value::Bool(_) => Some(Cow::Owned(value.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `None` also for a number of more digits than an `f64` keeps, which would be compared rounded.
fn number(value: &Value) -> Option<f64> {
    const MOST_DIGITS: usize = 15;
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    let (mantissa, _) = text.split_once(['e', 'E']).unwrap_or((&text, ""));
    let digits = mantissa.chars().filter(char::is_ascii_digit);
    let digits = digits.skip_while(|digit| *digit == '0').count();
    let number = text.parse().ok();
    number.filter(|number: &f64| digits <= MOST_DIGITS && number.is_finite())
}

/// The beginning of a value, for an error.
fn excerpt(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONGEST_EXCERPT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
