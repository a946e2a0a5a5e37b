//! `doctor --public`: whether remote clients find a server and can sign in, and what its proxy must change.

mod metadata;

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::Finding;
use crate::cli::CliError;
use crate::cli::web::{
    HOST, NO_SIGN_IN, ServerAddress, SignInChallenge, WebAnswer, client, has_no_sign_in, hello,
    with_form,
};

/// A token that was never issued.
const NONSENSE: &str = "Bearer hla_doctor-asks-whether-this-arrives";

/// The origin of a page that does not exist.
const PAGE: &str = "https://doctor.invalid";

/// The least time between the server's two events, unless something buffers them.
const STREAM_GAP: Duration = Duration::from_millis(500);

/// Checks one server from outside.
struct PublicExamination {
    http: reqwest::Client,
    server: ServerAddress,
    findings: Vec<Finding>,
    /// The server says where clients register themselves.
    registers: bool,
}

/// A path beside MCP, with its expected answer to a request for nothing.
struct ProbedPath {
    path: &'static str,
    method: Method,
    /// The statuses of this server.
    statuses: &'static [u16],
    /// The beginning of this server's content type.
    content: &'static str,
}

/// None of these requests makes a server do anything.
const PROBED_PATHS: [ProbedPath; 5] = [
    ProbedPath {
        path: "/authorize",
        method: Method::GET,
        statuses: &[400],
        content: "text/html",
    },
    ProbedPath {
        path: "/token",
        method: Method::POST,
        statuses: &[400, 401],
        content: "application/json",
    },
    ProbedPath {
        path: "/revoke",
        method: Method::POST,
        statuses: &[400, 401],
        content: "application/json",
    },
    // Without redirect addresses no client is registered.
    ProbedPath {
        path: "/register",
        method: Method::POST,
        statuses: &[400],
        content: "application/json",
    },
    ProbedPath {
        path: "/console",
        method: Method::GET,
        statuses: &[200, 303, 401, 403],
        content: "",
    },
];

/// Sends `url` the requests of its clients. Changes nothing there.
pub(super) async fn examine(url: &str) -> Result<Vec<Finding>, CliError> {
    let mut examination = PublicExamination {
        http: client()?,
        server: ServerAddress::parse(url)?,
        findings: Vec::new(),
        registers: false,
    };
    examination.visit().await;
    Ok(examination.findings)
}

impl PublicExamination {
    async fn visit(&mut self) {
        if !self.address().await {
            return;
        }
        if has_no_sign_in(&self.http, &self.server).await {
            self.fault("sign-in", NO_SIGN_IN.to_owned());
            return;
        }
        self.challenges().await;
        self.authorization().await;
        self.resources().await;
        self.issuer().await;
        self.pages().await;
        self.other_origins().await;
        self.streams().await;
    }

    /// Whether anything answers there that is worth further checks.
    async fn address(&mut self) -> bool {
        let endpoint = self.server.endpoint.to_string();
        let answer = WebAnswer::ask(hello(&self.http, Method::POST, &endpoint)).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(why) => {
                self.fault(
                    "address",
                    format!(
                        "{endpoint} cannot be reached: {why}. Check its DNS name, its certificate, the firewall, and \
                         whether the proxy runs"
                    ),
                );
                return false;
            }
        };
        let to = answer.header("location");
        if (300..400).contains(&answer.status) {
            self.fault(
                "address",
                format!(
                    "{endpoint} redirects to {to}. Clients lose their request or their token on a redirect. Give them \
                     the final address, and let the proxy answer there without a redirect"
                ),
            );
            return false;
        }
        if !self.server.is_private() {
            self.fault(
                "address",
                format!("{endpoint} is not encrypted, but tokens are sent there. Give the proxy a certificate and use \
                         https://"),
            );
            return true;
        }
        self.ok("address", format!("{endpoint} answers"));
        true
    }

    /// Each client starts in its own way and must get the same challenge.
    async fn challenges(&mut self) {
        let endpoint = self.server.endpoint.to_string();
        for (who, method) in [
            ("POST (claude.ai, ChatGPT)", Method::POST),
            ("GET (Codex, mcp-remote)", Method::GET),
            ("HEAD (Gemini CLI)", Method::HEAD),
            ("DELETE (ends of sessions)", Method::DELETE),
        ] {
            self.challenge(who, method, &endpoint).await;
        }
        // A proxy's rule for one address may not cover those below it; and people paste the bare address.
        let below = self.server.path("/mcp/orchestrator");
        self.challenge("addresses below /mcp", Method::POST, &below)
            .await;
        let root = self.server.path("/");
        self.challenge("the bare address", Method::POST, &root)
            .await;
    }

    async fn challenge(&mut self, subject: &str, method: Method, url: &str) {
        let request = hello(&self.http, method.clone(), url);
        let Some(answer) = self.answer(subject, url, request).await else {
            return;
        };
        match SignInChallenge::parse(&answer, &self.server.origin) {
            Ok(_) => self.ok(subject, "401, and where to sign in".to_owned()),
            Err(fault) => self.fault(subject, format!("{method} {url} {fault}")),
        }
    }

    /// Whether the Authorization header arrives.
    async fn authorization(&mut self) {
        const SUBJECT: &str = "Authorization";
        let endpoint = self.server.endpoint.to_string();
        let request = hello(&self.http, Method::POST, &endpoint).header("authorization", NONSENSE);
        let Some(answer) = self.answer(SUBJECT, &endpoint, request).await else {
            return;
        };
        match SignInChallenge::parse(&answer, &self.server.origin) {
            Ok(challenge) if challenge.error.as_deref() == Some("invalid_token") => {
                self.ok(SUBJECT, "arrives at the server".to_owned());
            }
            Ok(_) => self.fault(
                SUBJECT,
                "tokens do not arrive, so that every client would be asked to sign in again and again. The proxy must \
                 pass the Authorization header on (nginx: proxy_set_header Authorization $http_authorization; Apache: \
                 CGIPassAuth On), and must not ask for a login of its own"
                    .to_owned(),
            ),
            Err(fault) => self.fault(SUBJECT, format!("with a wrong token {endpoint} {fault}")),
        }
    }

    /// Whether the pages of sign-in are reached.
    async fn pages(&mut self) {
        for page in &PROBED_PATHS {
            if page.path == "/register" && !self.registers {
                continue;
            }
            let url = self.server.path(page.path);
            let mut request = self.http.request(page.method.clone(), &url);
            request = match page.path {
                "/register" => request.json(&json!({})),
                _ if page.method == Method::POST => {
                    with_form(request, &[("grant_type", "none"), ("client_id", "doctor")])
                }
                _ => request.header("accept", "text/html"),
            };
            let Some(answer) = self.answer(page.path, &url, request).await else {
                continue;
            };
            let status = answer.status;
            let is_ours = page.statuses.contains(&status)
                && answer.header("content-type").starts_with(page.content);
            if is_ours {
                self.ok(page.path, "is the server's".to_owned());
            } else {
                let content = answer.header("content-type");
                self.fault(
                    page.path,
                    format!(
                        "{} {url} answers {status} {content}, which is not the server's answer. The proxy must pass \
                         the whole host on, not only /mcp",
                        page.method
                    ),
                );
            }
        }
    }

    /// Whether clients that are web pages may call, and see where to sign in.
    async fn other_origins(&mut self) {
        const SUBJECT: &str = "web pages (CORS)";
        let endpoint = self.server.endpoint.to_string();
        let request = hello(&self.http, Method::POST, &endpoint).header("origin", PAGE);
        let Some(answer) = self.answer(SUBJECT, &endpoint, request).await else {
            return;
        };
        let asked = "authorization,content-type,mcp-protocol-version";
        let request = self
            .http
            .request(Method::OPTIONS, &endpoint)
            .header("origin", PAGE)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", asked);
        let Some(preflight) = self.answer(SUBJECT, &endpoint, request).await else {
            return;
        };
        let allows =
            |answer: &WebAnswer| matches!(answer.header("access-control-allow-origin"), "*" | PAGE);
        let lists = |answer: &WebAnswer, header: &str, name: &str| {
            let list = answer.header(header).to_ascii_lowercase();
            list.split(',')
                .any(|one| matches!(one.trim(), "*") || one.trim() == name)
        };
        let fault = if preflight.status == 403 {
            "web pages of other sites may not call. At a loopback address this is intended. Elsewhere the proxy must \
             not change Origin"
        } else if !(200..300).contains(&preflight.status) || !allows(&preflight) {
            "the server does not answer preflight requests (OPTIONS). The proxy must pass OPTIONS on, without a login"
        } else if !lists(&preflight, "access-control-allow-headers", "authorization") {
            "web pages may not send Authorization. The proxy must not change Access-Control-Allow-Headers"
        } else if !allows(&answer) {
            "an answer lacks Access-Control-Allow-Origin. The proxy must not change the server's CORS headers"
        } else if !lists(&answer, "access-control-expose-headers", "www-authenticate") {
            "web pages cannot see WWW-Authenticate, and therefore not where to sign in. The proxy must not change \
             Access-Control-Expose-Headers"
        } else {
            self.ok(SUBJECT, "may call, and see where to sign in".to_owned());
            return;
        };
        // Only browsers need it; everything else works.
        self.warning(SUBJECT, fault.to_owned());
    }

    /// Whether a stream arrives in pieces as it was written: a question to a person comes in the middle of one.
    async fn streams(&mut self) {
        const SUBJECT: &str = "streams";
        let url = self.server.path("/streamz");
        let request = self.http.get(&url).header("accept", "text/event-stream");
        let gap = async {
            let mut response = request.send().await.ok()?;
            if response.status() != 200 {
                return None;
            }
            let mut first = None;
            while response.chunk().await.ok()?.is_some() {
                first.get_or_insert_with(Instant::now);
            }
            Some(first?.elapsed())
        };
        match gap.await {
            Some(gap) if gap >= STREAM_GAP => self.ok(SUBJECT, "arrive as they are written".to_owned()),
            Some(_) => self.fault(
                SUBJECT,
                "the proxy holds answers back until they are complete, so that questions to a person come too late. It \
                 must pass them on at once (nginx: proxy_buffering off; a CDN: no caching, compression or scanning of \
                 this host)"
                    .to_owned(),
            ),
            None => self.fault(
                SUBJECT,
                format!("{url} does not come from the server. The proxy must pass the whole host on, not only /mcp"),
            ),
        }
    }

    async fn answer(
        &mut self,
        subject: &str,
        url: &str,
        request: RequestBuilder,
    ) -> Option<WebAnswer> {
        match WebAnswer::ask(request).await {
            Ok(answer) => Some(answer),
            Err(why) => {
                self.fault(subject, format!("{url} does not answer: {why}"));
                None
            }
        }
    }

    /// A document that the server generates about itself.
    async fn document(&mut self, subject: &str, path: &str) -> Option<(WebAnswer, Value)> {
        let url = self.server.path(path);
        let request = self.http.get(&url).header("accept", "application/json");
        let answer = self.answer(subject, &url, request).await?;
        let found = answer.json().filter(Value::is_object);
        let Some(found) = found.filter(|_| answer.status == 200) else {
            let status = answer.status;
            let content = answer.header("content-type");
            let remedy = match status {
                200 => {
                    "Something else answers there, such as a web site. The proxy must pass /.well-known/ on"
                }
                403 | 421 => HOST,
                404 => {
                    "The proxy must pass /.well-known/oauth-protected-resource, /.well-known/oauth-authorization-server and \
                     /.well-known/openid-configuration on, with everything below them (a rule for certificates often takes all of /.well-known/), and oauth.url must be this address"
                }
                _ => "The proxy must pass /.well-known/ on, without a login and without a redirect",
            };
            self.fault(
                subject,
                format!("{url} answers {status} {content}, not the server's JSON. {remedy}"),
            );
            return None;
        };
        Some((answer, found))
    }

    fn ok(&mut self, subject: &str, what: String) {
        self.findings.push(Finding::ok(subject, what));
    }

    fn warning(&mut self, subject: &str, what: String) {
        let finding = Finding::new(super::CheckMark::Warning, subject, what);
        self.findings.push(finding);
    }

    fn fault(&mut self, subject: &str, what: String) {
        self.findings.push(Finding::fault(subject, what));
    }
}
