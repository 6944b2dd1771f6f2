//! Cells of CSV files, which people open in spreadsheets.

use std::borrow::Cow;

/// Escapes a cell that spreadsheets would evaluate as a formula with a leading apostrophe, as OWASP
/// recommends. Client ids can come with a public write key, so anyone can create a row
/// `=HYPERLINK(…)`. Numbers stay numbers. Programs that need the original text should use JSON.
pub(crate) fn safe_cell(text: &str) -> Cow<'_, str> {
    if is_formula(text) { format!("'{text}").into() } else { text.into() }
}

fn is_formula(text: &str) -> bool {
    // Some programs drop blanks in front, and some know the full-width signs as well.
    let mut chars = text.trim_start_matches([' ', '\u{a0}', '\u{3000}', '\u{feff}']).chars();
    match chars.next() {
        Some(
            '=' | '@' | '\t' | '\r' | '\n' | '\u{ff1d}' | '\u{ff20}' | '\u{ff0b}' | '\u{ff0d}',
        ) => true,
        Some('+' | '-') => !is_number(text),
        _ => false,
    }
}

/// Digits with a sign and at most one decimal point: "-1+2" is a sum, "+1e9" something else.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
    all_digits(whole) && all_digits(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_compute_gets_an_apostrophe() {
        for formula in [
            "=1+1",
            "=HYPERLINK(\"http://evil.example\",\"x\")",
            "+1+1",
            "+cmd|' /C calc'!A0",
            "-2+3",
            "-",
            "+",
            "@SUM(A1)",
            "\t=1+1",
            "\r=1+1",
            "\n=1+1",
            " =1+1",
            "\u{feff}=1+1",
            "\u{ff1d}1+1",
            "-1e9",
            "-1.2.3",
            "+49 30 123",
        ] {
            assert_eq!(safe_cell(formula), format!("'{formula}"), "{formula:?}");
        }
    }

    #[test]
    fn all_else_stays_as_it_is() {
        for text in ["", "client-7", "-12", "+5", "-0.5", "0", "ada@example.com", "'=1", "a=b", "–"]
        {
            assert_eq!(safe_cell(text), text, "{text:?}");
        }
    }
}
