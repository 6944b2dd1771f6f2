//! The colours of the design tokens can be told apart by everybody, in both themes: the contrast of
//! WCAG 2 (relative luminance), computed for each pair that meets on a page.

use std::collections::BTreeMap;

const TOKENS: &str = include_str!("../../../src/web/ui/assets/tokens.css");

const TEXT: f64 = 4.5;
const GRAPHIC: f64 = 3.0;
const BANDS: [&str; 4] = ["excellent", "good", "attention", "risk"];
const SURFACES: [&str; 4] = ["bg", "surface", "sunken", "raised"];

/// The light and the dark colour of each token of a piece of CSS.
fn colours(css: &str) -> BTreeMap<&str, [&str; 2]> {
    css.split("--")
        .filter_map(|declaration| {
            let (name, rest) = declaration.split_once(": light-dark(")?;
            let (light, dark) = rest.split_once(')')?.0.split_once(", ")?;
            Some((name, [light, dark]))
        })
        .collect()
}

/// Of a heat step, its tokens; what is another token there is looked up.
fn heat(step: u8) -> BTreeMap<&'static str, [&'static str; 2]> {
    let rule = format!("[data-heat=\"{step}\"] {{");
    let rule = TOKENS.split_once(&rule).unwrap().1.split_once('}').unwrap().0;
    let mut tokens = colours(rule);
    let all = colours(TOKENS);
    for (name, token) in [("heat-edge", "--heat-edge: var(--"), ("heat-ink", "--heat-ink: var(--")]
    {
        if let Some((_, rest)) = rule.split_once(token) {
            let other = rest.split_once(')').unwrap().0;
            let colour = tokens.get(other).or_else(|| all.get(other)).copied().unwrap();
            tokens.insert(name, colour);
        }
    }
    tokens
}

/// The relative luminance of `#rrggbb`, 0 to 1.
fn luminance(colour: &str) -> f64 {
    let channel = |start: usize| {
        let value = u8::from_str_radix(&colour[start..start + 2], 16).unwrap();
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// What falls short of `least` between two colours, in either theme.
fn shortfalls(name: &str, one: [&str; 2], other: [&str; 2], least: f64) -> Vec<String> {
    ["light", "dark"]
        .iter()
        .zip(one.iter().zip(other))
        .map(|(theme, (one, other))| (theme, contrast(one, other)))
        .filter(|(_, contrast)| *contrast < least)
        .map(|(theme, contrast)| format!("{name}, {theme}: {contrast:.2} of {least}"))
        .collect()
}

#[test]
fn black_on_white_has_the_contrast_that_the_definition_says() {
    assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 1e-9);
    assert!((contrast("#777777", "#ffffff") - 4.48).abs() < 0.01);
}

#[test]
fn every_colour_is_readable_on_every_surface_in_both_themes() {
    let all = colours(TOKENS);
    let texts = ["text", "text-2", "text-3", "accent-text"].map(str::to_owned);
    let band_texts = BANDS.map(|band| format!("{band}-text"));
    let graphics = ["accent", "focus", "hatch", "line-3"].map(str::to_owned);
    let bands = BANDS.map(str::to_owned);
    let mut short = Vec::new();
    for surface in SURFACES {
        for (names, least) in [
            (texts.as_slice(), TEXT),
            (band_texts.as_slice(), TEXT),
            (graphics.as_slice(), GRAPHIC),
            (bands.as_slice(), GRAPHIC),
        ] {
            for name in names {
                let pair = format!("{name} on {surface}");
                short.extend(shortfalls(&pair, all[name.as_str()], all[surface], least));
            }
        }
    }
    for band in BANDS {
        let (text, soft) = (format!("{band}-text"), format!("{band}-soft"));
        let pair = format!("{text} on {soft}");
        short.extend(shortfalls(&pair, all[text.as_str()], all[soft.as_str()], TEXT));
    }
    short.extend(shortfalls(
        "accent-text on accent-soft",
        all["accent-text"],
        all["accent-soft"],
        TEXT,
    ));
    short.extend(shortfalls("btn-text on btn", all["btn-text"], all["btn"], TEXT));
    assert_eq!(short, Vec::<String>::new());
}

#[test]
fn the_steps_of_the_heatmap_are_told_apart_in_both_themes() {
    let all = colours(TOKENS);
    let mut short = Vec::new();
    for step in 0..=4 {
        let tokens = heat(step);
        let name = format!("figure in step {step}");
        short.extend(shortfalls(&name, tokens["heat-ink"], tokens["heat"], TEXT));
        if step > 0 {
            let name = format!("edge of step {step}");
            short.extend(shortfalls(&name, tokens["heat-edge"], all["surface"], GRAPHIC));
        }
        if step > 2 {
            let name = format!("step {step} beside the one below");
            short.extend(shortfalls(&name, tokens["heat"], heat(step - 1)["heat"], GRAPHIC));
        }
    }
    assert_eq!(short, Vec::<String>::new());
}
