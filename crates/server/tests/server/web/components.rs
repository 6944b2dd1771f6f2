//! Components in their states, as the gallery of the demo shows them.

use std::collections::BTreeMap;

use mainstay::site::Site;
use mainstay_store::Role;

use super::browser::Browser;
use crate::support::World;

/// What each specimen shows, by component and then by state; of the two themes, which are the same.
async fn gallery() -> BTreeMap<String, Vec<(String, String)>> {
    let world = World::sqlite_at(|site| Site { demo: true, ..site }).await;
    let browser = Browser::member(&world, &world.acme, Role::Staff).await;
    let answer = browser.get("/gallery").await;
    let mut components: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for specimen in answer.page(200).split("<section class=\"specimen").skip(1) {
        let (label, rest) = between(specimen, "aria-label=\"", "\"");
        let (component, state) = label.split_once(", ").unwrap();
        let (_, shown) = rest.split_once("</defs></svg>").unwrap();
        let (shown, _) = shown.split_once("</template>").unwrap();
        let states = components.entry(component.to_owned()).or_default();
        states.push((state.to_owned(), without_ids(shown)));
    }
    world.close().await;
    components
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> (&'a str, &'a str) {
    let (_, rest) = text.split_once(start).unwrap();
    rest.split_once(end).unwrap()
}

/// Ids of ours are random.
fn without_ids(html: &str) -> String {
    let is_id = |text: &&str| {
        text.len() == 36
            && text.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
    };
    html.split_inclusive(['/', '"'])
        .map(|piece| {
            let (text, end) = piece.split_at(piece.len() - 1);
            if is_id(&text) { format!("ID{end}") } else { piece.to_owned() }
        })
        .collect()
}

fn state<'a>(
    gallery: &'a BTreeMap<String, Vec<(String, String)>>,
    component: &str,
    state: &str,
) -> &'a str {
    gallery[component].iter().find(|(name, _)| name == state).map(|(_, html)| html).unwrap()
}

/// The text of some HTML, with single spaces.
fn text(html: &str) -> String {
    let mut text = String::new();
    for piece in html.split('<') {
        text.push(' ');
        text.push_str(piece.split_once('>').map_or(piece, |(_, after)| after));
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn every_component_looks_as_it_did() {
    for (component, states) in gallery().await {
        let shown: Vec<String> =
            states.iter().map(|(state, html)| format!("<!-- {state} -->\n{html}")).collect();
        // A tag of askama that has a line to itself leaves it empty.
        let shown = shown.join("\n");
        let lines: Vec<&str> = shown.lines().filter(|line| !line.is_empty()).collect();
        insta::assert_snapshot!(component, lines.join("\n"));
    }
}

#[tokio::test]
async fn a_score_card_shows_the_figures_of_the_reference() {
    let gallery = gallery().await;
    let card = state(&gallery, "SuccessScoreCard", "good, rising, assumed");
    for drawn in [
        r#"stroke-dasharray="63.20 100" transform="rotate(-90 60 60)""#,
        r#"transform="rotate(137.52 60 60)""#,
        r#"x1="87.04" y1="97.21" x2="94.09" y2="106.92""#,
        r#"d="M3.0 36.6L20.3 34.7L37.6 30.1L54.9 31.1L72.1 27.4L89.4 26.5L106.7 23.7L124.0 15.4""#,
        r#"<rect class="guess" width="50%""#,
    ] {
        assert!(card.contains(drawn), "{drawn} is not in {card}");
    }
    let words = text(card);
    for said in [
        "+9 rising since 17 Nov (62), rising",
        "85 % measured, 15 % assumed",
        "Tue 24 Nov 2026, 00:00",
        "8 weeks: 48 to 71",
        "5 active days of 7 35.7 of 50 points",
        "17 events; 20 or more give all 50 42.5 of 50 points",
        "Total 88.2, rounded 88 of 100",
        "88 × 25 % 22.00 points",
        "4 of 5 onboarding tasks done 56 of 70 points",
        "Launch kit viewed on 2 Oct 30 of 30 points",
        "6 pieces of content so far: the 1st and the 5th reached, next the 10th 40 of 50 points",
        "4 visuals so far: the 1st reached, next the 5th 20 of 50 points",
        "No feedback in the last 90 days: a neutral value is used 50 assumed",
        "Assumed, not measured 50 of 100",
        "17 events this week, 16 the week before +6.3 %",
        "A change from 0 % to under +20 % 60 of 100",
        "17 to 23 Nov. See the 17 events",
        "22.00 + 17.20 + 15.00 + 7.50 + 9.00 = 70.70, rounded to 71",
    ] {
        assert!(words.contains(said), "{said:?} is not in {words}");
    }
    let risk = text(state(&gallery, "SuccessScoreCard", "at risk, for staff"));
    for said in [
        "−26 declining since 17 Nov (63), declining",
        "2 active days of 7 14.3 of 50 points",
        "NPS 6 of 10, on 12 Oct 60",
        "3 of 5 stars, on 4 Nov 50",
        "Mean of 2 answers in 90 days 55 of 100",
        "7 events this week, 31 the week before −77.4 %",
        "A fall of more than 50 % 0 of 100",
        "25.00 points on 17 Nov.",
        "8.00 + 15.40 + 5.00 + 8.25 + 0.00 = 36.65, rounded to 37",
    ] {
        assert!(risk.contains(said), "{said:?} is not in {risk}");
    }
}

#[tokio::test]
async fn only_staff_read_that_a_client_is_at_risk() {
    let gallery = gallery().await;
    let for_staff = text(state(&gallery, "SuccessScoreCard", "at risk, for staff"));
    assert!(for_staff.contains("At risk"), "{for_staff}");
    let for_client = state(&gallery, "SuccessScoreCard", "first");
    assert!(for_client.contains("data-band=\"risk\""), "{for_client}");
    let for_client = text(for_client);
    assert!(for_client.contains("Getting going"), "{for_client}");
    assert!(!for_client.to_lowercase().contains("at risk"), "{for_client}");
}

#[tokio::test]
async fn a_heatmap_is_a_table_with_a_link_a_day_and_a_sentence() {
    let gallery = gallery().await;
    let month = state(&gallery, "EngagementHeatmap", "a month");
    let in_one_line = month.split_whitespace().collect::<Vec<_>>().join(" ");
    for markup in [
        r#"<th scope="row">26 Oct</th> <td data-heat="2"> <a href="/client/events?from=2026-10-26"#,
        r#"data-heat="4"> <a href="/client/events?from=2026-11-18&#38;to=2026-11-18" aria-label="7 events, Wed 18 Nov">7</a>"#,
        r#"<td data-heat="2" class="today"> <a href="/client/events?from=2026-11-24&#38;to=2026-11-24" aria-label="2 events, Tue 24 Nov, today so far">2</a> </td> <td></td>"#,
    ] {
        assert!(in_one_line.contains(markup), "{markup} is not in {month}");
    }
    let words = text(month);
    assert!(
        words.contains(
            "64 events on 20 of 30 days , 3.2 per active day. Busiest: Wed 18 Nov with 7."
        ),
        "{words}"
    );
    assert!(words.ends_with("0 1 2–3 4–5 6–7"), "{words}");
}

#[tokio::test]
async fn no_name_becomes_markup_or_turns_the_words_around_it() {
    for (component, states) in gallery().await {
        for (state, html) in states {
            assert!(!html.contains("<script"), "{component}, {state}");
            assert!(!html.contains("<b>bold"), "{component}, {state}");
            for override_at in html.match_indices('\u{202e}').map(|(at, _)| at) {
                let before = &html[..override_at];
                let in_bdi =
                    before.rfind("<bdi").unwrap_or(0) > before.rfind("</bdi>").unwrap_or(0);
                let isolated =
                    before.rfind('\u{2068}').unwrap_or(0) > before.rfind('\u{2069}').unwrap_or(0);
                let around = &html[override_at.saturating_sub(80)..];
                let around: String = around.chars().take(120).collect();
                assert!(in_bdi || isolated, "{component}, {state}: {around}");
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_inline() {
    for (component, states) in gallery().await {
        for (state, html) in states {
            for inline in [" style=", " onclick=", "javascript:", "<script", "<style"] {
                assert!(!html.contains(inline), "{component}, {state} has {inline}");
            }
        }
    }
}

#[tokio::test]
async fn there_is_no_gallery_outside_the_demo() {
    let world = World::sqlite().await;
    let browser = Browser::member(&world, &world.acme, Role::Owner).await;
    browser.get("/gallery").await.page(404);
    world.close().await;
}
