use std::fmt::Write as _;

use askama::Template;
use jiff::civil::Date;
use mainstay_core::{
    alert::{AlertType, Severity},
    insight::words::join_with_and,
    score::ScoreModel,
    time::{add_days, days_between},
};

use super::{band::BandChip, figures::drawn, markup, view::View};

/// Days between two labels of the axis.
const WEEK: i32 = 7;
/// Days that two figures beside the line must lie apart to be read.
const APART: i32 = 4;
/// Where the line is drawn, in percent of the picture: the figures stand around it.
const LEFT: f64 = 9.0;
const WIDTH: f64 = 83.0;
const TOP: f64 = 4.0;
const HEIGHT: f64 = 78.0;

/// An alert that opened on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AlertMark {
    pub(crate) day: Date,
    pub(crate) kind: AlertType,
    pub(crate) severity: Severity,
}

/// A client's daily scores as a line, with the alerts that opened meanwhile.
#[derive(Template)]
#[template(path = "components/score_history.html")]
pub(crate) struct ScoreHistory {
    title: String,
    label: String,
    grid: Vec<(i64, String)>,
    days: i32,
    path: String,
    figures: Vec<Figure>,
    last: Option<LastPoint>,
    axis: Vec<(String, String)>,
    marks: Vec<Mark>,
    /// Where another version of the model begins.
    models: Vec<(String, String)>,
}

/// A figure above a point.
struct Figure {
    x: String,
    y: String,
    anchor: &'static str,
    points: i64,
}

struct LastPoint {
    x: String,
    y: String,
    points: i64,
    band: &'static str,
}

struct Mark {
    x: String,
    severity: Severity,
    words: String,
}

impl ScoreHistory {
    /// The scores of whole weeks up to the last day; a day without a score is a gap. `compared` is
    /// the day that the last score is compared with; `models` are the days on which another version of
    /// the model begins, with its number.
    pub(crate) fn new(
        view: &View,
        (first, last): (Date, Date),
        scores: &[(Date, i64)],
        model: &ScoreModel,
        compared: Option<Date>,
        (alerts, models): (&[AlertMark], &[(Date, i64)]),
    ) -> Self {
        let days = days_between(first, last).max(1);
        let x = |day: Date| {
            percent(LEFT + f64::from(days_between(first, day)) / f64::from(days) * WIDTH)
        };
        let scores: Vec<(Date, i64)> =
            scores.iter().copied().filter(|(day, _)| (first..=last).contains(day)).collect();
        let newest = scores.last().copied();
        let is_apart =
            |day: Date| newest.is_some_and(|(newest, _)| days_between(day, newest) >= APART);
        let oldest = scores.first().copied().filter(|(day, _)| is_apart(*day));
        let compared = scores.iter().copied().find(|(day, _)| {
            Some(*day) == compared
                && is_apart(*day)
                && oldest.is_some_and(|(oldest, _)| days_between(oldest, *day) >= APART)
        });
        let figure = |(day, points), anchor| Figure { x: x(day), y: y(points), anchor, points };
        let mut figures: Vec<Figure> =
            oldest.map(|oldest| figure(oldest, "start")).into_iter().collect();
        figures.extend(compared.map(|compared| figure(compared, "middle")));
        Self {
            title: format!("Score since {}", view.day(first)),
            label: label(view, last, days, &scores, (alerts, models)),
            grid: floors(model).map(|floor| (floor, y(floor))).collect(),
            days,
            path: path(first, &scores),
            figures,
            last: newest.map(|(day, points)| LastPoint {
                x: x(day),
                y: y(points),
                points,
                band: BandChip::from(model.band(points)).name,
            }),
            axis: axis(view, last, days).map(|(day, words)| (x(day), words)).collect(),
            models: models
                .iter()
                .filter(|(day, _)| (first..=last).contains(day))
                .map(|(day, version)| (x(*day), format!("version {version}")))
                .collect(),
            marks: marks(view, (first, last), alerts, x),
        }
    }
}

fn percent(value: f64) -> String {
    format!("{value:.1}%")
}

fn y(points: i64) -> String {
    percent(TOP + (100.0 - drawn(points)) / 100.0 * HEIGHT)
}

fn floors(model: &ScoreModel) -> impl Iterator<Item = i64> {
    [model.bands.excellent, model.bands.good, model.bands.needs_attention].into_iter()
}

/// In the coordinates of days from the first, and points from the top.
fn path(first: Date, scores: &[(Date, i64)]) -> String {
    let mut path = String::new();
    for (index, (day, points)) in scores.iter().enumerate() {
        let follows = |before: Date, after: Date| days_between(before, after) == 1;
        let joined = index > 0 && follows(scores[index - 1].0, *day);
        let still_holds = scores.get(index + 1).is_some_and(|(next, _)| follows(*day, *next));
        let command = if joined { 'L' } else { 'M' };
        // Writing to a String cannot fail.
        let _ = write!(path, "{command}{} {}", days_between(first, *day), 100 - points);
        if !joined && !still_holds {
            // A day between two gaps is a line of no length, which is drawn as a dot.
            path.push_str("h0");
        }
    }
    path
}

/// Each week's day, oldest first, with the month where it changes.
fn axis(view: &View, last: Date, days: i32) -> impl Iterator<Item = (Date, String)> {
    (0..=days / WEEK).rev().map(move |weeks| {
        let day = add_days(last, -weeks * WEEK);
        let is_first = weeks == days / WEEK;
        let new_month = add_days(day, -WEEK).month() != day.month();
        (day, if is_first || new_month { view.day(day) } else { day.day().to_string() })
    })
}

fn label(
    view: &View,
    last: Date,
    days: i32,
    scores: &[(Date, i64)],
    (alerts, models): (&[AlertMark], &[(Date, i64)]),
) -> String {
    let weekly: Vec<String> = axis(view, last, days)
        .filter_map(|(day, _)| scores.iter().find(|(scored, _)| *scored == day))
        .map(|(day, points)| format!("{} {points}", view.day(*day)))
        .collect();
    let mut label = if weekly.is_empty() {
        "No scores on these days".to_owned()
    } else {
        format!("Score by week: {}", weekly.join(", "))
    };
    for (day, version) in models {
        let _ = write!(label, ". Score model version {version} from {} on", view.day(*day));
    }
    if !alerts.is_empty() {
        let alerts: Vec<String> = alerts
            .iter()
            .map(|alert| format!("{} {}", view.day(alert.day), alert.kind.words()))
            .collect();
        let _ = write!(label, ". Alerts: {}", alerts.join(", "));
    }
    label
}

/// One mark a day, as bad as the worst alert that opened on it.
fn marks(
    view: &View,
    (first, last): (Date, Date),
    alerts: &[AlertMark],
    x: impl Fn(Date) -> String,
) -> Vec<Mark> {
    let mut days: Vec<Date> =
        alerts.iter().map(|alert| alert.day).filter(|day| (first..=last).contains(day)).collect();
    days.sort_unstable();
    days.dedup();
    days.into_iter()
        .map(|day| {
            let of_day = || alerts.iter().filter(|alert| alert.day == day);
            let words: Vec<String> =
                of_day().map(|alert| alert.kind.words().to_lowercase()).collect();
            Mark {
                x: x(day),
                severity: of_day().map(|alert| alert.severity).max().unwrap_or(Severity::Info),
                words: format!("{}: {}", view.day(day), join_with_and(&words)),
            }
        })
        .collect()
}

markup!(ScoreHistory);
