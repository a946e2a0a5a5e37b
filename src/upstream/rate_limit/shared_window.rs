//! One window that all instances share: requests to the script at the Valkey, and its answers.

use std::sync::Arc;
use std::time::Duration;

use super::rate_window::SlotOutcome;
use super::valkey::{ScriptAnswer, Valkey};

/// A window and its server.
pub(super) struct SharedWindow {
    valkey: Arc<Valkey>,
    /// A digest of what is counted there.
    name: [u8; 16],
}

/// The request for one call.
pub(super) struct PlaceRequest {
    pub interval: Duration,
    /// Calls of an interval, and of a day.
    pub calls: u64,
    pub calls_of_day: u64,
}

/// The shared window's answer to one call.
pub(super) enum SharedAnswer {
    /// It may be sent. The number is the places left.
    Place(SharedPlace, u64),
    /// There is a place after this time.
    Full(Duration),
    /// HighLevel told an instance to wait this long.
    Pause(Duration),
    /// The day's calls are used up: the time to wait, and their number.
    Day(Duration, u64),
    /// The state of the window is unknown.
    Unknown,
}

/// The place of a call.
pub(super) struct SharedPlace {
    name: String,
    /// Calls with a place at that time, the call's number in the window, its day, and its number in the day.
    counts: [i64; 4],
}

/// The data on its window at the end of a call.
pub(super) struct EndNote {
    pub interval: Duration,
    /// How long its place is still held.
    pub held: Duration,
    /// Calls of an interval, as HighLevel last gave them.
    pub calls: u64,
    /// Calls that are left of the interval, and those counted for the day, according to HighLevel.
    pub left: Option<u64>,
    pub used_of_day: Option<u64>,
    /// HighLevel refused it as one too many, and asked for this pause.
    pub pause: Duration,
}

impl SharedWindow {
    pub(super) fn new(valkey: Arc<Valkey>, name: [u8; 16]) -> Self {
        Self { valkey, name }
    }

    /// Whether it is in use; otherwise each instance keeps to its own part.
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
        // A running call is held for a tenth longer than HighLevel's interval, because it may arrive a little later.
        // Its end gives the actual time; if its instance dies, its place is released anyway.
        let longest = request.interval + request.interval / 10;
        let (interval, longest) = (millis(request.interval), millis(longest));
        invocation.arg("take").arg(interval).arg(name).arg(longest);
        invocation.arg(request.calls).arg(request.calls_of_day);
        match self.valkey.ask(&invocation).await {
            Some(answer) => read(name, &answer).unwrap_or_else(|| {
                self.valkey.lose("its answer does not match the request");
                SharedAnswer::Unknown
            }),
            None => SharedAnswer::Unknown,
        }
    }

    /// The call with this place has ended.
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

    /// The call of this place was not sent, or is not known to have the place.
    pub(super) fn give_back(&self, name: String, interval: Duration) {
        self.valkey.tell(self.window(), move |invocation| {
            invocation.arg("unsent").arg(millis(interval)).arg(name);
        });
    }

    /// Adds calls that were counted elsewhere, and belong here.
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
    /// `None`: the call was not sent. `calls`: of an interval, as HighLevel last gave them.
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
            // If it gives no time, one interval.
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

    /// The call's number in the day, over all instances.
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

/// Rounded up, so that no place is released too early.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)
}
