//! Icons: a page carries those that it uses, once each, and refers to them by name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::LazyLock,
};

use askama::filters::Safe;

const SHEET: &str = include_str!("assets/icons.svg");
/// What refers to an icon, in HTML that is made here.
const REFERENCE: &str = "href=\"#i-";

/// Each icon's `<symbol>`, by name.
static SYMBOLS: LazyLock<BTreeMap<&str, &str>> = LazyLock::new(|| {
    SHEET
        .split("<symbol id=\"i-")
        .skip(1)
        .filter_map(|symbol| {
            let (name, rest) = symbol.split_once('"')?;
            let (symbol, _) = rest.split_once("</symbol>")?;
            Some((name, symbol))
        })
        .collect()
});

/// An icon beside a text that says the same.
pub(crate) fn icon(name: &str) -> Safe<String> {
    debug_assert!(SYMBOLS.contains_key(name), "there is no icon {name:?}");
    Safe(format!(r#"<svg class="i" aria-hidden="true"><use {REFERENCE}{name}"/></svg>"#))
}

/// The definitions of every icon that some HTML refers to, with the pattern of what is assumed.
pub(in crate::web) fn definitions(html: &str) -> String {
    let used: BTreeSet<&str> = html
        .split(REFERENCE)
        .skip(1)
        .filter_map(|rest| rest.split_once('"').map(|(name, _)| name))
        .collect();
    let mut svg = String::from(
        r#"<svg width="0" height="0" class="vh" aria-hidden="true"><defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-bg" width="5" height="5"/><path class="hatch-line" d="M2.5 0v5"/></pattern>"#,
    );
    for (name, symbol) in used.iter().filter_map(|name| SYMBOLS.get_key_value(name)) {
        // Writing to a String cannot fail.
        let _ = write!(svg, r#"<symbol id="i-{name}"{symbol}</symbol>"#);
    }
    svg.push_str("</defs></svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_carries_each_icon_that_it_uses_once() {
        let page = format!("<p>{}{}{}</p>", icon("bell").0, icon("x").0, icon("bell").0);
        let carried = definitions(&page);
        assert_eq!(carried.matches("<symbol id=\"i-bell\" viewBox=").count(), 1);
        assert_eq!(carried.matches("<symbol").count(), 2);
        assert!(!definitions("<p>#i-bell</p>").contains("<symbol"));
    }
}
