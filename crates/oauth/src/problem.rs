//! The answer of an endpoint that refuses a client's request.

/// An error of OAuth. Its text never repeats a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{description}")]
pub struct OauthProblem {
    /// For an answer to the client itself; unused if the problem goes back by redirect.
    pub status: u16,
    /// A code of OAuth.
    pub error: &'static str,
    /// A sentence, in the characters that RFC 6749 allows.
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

    /// The client did not authenticate, or failed to.
    pub fn unknown_client(description: &str) -> Self {
        Self {
            status: 401,
            ..Self::new("invalid_client", description)
        }
    }
}

/// `text` in the characters that descriptions of errors may have (RFC 6749, 5.2): others would end a header's quoted
/// text or break its line.
pub(crate) fn printable(text: &str) -> String {
    let one = |letter: char| match letter {
        '"' | '\\' => '\'',
        ' '..='~' => letter,
        _ if letter.is_control() => ' ',
        _ => '?',
    };
    text.chars().map(one).collect()
}
