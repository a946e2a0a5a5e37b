//! Addresses that an answer may be sent to.

use url::Url;

/// Longest address, in bytes.
const LONGEST: usize = 2_048;

/// Hosts that can only mean this computer, in their usual spelling.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Schemes that no program registers for itself: browsers run, show or open their content. `localhost` is a host whose
/// scheme was forgotten.
const NO_PROGRAMS: [&str; 11] = [
    "javascript",
    "data",
    "vbscript",
    "file",
    "blob",
    "about",
    "ftp",
    "ws",
    "wss",
    "filesystem",
    "localhost",
];

/// An allowed redirect that a client named. It is kept character by character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectUri {
    text: String,
    destination: Destination,
    /// For http to this computer: the text before the port and the text after it, which alone are compared.
    around_port: Option<(String, String)>,
}

/// The destination of an answer, as a person is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A program on the computer with the browser.
    ThisComputer { host: String },
    /// A web site, by its host.
    Site(String),
    /// The program that opens addresses of this scheme.
    Program(String),
}

/// The reason that an address is not allowed as a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectProblem {
    #[error("The redirect address is longer than 2048 bytes.")]
    TooLong,
    #[error(
        "The redirect address contains white space, control characters, backslashes or letters beyond ASCII."
    )]
    Letters,
    #[error("The redirect address is not an absolute address.")]
    NoAddress,
    #[error("The redirect address has a fragment (#).")]
    Fragment,
    #[error("The redirect address has a user or password before its host.")]
    User,
    #[error("The host of the redirect address is not written as browsers write it.")]
    Host,
    #[error(
        "The redirect address begins with http:, which is for localhost, 127.0.0.1 and [::1] only; use https:."
    )]
    Plaintext,
    #[error("No program may be opened by a redirect address with this scheme.")]
    Scheme,
}

impl RedirectUri {
    pub fn parse(text: &str) -> Result<Self, RedirectProblem> {
        if text.len() > LONGEST {
            return Err(RedirectProblem::TooLong);
        }
        // Browsers drop some of these and read others as `/`: they would open another address.
        if !text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        {
            return Err(RedirectProblem::Letters);
        }
        if text.contains('#') {
            return Err(RedirectProblem::Fragment);
        }
        let url = Url::parse(text).map_err(|_| RedirectProblem::NoAddress)?;
        match url.scheme() {
            "http" | "https" => Self::web(text, &url),
            scheme => Self::program(text, scheme),
        }
    }

    fn web(text: &str, url: &Url) -> Result<Self, RedirectProblem> {
        let (scheme, rest) = text.split_once("://").ok_or(RedirectProblem::NoAddress)?;
        let path = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(path).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(RedirectProblem::User);
        }
        let after_bracket = authority.rfind(']').map_or(0, |end| end + 1);
        let port = authority
            .get(after_bracket..)
            .and_then(|rest| rest.find(':'));
        let port = port.map_or(authority.len(), |at| after_bracket + at);
        let host = authority.get(..port).unwrap_or(authority);
        // Another spelling (0x7f.1, percent-encoded, more slashes) must not bypass the rules below.
        if url
            .host_str()
            .is_none_or(|read| !read.eq_ignore_ascii_case(host))
        {
            return Err(RedirectProblem::Host);
        }
        let host = host.to_ascii_lowercase();
        let is_local = LOOPBACK.contains(&host.as_str());
        let is_plaintext = url.scheme() == "http";
        if is_plaintext && !is_local {
            return Err(RedirectProblem::Plaintext);
        }
        let before_port = format!("{scheme}://{}", authority.get(..port).unwrap_or_default());
        Ok(Self {
            text: text.to_owned(),
            around_port: is_plaintext.then(|| (before_port, path.to_owned())),
            destination: match is_local {
                true => Destination::ThisComputer { host },
                false => Destination::Site(host),
            },
        })
    }

    fn program(text: &str, scheme: &str) -> Result<Self, RedirectProblem> {
        // A single letter is a drive of Windows.
        if NO_PROGRAMS.contains(&scheme) || scheme.len() < 2 {
            return Err(RedirectProblem::Scheme);
        }
        let rest = text.split_once("://").map(|(_, rest)| rest);
        let authority = rest.map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
        if authority.is_some_and(|authority| authority.contains('@')) {
            return Err(RedirectProblem::User);
        }
        Ok(Self {
            text: text.to_owned(),
            destination: Destination::Program(scheme.to_owned()),
            around_port: None,
        })
    }

    /// Whether an answer may go to `asked` if this redirect was registered: the same characters, or, for http to this
    /// computer, the same except for the port. Programs listen on any free port, even if their documents name one.
    pub fn matches(&self, asked: &str) -> bool {
        if self.text == asked {
            return true;
        }
        let Some(known) = &self.around_port else {
            return false;
        };
        Self::parse(asked).is_ok_and(|asked| asked.around_port.as_ref() == Some(known))
    }

    pub fn goes_to(&self) -> Destination {
        self.destination.clone()
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests;
