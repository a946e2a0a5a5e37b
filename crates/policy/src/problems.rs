//! The faults of a file of rules, collected while it is read.

use std::fmt::Display;

use toml::{Table, Value};
use tool::Tool;

use crate::selector::{Selector, nearest};

/// Every fault of a file, one sentence each.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct PolicyErrors(pub Vec<String>);

/// Collects the faults of a file.
pub struct PolicyProblems {
    file: String,
    found: Vec<String>,
    /// The tools that rules may name.
    pub tools: &'static [Tool],
}

impl PolicyProblems {
    /// `file` is its name in errors, `tools` the tools that its rules may name.
    pub fn new(file: &str, tools: &'static [Tool]) -> Self {
        Self {
            file: file.to_owned(),
            found: Vec::new(),
            tools,
        }
    }

    /// `value`, unless there are faults.
    pub fn into_result<T>(self, value: T) -> Result<T, PolicyErrors> {
        match self.found.is_empty() {
            true => Ok(value),
            false => Err(PolicyErrors(self.found)),
        }
    }

    /// `at` is the place in the file, such as `[server] deny`.
    pub fn add(&mut self, at: &str, what: impl Display) {
        let place = format!("{} {at}", self.file);
        self.found.push(format!("{}: {what}", place.trim_end()));
    }

    pub fn count(&self) -> usize {
        self.found.len()
    }

    /// Adds a key that `at` does not have.
    pub fn unknown(&mut self, at: &str, key: &str, known: &[&str]) {
        let hint = match nearest(key, known.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("there are {}", tool::first_names(known.iter().copied())),
        };
        self.add(at, format_args!("{key} is not a key; {hint}"));
    }

    pub fn table<'a>(&mut self, at: &str, value: &'a Value) -> Option<&'a Table> {
        let table = value.as_table();
        if table.is_none() {
            self.add(at, "must be a table");
        }
        table
    }

    pub fn list<'a>(&mut self, at: &str, value: &'a Value) -> &'a [Value] {
        match value.as_array() {
            Some(list) => list,
            None => {
                self.add(at, "must be a list, in [ ]");
                &[]
            }
        }
    }

    pub fn texts<'a>(&mut self, at: &str, value: &'a Value) -> Vec<&'a str> {
        let mut texts = Vec::new();
        for value in self.list(at, value) {
            match value.as_str() {
                Some(text) => texts.push(text),
                None => self.add(at, format_args!("{value} must be a text, in quotes")),
            }
        }
        texts
    }

    pub fn flag(&mut self, at: &str, value: &Value) -> bool {
        let flag = value.as_bool();
        if flag.is_none() {
            self.add(at, "must be true or false");
        }
        flag.unwrap_or_default()
    }

    pub fn whole_number(&mut self, at: &str, value: &Value) -> Option<u32> {
        let number = value.as_integer().and_then(|one| u32::try_from(one).ok());
        if number.is_none() {
            self.add(
                at,
                format_args!("must be a whole number from 0 to {}", u32::MAX),
            );
        }
        number
    }
}

/// Selectors of tools. One that selects none is a problem.
pub(crate) fn selectors(at: &str, value: &Value, problems: &mut PolicyProblems) -> Vec<Selector> {
    let mut selectors = Vec::new();
    for text in problems.texts(at, value) {
        match Selector::parse(text, problems.tools) {
            Ok(selector) => selectors.push(selector),
            Err(what) => problems.add(at, what),
        }
    }
    selectors
}
