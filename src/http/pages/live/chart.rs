//! Pictures of one hour, drawn into the page without script or style, in the colour of the text around them.

use std::fmt::Write as _;
use std::time::Duration;

use maud::{Markup, html};

use super::duration;

/// In units of the picture, which is as wide as its container.
const WIDTH: usize = 600;
const HEIGHT: usize = 100;

/// A bar for each minute.
pub(super) fn bars(values: &[u32], what: &str) -> Markup {
    let most = values.iter().copied().max().unwrap_or(0);
    let wide = WIDTH / values.len().max(1);
    let mut path = String::new();
    for (index, value) in values.iter().enumerate().filter(|(_, value)| **value > 0) {
        let high = share((*value).into(), most.into()).max(1);
        let (left, right) = (index * wide + 1, (index + 1) * wide - 1);
        // Writing to a String never fails.
        let _ = write!(path, "M{left} {HEIGHT}V{}H{right}V{HEIGHT}Z", HEIGHT - high);
    }
    let picture = html! { path d=(path) fill="currentColor" opacity=".6" {} };
    framed(&picture, what, &format!("The highest bar is {most}."))
}

/// A line through the minutes that have a value: the first one solid, the second one dashed.
pub(super) fn lines(lines: &[Vec<Option<Duration>>; 2], what: &str) -> Markup {
    let longest = lines.iter().flatten().flatten().max().copied();
    let longest = longest.unwrap_or_default();
    let [whole, dashed] = lines.each_ref().map(|line| line_path(line, longest));
    let picture = html! {
        path d=(whole) fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" {}
        path d=(dashed) fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="5 4" opacity=".7" {}
    };
    let highest = format!("The highest point is {}.", duration(longest));
    framed(&picture, what, &highest)
}

fn line_path(line: &[Option<Duration>], longest: Duration) -> String {
    let wide = WIDTH / line.len().max(1);
    let mut path = String::new();
    let mut is_drawing = false;
    for (index, value) in line.iter().enumerate() {
        let Some(value) = value else {
            is_drawing = false;
            continue;
        };
        let high = share(value.as_millis(), longest.as_millis());
        let (across, down) = (index * wide + wide / 2, HEIGHT - high);
        let _ = match is_drawing {
            true => write!(path, "L{across} {down}"),
            // A single minute is a short line of its own.
            false => write!(path, "M{} {down}L{across} {down}", across.saturating_sub(2)),
        };
        is_drawing = true;
    }
    path
}

/// The height of a value, if `most` has the full height.
fn share(value: u128, most: u128) -> usize {
    let room = HEIGHT as u128 - 4;
    usize::try_from(value * room / most.max(1)).unwrap_or(HEIGHT - 4)
}

/// The picture with a caption, for readers with and without sight.
fn framed(picture: &Markup, what: &str, highest: &str) -> Markup {
    html! {
        figure {
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } width="100%" role="img" aria-label={ (what) ". " (highest) } {
                path d={ "M0 " (HEIGHT) "H" (WIDTH) } stroke="currentColor" opacity=".4" {}
                (picture)
            }
            figcaption class="soft" { (what) ", the latest on the right. " (highest) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_without_calls_is_a_gap() {
        fn check(millis: &[Option<u64>], expected: &str) {
            let line: Vec<_> = millis
                .iter()
                .map(|millis| millis.map(Duration::from_millis))
                .collect();
            assert_eq!(line_path(&line, Duration::from_millis(100)), expected);
        }
        check(&[], "");
        check(&[None, None], "");
        check(&[Some(100), Some(50)], "M148 4L150 4L450 52");
        check(&[Some(100), None, Some(0)], "M98 4L100 4M498 100L500 100");
    }

    #[test]
    fn the_highest_bar_is_described_in_words() {
        let mut values = [0; 60];
        values[59] = 7;
        values[0] = 1;
        let text = bars(&values, "Requests").into_string();
        assert!(
            text.contains("aria-label=\"Requests. The highest bar is 7.\""),
            "{text}"
        );
        assert!(text.contains("M591 100V4H599V100Z"), "{text}");
        assert_eq!(text.matches("V100Z").count(), 2, "{text}");
        assert!(!text.contains("style"), "{text}");
    }
}
