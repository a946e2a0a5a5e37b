//! Judges one request after the other: version, token, limit, class and scope, location, contents; then executes it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value, json};

use super::call::{SandboxCall, date, named_locations};
use super::check::{QueryValues, body_faults, query_faults};
use super::data::RecordsFile;
use super::documents::{DocumentedOperation, documents};
use super::files::file;
use super::limits::{Limit, ResourceLimits, SANDBOX_ACCOUNT, USUAL};
use super::marketplace::{self, Choice, ChooserReply, Marketplace};
use super::multipart::parts;
use super::refusal::Refusal;
use super::request_log::{RequestLog, logged};
use super::routes;
use super::sample::Sampler;
use super::state::{Records, public};
use super::tokens::{KnownToken, KnownTokens};
use super::{SandboxOptions, seed};

/// Media type of all answers except a few files.
const JSON: &str = "application/json";

/// [M] values of `Version` that work on any route.
const VERSIONS: [&str; 4] = ["2021-04-15", "2021-07-28", "2023-02-21", "v3"];

/// The whole state of a sandbox.
pub(crate) struct World {
    options: SandboxOptions,
    pub state: Records,
    pub tokens: KnownTokens,
    pub marketplace: Marketplace,
    limits: ResourceLimits,
    faults: fastrand::Rng,
    pub log: RequestLog,
    answered: u64,
}

/// One request as it arrived.
pub(crate) struct SandboxRequest {
    pub method: String,
    /// Percent-encoded.
    pub path: String,
    pub query: String,
    pub version: Option<String>,
    pub authorization: Option<String>,
    pub media: String,
    pub body: Vec<u8>,
    /// Milliseconds since 1970.
    pub now: i64,
}

pub(crate) struct SandboxReply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: SandboxBody,
}

pub(crate) enum SandboxBody {
    Json(Value),
    /// The document describes a success without a body.
    Empty,
    File(&'static str, Vec<u8>),
}

impl World {
    /// With the records of the options' file, or freshly seeded. Dates count back from `now`.
    pub(crate) fn new(options: SandboxOptions, now: i64) -> Result<Self, String> {
        let data = options.data.as_deref().map(RecordsFile::open).transpose()?;
        let mut state = Records::new(options.seed, data);
        let kept = state.load()?;
        let mut world = Self {
            state,
            tokens: KnownTokens::default(),
            marketplace: Marketplace::new(options.marketplace.clone())?,
            limits: ResourceLimits::new(options.window),
            faults: fastrand::Rng::with_seed(options.seed),
            log: RequestLog::open(options.log.as_deref())?,
            answered: 0,
            options,
        };
        seed::tokens(&mut world.tokens, &world.options);
        if !kept {
            let options = &world.options;
            world.state.at_once(|state| seed::seed(state, now, options));
        }
        Ok(world)
    }

    /// Back to the initial state.
    pub(crate) fn reset(&mut self, now: i64) {
        self.state.clear(self.options.seed);
        let options = &self.options;
        self.state.at_once(|state| seed::seed(state, now, options));
        self.tokens = KnownTokens::default();
        seed::tokens(&mut self.tokens, options);
        self.marketplace.clear();
        self.limits = ResourceLimits::new(self.options.window);
        self.log.clear();
    }

    /// Answers and logs.
    pub(crate) fn answer(&mut self, request: &SandboxRequest) -> SandboxReply {
        let mut headers = Vec::new();
        self.answered += 1;
        let trace = format!("sandbox-{:08}", self.answered);
        routes::deliver_replies(&mut self.state, request.now);
        let before = self.state.changes();
        let answered = self.judged(request, &mut headers);
        let status = answered
            .as_ref()
            .map_or_else(|refusal| refusal.status, |(status, _)| *status);
        let changes = self.state.changes() - before;
        // An answer is sent only if the log has its request.
        let answered = match self.keep(request, status, (&trace, changes)) {
            Ok(()) => answered,
            Err(error) => Err(Refusal::new(
                500,
                format!("The sandbox cannot write its log: {error}."),
            )),
        };
        let (status, body) = match answered {
            Ok(answered) => answered,
            Err(mut refusal) => {
                if let Value::Object(members) = &mut refusal.body {
                    members.insert("traceId".to_owned(), json!(trace));
                }
                (refusal.status, SandboxBody::Json(refusal.body))
            }
        };
        headers.push(("x-trace-id", trace));
        SandboxReply {
            status,
            headers,
            body,
        }
    }

    /// The answer to a browser at the page where people choose locations.
    pub(crate) fn choose(&mut self, request: &SandboxRequest) -> ChooserReply {
        let (state, marketplace) = (&mut self.state, &mut self.marketplace);
        let reply = if request.method == "POST" {
            let choice = Choice::parse(&request.body);
            marketplace::choose(state, marketplace, &choice, request.now)
        } else {
            let choice = Choice::parse(request.query.as_bytes());
            marketplace::page(state, marketplace, &choice)
        };
        let status = match &reply {
            ChooserReply::Page(status, _) => *status,
            ChooserReply::Redirect(_) => 302,
        };
        if let Err(error) = self.keep(request, status, ("", 0)) {
            tracing::error!(%error, "the log of requests could not be written");
        }
        reply
    }

    /// Uninstalls the app from a location or a company; false if it is not installed.
    pub(crate) fn uninstall(
        &mut self,
        location: Option<&str>,
        company: Option<&str>,
        now: i64,
    ) -> bool {
        let (state, tokens) = (&mut self.state, &mut self.tokens);
        marketplace::uninstall(state, tokens, &mut self.marketplace, location, company, now)
    }

    /// Logs the request with the answer's trace, and the number of created, changed and removed records.
    fn keep(
        &mut self,
        request: &SandboxRequest,
        status: u16,
        (trace, changes): (&str, u64),
    ) -> std::io::Result<()> {
        let body = logged(&request.body);
        let route = documents().route(&request.method, &request.path);
        let location = self.location(request, route.as_ref().map(|route| &route.path), &body);
        self.log.keep(json!({
            "time": date(request.now),
            "trace": trace,
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "operation": route.map(|route| &route.operation.key),
            "location": location,
            "version": request.version,
            "body": body,
            "status": status,
            "changes": changes,
        }))
    }

    /// The location of the request's token; for an agency's or an unknown token the one in the request.
    fn location(
        &self,
        request: &SandboxRequest,
        path: Option<&BTreeMap<String, String>>,
        body: &Value,
    ) -> Option<String> {
        let token = self
            .tokens
            .find(request.authorization.as_deref(), request.now);
        let own = token.ok().map(|token| &token.location);
        if let Some(own) = own.filter(|own| !own.is_empty()) {
            return Some(own.clone());
        }
        let query: QueryValues = form_urlencoded::parse(request.query.as_bytes())
            .into_owned()
            .collect();
        let none = BTreeMap::new();
        let query = joined(&query);
        let names = named_locations(path.unwrap_or(&none), &query, body);
        names.first().map(|name| (*name).to_owned())
    }

    fn judged(
        &mut self,
        request: &SandboxRequest,
        headers: &mut Vec<(&'static str, String)>,
    ) -> Result<(u16, SandboxBody), Refusal> {
        let Some(route) = documents().route(&request.method, &request.path) else {
            let others = ["GET", "POST", "PUT", "PATCH", "DELETE"];
            if others
                .iter()
                .any(|method| documents().route(method, &request.path).is_some())
            {
                return Err(Refusal::not_public());
            }
            let message = format!("Cannot {} {}", request.method, request.path);
            return Err(Refusal::new(404, message));
        };
        let operation = route.operation;
        let minting = operation.path == "/oauth/token";
        if !minting {
            check_version(request.version.as_deref())?;
            // [M] of one of them: a path that only v3 has is unknown under an older version.
            if operation.is_of_v3() && request.version.as_deref() != Some("v3") {
                let message = format!("Cannot {} {}", request.method, request.path);
                return Err(Refusal::new(404, message));
            }
        }
        let token = if minting {
            None
        } else {
            let authorization = request.authorization.as_deref();
            Some(self.tokens.find(authorization, request.now)?.clone())
        };
        if let Some(token) = &token {
            self.count(token, request.now, headers)?;
        }
        self.fail()?;
        let query: QueryValues = form_urlencoded::parse(request.query.as_bytes())
            .into_owned()
            .collect();
        let body = body_of(request)?;
        let call = SandboxCall {
            operation,
            path: route.path,
            query: joined(&query),
            body,
            token: token.unwrap_or_else(|| KnownToken {
                class: super::tokens::TokenKind::Company,
                company: String::new(),
                location: String::new(),
                scopes: None,
                expires: None,
                grant: None,
            }),
            now: request.now,
        };
        if !minting {
            call.token.may(operation)?;
            self.check_tenants(&call)?;
            // [M: n8n#11353] a later page without a location is treated as a foreign one.
            if operation.key == "GET /contacts/"
                && call.query("startAfterId").is_some()
                && call.query("locationId").is_none()
            {
                return Err(Refusal::location());
            }
        }
        // [I] guards run before the contents are checked, as in HighLevel's framework.
        let mut faults = query_faults(documents(), operation, &query);
        if let Some(body) = &operation.body
            && !body.media.starts_with("multipart/")
            && (body.required || !call.body.is_null())
        {
            faults.extend(body_faults(documents(), operation, body.schema, &call.body));
        }
        if !faults.is_empty() {
            return Err(Refusal::invalid(faults));
        }
        let (state, tokens) = (&mut self.state, &mut self.tokens);
        let found = routes::answer(state, tokens, &mut self.marketplace, &call)?;
        let body = match (operation.media, found) {
            (None, None) => SandboxBody::Empty,
            (Some(media), None) if media != JSON => SandboxBody::File(media, file(media)),
            (_, found) => SandboxBody::Json(public(described(operation, &call, found))),
        };
        Ok((operation.status, body))
    }

    fn count(
        &mut self,
        token: &KnownToken,
        now: i64,
        headers: &mut Vec<(&'static str, String)>,
    ) -> Result<(), Refusal> {
        let resource = if token.is_agency() {
            &token.company
        } else {
            &token.location
        };
        let small = self.state.get("location", resource);
        let limit = match self.options.calls_per_interval {
            Some(interval) => Limit {
                interval,
                day: usize::MAX,
            },
            None if small.is_some_and(|location| location["~sandboxAccount"] == true) => {
                SANDBOX_ACCOUNT
            }
            None => USUAL,
        };
        let verdict = self.limits.ask(resource, limit, now);
        headers.extend(verdict.headers);
        if verdict.let_in {
            Ok(())
        } else {
            Err(Refusal::too_many())
        }
    }

    /// A failure that the options order.
    fn fail(&mut self) -> Result<(), Refusal> {
        for (status, rate) in &self.options.faults {
            if self.faults.f64() < *rate {
                return Err(Refusal::new(*status, "The sandbox was told to fail."));
            }
        }
        Ok(())
    }

    /// Every location and company in the request must be the token's.
    fn check_tenants(&self, call: &SandboxCall) -> Result<(), Refusal> {
        // Their altId is the message's id at its provider.
        let own_ids = [
            "POST /conversations/messages/inbound",
            "POST /conversations/messages/outbound",
        ];
        let alt = own_ids
            .contains(&call.operation.key.as_str())
            .then(|| call.text("altId"));
        for id in named_locations(&call.path, &call.query, &call.body) {
            if alt == Some(Some(id)) {
                continue;
            }
            let own = if call.token.is_agency() {
                let location = self.state.get("location", id);
                location.is_some_and(|location| location["companyId"] == *call.token.company)
            } else {
                call.token.location == id
            };
            if !own {
                return Err(Refusal::location());
            }
        }
        let company = call.query("companyId").or(call.text("companyId"));
        if company.is_some_and(|company| company != call.token.company) {
            // [I] the message for a foreign company.
            return Err(Refusal::location());
        }
        Ok(())
    }
}

fn check_version(version: Option<&str>) -> Result<(), Refusal> {
    match version {
        None => Err(Refusal::no_version()),
        Some(version) if VERSIONS.contains(&version) => Ok(()),
        Some(version) => Err(Refusal::bad_version(version)),
    }
}

fn body_of(request: &SandboxRequest) -> Result<Value, Refusal> {
    if request.body.is_empty() {
        return Ok(Value::Null);
    }
    if request
        .media
        .starts_with("application/x-www-form-urlencoded")
    {
        let fields = form_urlencoded::parse(&request.body);
        let fields = fields.map(|(name, value)| (name.into_owned(), json!(value)));
        return Ok(Value::Object(fields.collect()));
    }
    if request.media.starts_with("multipart/") {
        return Ok(match parts(&request.media, &request.body) {
            none if none.is_empty() => Value::Null,
            parts => Value::Object(parts),
        });
    }
    serde_json::from_slice(&request.body)
        .map_err(|error| Refusal::new(400, format!("Unexpected token in JSON: {error}")))
}

/// Values of a repeated name are joined by commas.
fn joined(query: &QueryValues) -> BTreeMap<String, String> {
    let mut map: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in query {
        let name = name.strip_suffix("[]").unwrap_or(name).to_owned();
        map.entry(name)
            .and_modify(|values| *values = format!("{values},{value}"))
            .or_insert_with(|| value.clone());
    }
    map
}

/// The documented answer: the found values, completed, or a sample if nothing is known.
fn described(
    operation: &'static DocumentedOperation,
    call: &SandboxCall,
    found: Option<Value>,
) -> Value {
    let mut known: Map<String, Value> = call.members();
    let texts = call.query.iter().chain(&call.path);
    known.extend(texts.map(|(name, value)| (name.clone(), json!(value))));
    let mut hasher = DefaultHasher::new();
    (&operation.key, &call.path, &call.query).hash(&mut hasher);
    let day = call.now - call.now.rem_euclid(86_400_000);
    let mut sampler = Sampler::new(documents(), operation, known, hasher.finish(), date(day));
    match (operation.answer, found) {
        (Some(schema), Some(found)) => sampler.completed(schema, found),
        (Some(schema), None) => sampler.sample(schema),
        (None, Some(found)) => found,
        (None, None) => json!({"success": true}),
    }
}
