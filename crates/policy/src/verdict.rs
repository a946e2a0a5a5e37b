//! The rules' verdict on a tool in one word, to compare it before and after a change.

use super::{EffectiveRules, Mode};
use tool::Tool;

/// From allowed to forbidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RulesVerdict {
    Allowed,
    /// It is allowed once somebody has agreed.
    Asks(Mode),
    Refused,
}

impl EffectiveRules<'_> {
    /// For a client that can ask its user, with the line of the rules that decides. Effects of arguments and times of
    /// day are left out.
    pub fn verdict(&self, tool: &Tool) -> (RulesVerdict, String) {
        if let Err(denied) = self.shows(tool) {
            return (RulesVerdict::Refused, denied.rule);
        }
        let (mode, rule) = self.confirmation(tool, true);
        let verdict = match mode {
            Mode::Off => RulesVerdict::Allowed,
            Mode::Refuse => RulesVerdict::Refused,
            mode => RulesVerdict::Asks(mode),
        };
        (verdict, rule)
    }
}

impl RulesVerdict {
    /// In words, for the person who writes rules.
    pub fn text(self) -> String {
        match self {
            Self::Allowed => "allowed".to_owned(),
            Self::Asks(mode) => format!("asks ({})", mode.name()),
            Self::Refused => "refused".to_owned(),
        }
    }
}
