//! The confirmation that sections require of a call whose caller read other people's words.

use std::time::Duration;

use super::lockdown::Lockdown;
use super::section::Section;
use super::{EffectiveRules, Mode, Policy};

impl Policy {
    /// How long a read of other people's words must be remembered; `None` if no section requires it.
    pub fn longest_lockdown(&self) -> Option<Duration> {
        let lockdowns = self.all_sections().filter_map(|section| section.lockdown);
        lockdowns.map(|lockdown| lockdown.lasts()).max()
    }
}

impl EffectiveRules<'_> {
    /// The confirmation of a write whose caller read other people's words `read_before` ago; `asked` is the
    /// confirmation by the other rules. If that asks a person, a confirm token, which the agent itself gets, does not
    /// replace it.
    pub fn after_strangers(
        &self,
        asked: (Mode, String),
        read_before: Duration,
        can_ask: bool,
    ) -> (Mode, String) {
        let holding = self
            .lockdowns()
            .filter(|(_, lockdown)| read_before < lockdown.lasts());
        let holding = holding.map(|(section, lockdown)| (section, lockdown.asks(can_ask)));
        let Some((section, mode)) = holding.max_by_key(|(_, mode)| *mode) else {
            return asked;
        };
        let asks_a_person = asked.0 == Mode::Elicit && mode == Mode::Token;
        if mode <= asked.0 || asks_a_person {
            return asked;
        }
        let when = match read_before.as_secs() / 60 {
            0 => "less than a minute ago".to_owned(),
            1 => "a minute ago".to_owned(),
            minutes => format!("{minutes} minutes ago"),
        };
        let place = &section.place;
        let rule = format!("{place} lockdown: what other people wrote was read {when}");
        (mode, rule)
    }

    /// Each section's rule in words, for the person who writes rules.
    pub(crate) fn lockdown_lines(&self) -> Vec<String> {
        let lines = self.lockdowns();
        lines
            .map(|(section, lockdown)| {
                format!("{}, by {} lockdown", lockdown.in_words(), section.place)
            })
            .collect()
    }

    fn lockdowns(&self) -> impl Iterator<Item = (&Section, Lockdown)> {
        self.sections()
            .filter_map(|section| Some((section, section.lockdown?)))
    }
}
