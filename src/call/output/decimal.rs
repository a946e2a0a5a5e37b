//! Decimal numbers, compared and added up without rounding.

use std::cmp::Ordering;

use serde_json::Value;

/// A number with more digits, or more of them behind its point, is not taken: sums of millions of others fit into 128 bits.
const MOST_DIGITS: usize = 28;
const MOST_PLACES: i32 = 18;

/// Averages have so many places, or as many as the sum has.
const AVERAGE_PLACES: u32 = 4;

/// `digits` without its last `places` is the whole part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Decimal {
    digits: i128,
    places: u32,
}

impl Decimal {
    /// A number, or a text that is one.
    pub(super) fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Self::parse(&number.to_string()),
            Value::String(text) => Self::parse(text.trim()),
            _ => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()?),
            None => (text, 0),
        };
        let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let written = [whole, fraction].concat();
        if written.is_empty() || !written.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = written.trim_start_matches('0');
        let kept = digits.trim_end_matches('0');
        if kept.is_empty() {
            return Some(Self::default());
        }
        let dropped = i32::try_from(digits.len() - kept.len()).ok()?;
        let places = i32::try_from(fraction.len()).ok()? - i32::from(exponent) - dropped;
        let zeros = usize::try_from(places.saturating_neg()).unwrap_or(0);
        if places > MOST_PLACES || kept.len().saturating_add(zeros) > MOST_DIGITS {
            return None;
        }
        let mut digits: i128 = kept.parse().ok()?;
        digits = digits.checked_mul(10_i128.checked_pow(u32::try_from(zeros).ok()?)?)?;
        if mantissa.starts_with('-') {
            digits = -digits;
        }
        let places = u32::try_from(places).unwrap_or(0);
        Some(Self { digits, places })
    }

    pub(super) fn plus(self, other: Self) -> Option<Self> {
        let places = self.places.max(other.places);
        let digits = self.scaled(places)?.checked_add(other.scaled(places)?)?;
        Some(Self { digits, places })
    }

    /// Rounded to the nearest, halves away from zero.
    pub(super) fn divided(self, by: u64) -> Option<Self> {
        let places = self.places.max(AVERAGE_PLACES);
        let by = i128::from(by);
        let twice = self.scaled(places)?.checked_mul(2)?;
        let half = by.checked_mul(twice.signum())?;
        let digits = twice.checked_add(half)?.checked_div(by.checked_mul(2)?)?;
        Some(Self { digits, places })
    }

    /// As JSON, without zeros that say nothing.
    pub(super) fn json(self) -> Value {
        let width = usize::try_from(self.places).unwrap_or(0) + 1;
        let mut text = format!("{:0>width$}", self.digits.unsigned_abs());
        if self.places > 0 {
            text.insert(text.len() + 1 - width, '.');
            let kept = text.trim_end_matches('0').trim_end_matches('.').len();
            text.truncate(kept);
        }
        if self.digits < 0 {
            text.insert(0, '-');
        }
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn scaled(self, places: u32) -> Option<i128> {
        let more = places.checked_sub(self.places)?;
        self.digits.checked_mul(10_i128.checked_pow(more)?)
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let places = self.places.max(other.places);
        match (self.scaled(places), other.scaled(places)) {
            (Some(a), Some(b)) => a.cmp(&b),
            // What has no room is the one with fewer places, and further from zero than the other.
            (None, _) => self.digits.cmp(&0),
            (_, None) => 0.cmp(&other.digits),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        fn check(text: &str, expected: Option<&str>) {
            let found = Decimal::read(&json!(text)).map(|number| number.json().to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
        for (text, expected) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("12.50", "12.5"),
            ("-0.05", "-0.05"),
            (" +7 ", "7"),
            ("1e3", "1000"),
            ("1.5E-3", "0.0015"),
            ("1200", "1200"),
            (".5", "0.5"),
            (
                "9999999999999999999999999999",
                "9999999999999999999999999999",
            ),
        ] {
            check(text, Some(expected));
        }
        for text in [
            "", "-", ".", "a", "1,5", "0x10", "NaN", "inf", "1e400", "1e-30", "1 2",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn cents_add_up_and_averages_are_rounded() {
        fn check(numbers: &[&str], sum: &str, average: &str) {
            let read = |text: &&str| Decimal::read(&json!(text)).expect("a number");
            let all = numbers.iter().map(read);
            let total = all.fold(Decimal::default(), |a, b| a.plus(b).expect("room"));
            let count = u64::try_from(numbers.len()).expect("a count");
            let shown = total.divided(count).map(|one| one.json().to_string());
            assert_eq!(total.json().to_string(), sum);
            assert_eq!(shown.as_deref(), Some(average));
        }
        check(&["0.1", "0.2"], "0.3", "0.15");
        check(&["0.1"; 10], "1", "0.1");
        check(&["1", "1", "0"], "2", "0.6667");
        check(&["-1", "-1", "0"], "-2", "-0.6667");
        check(&["0.0001", "0"], "0.0001", "0.0001");
        check(&["-19.99", "20.01", "0"], "0.02", "0.0067");
        assert_eq!(Decimal::default().divided(0), None);
    }

    #[test]
    fn order_is_that_of_the_numbers() {
        fn check(a: &str, b: &str, expected: Ordering) {
            let read = |text: &str| Decimal::read(&json!(text)).expect("a number");
            assert_eq!(read(a).cmp(&read(b)), expected, "{a} {b}");
            assert_eq!(read(b).cmp(&read(a)), expected.reverse(), "{b} {a}");
        }
        check("1", "1.0", Ordering::Equal);
        check("1.01", "1.1", Ordering::Less);
        check("-5", "0.5", Ordering::Less);
        let huge = "9999999999999999999999999999";
        check(huge, "0.000000000000000001", Ordering::Greater);
        check(&format!("-{huge}"), "0.000000000000000001", Ordering::Less);
    }
}
