//! Sends authorized requests: within HighLevel's limits, again where that is safe, and not while HighLevel is down.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reqwest::Request;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::de::IgnoredAny;
use tokio::time::{Instant, sleep};

use crate::background::at_home;
use crate::catalog::decoding::from_json;
use crate::catalog::masking::mask_credential;
use crate::upstream::Transport;
use crate::upstream::answer::{self, Reply};
use crate::upstream::breaker::{self, Health};
use crate::upstream::caller::Credential;
use crate::upstream::errors::{self, TokenVerdict};
use crate::upstream::failure::{Failure, FailureClass};
use crate::upstream::observer::Observation;
use crate::upstream::permit::{Outgoing, Recheck, SendPermit, Sender, Target};
use crate::upstream::rate_limit::{self, RateLimitAccount, RateLimitHeaders, SlotOutcome};
use crate::upstream::retry::{self, Outcome};
use crate::upstream::standing::Standing;
use tool::{Effect, TokenClass};

/// A running call.
struct Flow<'a> {
    target: &'a Target,
    sender: &'a Sender,
    account: &'a RateLimitAccount,
    recheck: &'a Recheck,
    /// Requests that may have reached HighLevel.
    sent: &'a AtomicU32,
    deadline: Instant,
    /// HighLevel's last verdict on the caller's token.
    verdict: TokenVerdict,
}

/// An attempt without a usable answer.
enum AttemptError {
    /// Nothing was sent, and an immediate retry would not change that.
    Refused(Failure),
    /// Nothing was sent, and the request may no longer be sent.
    Stopped(Failure),
    /// With the pause that HighLevel asked for.
    Failed(Failure, Outcome, Option<Duration>, TokenVerdict),
}

impl Transport {
    /// Sends the request and consumes the right to. Dropping the future ends the call. `sent` grows with every attempt
    /// that may have reached HighLevel.
    pub async fn send(&self, permit: SendPermit, sent: &AtomicU32) -> Result<Reply, Failure> {
        let (outgoing, recheck) = permit.into_parts();
        let Outgoing {
            target,
            sender,
            request,
        } = *outgoing;
        let deadline = Instant::now() + self.total_timeout;
        let caller = &sender.caller;
        let newcomer = self.newcomer(caller, sender.known, sender.address);
        let seat = self.shared.standings.enter(&newcomer, deadline).await?;
        let digest = newcomer.digest;
        let counted = self.counted(caller, digest, target.named_location());
        let standing = match seat {
            Some(_) => Standing::New,
            None => Standing::Accepted,
        };
        let limits = &self.shared.limits;
        let account = limits.account(&caller.credential, digest, &counted, standing);
        let mut flow = Flow {
            target: &target,
            sender: &sender,
            account: &account,
            recheck: &recheck,
            sent,
            deadline,
            verdict: TokenVerdict::Silent,
        };
        let outcome = self.run(&mut flow, request).await;
        if let Some(seat) = seat {
            seat.end(flow.verdict);
        }
        outcome
    }

    async fn run(&self, flow: &mut Flow<'_>, request: Request) -> Result<Reply, Failure> {
        let (target, sender, digest) = (flow.target, flow.sender, flow.account.digest);
        let shared = &self.shared;
        shared.retries.earn();
        flow.account.scope.retries.earn();
        let mut token = self.token(flow).await?;
        let mut was_renewed = false;
        let mut retries = 0;
        // The failure of the last attempt is more informative than the reason that there is no further one.
        let mut last: Option<Failure> = None;
        loop {
            let attempt = request.try_clone().ok_or_else(|| {
                Failure::new(
                    FailureClass::Refused,
                    "A request without an end cannot be sent.",
                )
            })?;
            let (mut failure, outcome, asked, verdict) =
                match self.attempt(flow, attempt, &token).await {
                    Ok(mut reply) => {
                        self.record(flow, TokenVerdict::Accepted);
                        self.prove(flow);
                        reply.retries = retries;
                        return Ok(reply);
                    }
                    Err(AttemptError::Refused(refusal)) => {
                        let mut failure = last.unwrap_or_else(|| refusal.clone());
                        failure.retry_after_ms = refusal.retry_after_ms;
                        return Err(failure);
                    }
                    Err(AttemptError::Stopped(refusal)) => {
                        // Only a request that may have happened is more informative.
                        return Err(last.filter(|last| last.sent).unwrap_or(refusal));
                    }
                    Err(AttemptError::Failed(failure, outcome, asked, verdict)) => {
                        (failure, outcome, asked, verdict)
                    }
                };
            failure.retries = retries;
            if matches!(outcome, Outcome::TooMany | Outcome::Unavailable)
                && let (None, Some(asked)) = (failure.retry_after_ms, asked)
            {
                failure = failure.with_retry_after(asked);
            }
            if failure.class == FailureClass::TokenClass {
                shared.tokens.remember(target, sender, digest);
            }
            if failure.class == FailureClass::Auth {
                // A call with a refused token did nothing, so it may be made with another token, whatever its effect.
                let renews = !was_renewed && shared.tokens.renews(target, sender, digest, &token);
                if renews {
                    was_renewed = true;
                    token = self.token(flow).await?;
                    continue;
                }
            }
            self.record(flow, verdict);
            if let (FailureClass::Location, Some(location)) =
                (failure.class, target.named_location())
            {
                shared.standings.disprove(&digest, location);
            }
            let pause = retry::pause(retries + 1).max(asked.unwrap_or_default());
            let again = outcome.allows(target.tool.effect)
                && retries < retry::MOST
                && pause <= retry::LONGEST_PAUSE
                && Instant::now() + pause < flow.deadline;
            if !again || !flow.account.scope.retries.spend() || !shared.retries.spend() {
                return Err(failure);
            }
            retries += 1;
            last = Some(failure);
            sleep(pause).await;
        }
    }

    /// The token to send. A client's company token is judged by HighLevel's refusal to exchange it.
    async fn token(&self, flow: &mut Flow<'_>) -> Result<SecretString, Failure> {
        let tokens = &self.shared.tokens;
        let token = tokens.token(flow.target, flow.sender, flow.account.digest);
        let token = token.await;
        if let Err(failure) = &token
            && let Some(status) = failure.status.and_then(|status| status.try_into().ok())
        {
            let is_json = failure.class != FailureClass::Upstream;
            let verdict = TokenVerdict::new(status, failure.message.as_deref(), is_json);
            self.record(flow, verdict);
        }
        token
    }

    fn record(&self, flow: &mut Flow<'_>, verdict: TokenVerdict) {
        let verdict = verdict.for_operation(flow.target.tool);
        flow.verdict = verdict;
        // The server renews a company's tokens, so none of them is the credential itself.
        if let Credential::Token(_) = flow.sender.caller.credential {
            self.shared.standings.record(flow.account.digest, verdict);
        }
    }

    /// Counts a success as a proof if HighLevel checks the location for this operation.
    fn prove(&self, flow: &Flow<'_>) {
        let Some(location) = flow.target.named_location() else {
            return;
        };
        let tool = flow.target.tool;
        // No agency's token gets there, so the token belongs to this location alone.
        let credential = &flow.sender.caller.credential;
        if tool.proves && tool.token == TokenClass::Location && credential.is_private_integration()
        {
            self.shared.standings.settle(flow.account.digest, location);
        }
        if tool.proves && self.shared.standings.prove(flow.account.digest, location) {
            self.shared.limits.join(flow.account, location);
        }
    }

    /// One attempt.
    async fn attempt(
        &self,
        flow: &Flow<'_>,
        mut request: Request,
        token: &SecretString,
    ) -> Result<Reply, AttemptError> {
        let tool = flow.target.tool;
        let scope = &flow.account.scope;
        add_token(&mut request, token).map_err(AttemptError::Refused)?;
        let host = &self.shared.breaker;
        let (host_down, scope_down) = (breaker::host_is_down, breaker::scope_is_down);
        let up = host.check().map_err(host_down);
        let up = up.and_then(|()| scope.breaker.check().map_err(scope_down));
        up.map_err(AttemptError::Refused)?;
        let reads = tool.effect == Effect::Read;
        let permit = scope.gate.admit(flow.account.digest, reads, flow.deadline);
        let permit = permit
            .await
            .map_err(|wait| AttemptError::Refused(wait.into()))?;
        if let Err(refusal) = (flow.recheck)() {
            permit.end(SlotOutcome::Unsent);
            return Err(AttemptError::Stopped(refusal));
        }
        // The host is checked first: a probe of the scope is not spent if nothing can be sent.
        let admitted = host.check().map_err(host_down);
        let admitted = admitted.and_then(|()| scope.breaker.admit().map_err(scope_down));
        let admitted = admitted.and_then(|()| host.admit().map_err(host_down));
        if let Err(refusal) = admitted {
            permit.end(SlotOutcome::Unsent);
            return Err(AttemptError::Refused(refusal));
        }
        let left = flow.deadline.saturating_duration_since(Instant::now());
        *request.timeout_mut() = Some(left);
        flow.sent.fetch_add(1, Ordering::Relaxed);
        let mut response = match at_home(self.upstream.http.execute(request)).await {
            Ok(response) => response,
            Err(error) => {
                let (mut failure, outcome) = answer::unanswered(tool, &error);
                if outcome == Outcome::Unsent {
                    flow.sent.fetch_sub(1, Ordering::Relaxed);
                    permit.end(SlotOutcome::Unsent);
                    self.judge_health(flow, Health::Down);
                } else {
                    failure.sent = true;
                    self.shared.traffic.add(|minute| minute.count(None));
                }
                let verdict = TokenVerdict::Silent;
                return Err(AttemptError::Failed(failure, outcome, None, verdict));
            }
        };
        let (status, headers) = (response.status(), response.headers());
        let asked = rate_limit::retry_after(headers);
        permit.end(SlotOutcome::with(
            status,
            RateLimitHeaders::parse(headers),
            asked,
        ));
        self.shared.traffic.add(|minute| minute.count(Some(status)));
        let trace_id = errors::trace_id(headers, token);
        let mut charge = flow.sender.budget.charge();
        let most = self.max_response_bytes;
        let body = answer::body(tool, &mut response, most, &mut charge).await;
        let is_json = status.is_server_error() && body.as_deref().is_ok_and(is_json);
        self.judge_health(flow, Health::of_answer(status, is_json));
        if let Some(observer) = self.shared.observer.get() {
            observer.record(Observation {
                tool,
                status: status.as_u16(),
                headers: response.headers().clone(),
                body: body.as_deref().unwrap_or_default().to_vec(),
            });
        }
        if !status.is_success() {
            // Without a body the status is enough.
            let body = body.unwrap_or_default();
            let headers = response.headers();
            let (failure, verdict) = errors::judge(tool, token, status, headers, &body);
            let outcome = Outcome::from_status(status);
            return Err(AttemptError::Failed(failure, outcome, asked, verdict));
        }
        let body = body.map(|body| mask_credential(body, token));
        let media = response.headers().get(CONTENT_TYPE);
        let media = media.and_then(|value| value.to_str().ok());
        match body.and_then(|body| answer::accepted(tool, status.as_u16(), media, body, charge)) {
            Ok(reply) => Ok(Reply { trace_id, ..reply }),
            Err(mut failure) => {
                failure.sent = true;
                let outcome = Outcome::from_status(status);
                let verdict = TokenVerdict::Silent;
                Err(AttemptError::Failed(failure, outcome, asked, verdict))
            }
        }
    }

    fn judge_health(&self, flow: &Flow<'_>, health: Health) {
        let (host, scope) = (&self.shared.breaker, &flow.account.scope.breaker);
        match health {
            Health::Up => {
                host.close();
                scope.close();
            }
            Health::Failing => scope.fail(Some(flow.target.tool.name)),
            Health::Down => {
                host.fail(Some(flow.account.digest));
                scope.fail(None);
            }
        }
    }
}

fn is_json(body: &[u8]) -> bool {
    from_json::<IgnoredAny>(body).is_ok()
}

fn add_token(request: &mut Request, token: &SecretString) -> Result<(), Failure> {
    let bearer = format!("Bearer {}", token.expose_secret());
    let Ok(mut authorization) = HeaderValue::from_str(&bearer) else {
        return Err(Failure::new(
            FailureClass::Auth,
            "The token holds characters that no token has.",
        ));
    };
    authorization.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, authorization);
    Ok(())
}
