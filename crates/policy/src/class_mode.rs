//! The confirmation that a section requires for a class of calls: one mode, or `elicit` with another one for clients
//! that cannot ask.

use super::Mode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClassMode {
    mode: Mode,
    /// Applies in place of `elicit` if the client cannot ask its user.
    otherwise: Option<Mode>,
}

/// Separates `elicit` and the mode for other clients.
const OR: &str = " or ";

impl ClassMode {
    /// The same for every client.
    pub(crate) fn always(mode: Mode) -> Self {
        Self {
            mode,
            otherwise: None,
        }
    }

    /// Parses its text in the file; `None` if invalid.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mode = |name: &str| Mode::ALL.into_iter().find(|mode| mode.name() == name);
        match text.split_once(OR) {
            None => mode(text).map(Self::always),
            Some((first, other)) => {
                let (first, other) = (mode(first)?, mode(other)?);
                let fits = first == Mode::Elicit && matches!(other, Mode::Token | Mode::Human);
                fits.then_some(Self {
                    mode: first,
                    otherwise: Some(other),
                })
            }
        }
    }

    /// The mode for a client that can ask its user, or for one that cannot.
    pub(crate) fn of_client(self, can_ask: bool) -> Mode {
        match self.otherwise {
            Some(otherwise) if !can_ask => otherwise,
            _ => self.mode,
        }
    }

    /// Its text in the file.
    pub(crate) fn text(self) -> String {
        match self.otherwise {
            None => self.mode.name().to_owned(),
            Some(otherwise) => format!("{}{OR}{}", self.mode.name(), otherwise.name()),
        }
    }
}
