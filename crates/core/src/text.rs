//! Words shared by everything that writes sentences for people.

/// `1 task`, `2 tasks`, `3 pieces of content`: a count with its noun, English plural by `s`.
pub fn count_noun(count: i64, noun: &str) -> String {
    if count == 1 {
        return format!("1 {noun}");
    }
    let count = format_thousands(count);
    match noun.split_once(" of ") {
        Some((head, rest)) => format!("{count} {head}s of {rest}"),
        None => format!("{count} {noun}s"),
    }
}

/// A whole number with thin groups of thousands: `12 345`.
pub fn format_thousands(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    if number < 0 { format!("\u{2212}{out}") } else { out }
}

/// Hundredths of a point as people read them: `28.57`.
pub fn format_points(hundredths: i64) -> String {
    let sign = if hundredths < 0 { "\u{2212}" } else { "" };
    let whole = hundredths.unsigned_abs();
    format!("{sign}{}.{:02}", whole / 100, whole % 100)
}
