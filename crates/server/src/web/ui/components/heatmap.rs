use askama::Template;
use jiff::civil::Date;
use mainstay_core::{
    text::{count_noun, format_thousands},
    time::{add_days, days_between},
};

use super::{figures::tenths, markup, view::View};
use crate::engagement::{HEATMAP_DAYS, Heatmap, HeatmapDay};

/// Figures above this are shortened in a cell, which has room for four digits at 320 px.
const MAX_IN_CELL: i64 = 9_999;
/// Steps of colour for days with an event.
const LEVELS: i64 = 4;

/// The events of the last 30 days, a week a row, each day open down to its events.
#[derive(Template)]
#[template(path = "components/heatmap.html")]
pub(crate) struct EngagementHeatmap {
    weeks: Vec<Week>,
    total: String,
    active: String,
    average: String,
    busiest: Option<(String, String)>,
    nothing: String,
    key: Vec<(i64, String)>,
}

struct Week {
    monday: String,
    days: [Cell; 7],
}

enum Cell {
    /// Before the first or after the last of the days.
    Outside,
    /// The client did not exist yet.
    Before,
    Day(Day),
}

struct Day {
    level: i64,
    today: bool,
    figure: String,
    /// Where the events are: each day is reached by the keyboard, also one without.
    href: String,
    /// What the link says.
    label: String,
}

impl EngagementHeatmap {
    /// The days of a client that exists since `since`.
    pub(crate) fn new(view: &View, heatmap: &Heatmap, since: Date) -> Self {
        let busiest = heatmap.days.iter().rev().max_by_key(|day| day.events);
        let busiest = busiest.filter(|day| day.events > 0);
        let scale = busiest.map_or(0, |day| day.events).max(LEVELS);
        let first = heatmap.days.first().map(|day| day.day);
        let mut weeks: Vec<Week> = Vec::new();
        for day in &heatmap.days {
            let column = usize::try_from(day.day.weekday().to_monday_zero_offset()).unwrap_or(0);
            if column == 0 || weeks.is_empty() {
                let monday = add_days(day.day, -i32::try_from(column).unwrap_or(0));
                let days = std::array::from_fn(|_| Cell::Outside);
                weeks.push(Week { monday: view.day(monday), days });
            }
            if let Some(week) = weeks.last_mut() {
                week.days[column] = if day.day < since && day.events == 0 {
                    Cell::Before
                } else {
                    Cell::Day(Day::new(view, *day, scale))
                };
            }
        }
        Self {
            weeks,
            total: count_noun(heatmap.total, "event"),
            active: format!("{} of {HEATMAP_DAYS} days", heatmap.active_days),
            average: tenths(heatmap.average_hundredths()),
            busiest: busiest.map(|day| (view.weekday(day.day), format_thousands(day.events))),
            nothing: nothing(view, since, first),
            key: key(scale),
        }
    }
}

impl Day {
    fn new(view: &View, day: HeatmapDay, scale: i64) -> Self {
        let today = day.day == view.today();
        let figure = short(day.events);
        let so_far = if today { ", today so far" } else { "" };
        let events = count_noun(day.events, "event");
        // What is said has to contain what is seen.
        let short = if events.starts_with(&figure) { String::new() } else { format!("{figure}: ") };
        Self {
            level: level(day.events, scale),
            today,
            href: view.events_on(day.day),
            label: format!("{short}{events}, {}{so_far}", view.weekday(day.day)),
            figure,
        }
    }
}

/// `ceil(4 × events ÷ scale)`.
const fn level(events: i64, scale: i64) -> i64 {
    (events.saturating_mul(LEVELS).saturating_add(scale - 1)) / scale
}

/// A figure that fits a cell; the link's label has it in full.
fn short(events: i64) -> String {
    if events <= MAX_IN_CELL {
        format_thousands(events)
    } else if events < 1_000_000 {
        format!("{}k", events / 1_000)
    } else {
        format!("{}M", format_thousands(events / 1_000_000))
    }
}

fn nothing(view: &View, since: Date, first: Option<Date>) -> String {
    let age = days_between(since, view.today()) + 1;
    if first.is_some_and(|first| since <= first) {
        return format!("No events in the last {HEATMAP_DAYS} days.");
    }
    let joined = view.your("you joined", "it joined");
    format!("No events yet. Today is day {age}. Dashed days are before {joined}.")
}

/// Which figures a step of colour stands for.
fn key(scale: i64) -> Vec<(i64, String)> {
    let steps = (1..=LEVELS).map(|level| {
        let (least, most) = ((level - 1) * scale / LEVELS + 1, level * scale / LEVELS);
        let words = if least == most {
            short(least)
        } else {
            format!("{}–{}", short(least), short(most))
        };
        (level, words)
    });
    [(0, "0".to_owned())].into_iter().chain(steps).collect()
}

markup!(EngagementHeatmap);
