//! Stored sections of rules, beside those of the file. Access keys and people name both alike. A stored section can
//! only take away from what the file allows, whatever it says.

use std::collections::BTreeMap;

use ::tool::Tool;
use toml::Table;
use toml::de::DeTable;

use super::class_mode::ClassMode;
use super::file::section;
use super::lockdown::Lockdown;
use super::problems::PolicyProblems;
use super::section::Section;
use super::{Mode, Policy};

/// Longest text of a section, in bytes.
pub const LONGEST_SECTION: usize = 16 << 10;

/// A parsed section, valid beside a file's.
#[derive(Clone, Debug)]
pub struct StoredSection(Section);

/// A fault in the text of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionProblem {
    /// From 1.
    pub line: usize,
    /// A sentence.
    pub what: String,
}

impl StoredSection {
    /// Parses the keys of one section over `tools`. Fails with every fault, from the top.
    pub fn parse(
        name: &str,
        text: &str,
        tools: &'static [Tool],
    ) -> Result<Self, Vec<SectionProblem>> {
        let table = text.parse::<Table>().map_err(|error| {
            let line = error.span().map_or(1, |span| line_at(text, span.start));
            let what = format!("this is not TOML: {}", error.message().replace('\n', " "));
            vec![SectionProblem { line, what }]
        })?;
        let place = place(name);
        let mut problems = PolicyProblems::new("", tools);
        let read = section(&place, &table.into(), &mut problems);
        if read.modes().any(ClassMode::may_be_token)
            || read.lockdown.is_some_and(Lockdown::may_ask_token)
        {
            problems.add(&place, TOKEN);
        }
        match problems.into_result(()) {
            Ok(()) => Ok(Self(Section {
                is_stored: true,
                ..read
            })),
            Err(errors) => Err(by_line(text, &place, errors.0)),
        }
    }

    /// A section that cannot be parsed: it allows nothing.
    fn unreadable(name: &str) -> Self {
        Self(Section {
            allow: Some(Vec::new()),
            is_stored: true,
            ..Section::empty(&format!("{} (it cannot be read)", place(name)))
        })
    }
}

/// If the file asks a client's user, an assistant's own token would be weaker.
const TOKEN: &str = "asks for a token, which the assistant gives itself. Here only elicit, elicit or human, human and \
                     refuse are possible. A lockdown names one: { minutes = 10, confirm = \"human\" }";

impl Policy {
    /// The same rules with these stored sections in place of the earlier ones, by name. `None` is one that cannot be
    /// parsed. If the file has a section of the same name, the file's applies.
    pub fn with_stored(
        self,
        sections: impl IntoIterator<Item = (String, Option<StoredSection>)>,
    ) -> Self {
        let stored = sections.into_iter().map(|(name, section)| {
            let section = section.unwrap_or_else(|| StoredSection::unreadable(&name));
            (name, section.0)
        });
        let stored: BTreeMap<String, Section> = stored.collect();
        Self { stored, ..self }
    }

    /// Whether the file itself has a section of that name.
    pub fn has_in_file(&self, name: &str) -> bool {
        self.named.contains_key(name)
    }

    /// The section of that name: the file's, else the stored one, else one that allows nothing.
    pub(crate) fn section_called(&self, name: &str) -> &Section {
        let found = self.named.get(name).or_else(|| self.stored.get(name));
        found.unwrap_or(&self.absent)
    }

    pub(crate) fn all_sections(&self) -> impl Iterator<Item = &Section> {
        let named = self.named.values().chain(self.stored.values());
        std::iter::once(&self.server)
            .chain(self.locations.values())
            .chain(named)
    }
}

impl Section {
    fn modes(&self) -> impl Iterator<Item = ClassMode> {
        self.confirm.values().copied().chain(self.many)
    }
}

impl ClassMode {
    pub(crate) fn may_be_token(self) -> bool {
        [true, false]
            .map(|can_ask| self.of_client(can_ask))
            .contains(&Mode::Token)
    }
}

fn place(name: &str) -> String {
    format!("[policies.{name}]")
}

/// Each fault with the line of its key.
fn by_line(text: &str, place: &str, sentences: Vec<String>) -> Vec<SectionProblem> {
    let table = DeTable::parse(text).ok();
    let sentences = sentences.iter().map(|sentence| sentence.trim());
    let line = |sentence: &str| {
        let table = table.as_ref()?.get_ref();
        let rest = sentence.strip_prefix(place)?.trim_start();
        let mut keys = table.keys();
        let key = keys.find(|key| {
            let after = rest.strip_prefix(key.get_ref().as_ref());
            after.is_some_and(|after| after.starts_with([' ', ':', '[']))
        });
        // An unknown key is named after the colon.
        let unknown = || {
            let named = rest.strip_prefix(": ")?;
            let mut keys = table.keys();
            keys.find(|key| named.starts_with(&format!("{} ", key.get_ref())))
        };
        Some(line_at(text, key.or_else(unknown)?.span().start))
    };
    let problems = sentences.map(|sentence| {
        let line = line(sentence).unwrap_or(1);
        let what = sentence.strip_prefix(place).unwrap_or(sentence);
        let what = what.trim_start_matches([' ', ':']).to_owned();
        SectionProblem { line, what }
    });
    let mut problems: Vec<SectionProblem> = problems.collect();
    problems.sort_by_key(|problem| problem.line);
    problems
}

fn line_at(text: &str, start: usize) -> usize {
    let before = text.get(..start).unwrap_or_default();
    before.matches('\n').count() + 1
}

#[cfg(test)]
mod tests;
