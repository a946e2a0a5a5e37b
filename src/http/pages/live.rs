//! The server's activity now and in the last hour, in figures and pictures.

mod chart;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::brand::Brand;
use super::moment::Moment;
use super::{Page, PageKind, Part};
use crate::telemetry::CallMinute;
use crate::upstream::rate_limit::{GateStatus, ValkeyStatus};

/// The address of the figures alone.
pub(in crate::http) const FIGURES: &str = "/console/live/figures";

/// Most running calls, and most windows, on the page.
pub(in crate::http) const MOST_CALLS: usize = 20;
pub(in crate::http) const MOST_WINDOWS: usize = 12;

/// Most callers on the page.
pub(in crate::http) const MOST_CALLERS: usize = 20;

/// Minutes in one row of the table.
const IN_A_ROW: usize = 10;

/// The figures of this process, from memory.
pub(in crate::http) struct LiveFigures {
    /// The time since when it counts.
    pub since: Moment,
    pub read: Timestamp,
    /// The CRM does not answer.
    pub is_down: bool,
    /// The oldest calls first.
    pub calls: Vec<CallRow>,
    pub unlisted_calls: usize,
    /// The fullest windows first.
    pub windows: Vec<WindowRow>,
    pub unlisted_windows: usize,
    /// The number of instances that share the windows, and where they do, if anywhere.
    pub instances: u32,
    pub valkey: Option<ValkeyStatus>,
    /// Requests to the CRM in the last hour, and those that it refused as too many.
    pub requests: u32,
    pub limited: u32,
    /// The calls of the last hour.
    pub hour: CallMinute,
    /// Oldest first.
    pub minutes: Vec<MinuteFigures>,
    /// The callers with the most calls in the last hour, and their numbers.
    pub callers: Vec<(String, u32)>,
    pub unlisted_callers: usize,
}

pub(in crate::http) struct CallRow {
    pub title: &'static str,
    pub location: Option<String>,
    pub who: String,
    pub runs_for: Duration,
}

pub(in crate::http) struct WindowRow {
    pub name: String,
    pub gate: GateStatus,
    pub is_down: bool,
}

#[derive(Clone, Copy)]
pub(in crate::http) struct MinuteFigures {
    pub requests: u32,
    pub calls: u32,
    pub median: Option<Duration>,
    /// The time that 95 of 100 calls did not exceed.
    pub slow: Option<Duration>,
}

impl LiveFigures {
    pub(in crate::http) fn page(&self, brand: &Brand) -> Page {
        let body = html! {
            (self.fragment(brand))
            div class="buttons" { a class="button" href="/console/live" { "Refresh" } }
        };
        Page::new(PageKind::Console(Part::Live), "Live", body)
    }

    /// The part that is refreshed every two seconds if script runs.
    pub(in crate::http) fn fragment(&self, brand: &Brand) -> Markup {
        let crm = brand.crm_name.as_str();
        html! {
            div id="live" hx-get=(FIGURES) hx-trigger="every 2s" hx-swap="outerHTML" {
                p class="soft" {
                    "Figures of this server since " (self.since.utc()) ", as of "
                    (self.read.strftime("%H:%M:%S UTC").to_string()) "."
                }
                @if self.is_down {
                    p class="problem" {
                        (crm) " does not answer. Calls are refused at once, except one every five seconds as a test."
                    }
                }
                (self.under_way())
                (self.windows(crm))
                (self.hour(crm))
                (self.latencies(crm))
                (self.callers())
            }
        }
    }

    fn under_way(&self) -> Markup {
        html! {
            h2 { "Calls under way" }
            @if self.calls.is_empty() {
                p { "None." }
            } @else {
                ul class="cards" {
                    @for call in &self.calls {
                        li {
                            strong { (call.title) } ", for " (duration(call.runs_for))
                            p class="soft" {
                                @if let Some(location) = &call.location { (location) " · " }
                                (call.who)
                            }
                        }
                    }
                }
                @if self.unlisted_calls > 0 { p { (self.unlisted_calls) " more calls began later." } }
            }
        }
    }

    fn windows(&self, crm: &str) -> Markup {
        html! {
            h2 { "Limits of " (crm) }
            (self.sharing())
            @if self.windows.is_empty() {
                p { "No calls were counted recently." }
            } @else {
                p class="soft" { "The most used limits are listed first. A day is a day of UTC." }
                ul class="cards" { @for window in &self.windows { (window.card(crm)) } }
                @if self.unlisted_windows > 0 { p { (self.unlisted_windows) " less used limits are not shown." } }
            }
        }
    }

    /// How instances share the limits, if there are several or a Valkey.
    fn sharing(&self) -> Markup {
        let instances = self.instances;
        let part = format!("this instance uses 1 part in {instances} of each limit");
        html! {
            @match &self.valkey {
                Some(valkey) if valkey.is_up == Some(false) => {
                    p class="note" { "The Valkey at " (valkey.address) " does not answer. Until it does, " (part) ". It is tried every 5 seconds." }
                }
                Some(valkey) => { p class="soft" { "All instances share these limits through the Valkey "
                                                    (valkey.address) "." } }
                None if instances > 1 => { p class="soft" { (instances) " instances are running: " (part) "." } }
                None => {}
            }
        }
    }

    fn hour(&self, crm: &str) -> Markup {
        let hour = &self.hour;
        html! {
            h2 { "The last hour" }
            dl {
                dt { "Calls" } dd { (grouped(hour.calls())) }
                dt { "Worked" } dd { (hour.worked) }
                dt { "Asked first" } dd { (hour.asked) " waited for a confirmation" }
                dt { "Refused" } dd { (hour.refused) " by rules, rights or a pause" }
                dt { "At a limit" } dd { (hour.limited) " got no slot in time" }
                dt { "Failed" } dd { (hour.failed) }
                dt { "Cancelled" } dd { (hour.cancelled) " by their clients" }
                dt { "Requests" } dd { (grouped(self.requests)) " to " (crm) ", " (self.limited) " of them refused as over the limit (429)" }
            }
            (chart::bars(&self.minutes.iter().map(|minute| minute.requests).collect::<Vec<_>>(), &format!("Requests to {crm} in each minute of the last hour")))
        }
    }

    fn latencies(&self, crm: &str) -> Markup {
        let median = self.minutes.iter().map(|minute| minute.median);
        let slow = self.minutes.iter().map(|minute| minute.slow);
        let both = [median.collect::<Vec<_>>(), slow.collect::<Vec<_>>()];
        html! {
            h2 { "How long calls took" }
            @match (self.hour.latencies.percentile(50), self.hour.latencies.percentile(95)) {
                (Some(median), Some(slow)) => {
                    p {
                        "Half of the calls of the last hour were answered within " (duration(median)) ", 95 of 100 within "
                        (duration(slow)) "."
                    }
                    (chart::lines(
                        &both,
                        "The time within which half of the calls of each minute were answered, and, dashed, 95 of 100",
                    ))
                    (self.table())
                }
                _ => { p { (crm) " answered no call in the last hour." } }
            }
        }
    }

    fn callers(&self) -> Markup {
        html! {
            @if !self.callers.is_empty() {
                h2 { "Who called in the last hour" }
                dl { @for (who, calls) in &self.callers { dt { (who) } dd { (grouped(*calls)) } } }
                @if self.unlisted_callers > 0 { p { (self.unlisted_callers) " other callers called less." } }
            }
        }
    }

    /// The same data for readers who see no pictures.
    fn table(&self) -> Markup {
        let rows = self.minutes.chunks(IN_A_ROW).enumerate();
        html! {
            table {
                thead { tr { th scope="col" { "From (UTC)" } th scope="col" { "Calls" } th scope="col" { "Half within" } th scope="col" { "95 of 100 within" } } }
                tbody {
                    @for (index, minutes) in rows {
                        @let ago = self.minutes.len() - 1 - index * IN_A_ROW;
                        tr {
                            th scope="row" { (self.minutes_ago(ago)) }
                            td { (minutes.iter().map(|minute| minute.calls).sum::<u32>()) }
                            td { (longest(minutes.iter().filter_map(|minute| minute.median))) }
                            td { (longest(minutes.iter().filter_map(|minute| minute.slow))) }
                        }
                    }
                }
                caption { "The times are those of the slowest minute in ten." }
            }
        }
    }

    fn minutes_ago(&self, ago: usize) -> String {
        let ago = i64::try_from(ago).unwrap_or_default();
        let time = self.read.saturating_sub(SignedDuration::from_mins(ago));
        time.map_or_else(|_| String::new(), |time| time.strftime("%H:%M").to_string())
    }
}

impl WindowRow {
    fn card(&self, crm: &str) -> Markup {
        let gate = &self.gate;
        let interval = format!(
            "{} of {} calls in {}",
            grouped(gate.used),
            grouped(gate.allowed),
            duration(gate.interval)
        );
        let (used, allowed) = (grouped(gate.day_used), grouped(gate.day_allowed));
        let day = format!("{used} of {allowed} calls today");
        html! {
            li {
                strong { (self.name) }
                p {
                    meter min="0" max=(gate.allowed) value=(gate.used) aria-label=(interval) {} " " (interval)
                    br;
                    meter min="0" max=(gate.day_allowed) value=(gate.day_used) aria-label=(day) {} " " (day)
                }
                @if self.is_down {
                    p class="problem" { "All recent calls failed. Calls are refused at once, except one every five seconds as a test." }
                }
                @if let Some(pause) = gate.pause { p class="note" { (crm) " asked to wait " (duration(pause)) " more." } }
                @if gate.waiting > 0 { p { (gate.waiting) " calls wait for a slot." } }
                @if gate.refused > 0 { p { (crm) " refused " (gate.refused) " requests as over the limit (429)." } }
            }
        }
    }
}

/// `200,000`
fn grouped(number: impl Into<u64>) -> String {
    let digits = number.into().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn longest(durations: impl Iterator<Item = Duration>) -> String {
    let longest = durations.max();
    longest.map_or_else(|| "–".to_owned(), duration)
}

/// In readable units: 40 ms, 1.2 s, 3 min.
pub(in crate::http) fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        ..1_000 => format!("{millis} ms"),
        1_000..10_000 if millis % 1_000 >= 50 => format!("{:.1} s", duration.as_secs_f64()),
        1_000..120_000 => format!("{:.0} s", duration.as_secs_f64()),
        _ => format!("{} min", duration.as_secs() / 60),
    }
}

#[cfg(test)]
pub(super) mod tests;
