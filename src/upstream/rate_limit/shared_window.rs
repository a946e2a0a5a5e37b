//! One window as all instances share it: questions to the script at the Valkey, and what it answers.

use std::sync::Arc;
use std::time::Duration;

use super::rate_window::SlotOutcome;
use super::valkey::{ScriptAnswer, Valkey};

/// Where a window stands among those of its server.
pub(super) struct SharedWindow {
    valkey: Arc<Valkey>,
    /// A digest of what is counted there.
    name: [u8; 16],
}

/// What is asked for one call.
pub(super) struct PlaceRequest {
    pub interval: Duration,
    /// Calls of an interval, and of a day.
    pub calls: u64,
    pub calls_of_day: u64,
}

/// What the shared window says to one call.
pub(super) enum SharedAnswer {
    /// It may go; so many places are left.
    Place(SharedPlace, u64),
    /// There is a place in this time.
    Full(Duration),
    /// HighLevel told an instance to wait so long.
    Pause(Duration),
    /// The day's calls are used up, of which there were so many.
    Day(Duration, u64),
    /// Nobody knows how full it is.
    Unknown,
}

/// A place that a call has.
pub(super) struct SharedPlace {
    name: String,
    /// Calls that had a place then, which call of the window it is, of which day, and which of that day.
    counts: [i64; 4],
}

/// What the end of a call tells of its window.
pub(super) struct EndNote {
    pub interval: Duration,
    /// How long its place is still held.
    pub held: Duration,
    /// Calls of an interval, as HighLevel last told.
    pub calls: u64,
    /// Calls that HighLevel says are left of the interval, and those of the day that it counted.
    pub left: Option<u64>,
    pub used_of_day: Option<u64>,
    /// HighLevel refused it as one too many, and asked for this pause.
    pub pause: Duration,
}

impl SharedWindow {
    pub(super) fn new(valkey: Arc<Valkey>, name: [u8; 16]) -> Self {
        Self { valkey, name }
    }

    /// Whether it is asked; else each instance keeps to its part.
    pub(super) fn is_asked(&self) -> bool {
        self.valkey.is_asked()
    }

    pub(super) fn place_name(&self) -> String {
        self.valkey.place_name()
    }

    /// Asks for a place of this name.
    pub(super) async fn take(&self, name: &str, request: &PlaceRequest) -> SharedAnswer {
        let window = self.window();
        let mut invocation = self.valkey.invocation(&window);
        // A call under way is held for a tenth longer than HighLevel counts it: it may get there a little later. Its end
        // says how long really, and where its instance dies its place is free again.
        let longest = request.interval + request.interval / 10;
        let (interval, longest) = (millis(request.interval), millis(longest));
        invocation.arg("take").arg(interval).arg(name).arg(longest);
        invocation.arg(request.calls).arg(request.calls_of_day);
        match self.valkey.ask(&invocation).await {
            Some(answer) => read(name, &answer).unwrap_or_else(|| {
                self.valkey.lose("it answers what nobody asked");
                SharedAnswer::Unknown
            }),
            None => SharedAnswer::Unknown,
        }
    }

    /// The call that has the place has ended.
    pub(super) fn end(&self, place: SharedPlace, note: EndNote) {
        self.valkey.tell(self.window(), move |invocation| {
            invocation.arg("end").arg(millis(note.interval));
            invocation.arg(place.name).arg(millis(note.held));
            invocation.arg(&place.counts).arg(note.calls);
            let signed = |number: Option<u64>| number.map_or(-1, signed);
            invocation.arg(signed(note.left));
            invocation.arg(signed(note.used_of_day));
            invocation.arg(millis(note.pause));
        });
    }

    /// The call of this place did not leave, or is not known to have the place.
    pub(super) fn give_back(&self, name: String, interval: Duration) {
        self.valkey.tell(self.window(), move |invocation| {
            invocation.arg("unsent").arg(millis(interval)).arg(name);
        });
    }

    /// So many calls were counted elsewhere, and belong here.
    pub(super) fn add(&self, calls: u64, interval: Duration) {
        let name = self.place_name();
        self.valkey.tell(self.window(), move |invocation| {
            invocation.arg("add").arg(millis(interval));
            invocation.arg(name).arg(calls);
        });
    }

    fn window(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.name))
    }
}

impl EndNote {
    /// `None`: the call did not leave. `calls`: of an interval, as HighLevel last told.
    pub(super) fn new(
        ended: SlotOutcome,
        interval: Duration,
        held: Duration,
        calls: u64,
    ) -> Option<Self> {
        let silent = Self {
            interval,
            held,
            calls,
            left: None,
            used_of_day: None,
            pause: Duration::ZERO,
        };
        let (reported, pause) = match ended {
            SlotOutcome::Unsent => return None,
            SlotOutcome::NoResponse => return Some(silent),
            SlotOutcome::Answered(reported) => (reported, Duration::ZERO),
            // Where it does not say how long, one interval.
            SlotOutcome::Refused(reported, pause) => (reported, pause.unwrap_or(interval)),
        };
        let of_day = reported.daily.zip(reported.daily_remaining);
        Some(Self {
            left: reported.remaining.filter(|_| pause.is_zero()),
            used_of_day: of_day.map(|(daily, remaining)| daily.saturating_sub(remaining)),
            pause,
            ..silent
        })
    }
}

impl SharedPlace {
    pub(super) fn into_name(self) -> String {
        self.name
    }

    /// Which call of the day it is, of all instances.
    pub(super) fn number_of_day(&self) -> u64 {
        unsigned(self.counts[3])
    }
}

fn read(name: &str, answer: &ScriptAnswer) -> Option<SharedAnswer> {
    let wait = |millis: i64| Duration::from_millis(unsigned(millis).max(1));
    Some(match *answer.as_slice() {
        [0, left, taken, turn, day, number] => {
            let place = SharedPlace {
                name: name.to_owned(),
                counts: [taken, turn, day, number],
            };
            SharedAnswer::Place(place, unsigned(left))
        }
        [1, millis, _] => SharedAnswer::Full(wait(millis)),
        [2, millis, _] => SharedAnswer::Pause(wait(millis)),
        [3, millis, used] => SharedAnswer::Day(wait(millis), unsigned(used)),
        _ => return None,
    })
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Rounded up: no place is free too early.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)
}
