//! Numbers as they are shown and drawn.

use mainstay_core::text::format_thousands;

/// Hundredths of a point with one decimal, none where it is whole: `35.7`, `56`.
pub(super) fn tenths(hundredths: i64) -> String {
    let tenths = (hundredths + 5).div_euclid(10);
    if tenths % 10 == 0 {
        format_thousands(tenths / 10)
    } else {
        let sign = if tenths < 0 { "\u{2212}" } else { "" };
        format!("{sign}{}.{}", format_thousands(tenths.abs() / 10), tenths.abs() % 10)
    }
}

/// A count or a share as a number to draw with. What is drawn is far smaller than what is cut off.
pub(super) fn drawn(number: i64) -> f64 {
    f64::from(i32::try_from(number).unwrap_or(i32::MAX))
}
