//! Sends prepared requests to HighLevel and judges what comes back.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{ACCEPT, AUTHORIZATION, DATE, HeaderName, HeaderValue};
use reqwest::{Request, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, sleep};

use crate::config;
use crate::highlevel::answer::{self, Reply};
use crate::highlevel::breaker::{self, Breaker, Health};
use crate::highlevel::company::Oauth;
use crate::highlevel::failure::{Class, Failure};
use crate::highlevel::limit::{self, Account, Digest, Ended, Limits, Reported};
use crate::highlevel::retry::{self, Budget, Outcome};
use crate::highlevel::tokens::Tokens;
use crate::highlevel::{Caller, TenantId, template, verdict};
use crate::runtime::prepare::Upstream;
use crate::runtime::tool::{Effect, Preferred, Tool};

/// HighLevel's proxy refuses some default agents of HTTP libraries (Cloudflare 1010).
const USER_AGENT: &str = concat!("highlevel-mcp/", env!("CARGO_PKG_VERSION"));

const VERSION: HeaderName = HeaderName::from_static("version");

/// Sent by progenitor with every request; not a header that HighLevel knows.
const API_VERSION: HeaderName = HeaderName::from_static("api-version");

/// The one path to the network. Cheap to clone; one connection pool for the whole process.
#[derive(Clone)]
pub struct Transport {
    upstream: Upstream,
    base: Url,
    max_response_bytes: usize,
    total_timeout: Duration,
    simulated: bool,
    calls_per_interval: usize,
    preferred: Preferred,
    shared: Arc<Shared>,
}

/// What asking for nothing in particular told.
#[derive(Debug)]
pub struct Reached {
    pub took: Duration,
    /// Seconds by which HighLevel's clock is ahead of ours.
    pub ahead: Option<i64>,
}

/// One call as it goes to HighLevel.
pub struct Call<'a> {
    pub tool: &'static Tool,
    /// Value of the `Version` header.
    pub version: &'static str,
    pub caller: &'a Caller,
    /// The location it is for, where that is known.
    pub location: Option<TenantId>,
    /// The request itself names the location, so that HighLevel's success proves that the token belongs there.
    pub names_location: bool,
}

/// What all calls of the process share.
struct Shared {
    tokens: Tokens,
    limits: Limits,
    retries: Budget,
    breaker: Breaker,
}

/// An attempt without a usable answer.
enum Failed {
    /// Nothing was sent, and trying at once would not change that.
    Refused(Failure),
    /// With the pause that HighLevel asked for.
    Sent(Failure, Outcome, Option<Duration>),
}

impl Transport {
    /// Fails where the base URL is no http(s) URL or the client cannot be made.
    pub fn new(settings: &config::Upstream, limits: &config::Limits) -> Result<Self, String> {
        let base_url = settings.base_url.trim_end_matches('/').to_owned();
        let base = Url::parse(&base_url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| format!("upstream.base_url {base_url:?} is no http or https URL"))?;
        // An error means that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
            .retry(reqwest::retry::never())
            .build()
            .map_err(|error| format!("the HTTP client cannot be made: {error}"))?;
        let tokens = Tokens::new(Oauth::new(http.clone(), &base_url));
        Ok(Self {
            upstream: Upstream { base_url, http },
            base,
            max_response_bytes: settings.max_response_bytes,
            total_timeout: Duration::from_millis(settings.total_timeout_ms),
            simulated: settings.simulated,
            preferred: settings.prefer_version,
            calls_per_interval: usize::try_from(limits.calls_per_interval).unwrap_or(usize::MAX),
            shared: Arc::new(Shared {
                tokens,
                limits: Limits::new(limits)?,
                retries: Budget::of_all(),
                breaker: Breaker::default(),
            }),
        })
    }

    /// What the generated handlers build requests for.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Where tokens are renewed and exchanged.
    pub fn oauth(&self) -> Oauth {
        Oauth::new(self.upstream.http.clone(), &self.upstream.base_url)
    }

    /// In which version operations are called that HighLevel has in both.
    pub fn preferred(&self) -> Preferred {
        self.preferred
    }

    /// How many calls HighLevel takes in one interval.
    pub fn calls_per_interval(&self) -> usize {
        self.calls_per_interval
    }

    /// What stands for the caller's credential in this process.
    pub fn digest(&self, caller: &Caller) -> Digest {
        self.shared.limits.digest(&caller.credential)
    }

    /// Whether HighLevel is the built-in sandbox.
    pub fn is_simulated(&self) -> bool {
        self.simulated
    }

    /// `request` as it would leave, but for the token, or why it would not.
    pub fn ready(&self, call: &Call<'_>, mut request: Request) -> Result<Request, Failure> {
        template::check(&self.base, call.tool.path, request.url()).map_err(|what| {
            Failure::new(Class::Refused, format!("The request was not sent: {what}."))
        })?;
        dress(&mut request, call);
        Ok(request)
    }

    /// Asks the base URL for anything, without a credential.
    pub async fn reach(&self) -> Result<Reached, Failure> {
        let start = Instant::now();
        let request = self
            .upstream
            .http
            .get(self.base.clone())
            .timeout(self.total_timeout);
        let response = request.send().await.map_err(|error| {
            Failure::new(
                Class::Upstream,
                format!(
                    "{} cannot be reached: {}.",
                    self.base,
                    answer::innermost(&error)
                ),
            )
            .with_remedy("Check the network, proxies and upstream.base_url.")
        })?;
        let date = response.headers().get(DATE);
        let date = date.and_then(|date| rfc2822::parse(date.to_str().ok()?).ok());
        let ahead = date.map(|date| date.timestamp().as_second() - Timestamp::now().as_second());
        let took = start.elapsed();
        Ok(Reached { took, ahead })
    }

    /// Sends `request` for `call`: within HighLevel's limits, again where that is safe, and not at all while
    /// HighLevel is down. Dropping the future ends the call.
    pub async fn execute(&self, call: &Call<'_>, request: Request) -> Result<Reply, Failure> {
        let request = self.ready(call, request)?;
        let deadline = Instant::now() + self.total_timeout;
        let shared = &self.shared;
        let location = call.location.as_ref();
        let account = shared.limits.account(&call.caller.credential, location);
        shared.retries.earn();
        account.scope.retries.earn();
        let mut token = shared.tokens.token(call, account.digest).await?;
        let mut was_renewed = false;
        let mut retries = 0;
        // Why the last attempt failed: says more than why there is no other one.
        let mut last: Option<Failure> = None;
        loop {
            let attempt = request.try_clone().ok_or_else(|| {
                Failure::new(Class::Refused, "A request without an end cannot be sent.")
            })?;
            let (mut failure, outcome, asked) = match self
                .attempt(call, attempt, &token, &account, deadline)
                .await
            {
                Ok(mut reply) => {
                    if let (true, Some(location)) = (call.names_location, location) {
                        shared.limits.prove(&account, location);
                    }
                    reply.retries = retries;
                    return Ok(reply);
                }
                Err(Failed::Refused(refusal)) => {
                    let mut failure = last.unwrap_or_else(|| refusal.clone());
                    failure.retry_after_ms = refusal.retry_after_ms;
                    return Err(failure);
                }
                Err(Failed::Sent(failure, outcome, asked)) => (failure, outcome, asked),
            };
            failure.retries = retries;
            if matches!(outcome, Outcome::TooMany | Outcome::Unavailable)
                && let (None, Some(asked)) = (failure.retry_after_ms, asked)
            {
                failure = failure.with_retry_after(asked);
            }
            if failure.class == Class::TokenClass {
                shared.tokens.remember(call, account.digest);
            }
            if failure.class == Class::Auth {
                shared.limits.disprove(&account);
                // A refused token did nothing: whatever it is, the call may be made with another one.
                let renews = !was_renewed && shared.tokens.renews(call, account.digest, &token);
                if renews {
                    was_renewed = true;
                    token = shared.tokens.token(call, account.digest).await?;
                    continue;
                }
            }
            let pause = retry::pause(retries + 1).max(asked.unwrap_or_default());
            let again = outcome.allows(call.tool.effect)
                && retries < retry::MOST
                && pause <= retry::LONGEST_PAUSE
                && Instant::now() + pause < deadline;
            if !again || !account.scope.retries.spend() || !shared.retries.spend() {
                return Err(failure);
            }
            retries += 1;
            last = Some(failure);
            sleep(pause).await;
        }
    }

    /// One attempt.
    async fn attempt(
        &self,
        call: &Call<'_>,
        mut request: Request,
        token: &SecretString,
        account: &Account,
        deadline: Instant,
    ) -> Result<Reply, Failed> {
        let tool = call.tool;
        authorize(&mut request, token).map_err(Failed::Refused)?;
        let breaker = &self.shared.breaker;
        let down = |wait| Failed::Refused(breaker::down(wait));
        breaker.check().map_err(down)?;
        let reads = tool.effect == Effect::Read;
        let permit = account.scope.gate.admit(account.digest, reads, deadline);
        let permit = permit.await.map_err(|wait| Failed::Refused(wait.into()))?;
        if let Err(wait) = breaker.admit() {
            permit.end(Ended::Unsent);
            return Err(down(wait));
        }
        *request.timeout_mut() = Some(deadline.saturating_duration_since(Instant::now()));
        let mut response = match self.upstream.http.execute(request).await {
            Ok(response) => response,
            Err(error) => {
                let (failure, outcome) = answer::unanswered(tool, &error);
                if outcome == Outcome::Unsent {
                    permit.end(Ended::Unsent);
                    breaker.record(Health::Down);
                }
                return Err(Failed::Sent(failure, outcome, None));
            }
        };
        let (status, headers) = (response.status(), response.headers());
        breaker.record(Health::of(status));
        let asked = limit::retry_after(headers);
        permit.end(Ended::with(status, Reported::of(headers), asked));
        let trace_id = verdict::trace_id(headers, token);
        let body = answer::body(tool, &mut response, self.max_response_bytes).await;
        let judged = if status.is_success() {
            let taken = body.and_then(|body| answer::accepted(tool, status.as_u16(), body));
            taken.map(|reply| Reply { trace_id, ..reply })
        } else {
            // Without a body the status says enough.
            let body = body.unwrap_or_default();
            Err(verdict::verdict(
                tool,
                token,
                status,
                response.headers(),
                &body,
            ))
        };
        judged.map_err(|failure| Failed::Sent(failure, Outcome::of(status), asked))
    }
}

/// Adds what HighLevel wants with every request, but for the token.
fn dress(request: &mut Request, call: &Call<'_>) {
    let headers = request.headers_mut();
    headers.remove(API_VERSION);
    headers.insert(VERSION, HeaderValue::from_static(call.version));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
}

fn authorize(request: &mut Request, token: &SecretString) -> Result<(), Failure> {
    let bearer = format!("Bearer {}", token.expose_secret());
    let Ok(mut authorization) = HeaderValue::from_str(&bearer) else {
        return Err(Failure::new(
            Class::Auth,
            "The token holds characters that no token has.",
        ));
    };
    authorization.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, authorization);
    Ok(())
}
