//! The parameters of a query or a form.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// The reason that parameters are invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParameterProblem {
    /// Two parsers may see different values (RFC 6749, 3.1).
    #[error("The parameter {0} appears more than once.")]
    Repeated(&'static str),
    #[error("The parameters are not UTF-8, percent-encoded as in a form.")]
    NoText,
}

/// Names and values, decoded byte for byte. They may contain secrets, so they are not shown.
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Refuses bytes that are not text, instead of replacing them: a `state` must be returned unchanged.
    pub(crate) fn parse(encoded: &[u8]) -> Result<Self, ParameterProblem> {
        let mut all = Vec::new();
        for part in encoded.split(|byte| *byte == b'&') {
            if part.is_empty() {
                continue;
            }
            let equals = part.iter().position(|byte| *byte == b'=');
            let (name, value) = match equals.and_then(|at| part.split_at_checked(at)) {
                Some((name, value)) => (name, value.get(1..).unwrap_or_default()),
                None => (part, &[][..]),
            };
            all.push((decode(name)?, decode(value)?));
        }
        Ok(Self(all))
    }

    /// The value of this name. An empty one counts as absent (RFC 6749, 3.1).
    pub(crate) fn one(&self, name: &'static str) -> Result<Option<&str>, ParameterProblem> {
        let mut values = self.all(name);
        let first = values.next();
        match values.next() {
            None => Ok(first.filter(|value| !value.is_empty())),
            Some(_) => Err(ParameterProblem::Repeated(name)),
        }
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let same =
            move |(key, value): &'a (String, String)| (key == name).then_some(value.as_str());
        self.0.iter().filter_map(same)
    }
}

/// Decodes a text of a form: `+` is a space.
pub(crate) fn decode(encoded: &[u8]) -> Result<String, ParameterProblem> {
    let spaced: Cow<'_, [u8]> = match encoded.contains(&b'+') {
        false => Cow::Borrowed(encoded),
        true => {
            let one = |byte: &u8| if *byte == b'+' { b' ' } else { *byte };
            Cow::Owned(encoded.iter().map(one).collect())
        }
    };
    let text = percent_decode(&spaced).decode_utf8();
    text.map(Cow::into_owned)
        .map_err(|_| ParameterProblem::NoText)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_they_were_sent() {
        let read = |encoded: &str, name| {
            Parameters::parse(encoded.as_bytes())?
                .one(name)
                .map(|value| value.map(str::to_owned))
        };
        let some = |value: &str| Ok(Some(value.to_owned()));
        for (encoded, expected) in [
            ("state=a", some("a")),
            ("&&x=1&state=a%2Bb+c%20d&", some("a+b c d")),
            ("state=a=b", some("a=b")),
            ("state=%00%0D%0A", some("\0\r\n")),
            ("state=%C3%A9%zz%", some("é%zz%")),
            ("st%61te=a", some("a")),
            ("state=", Ok(None)),
            ("state", Ok(None)),
            ("", Ok(None)),
            ("State=a", Ok(None)),
            ("state=a&state=a", Err(ParameterProblem::Repeated("state"))),
            ("state=&state=a", Err(ParameterProblem::Repeated("state"))),
            ("x=%ff", Err(ParameterProblem::NoText)),
        ] {
            assert_eq!(read(encoded, "state"), expected, "{encoded}");
        }
    }
}
