use std::fmt::Write as _;

use askama::Template;
use jiff::civil::Date;
use mainstay_core::{
    score::{Band, ScoreModel},
    time::days_between,
};

use super::{band::BandChip, figures::drawn, markup};

/// How many weekly scores a sparkline shows.
pub(crate) const SPARKLINE_WEEKS: usize = 8;
/// Points that its height stands for, so that slopes compare between rows.
const WINDOW_POINTS: f64 = 50.0;
/// Room at its edges for the line's width and the last point.
const MARGIN: f64 = 3.0;
const RIGHT_MARGIN: f64 = 4.0;

/// The last weekly scores as a line.
#[derive(Clone, Debug, Template)]
#[template(path = "components/sparkline.html")]
pub(crate) struct Sparkline {
    width: u16,
    height: u16,
    label: String,
    limit: Option<String>,
    path: String,
    last: Option<(String, String)>,
    band: &'static str,
}

impl Sparkline {
    /// In a row of a table. Nothing where there is no score.
    pub(crate) fn small(weekly: &[Option<i64>], model: &ScoreModel, band: Band) -> Option<Self> {
        Self::draw(weekly, (88, 28), model, band).map(|(sparkline, _)| sparkline)
    }

    /// On a card, with what it says in words: `8 weeks: 48 to 71`.
    pub(super) fn large(
        weekly: &[Option<i64>],
        model: &ScoreModel,
        band: Band,
    ) -> Option<(Self, String)> {
        let (sparkline, known) = Self::draw(weekly, (128, 52), model, band)?;
        let (first, last) = (known.first()?, known.last()?);
        let since = weekly.iter().position(Option::is_some)?;
        let words = match weekly.len() - since {
            1 => return None,
            weeks => format!("{weeks} weeks: {first} to {last}"),
        };
        Some((sparkline, words))
    }

    fn draw(
        weekly: &[Option<i64>],
        (width, height): (u16, u16),
        model: &ScoreModel,
        band: Band,
    ) -> Option<(Self, Vec<i64>)> {
        let known: Vec<i64> = weekly.iter().copied().flatten().collect();
        let (low, high) = (*known.iter().min()?, *known.iter().max()?);
        let span = WINDOW_POINTS.max(drawn(high - low));
        let top = (drawn(low + high).midpoint(span)).clamp(span, 100.0_f64.max(span));
        let y = |points: f64| MARGIN + (top - points) / span * (f64::from(height) - 2.0 * MARGIN);
        let steps = f64::from(u32::try_from(weekly.len().max(2) - 1).unwrap_or(u32::MAX));
        let x = |index: usize| {
            let index = f64::from(u32::try_from(index).unwrap_or(u32::MAX));
            MARGIN + index / steps * (f64::from(width) - MARGIN - RIGHT_MARGIN)
        };
        let mut path = String::new();
        let mut last = None;
        let mut before = None;
        for (index, points) in weekly.iter().enumerate() {
            if let Some(points) = points {
                let (x, y) = (format!("{:.1}", x(index)), format!("{:.1}", y(drawn(*points))));
                // Writing to a String cannot fail.
                let _ = match (before, weekly.get(index + 1)) {
                    (Some(_), _) => write!(path, "L{x} {y}"),
                    (None, Some(Some(_))) => write!(path, "M{x} {y}"),
                    // A score between two gaps is a line of no length, which is drawn as a dot.
                    (None, _) => write!(path, "M{x} {y}h0"),
                };
                last = Some((x, y));
            }
            before = *points;
        }
        let floor = drawn(model.bands.needs_attention);
        let label = match known.as_slice() {
            [only] => format!("Weekly score: {only}"),
            all => format!("Last {} weekly scores: {}", all.len(), joined(all)),
        };
        let sparkline = Self {
            width,
            height,
            label,
            limit: (top - span..=top).contains(&floor).then(|| format!("{:.1}", y(floor))),
            path,
            last,
            band: BandChip::from(band).name,
        };
        Some((sparkline, known))
    }
}

fn joined(scores: &[i64]) -> String {
    scores.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The scores of the weeks that end `today`, oldest first, from scores by day: the latest of each
/// week, and none for a week without.
pub(crate) fn weekly(scores: &[(Date, i64)], today: Date) -> [Option<i64>; SPARKLINE_WEEKS] {
    let mut weeks = [None; SPARKLINE_WEEKS];
    for (day, points) in scores {
        let ago = usize::try_from(days_between(*day, today) / 7);
        if *day <= today
            && let Ok(ago) = ago
            && ago < SPARKLINE_WEEKS
        {
            weeks[SPARKLINE_WEEKS - 1 - ago] = Some(*points);
        }
    }
    weeks
}

markup!(Sparkline);
