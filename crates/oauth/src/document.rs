//! Clients whose id is the address of a document about them (OAuth Client ID Metadata Document).

use serde_json::{Map, Value};
use url::Url;

use super::RedirectUri;
use super::client_name::client_name;

/// Longest id, in bytes.
const LONGEST: usize = 2_048;

/// A client id that is the address of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentUrl(Url);

/// The used parts of a client's document. Other members are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientDocument {
    /// Cleaned for display; never empty.
    pub name: String,
    /// At least one. Addresses to which nobody may redirect are left out.
    pub redirects: Vec<RedirectUri>,
}

/// The reason that a client's document cannot be fetched or is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentProblem {
    #[error("The address of the client's document is not on the public internet.")]
    NotPublic,
    #[error("The client's document cannot be fetched: {0}.")]
    Unreachable(String),
    #[error("The client's document cannot be fetched: its server answers with status {0}.")]
    Status(u16),
    #[error("The client's document did not arrive within 5 seconds.")]
    Slow,
    #[error("Too many documents of clients are being fetched. Try again in some seconds.")]
    Busy,
    #[error("The client's document is larger than 5 kB.")]
    TooLarge,
    #[error("The client's document is not sent as application/json.")]
    NotJson,
    #[error("The client's document is not a JSON object.")]
    NoObject,
    #[error("The client's document is about another client: its client_id is not its own address.")]
    OtherClient,
    #[error("The client's document contains a secret, which everybody can read there.")]
    Secret,
    #[error("The client's document names no usable redirect address.")]
    NoRedirect,
    #[error(
        "The client's document does not allow a client without a secret (none), which this server needs."
    )]
    Method,
}

impl DocumentProblem {
    /// Whether there was no document to judge. An earlier one then stays valid for a while.
    pub fn is_for_want_of_document(&self) -> bool {
        matches!(
            self,
            Self::NotPublic | Self::Unreachable(_) | Self::Status(_) | Self::Slow | Self::Busy
        )
    }
}

impl DocumentUrl {
    /// `None` if the id is something else. It must be in the normal form of browsers, because it is compared by its
    /// characters: https, a path without dots, no user, no fragment.
    pub fn parse(client_id: &str) -> Option<Self> {
        let url = Url::parse(client_id)
            .ok()
            .filter(|_| client_id.len() <= LONGEST)?;
        let has_user = !url.username().is_empty() || url.password().is_some();
        let is_canonical = url.as_str() == client_id;
        let is_address = url.scheme() == "https" && url.path() != "/" && url.fragment().is_none();
        (is_address && is_canonical && !has_user).then_some(Self(url))
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host, which tells a person whose client it is.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

impl ClientDocument {
    /// `text` is the document at `url`.
    pub fn parse(url: &DocumentUrl, text: &[u8]) -> Result<Self, DocumentProblem> {
        let metadata: Map<String, Value> =
            serde_json::from_slice(text).map_err(|_| DocumentProblem::NoObject)?;
        if metadata.get("client_id").and_then(Value::as_str) != Some(url.as_str()) {
            return Err(DocumentProblem::OtherClient);
        }
        if ["client_secret", "client_secret_expires_at"]
            .iter()
            .any(|name| metadata.contains_key(*name))
        {
            return Err(DocumentProblem::Secret);
        }
        if !is_public_client(&metadata) {
            return Err(DocumentProblem::Method);
        }
        let redirects = metadata.get("redirect_uris").and_then(Value::as_array);
        let redirects = redirects.into_iter().flatten().filter_map(Value::as_str);
        let redirects: Vec<RedirectUri> = redirects
            .filter_map(|text| RedirectUri::parse(text).ok())
            .collect();
        if redirects.is_empty() {
            return Err(DocumentProblem::NoRedirect);
        }
        Ok(Self {
            name: client_name(metadata.get("client_name").and_then(Value::as_str)),
            redirects,
        })
    }
}

/// Whether the client can work without a secret. ChatGPT says so in a list beside the one method that it prefers.
fn is_public_client(metadata: &Map<String, Value>) -> bool {
    let one = metadata.get("token_endpoint_auth_method");
    let list = metadata.get("token_endpoint_auth_methods_supported");
    let listed = list.and_then(Value::as_array).is_some_and(|all| {
        let mut names = all.iter().filter_map(Value::as_str);
        names.any(|name| name == "none")
    });
    match one.and_then(Value::as_str) {
        Some("none") => true,
        Some(_) => listed,
        None => listed || list.is_none(),
    }
}

#[cfg(test)]
mod tests;
