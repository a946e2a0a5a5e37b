//! The one path to HighLevel: the state that all calls of the process share, and HighLevel's verdicts on their tokens.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{ACCEPT, DATE, HeaderName, HeaderValue};
use reqwest::{Request, Url, redirect};
use tokio::time::Instant;

use crate::catalog::prepare::RequestBase;
use crate::config::{self, Config};
use crate::minutes::Minutes;
use crate::upstream::Digest;
use crate::upstream::answer;
use crate::upstream::breaker::Breaker;
use crate::upstream::caller::Credential;
use crate::upstream::company::Oauth;
use crate::upstream::content_type::accept;
use crate::upstream::failure::{Failure, FailureClass};
use crate::upstream::observer::{Observation, Observer};
use crate::upstream::permit::{Authority, Outgoing, Sender, Target};
use crate::upstream::rate_limit::{InstanceCount, Limits};
use crate::upstream::retry::RetryBudget;
use crate::upstream::standing::{CountedUnder, Newcomer, Standing, Standings, TokenWord};
use crate::upstream::tokens::Tokens;
use crate::upstream::traffic::TrafficMinute;
use crate::upstream::{Caller, TenantId, template};
use state::identity::Identity;
use tool::{JSON, VersionPreference};

/// HighLevel's proxy refuses some default agents of HTTP libraries (Cloudflare 1010).
const USER_AGENT: &str = concat!("highlevel-mcp/", env!("CARGO_PKG_VERSION"));

const VERSION: HeaderName = HeaderName::from_static("version");

/// Sent by progenitor with every request; not a header that HighLevel knows.
const API_VERSION: HeaderName = HeaderName::from_static("api-version");

/// The one path to the network. Cheap to clone; one connection pool for the whole process.
#[derive(Clone)]
pub struct Transport {
    pub(super) upstream: RequestBase,
    base: Url,
    pub(super) max_response_bytes: usize,
    pub(super) total_timeout: Duration,
    simulated: bool,
    calls_per_interval: usize,
    preferred: VersionPreference,
    pub(super) shared: Arc<SharedTransport>,
}

/// The result of a request for nothing in particular.
#[derive(Debug)]
pub struct Reachability {
    pub took: Duration,
    /// Seconds by which HighLevel's clock is ahead of ours.
    pub ahead: Option<i64>,
}

/// The state that all calls of the process share.
pub(super) struct SharedTransport {
    pub tokens: Tokens,
    pub limits: Limits,
    pub standings: Standings,
    pub retries: RetryBudget,
    /// By the callers that could not reach HighLevel.
    pub breaker: Breaker<Digest>,
    authority: Mutex<Option<Authority>>,
    pub observer: OnceLock<Observer>,
    pub traffic: Minutes<TrafficMinute>,
}

impl Transport {
    /// Fails if the base URL is not an http(s) URL, or the client cannot be made.
    pub fn new(
        settings: &config::UpstreamSettings,
        limits: &config::LimitSettings,
    ) -> Result<Self, String> {
        let base_url = settings.base_url.trim_end_matches('/').to_owned();
        let base = Url::parse(&base_url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| format!("upstream.base_url {base_url:?} is not an http or https URL"))?;
        // An error means that a provider is installed already.
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
            upstream: RequestBase { base_url, http },
            base,
            max_response_bytes: settings.max_response_bytes,
            total_timeout: Duration::from_millis(settings.total_timeout_ms),
            simulated: settings.simulated,
            preferred: settings.prefer_version,
            calls_per_interval: usize::try_from(limits.calls_per_interval).unwrap_or(usize::MAX),
            shared: Arc::new(SharedTransport {
                tokens,
                limits: Limits::new(limits)?,
                standings: Standings::new(Duration::from_millis(limits.max_wait_ms)),
                retries: RetryBudget::of_all(),
                breaker: Breaker::default(),
                authority: Mutex::new(Some(Authority::new())),
                observer: OnceLock::new(),
                traffic: Minutes::default(),
            }),
        })
    }

    /// The transport of the settings, with the windows that instances share.
    pub fn open(config: &Config) -> Result<Self, String> {
        let transport = Self::new(&config.upstream, &config.limits)?;
        let address = config.windows.address(config);
        if let Some(url) = address.map_err(|error| error.to_string())? {
            let upstream = transport.base.authority();
            transport.shared.limits.share(&url, upstream)?;
        }
        Ok(transport)
    }

    /// The number of instances that call HighLevel for the same locations: 1 until it is set.
    pub fn instances(&self) -> &InstanceCount {
        self.shared.limits.instances()
    }

    /// Connects to the server of shared windows before the first call.
    pub fn meet_valkey(&self) {
        self.shared.limits.meet_valkey();
    }

    /// How long that server takes to answer, or the reason that it does not; `None` if windows are not shared.
    pub async fn probe_valkey(&self) -> Option<Result<Duration, String>> {
        self.shared.limits.probe_valkey().await
    }

    /// From now on every answer is kept until it is taken.
    pub fn observe(&self) {
        self.shared.observer.get_or_init(Observer::default);
    }

    /// The answers since the last call of this function.
    pub fn take_observations(&self) -> Vec<Observation> {
        let observer = self.shared.observer.get();
        observer.map(Observer::take).unwrap_or_default()
    }

    /// The base of the requests that generated handlers build.
    pub fn upstream(&self) -> &RequestBase {
        &self.upstream
    }

    /// The endpoints that renew and exchange tokens.
    pub fn oauth(&self) -> Oauth {
        Oauth::new(self.upstream.http.clone(), &self.upstream.base_url)
    }

    /// The preferred version of operations that HighLevel has in both.
    pub fn preferred(&self) -> VersionPreference {
        self.preferred
    }

    /// The number of calls that HighLevel allows in one interval.
    pub fn calls_per_interval(&self) -> usize {
        self.calls_per_interval
    }

    /// The digest of the caller's credential in this process.
    pub fn digest(&self, caller: &Caller) -> Digest {
        self.credential_digest(&caller.credential)
    }

    /// The same for a credential.
    pub fn credential_digest(&self, credential: &Credential) -> Digest {
        self.shared.limits.digest(credential)
    }

    /// Whether HighLevel is the built-in sandbox.
    pub fn is_simulated(&self) -> bool {
        self.simulated
    }

    /// The right to have requests sent, for the first caller of this function.
    pub fn take_authority(&self) -> Option<Authority> {
        let mut authority = self
            .shared
            .authority
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        authority.take()
    }

    /// `request` complete except for the token, or the reason that it must not be sent.
    pub fn outgoing(
        &self,
        target: Target,
        sender: Sender,
        mut request: Request,
    ) -> Result<Box<Outgoing>, Failure> {
        self.dress(&target, &mut request)?;
        // Boxed: every stage of a call moves it.
        Ok(Box::new(Outgoing {
            target,
            sender,
            request,
        }))
    }

    /// From now on digests of credentials are the same in every process on the store. Call it before the first call:
    /// earlier knowledge is lost.
    pub fn name_by(&self, identity: Identity) {
        self.shared.limits.name_by(identity);
    }

    /// HighLevel's verdicts on tokens since the last call, for the other processes on the store.
    pub(crate) fn take_token_news(&self) -> Vec<(Digest, TokenWord)> {
        self.shared.standings.take_news()
    }

    /// Records HighLevel's verdict to another process, this long ago.
    pub(crate) fn hear_of_token(&self, digest: Digest, word: TokenWord, ago: Duration) {
        self.shared.standings.hear(digest, word, ago);
    }

    /// Whether HighLevel knows the caller's token.
    pub fn standing(&self, caller: &Caller) -> Standing {
        if caller.is_servers_own() {
            return Standing::Accepted;
        }
        self.shared.standings.standing(&self.digest(caller))
    }

    /// Whether the caller's token belongs to `location`, according to HighLevel or the server's settings.
    pub fn is_proven(&self, caller: &Caller, location: &TenantId) -> bool {
        self.is_proven_by(caller, &self.digest(caller), location)
    }

    /// Every read was just tried with the caller's token at `endpoint`, and none let it in.
    pub fn keep_out(&self, caller: &Caller, endpoint: String) {
        self.shared
            .standings
            .keep_out(self.digest(caller), endpoint);
    }

    /// Whether that happened a moment ago.
    pub fn is_kept_out(&self, caller: &Caller, endpoint: &str) -> bool {
        self.shared
            .standings
            .is_kept_out(self.digest(caller), endpoint)
    }

    /// What a request of `caller` that names the location `named` is counted under.
    pub fn counted_under(&self, caller: &Caller, named: Option<&TenantId>) -> CountedUnder {
        self.counted(caller, self.digest(caller), named)
    }

    /// Follows from the request itself, which HighLevel enforces. A location that the caller names elsewhere could
    /// differ in each request, and each has its own caps.
    pub(super) fn counted(
        &self,
        caller: &Caller,
        digest: Digest,
        named: Option<&TenantId>,
    ) -> CountedUnder {
        let location = match named {
            Some(named) => Some(named.clone()).filter(|at| self.is_proven_by(caller, &digest, at)),
            None => self.only_location_of(caller, &digest),
        };
        location.map_or(CountedUnder::Credential(digest), CountedUnder::Location)
    }

    /// The one location that the caller's token belongs to, according to HighLevel or the server's settings.
    pub fn only_location(&self, caller: &Caller) -> Option<TenantId> {
        self.only_location_of(caller, &self.digest(caller))
    }

    /// The only location of the caller's token: by the settings, by an OAuth token's claims, or because HighLevel let a
    /// private integration's token into its data.
    pub fn own_location(&self, caller: &Caller) -> Option<TenantId> {
        if caller.home.is_some() {
            return caller.home.clone();
        }
        if caller.credential.is_private_integration() {
            return self.shared.standings.home(&self.digest(caller));
        }
        let claims = caller.credential.claims()?;
        let is_one = claims.auth_class.as_deref() == Some("Location");
        TenantId::parse(&claims.auth_class_id.filter(|_| is_one)?)
    }

    /// The company of the caller's token, by an OAuth token's claims.
    pub fn own_company(&self, caller: &Caller) -> Option<TenantId> {
        let claims = caller.credential.claims()?;
        let is_one = claims.auth_class.as_deref() == Some("Company");
        TenantId::parse(&claims.auth_class_id.filter(|_| is_one)?)
    }

    fn only_location_of(&self, caller: &Caller, digest: &Digest) -> Option<TenantId> {
        let home = caller.home.clone();
        home.or_else(|| self.shared.standings.only_location(digest))
    }

    fn is_proven_by(&self, caller: &Caller, digest: &Digest, location: &TenantId) -> bool {
        caller.home.as_ref() == Some(location) || self.shared.standings.is_proven(digest, location)
    }

    pub(super) fn newcomer(
        &self,
        caller: &Caller,
        known: bool,
        address: Option<IpAddr>,
    ) -> Newcomer {
        Newcomer {
            digest: self.digest(caller),
            address,
            known: known || caller.is_servers_own(),
        }
    }

    /// Checks the URL in the request, and adds the headers that HighLevel requires, except for the token.
    pub(super) fn dress(&self, target: &Target, request: &mut Request) -> Result<(), Failure> {
        template::check(&self.base, target.tool.path, request.url()).map_err(|what| {
            Failure::new(
                FailureClass::Refused,
                format!("The request was not sent: {what}."),
            )
        })?;
        let headers = request.headers_mut();
        headers.remove(API_VERSION);
        headers.insert(VERSION, HeaderValue::from_static(target.version));
        let accept = match target.tool.answers_media() {
            None => HeaderValue::from_static(JSON),
            Some(media) => HeaderValue::try_from(accept(media)).map_err(|_| {
                let what =
                    "The request was not sent: the media type of its answer is not a header.";
                Failure::new(FailureClass::Refused, what)
            })?,
        };
        headers.insert(ACCEPT, accept);
        Ok(())
    }

    /// Sends a request to the base URL, without a credential.
    pub async fn reach(&self) -> Result<Reachability, Failure> {
        let start = Instant::now();
        let request = self
            .upstream
            .http
            .get(self.base.clone())
            .timeout(self.total_timeout);
        let response = request.send().await.map_err(|error| {
            Failure::new(
                FailureClass::Upstream,
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
        Ok(Reachability { took, ahead })
    }
}
