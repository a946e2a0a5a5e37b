//! The answer of an endpoint to a client whose request it refuses.

/// An error of OAuth. Its text never repeats a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{description}")]
pub struct OauthProblem {
    /// Of an answer to the client itself; of no matter where the problem goes back by redirect.
    pub status: u16,
    /// A code of OAuth's.
    pub error: &'static str,
    /// A sentence, in the characters that RFC 6749 has for it.
    pub description: String,
}

impl OauthProblem {
    /// A problem of status 400.
    pub fn new(error: &'static str, description: &str) -> Self {
        Self {
            status: 400,
            error,
            description: printable(description),
        }
    }

    /// The client did not show who it is, or not rightly.
    pub fn unknown_client(description: &str) -> Self {
        Self {
            status: 401,
            ..Self::new("invalid_client", description)
        }
    }
}

/// `text` in the characters that descriptions of errors may have (RFC 6749, 5.2): what is beyond them would end a header's
/// quoted text or break its line.
pub(crate) fn printable(text: &str) -> String {
    let one = |letter: char| match letter {
        '"' | '\\' => '\'',
        ' '..='~' => letter,
        _ if letter.is_control() => ' ',
        _ => '?',
    };
    text.chars().map(one).collect()
}
