//! The confirmation of a call that changes or sends something, for some minutes after its caller read other people's
//! words: such a text may contain instructions for an agent.

use std::time::Duration;

use toml::Value;

use super::Mode;
use super::class_mode::ClassMode;
use super::problems::PolicyProblems;

/// Longest, in minutes.
const LONGEST: u32 = 1_440;

/// How long it lasts, and the confirmation meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lockdown {
    minutes: u32,
    mode: ClassMode,
}

impl Default for Lockdown {
    fn default() -> Self {
        Self {
            minutes: 10,
            mode: ClassMode::always(Mode::Token),
        }
    }
}

impl Lockdown {
    /// Parses a value such as `{ minutes = 10, confirm = "human" }`; `{}` is ten minutes and a confirm token.
    pub(crate) fn read(
        at: &str,
        value: &Value,
        problems: &mut PolicyProblems,
        mode: impl Fn(&str, &Value, &mut PolicyProblems) -> Option<ClassMode>,
    ) -> Option<Self> {
        let before = problems.count();
        let mut lockdown = Self::default();
        for (key, value) in problems.table(at, value)? {
            let place = format!("{at} {key}");
            match key.as_str() {
                "minutes" => match problems.whole_number(&place, value) {
                    Some(minutes) if (1..=LONGEST).contains(&minutes) => lockdown.minutes = minutes,
                    Some(_) => problems.add(&place, format_args!("must be 1 to {LONGEST}")),
                    None => {}
                },
                "confirm" => match mode(&place, value, problems) {
                    Some(mode) if mode == ClassMode::always(Mode::Off) => {
                        problems.add(&place, "off asks nobody. Leave lockdown out instead")
                    }
                    Some(mode) => lockdown.mode = mode,
                    None => {}
                },
                _ => problems.unknown(at, key, &["minutes", "confirm"]),
            }
        }
        (problems.count() == before).then_some(lockdown)
    }

    pub(crate) fn lasts(&self) -> Duration {
        Duration::from_secs(u64::from(self.minutes) * 60)
    }

    pub(crate) fn may_ask_token(self) -> bool {
        self.mode.may_be_token()
    }

    /// The confirmation for a client that can ask its user, or for one that cannot.
    pub(crate) fn asks(&self, can_ask: bool) -> Mode {
        self.mode.of_client(can_ask)
    }

    /// In words, for the person who writes rules.
    pub(crate) fn in_words(&self) -> String {
        let (mode, minutes) = (self.mode.text(), self.minutes);
        format!("{mode}, for {minutes} minutes after a read of what other people wrote")
    }
}
