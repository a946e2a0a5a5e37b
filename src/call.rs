//! The pipeline of a call: locate, validate, authorize, meter, send, respond.
//!
//! Each state is a type of its own with private fields, and only the module of its stage makes it. The transport
//! sends only what `authorize` permitted.

mod acceptance;
pub(crate) mod access_ref;
mod address_limiter;
mod answer;
mod approval;
mod approval_runs;
mod approval_webhooks;
mod approval_words;
pub(crate) mod arguments;
mod authorize;
mod batch;
pub(crate) mod caller;
mod client_line;
mod confirm_alone;
mod confirm_token;
mod connected_tokens;
mod consent;
mod controls;
mod each;
mod facts;
mod grant_controls;
mod holders;
mod idempotency;
mod installed_reads;
mod instances;
mod locate;
mod location_details;
mod location_zone;
mod locations_read;
mod message_target;
mod meter;
pub mod output;
mod prepared_request;
mod principal_id;
mod reach;
mod read_back;
mod record_names;
mod refusal_budget;
mod request;
mod requester;
mod respond;
mod send;
pub mod shape;
pub(crate) mod shares;
mod snapshot;
mod stop;
mod stored_rules;
mod strangers;
mod subject;
mod token_check;
mod token_news;
mod usage;
mod usage_report;
mod validate;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::call::arguments::Checker;
use crate::config;
use crate::telemetry::{CallEnd, CallWatch, Telemetry};
use crate::upstream::{Authority, Failure, Transport};
use state::clock::SteadyClock;
use state::pause::Pause;
use tool::{Effect, Tool};

pub use access_ref::{AccessKeyRef, AccessRef, GrantRef, GrantTerms, HolderRef};
pub(crate) use address_limiter::AddressLimiter;
pub use answer::{Answer, Question};
pub use approval_webhooks::{ApprovalWebhooks, WebhookTest};
pub(crate) use approval_words::{describe_effect, operation_title};
use authorize::{Authorized, ConsentSource};
pub use caller::{
    AgencyRight, CallContext, CallerKind, Elicitation, LocationEndpoint, LocationScope, Principal,
};
pub use client_line::{
    ClientAbilities, ClientAnswer, ClientLine, ClientQuestion, LONGEST_QUESTION,
};
use consent::Consent;
pub use controls::{
    Controls, copy_store, has_store, missing_store, open_store, restore_store, wait_for_database,
};
use facts::Facts;
pub use grant_controls::{GrantControls, open_grants};
use locate::Located;
use meter::Metered;
pub use prepared_request::PreparedRequest;
pub use principal_id::PrincipalId;
pub(crate) use request::output_schema;
pub use request::{Each, LOCATION, OnError, Options, Progress, Request};
pub use requester::Requester;
use send::Response;
pub use snapshot::{Snapshot, read_rules, rule_defaults};
pub use stored_rules::with_stored;
pub use strangers::Fences;
pub(crate) use strangers::visible;
use subject::Subject;
pub use token_check::{LocationAddress, TokenCheck, TokenProblem, TokenTry};
use usage::SendPurpose;
pub use usage_report::{UsageLine, UsageReport, days_of_month, usage_csv};
use validate::Validated;

/// Calls operations. Cheap to clone; the process has one.
#[derive(Clone)]
pub struct Pipeline(Arc<PipelineInner>);

struct PipelineInner {
    transport: Transport,
    authority: Authority,
    checker: Checker,
    settings: PipelineSettings,
    telemetry: Telemetry,
    confirm_tokens: confirm_token::ConfirmTokens,
    controls: Controls,
    refusals: refusal_budget::RefusalBudget,
    location_details: location_details::LocationDetailsCache,
    last_reads: strangers::LastReads,
    reaches: reach::ReachCache,
    refused_credentials: connected_tokens::RefusedCredentials,
    token_tries: AddressLimiter,
}

/// The settings that the pipeline uses.
struct PipelineSettings {
    max_answer_bytes: usize,
    max_file_bytes: usize,
    mark_strangers_text: config::StrangersMark,
    /// How long an answer waits for its end to be written.
    longest_record_wait: Duration,
    ignored_arguments: Vec<String>,
    /// The settings' access key may use the agency's own token.
    access_key_agency: bool,
}

impl Pipeline {
    /// Fails if another pipeline already sends through `transport`.
    pub fn new(
        tools: &'static [Tool],
        transport: Transport,
        config: &config::Config,
        telemetry: Telemetry,
        controls: Controls,
    ) -> Result<Self, String> {
        let authority = transport
            .take_authority()
            .ok_or("another pipeline sends by this transport already")?;
        let ignored = config.tools.ignored_arguments.clone();
        Ok(Self(Arc::new(PipelineInner {
            authority,
            checker: Checker::new(tools, ignored.clone()),
            settings: PipelineSettings {
                max_answer_bytes: config.tools.max_answer_bytes,
                max_file_bytes: config.tools.max_file_bytes,
                mark_strangers_text: config.tools.mark_strangers_text,
                longest_record_wait: batch::LONGEST
                    .min(Duration::from_millis(config.upstream.total_timeout_ms)),
                ignored_arguments: ignored,
                access_key_agency: config.server.access_key_agency,
            },
            telemetry,
            transport,
            confirm_tokens: confirm_token::ConfirmTokens::new(controls.store.confirm_key()),
            controls,
            refusals: refusal_budget::RefusalBudget::default(),
            location_details: location_details::LocationDetailsCache::default(),
            last_reads: strangers::LastReads::default(),
            reaches: reach::ReachCache::default(),
            refused_credentials: connected_tokens::RefusedCredentials::default(),
            token_tries: token_check::tries(),
        })))
    }

    /// Answers a request: one call, a batch, or a preview of either. Each call gets one line in the log and one
    /// count, whatever its result. Dropping the future ends the call to HighLevel.
    pub async fn execute(&self, mut request: Request<'_>) -> Answer {
        self.fence_everywhere(&mut request);
        let fences = request.options.fences.clone();
        let mut answer = self.execute_part(request).await;
        strangers::explain(fences.as_deref(), &mut answer);
        answer.tell_unrecorded();
        answer
    }

    /// Like `execute`, without the sentence about fences: the enclosing answer has it once.
    async fn execute_part(&self, mut request: Request<'_>) -> Answer {
        if let Err(answer) = self.ensure_let_in(request.context).await {
            return self.log_unsent(&request, answer);
        }
        if let Some(each) = request.options.each.take() {
            return Box::pin(self.prepare_each(&request, &each)).await;
        }
        let output = request.options.output.as_mut();
        if let Some(named) = output.and_then(|output| output.locations.take()) {
            return self.read_locations(request, named).await;
        }
        match request.options.items.take() {
            // Boxed, like everything that few calls do: each layer above moves the state of a call once.
            Some(items) if !request.options.dry_run => {
                Box::pin(self.execute_batch(&request, &items)).await
            }
            items => {
                let watch = self.watch(request.tool, request.context);
                // Boxed: the layers above move a pointer instead of the whole state of a call.
                let answer = Box::pin(self.execute_one(&mut request, items, &watch)).await;
                let answer = answer.unwrap_or_else(|answer| answer);
                self.log(watch, &answer);
                answer
            }
        }
    }

    /// Calls one operation by its own arguments, with `output`, `location` and `confirm` beside them.
    pub fn call<'a>(
        &'a self,
        tool: &'static Tool,
        arguments: Map<String, Value>,
        context: &'a CallContext,
    ) -> impl Future<Output = Answer> + 'a {
        self.call_with(tool, arguments, context, false)
    }

    /// Like `call`, but reads the arguments as HighLevel's own servers do.
    pub fn call_as_highlevel<'a>(
        &'a self,
        tool: &'static Tool,
        arguments: Map<String, Value>,
        context: &'a CallContext,
    ) -> impl Future<Output = Answer> + 'a {
        self.call_with(tool, arguments, context, true)
    }

    async fn call_with(
        &self,
        tool: &'static Tool,
        arguments: Map<String, Value>,
        context: &CallContext,
        as_highlevel: bool,
    ) -> Answer {
        match Request::for_tool(tool, arguments, context) {
            Ok(mut request) => {
                request.options.as_highlevel = as_highlevel;
                self.execute(request).await
            }
            Err(failure) => self.log_refusal(tool, &failure, context),
        }
    }

    async fn execute_batch(&self, request: &Request<'_>, items: &[Map<String, Value>]) -> Answer {
        let accepted = match request.tool.effect {
            Effect::Read => Ok(()),
            _ => self.ensure_accepted(request.context).await,
        };
        let checked = request.options.check(request.tool, true);
        let checked = checked.map_err(Answer::from);
        match accepted.and(checked) {
            Ok(()) => self.run_batch(request, items).await,
            Err(answer) => self.log_unsent(request, answer),
        }
    }

    async fn execute_one(
        &self,
        request: &mut Request<'_>,
        items: Option<Vec<Map<String, Value>>>,
        watch: &CallWatch,
    ) -> Result<Answer, Answer> {
        request.options.check(request.tool, items.is_some())?;
        if let Some(items) = items {
            return self.preview_batch(request, &items).await;
        }
        let (context, options) = (request.context, &request.options);
        let arguments = std::mem::take(&mut request.arguments);
        let location = options.location.as_deref();
        let snapshot = self.snapshot();
        if options.dry_run {
            let located = self.locate(request.tool, arguments, location, context, &snapshot)?;
            let located = located.with_options(options);
            let validated = self.validate(located, context).await?;
            let mut shown = json!({"dryRun": true, "request": validated.preview()});
            if !validated.facts().warnings().is_empty() {
                shown["_warnings"] = json!(validated.facts().warnings());
            }
            return Ok(self.fit(shown.to_string()));
        }
        if request.tool.effect != Effect::Read || options.confirm.is_some() {
            self.ensure_accepted(context).await?;
        }
        let located = self.locate(request.tool, arguments, location, context, &snapshot)?;
        let located = located.with_options(options);
        located.show_in(watch);
        // A caller that may have invented its token must not make a person confirm anything, reads
        // included.
        if !self.is_accepted(&context.principal) && located.needs_consent(context) {
            self.ensure_accepted(context).await?;
        }
        let asking = ConsentSource::Caller(options.confirm.as_deref());
        let key = options.idempotency_key.as_deref();
        let answer = self.run_located(located, asking, options.output.as_ref(), key, context);
        Ok(answer.await)
    }

    /// Runs a call whose account is known, up to its answer. With an idempotency key it happens
    /// once.
    async fn run_located(
        &self,
        located: Located,
        asking: ConsentSource<'_>,
        output: Option<&crate::call::output::Output>,
        key: Option<&str>,
        context: &CallContext,
    ) -> Answer {
        let (located, paging) = self.plan_pages(located, output);
        let answered: Result<Answer, Answer> = async {
            let mut validated = self.validate(located, context).await?;
            if let Some(key) = key.filter(|_| !validated.facts().is_read()) {
                Box::pin(self.set_once(&mut validated, key, context)).await?;
            }
            let authorized = self.authorize(validated, asking, context).await?;
            let metered = self.meter(authorized, context).await?;
            let response = self.send(metered, SendPurpose::Call, context).await;
            let response = response.ok_or_else(respond::broken_off)?;
            Ok(self.respond(response, paging, context).await)
        }
        .await;
        answered.unwrap_or_else(|answer| answer)
    }

    /// Binds the call to its idempotency key. If the call already happened, fails with the stored
    /// answer.
    async fn set_once(
        &self,
        validated: &mut Validated,
        key: &str,
        context: &CallContext,
    ) -> Result<(), Answer> {
        let facts = validated.facts();
        let location = facts.named.as_ref().map(|id| id.as_str());
        let once = idempotency::client_key(
            self.principal_digest(&context.principal),
            (location, facts.tool.name, key),
            &validated.fingerprint(),
            self.now(),
        );
        let known = self.0.controls.store.known_call(&once).await;
        match known.map_err(|error| self.unwritable(&error))? {
            Some(known) => Err(idempotency::known_answer(once.kind, known)),
            None => {
                validated.set_once(once, key);
                Ok(())
            }
        }
    }

    /// A text of this server, cut to the size limit of answers.
    pub fn fit(&self, text: String) -> Answer {
        let most = self.0.settings.max_answer_bytes;
        if text.len() <= most {
            return Answer::text(text);
        }
        use crate::upstream::failure::FailureClass;
        let what = format!(
            "The answer has {} bytes, more than the {most} that may be given; ask for less.",
            text.len()
        );
        Failure::new(FailureClass::Invalid, what).into()
    }

    pub fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }

    pub fn transport(&self) -> &Transport {
        &self.0.transport
    }

    /// The size limit of one answer, in bytes.
    pub fn max_answer_bytes(&self) -> usize {
        self.0.settings.max_answer_bytes
    }

    /// Whether clients add an argument of this name on their own.
    pub fn is_ignored(&self, name: &str) -> bool {
        let ignored = &self.0.settings.ignored_arguments;
        ignored.iter().any(|one| one == name)
    }

    /// Whether HighLevel is the built-in sandbox.
    pub fn is_simulated(&self) -> bool {
        self.0.transport.is_simulated()
    }

    /// The locations and rules of this moment.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.controls.snapshot()
    }

    /// From now on calls are judged by `snapshot`. This includes the remaining items of running batches.
    pub fn replace_snapshot(&self, snapshot: Arc<Snapshot>) {
        self.0.controls.replace_snapshot(snapshot);
    }

    pub fn controls(&self) -> &Controls {
        &self.0.controls
    }

    fn now(&self) -> Timestamp {
        SteadyClock::now()
    }

    fn settings(&self) -> &PipelineSettings {
        &self.0.settings
    }

    fn authority(&self) -> &Authority {
        &self.0.authority
    }

    fn checker(&self) -> &Checker {
        &self.0.checker
    }

    fn last_reads(&self) -> &strangers::LastReads {
        &self.0.last_reads
    }

    fn reaches(&self) -> &reach::ReachCache {
        &self.0.reaches
    }

    /// Whether another refusal of this caller may go into the audit.
    fn may_write_refusal(&self, who: &str) -> bool {
        self.0.refusals.take(who)
    }

    fn confirm_tokens(&self) -> &confirm_token::ConfirmTokens {
        &self.0.confirm_tokens
    }

    fn paused(&self, alias: Option<&str>) -> Option<Pause> {
        self.0.controls.pauses.paused(alias)
    }

    /// Whether an access key is still valid.
    fn is_key_valid(&self, id: &str) -> bool {
        self.0.controls.keys.is_valid(id)
    }

    /// The most sends that a batch makes without a preview.
    fn preview_above(&self, facts: &Facts, context: &CallContext) -> Option<usize> {
        facts.rules(context).preview_above()
    }

    /// A call begins.
    fn watch(&self, tool: &Tool, context: &CallContext) -> CallWatch {
        let (parent, who) = (&context.parent, context.principal.who());
        let effect = tool.effect.name();
        self.0.telemetry.call(tool.name, effect, who, parent)
    }

    fn log(&self, mut watch: CallWatch, answer: &Answer) {
        if let Some(location) = &answer.location {
            watch.located(location);
        }
        let end = CallEnd {
            status: answer.status,
            retries: answer.retries,
            trace_id: answer.trace_id.as_deref(),
        };
        watch.end(answer.outcome(), end);
    }

    /// The answer to a call whose own arguments could not be read, with its line in the log.
    pub(crate) fn log_refusal(
        &self,
        tool: &Tool,
        failure: &Failure,
        context: &CallContext,
    ) -> Answer {
        let answer = Answer::never_sent(failure);
        self.log(self.watch(tool, context), &answer);
        answer
    }

    /// Logs a batch that was refused or needs a confirmation as a whole.
    fn log_unsent(&self, request: &Request<'_>, answer: Answer) -> Answer {
        self.log(self.watch(request.tool, request.context), &answer);
        answer
    }
}

#[cfg(test)]
mod tests;
