//! The line to the person at a client while a call waits, for clients that the server asks by a request of its own.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::shares::CallPlace;

/// Longest wait for a person at a client. Clients give up their calls after a while, too.
pub const LONGEST_QUESTION: Duration = Duration::from_secs(120);

/// A question to a person at a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientQuestion {
    pub text: String,
    /// The page where the person decides. `None`: the person decides at the client, by yes or no. With a page, yes
    /// means that it is opened.
    pub page: Option<String>,
}

/// Ways in which a client can ask its user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientAbilities {
    /// It shows a text and takes yes or no.
    pub forms: bool,
    /// It opens an address in the user's browser.
    pub pages: bool,
}

/// Puts a question to the person at the client. Cheap to clone.
#[derive(Clone)]
pub struct ClientLine(Arc<AskClient>);

/// The answer to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAnswer {
    Accepted,
    Declined,
    /// Nobody said yes or no, for this reason.
    Unanswered(&'static str),
}

type AskClient =
    dyn Fn(ClientQuestion) -> Pin<Box<dyn Future<Output = ClientAnswer> + Send>> + Send + Sync;

impl ClientLine {
    /// `ask` ends by itself after `LONGEST_QUESTION`.
    pub fn new(
        ask: impl Fn(ClientQuestion) -> Pin<Box<dyn Future<Output = ClientAnswer> + Send>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Arc::new(ask))
    }

    /// The call holds no place while the person thinks.
    pub(super) async fn ask(
        &self,
        question: ClientQuestion,
        place: Option<&CallPlace>,
    ) -> ClientAnswer {
        if let Some(place) = place {
            place.suspend();
        }
        let answer = (self.0)(question).await;
        if let Some(place) = place {
            place.resume().await;
        }
        answer
    }
}

impl fmt::Debug for ClientLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientLine")
    }
}

impl ClientAnswer {
    pub const LATE: Self = Self::Unanswered("nobody answered the client's question in two minutes");
    pub const GONE: Self = Self::Unanswered("the client left before its user answered");

    /// The word for a call that its client gave up.
    pub const WITHDRAWN: &str = "withdrawn";

    /// Parses the protocol's word for the person's action, or ours. Any other word means that the client
    /// could not ask.
    pub fn parse(word: &str) -> Self {
        match word {
            Self::WITHDRAWN => {
                Self::Unanswered("the client cancelled the call before its user answered")
            }
            "accept" => Self::Accepted,
            "decline" => Self::Declined,
            "cancel" => Self::Unanswered("the user closed the question without an answer"),
            _ => Self::Unanswered("the client could not ask its user"),
        }
    }
}
