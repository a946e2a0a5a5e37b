//! The query with which HighLevel sends a browser back.

use secrecy::SecretString;

use super::unreadable;
use crate::http::pages::notice::PageProblem;

/// What a browser comes back with.
#[derive(Default)]
pub(super) struct CallbackQuery {
    pub code: Option<SecretString>,
    pub state: Option<SecretString>,
    pub is_refused: bool,
}

impl CallbackQuery {
    /// A parameter that comes twice is none.
    pub(super) fn parse(query: &str) -> Result<Self, PageProblem> {
        let mut callback = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let text = || SecretString::from(value.as_ref());
            let is_repeated = match name.as_ref() {
                "code" => callback.code.replace(text()).is_some(),
                "state" => callback.state.replace(text()).is_some(),
                "error" => {
                    callback.is_refused = true;
                    false
                }
                _ => false,
            };
            if is_repeated {
                return Err(unreadable());
            }
        }
        Ok(callback)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn repeated_parameters_are_refused() {
        let read = |query: &str| {
            let callback = CallbackQuery::parse(query).ok()?;
            let text = |one: Option<SecretString>| one.map(|one| one.expose_secret().to_owned());
            Some((
                text(callback.code),
                text(callback.state),
                callback.is_refused,
            ))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read("code=a&state=b"), Some((some("a"), some("b"), false)));
        assert_eq!(read("code=a"), Some((some("a"), None, false)));
        assert_eq!(read("error=access_denied"), Some((None, None, true)));
        assert_eq!(read("code=a&state="), Some((some("a"), some(""), false)));
        assert_eq!(read("code=a&code=b"), None);
        assert_eq!(read("code=a&state=b&state=b"), None);
    }
}
