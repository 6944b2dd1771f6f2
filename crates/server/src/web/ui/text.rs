//! Other people's words on our pages.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
};

use url::{Position, Url};

/// Longest path that is gone back to, in bytes.
const MAX_PATH_BYTES: usize = 2_000;

/// A path with its query to go on to, if it leads nowhere else than here. Read as browsers read it,
/// to whom `/\\example.com` is another site.
///
/// What counts is the result: `/..//example.com` is a path here, but written out it is
/// `//example.com`, which is not.
pub(crate) fn local_path(path: &str) -> Option<String> {
    let here = Url::parse("http://here.invalid").ok()?;
    let url = here.join(path).ok()?;
    // In a query a backslash stays as it is, and not everybody who reads an address knows where that begins.
    let written = url[Position::BeforePath..Position::AfterQuery].replace('\\', "%5C");
    let local = path.starts_with('/')
        && url.origin() == here.origin()
        && !written.starts_with("//")
        && written.len() <= MAX_PATH_BYTES;
    local.then_some(written)
}

/// A name that is safe where no element can keep it apart: in a title, an attribute, an option.
///
/// Between an isolate and its end (U+2068, U+2069), so that a direction override in the name cannot
/// turn the words around it. In running text, `<bdi>` does the same without extra characters.
#[derive(Clone, Debug)]
pub(crate) struct Isolated<'a>(pub(crate) &'a str);

impl fmt::Display for Isolated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An end in the name would close our isolate early.
        let name: Cow<'_, str> = if self.0.contains('\u{2069}') {
            self.0.replace('\u{2069}', "").into()
        } else {
            self.0.into()
        };
        write!(f, "\u{2068}{name}\u{2069}")
    }
}

/// A sentence of ours with somebody's words in it, without the characters that would turn the
/// direction of what follows. They are not told apart any more, so that they cannot be isolated.
pub(crate) fn straight(sentence: &str) -> String {
    sentence.chars().filter(|c| !turns(*c)).collect()
}

/// JSON with the characters that turn a direction in their escaped form: nothing is left out, and
/// nothing is turned.
pub(crate) fn straight_json(json: &str) -> String {
    let mut straight = String::with_capacity(json.len());
    for c in json.chars() {
        if turns(c) {
            // Writing to a String cannot fail.
            let _ = write!(straight, "\\u{:04x}", u32::from(c));
        } else {
            straight.push(c);
        }
    }
    straight
}

const fn turns(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A name, or what stands for it when nothing of it can be seen.
pub(crate) fn visible<'a>(name: &'a str, otherwise: &'a str) -> &'a str {
    let seen = |c: char| !c.is_whitespace() && !c.is_control() && !is_format(c);
    if name.chars().any(seen) { name } else { otherwise }
}

/// Characters that only change how others are set: zero-width ones, directions, fillers.
const fn is_format(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_of_nothing_visible_is_replaced() {
        assert_eq!(visible("\u{202e}\u{200b} \u{3164}", "Client 7"), "Client 7");
        assert_eq!(visible("\u{202e}a", "Client 7"), "\u{202e}a");
    }

    #[test]
    fn only_local_paths_are_followed() {
        assert_eq!(local_path("/alerts?type=a b").as_deref(), Some("/alerts?type=a%20b"));
        assert_eq!(local_path("/?\\evil").as_deref(), Some("/?%5Cevil"));
        for elsewhere in [
            "https://example.com/",
            "//example.com",
            "/\\example.com",
            "/\t/example.com",
            "/\n/example.com",
            "\\/example.com",
            "/..//example.com",
            "/.//example.com",
            "/%2e%2e//example.com",
            "/%2E//example.com",
            "/./\\example.com",
            "/a/..//example.com",
            "/..\\\\example.com",
            "/\t/./\n/example.com",
            "javascript:alert(1)",
            "alerts",
            "",
        ] {
            assert_eq!(local_path(elsewhere), None, "{elsewhere:?}");
        }
        assert_eq!(local_path(&format!("/{}", "a".repeat(MAX_PATH_BYTES))), None);
    }

    proptest! {
        #[test]
        fn a_local_path_stays_on_this_site(
            parts in proptest::collection::vec(
                proptest::sample::select(vec![
                    "/", "\\", ".", "..", "%2e", "%2E%2e", "%2f", "%5c", "\t", "\n", "\r", "\0",
                    " ", "@", ":", "?", "#", ";", "a", "evil.example", "http:", "https://", "[::1]",
                    "\u{2f}\u{338}", "\u{ff0f}", "\u{3002}", "\u{200b}", "%00", "%09",
                ]),
                0..9,
            ),
        ) {
            let path = parts.concat();
            if let Some(local) = local_path(&path) {
                let page = Url::parse("https://here.example:8443/sign-in?next=x").unwrap();
                let led = page.join(&local).unwrap();
                prop_assert_eq!(led.origin(), page.origin(), "{:?} became {:?}", path, local);
                prop_assert!(local.starts_with('/'), "{:?}", local);
                prop_assert!(!local.starts_with("//") && !local.contains('\\'), "{:?}", local);
                // Going through it twice, as the form of the sign-in page does, changes nothing.
                prop_assert_eq!(local_path(&local), Some(local));
            }
        }
    }

    #[test]
    fn a_name_cannot_turn_the_sentence_around_it() {
        assert_eq!(straight("“a\u{202e}b” is open"), "“ab” is open");
    }

    #[test]
    fn a_name_cannot_leave_its_isolate() {
        assert_eq!(Isolated("a\u{2069}\u{202e}b").to_string(), "\u{2068}a\u{202e}b\u{2069}");
    }
}
