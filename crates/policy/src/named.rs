//! Rules of a caller by name: a section of the file, or built-in rules that people choose when they connect a client.

use std::fmt;
use std::sync::LazyLock;

use toml::Table;

use super::file::section;
use super::problems::PolicyProblems;
use super::section::Section;

/// Most rules of one caller: four of a connection, and those of its holder. Nobody has more; if a caller did, nothing
/// would be allowed.
pub const MOST_NAMED: usize = 7;

/// Prefix of the name of a section of the file, so that none can be taken for built-in rules.
const SECTION: &str = "section:";

/// Rules by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedRules {
    BuiltIn(BuiltInRules),
    /// `[policies.<name>]`
    Section(String),
    /// Only reads, until the file has rules for the location: the location appeared automatically when an app was
    /// installed.
    Installed,
}

/// Rules that every server has, whatever its file contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltInRules {
    /// Only reads.
    ReadOnly,
    /// Reads and changes single records; a person approves everything else.
    AskFirst,
    /// Sends single messages too, 50 a day.
    Everyday,
    /// Adds nothing to the server's own rules.
    Everything,
}

impl NamedRules {
    /// `read-only`, `ask-first`, `everyday`, `everything`, or `section:<name>`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix(SECTION) {
            return (!name.is_empty()).then(|| Self::Section(name.to_owned()));
        }
        let mut all = BuiltInRules::ALL.into_iter();
        all.find(|one| one.name() == text).map(Self::BuiltIn)
    }
}

/// In the form for `parse`.
impl fmt::Display for NamedRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(rules) => f.write_str(rules.name()),
            Self::Section(name) => write!(f, "{SECTION}{name}"),
            Self::Installed => f.write_str("installed"),
        }
    }
}

impl BuiltInRules {
    pub const ALL: [Self; 4] = [
        Self::ReadOnly,
        Self::AskFirst,
        Self::Everyday,
        Self::Everything,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::AskFirst => "ask-first",
            Self::Everyday => "everyday",
            Self::Everything => "everything",
        }
    }

    /// Their text in the form of a file.
    fn text(self) -> &'static str {
        match self {
            Self::ReadOnly => "read_only = true",
            Self::AskFirst => {
                r#"
                confirm = { send = "human", money = "human", destructive = "human" }
                many = "human"
                "#
            }
            Self::Everyday => {
                r#"
                confirm = { money = "human", destructive = "human" }
                many = "human"
                caps = { send = { day = 50 } }
                "#
            }
            Self::Everything => "",
        }
    }

    pub(crate) fn section(self) -> &'static Section {
        static SECTIONS: LazyLock<[Section; 4]> =
            LazyLock::new(|| BuiltInRules::ALL.map(|rules| rules.read(&mut problems())));
        let [read_only, ask_first, everyday, everything] = &*SECTIONS;
        match self {
            Self::ReadOnly => read_only,
            Self::AskFirst => ask_first,
            Self::Everyday => everyday,
            Self::Everything => everything,
        }
    }

    /// The rules of an installed location without rules of its own.
    pub(crate) fn installed() -> &'static Section {
        static INSTALLED: LazyLock<Section> = LazyLock::new(|| Section {
            read_only: true,
            ..Section::empty("no [locations.<alias>] of this installed location")
        });
        &INSTALLED
    }

    fn read(self, problems: &mut PolicyProblems) -> Section {
        let place = format!("the connection's own {:?}", self.name());
        let table = self.text().parse::<Table>();
        let read = table.map(|table| section(&place, &table.into(), problems));
        match read {
            Ok(read) if problems.count() == 0 => Section {
                is_callers: true,
                ..read
            },
            // A test shows that this never happens.
            _ => Section {
                allow: Some(Vec::new()),
                ..Section::empty(&place)
            },
        }
    }
}

fn problems() -> PolicyProblems {
    // None of them names a tool.
    PolicyProblems::new("built in", &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_rules_are_read_without_a_problem() {
        for rules in BuiltInRules::ALL {
            let mut problems = problems();
            let section = rules.read(&mut problems);
            assert_eq!(problems.into_result(()), Ok(()), "{}", rules.name());
            assert_eq!(section.allow.map(|list| list.len()), None);
        }
    }

    #[test]
    fn a_section_of_the_file_is_never_one_that_is_built_in() {
        let section = |name: &str| Some(NamedRules::Section(name.to_owned()));
        let rows = [
            (
                "read-only",
                Some(NamedRules::BuiltIn(BuiltInRules::ReadOnly)),
            ),
            (
                "everything",
                Some(NamedRules::BuiltIn(BuiltInRules::Everything)),
            ),
            ("section:everything", section("everything")),
            ("section:section:x", section("section:x")),
            ("section:", None),
            ("front-desk", None),
            ("Everything", None),
            ("installed", None),
            ("", None),
        ];
        for (text, expected) in rows {
            let parsed = NamedRules::parse(text);
            assert_eq!(parsed, expected, "{text}");
            if let Some(parsed) = parsed {
                assert_eq!(parsed.to_string(), text);
            }
        }
    }
}
