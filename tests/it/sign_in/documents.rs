//! Documents of clients over the network: a site over TLS that plays the client's, and its possible answers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use oauth::{DocumentFetcher, DocumentProblem, DocumentUrl, FetchedDocument};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use test_support::wire::Wire;

const HOST: &str = "client.example";

/// Resolves every name to this computer. The port is that of the address.
struct Here;

impl Resolve for Here {
    fn resolve(&self, _: Name) -> Resolving {
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        Box::pin(async move { Ok(Box::new(std::iter::once(here)) as Addrs) })
    }
}

/// A client's site, and a fetcher that finds it.
struct Site {
    wire: Wire,
    fetcher: DocumentFetcher,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// Every request gets these bytes. If there are none, the connection stays open.
    async fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let key = rcgen::generate_simple_self_signed([HOST.to_owned()]).expect("a certificate");
        let _ = rustls::crypto::ring::default_provider().install_default();
        let private = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der());
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![key.cert.der().clone()], private.expect("a key"))
            .expect("a server");
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        let wire = Wire::connections(move |stream| {
            let (acceptor, seen, answer) =
                (acceptor.clone(), Arc::clone(&seen), Arc::clone(&answer));
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => request.push(byte),
                        Err(_) => return,
                    }
                }
                let request = String::from_utf8(request).expect("text");
                let bytes = answer(&request);
                seen.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(request);
                let _ = stream.write_all(&bytes).await;
                if bytes.is_empty() {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
                let _ = stream.shutdown().await;
            }
        })
        .await;
        let certificate = reqwest::Certificate::from_der(key.cert.der()).expect("a certificate");
        let fetcher = DocumentFetcher::with_client(None, |client| {
            client
                .dns_resolver(Arc::new(Here))
                .tls_certs_only([certificate])
        });
        Self {
            wire,
            fetcher: fetcher.expect("a fetcher"),
            requests,
        }
    }

    /// The id of the client whose document is at `/client.json`.
    fn id(&self) -> String {
        let port = self.wire.url.rsplit(':').next().expect("a port");
        format!("https://{HOST}:{port}/client.json")
    }

    async fn fetch(&self) -> Result<FetchedDocument, DocumentProblem> {
        let url = DocumentUrl::parse(&self.id()).expect("an id");
        self.fetcher.fetch(&url).await
    }

    fn requests(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.clone()
    }
}

/// An answer with the document of the requested client, padded by `padding` bytes.
fn document(request: &str, headers: &str, padding: usize) -> Vec<u8> {
    let host = request.lines().find_map(|line| {
        let (name, host) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("host").then(|| host.to_owned())
    });
    let body = json!({
        "client_id": format!("https://{}/client.json", host.expect("a host")),
        "client_name": "Client",
        "redirect_uris": ["http://localhost/callback"],
        "padding": "x".repeat(padding),
    });
    let body = body.to_string();
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes()
}

const JSON: &str = "content-type: application/json\r\n";

#[tokio::test]
async fn a_document_is_asked_for_plainly_and_kept_as_long_as_it_says() {
    for (headers, seconds) in [
        ("", 300),
        ("cache-control: max-age=3600\r\n", 3_600),
        ("cache-control: no-store\r\n", 300),
        ("cache-control: max-age=31536000\r\n", 604_800),
    ] {
        let headers = format!("{JSON}{headers}set-cookie: a=b\r\n");
        let site = Site::start(move |request| document(request, &headers, 0)).await;
        for _ in 0..2 {
            let fetched = site.fetch().await.expect("a document");
            assert_eq!(fetched.document.name, "Client");
            assert_eq!(fetched.fresh_for, Duration::from_secs(seconds));
            assert!(fetched.text.contains("\"client_name\""));
        }
        let requests = site.requests();
        assert_eq!(requests.len(), 2, "nothing is kept by the fetcher");
        for request in requests {
            assert!(
                request.starts_with("GET /client.json HTTP/1.1\r\n"),
                "{request}"
            );
            let names: Vec<String> = request
                .lines()
                .skip(1)
                .filter_map(|line| Some(line.split_once(':')?.0.to_lowercase()))
                .collect();
            assert_eq!(names, ["accept", "user-agent", "host"], "{request}");
            assert!(request.contains("application/json"), "{request}");
        }
    }
}

#[tokio::test]
async fn wrong_answers_of_a_site_are_refused() {
    struct Row {
        answer: fn(&str) -> Vec<u8>,
        problem: DocumentProblem,
    }
    let rows = [
        Row {
            answer: |request| {
                let to = format!("location: https://{HOST}/other.json\r\n");
                let whole = document(request, JSON, 0);
                let whole = String::from_utf8(whole).expect("text");
                whole
                    .replacen("200 OK\r\n", &format!("302 Found\r\n{to}"), 1)
                    .into_bytes()
            },
            problem: DocumentProblem::Status(302),
        },
        Row {
            answer: |_| b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n".to_vec(),
            problem: DocumentProblem::Status(403),
        },
        Row {
            answer: |request| document(request, JSON, 6_000),
            problem: DocumentProblem::TooLarge,
        },
        Row {
            answer: |_| {
                let part = format!("400\r\n{}\r\n", "x".repeat(0x400));
                let head = format!("HTTP/1.1 200 OK\r\n{JSON}transfer-encoding: chunked\r\n\r\n");
                format!("{head}{}", part.repeat(6)).into_bytes()
            },
            problem: DocumentProblem::TooLarge,
        },
        Row {
            answer: |request| document(request, "content-type: text/html\r\n", 0),
            problem: DocumentProblem::NotJson,
        },
        Row {
            answer: |request| document(request, "", 0),
            problem: DocumentProblem::NotJson,
        },
        Row {
            answer: |request| document(request, &format!("{JSON}content-encoding: gzip\r\n"), 0),
            problem: DocumentProblem::NotJson,
        },
        Row {
            answer: |_| {
                format!("HTTP/1.1 200 OK\r\n{JSON}content-length: 2\r\n\r\n[]").into_bytes()
            },
            problem: DocumentProblem::NoObject,
        },
        Row {
            answer: |_| {
                format!("HTTP/1.1 200 OK\r\n{JSON}content-length: 1\r\n\r\n\u{fffd}").into_bytes()
            },
            problem: DocumentProblem::NoObject,
        },
        Row {
            answer: |_| {
                format!("HTTP/1.1 200 OK\r\n{JSON}content-length: 2\r\n\r\n{{}}").into_bytes()
            },
            problem: DocumentProblem::OtherClient,
        },
    ];
    for row in rows {
        let site = Site::start(row.answer).await;
        let problem = site.fetch().await.expect_err("a problem");
        assert_eq!(problem, row.problem);
        assert_eq!(site.requests().len(), 1, "{problem:?}");
    }
}

#[tokio::test]
async fn a_site_that_says_nothing_is_given_up() {
    let site = Site::start(|_| Vec::new()).await;
    let begun = Instant::now();
    let problem = site.fetch().await.expect_err("a problem");
    assert_eq!(problem, DocumentProblem::Slow);
    assert!((4_500..8_000).contains(&begun.elapsed().as_millis()));
}

/// Claude's built-in documents replace those that cannot be fetched, but not a faulty one, and not other clients'.
#[tokio::test]
async fn built_in_documents_replace_those_that_cannot_be_fetched() {
    let site = Site::start(|_| Vec::new()).await;
    // Nobody listens at the usual port of this computer's address, or nobody speaks TLS for claude.ai there.
    for (id, name) in [
        (
            "https://claude.ai/oauth/mcp-oauth-client-metadata",
            Some("Claude"),
        ),
        (
            "https://claude.ai/oauth/claude-code-client-metadata",
            Some("Claude Code"),
        ),
        ("https://claude.ai/oauth/another-client", None),
        ("https://chatgpt.com/oauth/client.json", None),
    ] {
        let url = DocumentUrl::parse(id).expect("an id");
        let fetched = site.fetcher.fetch(&url).await;
        let found = fetched.as_ref().ok().map(|one| one.document.name.as_str());
        assert_eq!(found, name, "{id}: {:?}", fetched.as_ref().err());
    }
}
