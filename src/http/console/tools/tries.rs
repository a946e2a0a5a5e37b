//! Tries of tools: their requests and results, kept for a while for the browser that sent them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::http::pages::form::FormFields;
use policy::BuiltInRules;
use tool::Tool;

/// Most tries of one session, and of all. Form and arguments have at most 64 KB each, and the rest is kept only as far
/// as it is shown: together they take at most 20 MB.
const MOST_OF_SESSION: usize = 10;
const MOST: usize = 100;

/// Most concurrent tries of one session.
const MOST_UNDER_WAY: usize = 4;

/// How long a try is kept after its last change. No call takes as long.
const LASTS: Duration = Duration::from_secs(15 * 60);

/// All tries of this process.
#[derive(Default)]
pub(in crate::http) struct ToolTries(Mutex<HashMap<String, ToolTry>>);

struct ToolTry {
    session: String,
    call: Arc<TriedCall>,
    state: TryState,
    changed: Instant,
}

/// A call that a person wants to try.
pub(super) struct TriedCall {
    /// The key under which the call happens once.
    pub id: String,
    pub tool: &'static Tool,
    /// The alias; none if the tool is for no location.
    pub location: Option<String>,
    pub location_name: String,
    pub rules: BuiltInRules,
    pub arguments: Map<String, Value>,
    /// Method and path.
    pub asked: Option<String>,
    /// The form's input, for changing it.
    pub given: FormFields,
}

#[derive(Clone)]
pub(super) enum TryState {
    UnderWay,
    Cancelled,
    Done(Arc<TryOutcome>),
}

/// The result, as far as it is shown.
pub(super) struct TryOutcome {
    pub sentence: String,
    pub is_error: bool,
    pub text: String,
    pub is_cut: bool,
    pub marks: Option<(String, String)>,
    pub file: Option<String>,
    /// Somebody has to agree before it is sent.
    pub asked: Option<TryQuestion>,
}

/// The question to agree to.
#[derive(Clone)]
pub(super) struct TryQuestion {
    /// The records of the call, as JSON; empty if unknown.
    pub about: String,
    /// The request, as JSON.
    pub preview: String,
    /// The token that confirms the call.
    pub token: String,
    pub is_elicited: bool,
    /// The page where another person decides.
    pub approve_at: Option<String>,
}

/// No further try may begin now.
pub(super) struct TooManyTries;

impl ToolTries {
    /// Begins a try. `false` if it already began: the form was sent twice.
    pub(super) fn begin(&self, session: &str, call: &Arc<TriedCall>) -> Result<bool, TooManyTries> {
        let mut tries = self.lock();
        tries.retain(|_, one| one.changed.elapsed() < LASTS);
        if tries.contains_key(&call.id) {
            return Ok(false);
        }
        let own = tries.values().filter(|one| one.session == session);
        let (mut kept, mut under_way) = (0, 0);
        for one in own {
            kept += 1;
            under_way += usize::from(matches!(one.state, TryState::UnderWay));
        }
        if under_way >= MOST_UNDER_WAY {
            return Err(TooManyTries);
        }
        if kept >= MOST_OF_SESSION {
            drop_oldest(&mut tries, |one| one.session == session);
        }
        if tries.len() >= MOST && !drop_oldest(&mut tries, |_| true) {
            return Err(TooManyTries);
        }
        let new = ToolTry {
            session: session.to_owned(),
            call: Arc::clone(call),
            state: TryState::UnderWay,
            changed: Instant::now(),
        };
        tries.insert(call.id.clone(), new);
        Ok(true)
    }

    /// A try of this session.
    pub(super) fn get(&self, session: &str, id: &str) -> Option<(Arc<TriedCall>, TryState)> {
        let tries = self.lock();
        let one = tries.get(id).filter(|one| one.session == session)?;
        Some((Arc::clone(&one.call), one.state.clone()))
    }

    /// Continues a try that waits for consent. `None` if it does not wait, such as at a second press.
    pub(super) fn go_on(&self, session: &str, id: &str) -> Option<(Arc<TriedCall>, TryQuestion)> {
        let mut tries = self.lock();
        let one = tries.get_mut(id).filter(|one| one.session == session)?;
        let question = one.state.question()?.clone();
        one.set(TryState::UnderWay);
        Some((Arc::clone(&one.call), question))
    }

    /// Ends a try that waits for consent.
    pub(super) fn cancel(&self, session: &str, id: &str) {
        let mut tries = self.lock();
        let one = tries.get_mut(id).filter(|one| one.session == session);
        if let Some(one) = one
            && one.state.question().is_some()
        {
            one.set(TryState::Cancelled);
        }
    }

    pub(super) fn finish(&self, id: &str, outcome: TryOutcome) {
        if let Some(one) = self.lock().get_mut(id) {
            one.set(TryState::Done(Arc::new(outcome)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, ToolTry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ToolTry {
    fn set(&mut self, state: TryState) {
        self.state = state;
        self.changed = Instant::now();
    }
}

impl TryState {
    fn question(&self) -> Option<&TryQuestion> {
        match self {
            Self::Done(outcome) => outcome.asked.as_ref(),
            Self::UnderWay | Self::Cancelled => None,
        }
    }
}

/// Removes the oldest of those that have ended. Returns whether there was one.
fn drop_oldest(tries: &mut HashMap<String, ToolTry>, is_meant: impl Fn(&ToolTry) -> bool) -> bool {
    let ended = tries
        .iter()
        .filter(|(_, one)| is_meant(one) && !matches!(one.state, TryState::UnderWay));
    let oldest = ended.min_by_key(|(_, one)| one.changed);
    let oldest = oldest.map(|(id, _)| id.clone());
    oldest.is_some_and(|id| tries.remove(&id).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::TOOLS;

    fn call(id: &str) -> Arc<TriedCall> {
        Arc::new(TriedCall {
            id: id.to_owned(),
            tool: &TOOLS[0],
            location: None,
            location_name: String::new(),
            rules: BuiltInRules::ReadOnly,
            arguments: Map::new(),
            asked: None,
            given: FormFields::parse(b"").expect("fields"),
        })
    }

    fn outcome(asked: Option<TryQuestion>) -> TryOutcome {
        TryOutcome {
            sentence: String::new(),
            is_error: false,
            text: String::new(),
            is_cut: false,
            marks: None,
            file: None,
            asked,
        }
    }

    fn question() -> TryQuestion {
        TryQuestion {
            about: String::new(),
            preview: String::new(),
            token: "t".to_owned(),
            is_elicited: false,
            approve_at: None,
        }
    }

    #[test]
    fn a_try_is_its_sessions_alone_and_runs_once() {
        let tries = ToolTries::default();
        assert!(matches!(tries.begin("a", &call("1")), Ok(true)));
        assert!(
            matches!(tries.begin("a", &call("1")), Ok(false)),
            "sent twice"
        );
        assert!(tries.get("b", "1").is_none());
        assert!(tries.go_on("a", "1").is_none(), "nobody was asked");
        tries.finish("1", outcome(Some(question())));
        assert!(tries.go_on("b", "1").is_none());
        assert!(tries.go_on("a", "1").is_some());
        assert!(tries.go_on("a", "1").is_none(), "pressed twice");
        tries.cancel("a", "1");
        let (_, state) = tries.get("a", "1").expect("a try");
        assert!(matches!(state, TryState::UnderWay), "too late");
    }

    #[test]
    fn tries_are_limited_at_once_and_only_the_latest_are_kept() {
        let tries = ToolTries::default();
        for number in 0..MOST_UNDER_WAY {
            assert!(tries.begin("a", &call(&number.to_string())).is_ok());
        }
        assert!(tries.begin("a", &call("more")).is_err());
        assert!(tries.begin("b", &call("other")).is_ok(), "another's");
        for number in 0..100 {
            let id = number.to_string();
            assert!(tries.begin("a", &call(&id)).is_ok(), "{number}");
            tries.finish(&id, outcome(None));
        }
        let kept = tries
            .lock()
            .values()
            .filter(|one| one.session == "a")
            .count();
        assert_eq!(kept, MOST_OF_SESSION);
        assert!(tries.get("a", "99").is_some());
        for session in 0..MOST {
            let (session, id) = (format!("s{session}"), format!("t{session}"));
            assert!(tries.begin(&session, &call(&id)).is_ok(), "{id}");
            tries.finish(&id, outcome(None));
        }
        assert!(tries.lock().len() <= MOST);
    }
}
