//! Finds the numbers that a 64-bit float holds with all their digits.

/// Any number of this many digits fits.
const ALWAYS_KEPT: usize = 15;

/// Whether a JSON number survives as a 64-bit float or integer, apart from trailing zeros.
pub(crate) fn is_kept(text: &str) -> bool {
    let is_plain = text.len() <= ALWAYS_KEPT && !text.contains(['e', 'E']);
    if is_plain || text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok() {
        return true;
    }
    let Ok(number) = text.parse::<f64>() else {
        return false;
    };
    number.is_finite() && digits(text) == digits(&format!("{number:e}"))
}

/// Sign, digits without leading and trailing zeros, and the power of ten of the first digit.
fn digits(text: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse().ok()?),
        None => (text, 0_i64),
    };
    let (is_negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => (true, mantissa),
        None => (false, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0');
    let zeros = i64::try_from(all.len() - significant.len()).ok()?;
    let first = i64::try_from(whole.len()).ok()? - zeros;
    let significant = significant.trim_end_matches('0');
    if significant.is_empty() {
        return Some((is_negative, String::new(), 0));
    }
    Some((
        is_negative,
        significant.to_owned(),
        first.checked_add(exponent)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_would_lose_digits_are_found() {
        #[track_caller]
        fn check(numbers: &[&str], expected: bool) {
            for number in numbers {
                assert_eq!(is_kept(number), expected, "{number}");
            }
        }
        check(
            &[
                "0",
                "-0",
                "-0.0",
                "1.50",
                "100",
                "0.1",
                "1e3",
                "1E+3",
                "12.340e-5",
                "9007199254740993",
                "18446744073709551615",
                "-9223372036854775808",
                "0.30000000000000004",
                "1e308",
                "0e-400",
                "123456789012345600000",
            ],
            true,
        );
        check(
            &[
                "12345678901234567890123",
                "0.1234567890123456789",
                "1e-400",
                "1e400",
                "9007199254740993.5",
                "3.141592653589793238",
                "18446744073709551617",
            ],
            false,
        );
    }
}
