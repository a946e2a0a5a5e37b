//! Fetches clients' documents, only from the public internet, and has those that need no fetching.

mod built_in;
mod freshness;

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::{Client, ClientBuilder, Response, StatusCode, redirect};
use tokio::sync::Semaphore;
use url::Host;

use super::public_addresses::{LookupProblem, PublicAddresses, is_public};
use super::{ClientDocument, DocumentProblem, DocumentUrl};
use built_in::BUILT_IN;
use freshness::{SHORTEST, fresh_for};

/// Largest document, in bytes, as the specification recommends.
const LARGEST: usize = 5 * 1024;

/// Time limit of a whole fetch.
const PATIENCE: Duration = Duration::from_secs(5);

/// Most concurrent fetches: anybody may cause one.
const MOST_AT_ONCE: usize = 32;

/// A built-in document, used in place of one that could not be fetched, is fetched again after this time.
const BUILT_IN_FOR: Duration = Duration::from_secs(3_600);

/// Cheap to clone.
#[derive(Clone)]
pub struct DocumentFetcher {
    http: Client,
    /// By client id; used instead of the published document.
    pinned: Arc<HashMap<String, String>>,
    permits: Arc<Semaphore>,
}

/// A document, and how long it needs no fetching.
#[derive(Clone, Debug)]
pub struct FetchedDocument {
    pub document: ClientDocument,
    /// The text as received.
    pub text: String,
    /// From 5 minutes to 7 days.
    pub fresh_for: Duration,
}

/// The reason that no documents can be fetched at all.
#[derive(Debug, thiserror::Error)]
pub enum PinnedProblem {
    #[error("the folder of pinned documents {} cannot be read: {error}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        error: std::io::Error,
    },
    #[error("{} is no document of a client: {what}", path.display())]
    NoDocument { path: PathBuf, what: String },
    #[error("the client for documents cannot be made: {0}")]
    Http(#[from] reqwest::Error),
}

impl DocumentFetcher {
    /// `pinned`: a folder of documents (`*.json`), which are read now.
    pub fn new(pinned: Option<&Path>) -> Result<Self, PinnedProblem> {
        Self::with_client(pinned, |client| client)
    }

    /// `change`: a test's changes to the client, such as its trusted certificates.
    pub fn with_client(
        pinned: Option<&Path>,
        change: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<Self, PinnedProblem> {
        // An error means that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent("highlevel-mcp")
            .https_only(true)
            .no_proxy()
            .no_gzip()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            // No document is fetched twice in a row, and other servers must not hold connections open.
            .pool_max_idle_per_host(0)
            .timeout(PATIENCE)
            .dns_resolver(Arc::new(PublicAddresses::of_system()));
        Ok(Self {
            http: change(client).build()?,
            pinned: Arc::new(pinned.map(read_pinned).transpose()?.unwrap_or_default()),
            permits: Arc::new(Semaphore::new(MOST_AT_ONCE)),
        })
    }

    /// The text that is used for the document at `url`, whatever is published; `None` if none is pinned.
    pub fn pinned(&self, url: &DocumentUrl) -> Option<&str> {
        self.pinned.get(url.as_str()).map(String::as_str)
    }

    /// The document at `url`: the pinned one, else the published one, else a built-in one.
    pub async fn fetch(&self, url: &DocumentUrl) -> Result<FetchedDocument, DocumentProblem> {
        if let Some(text) = self.pinned(url) {
            return FetchedDocument::parse(url, text.to_owned(), SHORTEST);
        }
        match self.fetch_anew(url).await {
            Err(problem) if problem.is_for_want_of_document() => {
                let same = |(id, _): &&(&str, &str)| *id == url.as_str();
                let (_, text) = BUILT_IN.iter().find(same).ok_or(problem)?;
                FetchedDocument::parse(url, (*text).to_owned(), BUILT_IN_FOR)
            }
            fetched => fetched,
        }
    }

    async fn fetch_anew(&self, url: &DocumentUrl) -> Result<FetchedDocument, DocumentProblem> {
        // Names are checked when they are resolved, but addresses are not resolved.
        let is_local = match url.url().host() {
            Some(Host::Ipv4(address)) => !is_public(address.into()),
            Some(Host::Ipv6(address)) => !is_public(address.into()),
            _ => false,
        };
        if is_local {
            return Err(DocumentProblem::NotPublic);
        }
        let permit = self.permits.try_acquire();
        let _permit = permit.map_err(|_| DocumentProblem::Busy)?;
        let request = self
            .http
            .get(url.as_str())
            .header(ACCEPT, "application/json");
        let response = request.send().await.map_err(unreachable)?;
        if response.status() != StatusCode::OK {
            return Err(DocumentProblem::Status(response.status().as_u16()));
        }
        let header = |name| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let media_type = header(CONTENT_TYPE).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        let is_json = media_type.eq_ignore_ascii_case("application/json");
        // No compression was requested. A body that may expand is not unpacked.
        if !is_json || header(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
            return Err(DocumentProblem::NotJson);
        }
        let fresh_for = fresh_for(header(CACHE_CONTROL).unwrap_or_default());
        let text = String::from_utf8(read(response).await?);
        FetchedDocument::parse(url, text.map_err(|_| DocumentProblem::NoObject)?, fresh_for)
    }
}

impl FetchedDocument {
    fn parse(
        url: &DocumentUrl,
        text: String,
        fresh_for: Duration,
    ) -> Result<Self, DocumentProblem> {
        Ok(Self {
            document: ClientDocument::parse(url, text.as_bytes())?,
            text,
            fresh_for,
        })
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, DocumentProblem> {
    let mut text = Vec::new();
    while let Some(part) = response.chunk().await.map_err(unreachable)? {
        if text.len() + part.len() > LARGEST {
            return Err(DocumentProblem::TooLarge);
        }
        text.extend_from_slice(&part);
    }
    Ok(text)
}

fn unreachable(error: reqwest::Error) -> DocumentProblem {
    if error.is_timeout() {
        return DocumentProblem::Slow;
    }
    let mut cause: Option<&dyn Error> = Some(&error);
    let mut last = String::new();
    while let Some(error) = cause {
        match error.downcast_ref() {
            Some(LookupProblem::NotPublic) => return DocumentProblem::NotPublic,
            Some(LookupProblem::Busy) => return DocumentProblem::Busy,
            None => {}
        }
        last = error.to_string();
        cause = error.source();
    }
    DocumentProblem::Unreachable(last)
}

fn read_pinned(folder: &Path) -> Result<HashMap<String, String>, PinnedProblem> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        |error| PinnedProblem::Unreadable { path, error }
    };
    let mut pinned = HashMap::new();
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
        let no_document = |what: String| PinnedProblem::NoDocument {
            path: path.clone(),
            what,
        };
        let id = serde_json::from_str::<serde_json::Value>(&text)
            .map_err(|error| no_document(error.to_string()))?
            .get("client_id")
            .and_then(|id| DocumentUrl::parse(id.as_str()?))
            .ok_or_else(|| {
                no_document("its client_id is not an address of a document".to_owned())
            })?;
        ClientDocument::parse(&id, text.as_bytes())
            .map_err(|problem| no_document(problem.to_string()))?;
        pinned.insert(id.as_str().to_owned(), text);
    }
    Ok(pinned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pinned_documents_come_before_all_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let id = "https://claude.ai/oauth/mcp-oauth-client-metadata";
        let text = format!(
            "{{\"client_id\":\"{id}\",\"client_name\":\"Pinned\",\"redirect_uris\":[\"https://pinned.example/\"]}}"
        );
        fs::write(folder.path().join("claude.json"), &text).expect("a file");
        fs::write(folder.path().join("README"), "about them").expect("a file");
        let fetcher = DocumentFetcher::new(Some(folder.path())).expect("a fetcher");
        let url = DocumentUrl::parse(id).expect("an address");
        assert_eq!(fetcher.pinned(&url), Some(text.as_str()));
        let fetched = fetcher.fetch(&url).await.expect("a document");
        assert_eq!(
            (fetched.document.name.as_str(), &fetched.text),
            ("Pinned", &text)
        );
        assert_eq!(fetched.fresh_for, SHORTEST);
    }

    #[test]
    fn a_folder_with_a_wrong_document_is_refused_with_the_files_name() {
        let other = r#"{"client_id": "http://client.example/x", "redirect_uris": ["https://client.example/cb"]}"#;
        let redirect = r#"{"client_id": "https://client.example/x", "redirect_uris": []}"#;
        for (text, part) in [
            ("{", "EOF"),
            ("[]", "client_id"),
            (other, "client_id"),
            (redirect, "no usable redirect address"),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            fs::write(folder.path().join("client.json"), text).expect("a file");
            let problem = DocumentFetcher::new(Some(folder.path())).err().expect(text);
            let problem = problem.to_string();
            assert!(
                problem.contains("client.json") && problem.contains(part),
                "{problem}"
            );
        }
        let none = DocumentFetcher::new(Some(Path::new("/nowhere/at/all"))).err();
        let problem = none.expect("no folder").to_string();
        assert!(problem.contains("/nowhere/at/all"), "{problem}");
    }

    #[tokio::test]
    async fn addresses_of_this_network_are_not_asked() {
        let fetcher = DocumentFetcher::new(None).expect("a fetcher");
        for url in [
            "https://127.0.0.1/x",
            "https://10.0.0.1:8443/x",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/x",
            "https://[::ffff:7f00:1]/x",
            "https://[fd00::1]/x",
            "https://localhost/x",
        ] {
            let url = DocumentUrl::parse(url).expect(url);
            let problem = fetcher.fetch(&url).await.expect_err(url.as_str());
            assert_eq!(problem, DocumentProblem::NotPublic, "{}", url.as_str());
        }
    }

    #[test]
    fn built_in_documents_are_documents() {
        for (id, text) in BUILT_IN {
            let url = DocumentUrl::parse(id).expect(id);
            ClientDocument::parse(&url, text.as_bytes()).expect(id);
        }
    }
}
