//! Reads HighLevel's limits, and the time to wait, from an answer's headers.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{HeaderMap, HeaderName, RETRY_AFTER};

/// Longest accepted pause: one odd header must not lock a location out for days.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

const MAX: HeaderName = HeaderName::from_static("x-ratelimit-max");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const INTERVAL: HeaderName = HeaderName::from_static("x-ratelimit-interval-milliseconds");
const DAILY: HeaderName = HeaderName::from_static("x-ratelimit-limit-daily");
const DAILY_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-daily-remaining");

/// The `X-RateLimit-*` headers of one answer. A missing header, or one that is not a whole number, is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimitHeaders {
    /// `X-RateLimit-Max`: calls per interval.
    pub max: Option<u64>,
    /// `X-RateLimit-Remaining`: calls left of them.
    pub remaining: Option<u64>,
    /// `X-RateLimit-Interval-Milliseconds`, up to an hour.
    pub interval: Option<Duration>,
    /// `X-RateLimit-Limit-Daily`: calls per day.
    pub daily: Option<u64>,
    /// `X-RateLimit-Daily-Remaining`: calls left of them.
    pub daily_remaining: Option<u64>,
}

impl RateLimitHeaders {
    pub fn parse(headers: &HeaderMap) -> Self {
        let number = |name| text(headers, &name)?.parse::<u64>().ok();
        Self {
            max: number(MAX).filter(|max| *max > 0),
            remaining: number(REMAINING),
            interval: number(INTERVAL)
                .map(Duration::from_millis)
                .filter(|interval| !interval.is_zero() && *interval <= LONGEST_PAUSE),
            daily: number(DAILY).filter(|daily| *daily > 0),
            daily_remaining: number(DAILY_REMAINING),
        }
    }
}

/// `Retry-After`, in seconds or as a date, limited to an hour; `None` if it is neither.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = text(headers, &RETRY_AFTER)?;
    let pause = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let date = rfc2822::parse(text).ok()?.timestamp();
        let millis = date.as_millisecond() - Timestamp::now().as_millisecond();
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    };
    Some(pause.min(LONGEST_PAUSE))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    Some(headers.get(name)?.to_str().ok()?.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn headers(given: &[(&'static str, &str)]) -> HeaderMap {
        let parsed = given.iter().map(|(name, value)| {
            (
                (*name).parse().expect("a name"),
                HeaderValue::from_bytes(value.as_bytes()).expect("a value"),
            )
        });
        parsed.collect()
    }

    #[test]
    fn a_pause_is_seconds_or_a_date_and_never_absurd() {
        #[track_caller]
        fn check(text: &str, seconds: Option<u64>) {
            let pause = retry_after(&headers(&[("retry-after", text)]));
            assert_eq!(pause.map(|pause| pause.as_secs()), seconds, "{text:?}");
        }
        check("0", Some(0));
        check(" 7 ", Some(7));
        check("3601", Some(3600));
        check("99999999999999999999999999", Some(3600));
        check("Thu, 01 Jan 1970 00:00:00 GMT", Some(0));
        check("Fri, 01 Jan 9999 00:00:00 GMT", Some(3600));
        check("-1", None);
        check("1.5", None);
        check("soon", None);
        check("", None);
        check("\u{e9}", None);
        let soon = Timestamp::now() + jiff::SignedDuration::from_secs(30);
        let soon = rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&soon)
            .expect("a date");
        let pause = retry_after(&headers(&[("retry-after", &soon)])).expect("a pause");
        assert!((28..=30).contains(&pause.as_secs()), "{pause:?}");
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn headers_without_whole_numbers_are_ignored() {
        let all = RateLimitHeaders::parse(&headers(&[
            ("x-ratelimit-max", "100"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-interval-milliseconds", "10000"),
            ("x-ratelimit-limit-daily", "200000"),
            ("x-ratelimit-daily-remaining", "199999"),
        ]));
        let expected = RateLimitHeaders {
            max: Some(100),
            remaining: Some(0),
            interval: Some(Duration::from_secs(10)),
            daily: Some(200_000),
            daily_remaining: Some(199_999),
        };
        assert_eq!(all, expected);
        let garbage = RateLimitHeaders::parse(&headers(&[
            ("x-ratelimit-max", "0"),
            ("x-ratelimit-remaining", "-1"),
            ("x-ratelimit-interval-milliseconds", "99999999999"),
            ("x-ratelimit-limit-daily", "many"),
            ("x-ratelimit-daily-remaining", "1e9"),
        ]));
        assert_eq!(garbage, RateLimitHeaders::default());
    }
}
