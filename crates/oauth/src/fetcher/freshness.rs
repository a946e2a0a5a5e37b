//! The time for which a document needs no fetching, by its `Cache-Control`.

use std::time::Duration;

/// Even if its server wants to be asked more often.
pub(super) const SHORTEST: Duration = Duration::from_secs(5 * 60);

/// Even if its server gives more: redirects that a document no longer names must be forgotten.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

pub(super) fn fresh_for(cache_control: &str) -> Duration {
    let mut seconds = 0;
    for directive in cache_control.split(',') {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return SHORTEST,
            "max-age" => seconds = value.trim().trim_matches('"').parse().unwrap_or(0),
            _ => {}
        }
    }
    Duration::from_secs(seconds).clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_fresh_for_minutes_or_days() {
        for (header, seconds) in [
            ("", 300),
            ("max-age=0", 300),
            ("public, max-age=3600", 3_600),
            ("Max-Age=\"3600\" , s-maxage=5", 3_600),
            ("max-age=3600, no-cache", 300),
            ("no-store", 300),
            ("max-age=99999999", 604_800),
            ("max-age=99999999999999999999", 300),
            ("max-age=-1", 300),
            ("max-age", 300),
            (",,=,max-age=é", 300),
        ] {
            assert_eq!(fresh_for(header).as_secs(), seconds, "{header}");
        }
    }
}
