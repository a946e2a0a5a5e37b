//! One read of many locations: a call of its own for each, by the one way and with its own judgement, window and line in
//! the log, and one answer of them all.

mod location_call;

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::output::CutNote;
use super::{Answer, CallContext, Options, Pipeline, Request};
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use location_call::{LocationCall, MOST, ON, check, gone, names_all};

/// No further location is begun after this long: clients give up on a tool after a minute.
const LONGEST: Duration = Duration::from_secs(50);

/// The calls for the locations of one request.
struct LocationsRead<'a> {
    pipeline: &'a Pipeline,
    request: &'a Request<'a>,
    places: Vec<LocationCall>,
    /// The caller names all there are.
    names_all: bool,
    /// What the caller should know of what is not read.
    warnings: Vec<String>,
    started: Instant,
    progress: Mutex<ReadProgress>,
}

/// How far they are.
#[derive(Default)]
struct ReadProgress {
    next: usize,
    /// By place.
    answers: Vec<Option<Answer>>,
    /// Bytes of the answers.
    taken: usize,
    done: usize,
    /// Why no further location is begun.
    stopped: Option<&'static str>,
    /// HighLevel refused the connection's own token, for which it would refuse all calls by it.
    refused: Option<Answer>,
}

impl Pipeline {
    /// Answers by a row for each location that `named` means. Its type is written out, for each of their calls comes by
    /// the same way.
    pub(super) fn read_locations<'a>(
        &'a self,
        request: Request<'a>,
        named: Vec<String>,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(async move {
            let mut warnings = Vec::new();
            let places = match self.places(&request, &named, &mut warnings).await {
                Ok(places) => places,
                Err(answer) => return self.log_unsent(&request, answer),
            };
            let run = LocationsRead {
                pipeline: self,
                request: &request,
                names_all: named.iter().any(|one| names_all(one)),
                warnings,
                started: Instant::now(),
                progress: Mutex::new(ReadProgress {
                    answers: vec![None; places.len()],
                    ..ReadProgress::default()
                }),
                places,
            };
            run.run().await;
            run.answer()
        })
    }

    /// The locations to read, in the order of the answer.
    async fn places(
        &self,
        request: &Request<'_>,
        named: &[String],
        warnings: &mut Vec<String>,
    ) -> Result<Vec<LocationCall>, Answer> {
        check(request, named).map_err(|failure| Answer::never_sent(&failure))?;
        self.ensure_accepted(request.context).await?;
        let snapshot = self.snapshot();
        let scope = &request.context.principal.scope;
        if let [one] = named
            && names_all(one)
        {
            let mut every = self.every_place(request.context, warnings).await?;
            if let Some(first) = one.strip_suffix(ON) {
                let start = every.iter().position(|place| place.is_called(first));
                let start = start.ok_or_else(|| Answer::never_sent(&gone(first)))?;
                every.drain(..start);
            }
            if every.is_empty() {
                let what = "Nothing was sent: no location is open to this connection.";
                let failure = Failure::new(FailureClass::Location, what)
                    .with_remedy("Have the server's operator give it a location.");
                return Err(Answer::never_sent(&failure));
            }
            return Ok(every);
        }
        let mut places: Vec<LocationCall> = Vec::new();
        for name in named {
            let place = match scope.find(&snapshot.locations, name) {
                Some(account) => LocationCall::configured(account),
                None => LocationCall::own(name, None),
            };
            if !places.iter().any(|one| one.id == place.id) {
                places.push(place);
            }
        }
        Ok(places)
    }

    /// Every location that the caller reaches: those of the settings that its key opens, and those of its own token.
    async fn every_place(
        &self,
        context: &CallContext,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<LocationCall>, Answer> {
        let principal = &context.principal;
        let snapshot = self.snapshot();
        let configured = principal.scope.within(&snapshot.locations);
        let mut places: Vec<LocationCall> = configured.map(LocationCall::configured).collect();
        let Some(account) = &principal.account else {
            return Ok(places);
        };
        let bound = account
            .location
            .as_ref()
            .map(|bound| bound.location().clone());
        let own = match bound.or_else(|| self.transport().own_location(account)) {
            Some(own) => vec![LocationCall::own(own.as_str(), None)],
            None => {
                let listed = match self.listed_locations(context).await {
                    Err(answer) if !places.is_empty() => {
                        let why = answer.sentence();
                        warnings.push(format!(
                            "The locations of the connection's own token are not among these: {why}"
                        ));
                        Vec::new()
                    }
                    listed => listed?,
                };
                let listed = listed.iter();
                let listed =
                    listed.map(|one| LocationCall::own(one.id.as_str(), one.name.as_deref()));
                listed.collect()
            }
        };
        for place in own {
            if !places.iter().any(|one| one.id == place.id) {
                places.push(place);
            }
        }
        Ok(places)
    }
}

impl LocationsRead<'_> {
    /// Four at once, and the first by the connection's own token alone: where HighLevel does not take that one, the
    /// others would fail alike.
    async fn run(&self) {
        if let Some(first) = self.places.iter().position(|place| place.by_own_token) {
            self.read(first).await;
        }
        tokio::join!(self.work(), self.work(), self.work(), self.work());
    }

    async fn work(&self) {
        while let Some(index) = self.begin() {
            self.read(index).await;
        }
    }

    /// The next location to ask for, unless no further is to be begun.
    fn begin(&self) -> Option<usize> {
        let mut guard = self.progress();
        let progress = &mut *guard;
        loop {
            let place = self.places.get(progress.next)?;
            let answer = progress.answers.get_mut(progress.next)?;
            if place.by_own_token && answer.is_none() {
                answer.clone_from(&progress.refused);
            }
            if answer.is_none() {
                break;
            }
            progress.next += 1;
        }
        let index = progress.next;
        let why = if index >= MOST {
            Some("One call reads 100 locations.")
        } else if progress.taken > self.room() {
            Some("The answer is full (output.fields makes it smaller).")
        } else if self.started.elapsed() > LONGEST {
            Some("The time of one call is used up.")
        } else {
            None
        };
        progress.stopped = progress.stopped.or(why);
        if progress.stopped.is_some() {
            return None;
        }
        progress.next += 1;
        Some(index)
    }

    async fn read(&self, index: usize) {
        let Some(place) = self.places.get(index) else {
            return;
        };
        let answer = self.call(place).await;
        let done = {
            let mut progress = self.progress();
            let mut earlier = progress.answers.iter().flatten();
            let is_alike = earlier.all(|one| one.is_error);
            if place.by_own_token && is_alike && self.refuses_all(&answer) {
                progress.refused = Some(answer.clone());
            }
            progress.taken += answer.text.len();
            progress.done += 1;
            if let Some(slot) = progress.answers.get_mut(index) {
                *slot = Some(answer);
            }
            progress.done
        };
        (self.request.progress)(done, self.places.len().min(MOST));
    }

    /// One location's call, made again when it may go where the limit held it back: such a refusal did nothing.
    async fn call(&self, place: &LocationCall) -> Answer {
        let asked = self.request;
        loop {
            let options = Options {
                output: asked.options.output.clone(),
                location: Some(place.name.clone()),
                dry_run: asked.options.dry_run,
                as_highlevel: asked.options.as_highlevel,
                fences: asked.options.fences.clone(),
                ..Options::default()
            };
            let request = Request {
                tool: asked.tool,
                arguments: asked.arguments.clone(),
                options,
                context: asked.context,
                progress: &|_, _| {},
            };
            let answer = self.pipeline.execute_part(request).await;
            let wait = answer
                .retry_after
                .filter(|wait| answer.did_nothing && self.started.elapsed() + *wait < LONGEST);
            match wait {
                Some(wait) => sleep(wait).await,
                None => return answer,
            }
        }
    }

    /// Whether HighLevel refused the token itself. A company's OAuth token is another one in each location.
    fn refuses_all(&self, answer: &Answer) -> bool {
        let account = self.request.context.principal.account.as_ref();
        let is_one = account.is_some_and(|account| account.credential.is_private_integration());
        match answer.class {
            Some(FailureClass::Auth) => true,
            Some(FailureClass::Scope | FailureClass::TokenClass) => is_one,
            _ => false,
        }
    }

    fn answer(self) -> Answer {
        let room = self.room();
        let progress = self.progress.into_inner();
        let progress = progress.unwrap_or_else(PoisonError::into_inner);
        // One answer where the others are the same.
        if let Some(refused) = progress.refused
            && self.places.len() > 1
            && self.places.iter().all(|place| place.by_own_token)
        {
            return refused;
        }
        let (mut rows, mut taken, mut failed) = (Vec::new(), 0, 0);
        let mut why = progress.stopped;
        for (place, answer) in self.places.iter().zip(&progress.answers) {
            let Some(answer) = answer else {
                break;
            };
            let row = place.row(answer);
            taken += row.len();
            if taken > room && !rows.is_empty() {
                why = Some("The answer is full (output.fields makes it smaller).");
                break;
            }
            failed += usize::from(answer.is_error);
            rows.push(row);
        }
        let left = self.places.get(rows.len()..).unwrap_or_default();
        let mut text = format!("{{\"locations\":[{}]", rows.join(","));
        if failed > 0 {
            text.push_str(&format!(",\"failed\":{failed}"));
        }
        if let [first, ..] = left {
            let next = match self.names_all {
                true => vec![format!("{}{ON}", first.name)],
                false => left.iter().map(|place| place.name.clone()).collect(),
            };
            let note = CutNote {
                shown: Some(rows.len()),
                of: Some(json!(self.places.len())),
                why: why.into_iter().map(str::to_owned).collect(),
                next: vec![format!(
                    "Call again with output.locations {} for the {} that are left.",
                    json!(next),
                    left.len()
                )],
                ..CutNote::default()
            };
            if let Some(note) = note.json() {
                text.push_str(&format!(",\"_cut\":{note}"));
            }
        }
        text.push('}');
        let mut answer = Answer::text(text);
        answer.add_warnings(&self.warnings);
        answer.is_error = failed == rows.len();
        answer
    }

    fn room(&self) -> usize {
        self.pipeline.max_answer_bytes()
    }

    fn progress(&self) -> MutexGuard<'_, ReadProgress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
