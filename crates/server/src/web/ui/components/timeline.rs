use askama::Template;
use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    alert::{Severity, quiet_days},
    engagement::EventType,
    text::{count_noun, format_thousands},
    time::{add_days, local_day},
};
use mainstay_store::StoredEvent;
use serde_json::{Map, Value};

use super::{markup, view::View};
use crate::web::ui::text::straight_json;

/// Days without an event that are worth a line of their own.
const LONG_GAP_DAYS: i64 = 3;
/// Characters of a detail that are shown; all of it is in the event.
const MAX_DETAIL_CHARS: usize = 120;
/// What of an event's data names the thing that it is about, the first that is there.
const NAMING: [&str; 5] = ["title", "name", "subject", "file", "query"];

/// An event in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventSentence {
    pub(crate) icon: &'static str,
    /// What was done, or the sender's own name of it.
    pub(crate) words: String,
    /// Whether those words are a name from outside.
    pub(crate) is_name: bool,
    /// Which thing it was about.
    pub(crate) detail: Option<String>,
    /// Whether that is a path or a name from outside.
    pub(crate) detail_is_code: bool,
}

impl EventSentence {
    /// What an event of a type says.
    pub(crate) fn of(
        event_type: EventType,
        name: &str,
        page_path: Option<&str>,
        data: &Map<String, Value>,
    ) -> Self {
        let (icon, words) = match event_type {
            EventType::Login => ("login", "Signed in"),
            EventType::PageView => ("page", "Viewed"),
            EventType::TaskCompleted => ("task", "Completed a task"),
            EventType::ContentGenerated => ("content", "Generated content"),
            EventType::VisualCreated => ("visual", "Created a visual"),
            EventType::VoiceInteraction => ("voice", "Used the voice assistant"),
            EventType::InsightReviewed => ("insight", "Reviewed an insight"),
            EventType::ExportDownloaded => ("export", "Downloaded an export"),
            EventType::SettingsUpdated => ("settings", "Updated settings"),
            EventType::FeedbackGiven => ("feedback", "Gave feedback"),
            EventType::Custom => ("custom", name),
        };
        let is_name = event_type == EventType::Custom;
        let named = NAMING.iter().find_map(|key| data.get(*key)?.as_str());
        let (detail, detail_is_code) = match (page_path, named) {
            (Some(path), _) if event_type == EventType::PageView => (Some(cut(path)), true),
            (_, Some(named)) => (Some(format!("“{}”", cut(named))), false),
            _ if is_name => (Some("custom event".to_owned()), false),
            _ if name != event_type.as_str() => (Some(cut(name)), true),
            _ => (None, false),
        };
        Self { icon, words: words.to_owned(), is_name, detail, detail_is_code }
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= MAX_DETAIL_CHARS {
        return text.to_owned();
    }
    let start: String = text.chars().take(MAX_DETAIL_CHARS).collect();
    format!("{start}…")
}

/// Something that is no event of the client's: an alert, an email.
#[derive(Clone, Debug)]
pub(crate) struct TimelineMark {
    pub(crate) at: Timestamp,
    pub(crate) icon: &'static str,
    pub(crate) severity: Option<Severity>,
    pub(crate) words: String,
}

/// What a client did, newest first, a heading a day.
#[derive(Template)]
#[template(path = "components/timeline.html")]
pub(crate) struct Timeline {
    title: &'static str,
    aside: String,
    days: Vec<Day>,
    open: bool,
    nothing: &'static str,
    more: Option<(String, &'static str)>,
}

struct Day {
    words: String,
    count: String,
    rows: Vec<Row>,
}

enum Row {
    Event(Box<EventRow>),
    Mark { time: String, icon: &'static str, severity: Option<Severity>, words: String },
    Gap(String),
}

struct EventRow {
    time: String,
    sentence: EventSentence,
    duration: Option<String>,
    /// Whether a browser or the client itself sent it.
    self_told: bool,
    /// All that is known of it; empty where only the sentence is shown.
    facts: Vec<(&'static str, String)>,
    data: Option<String>,
}

impl Timeline {
    /// Events and marks, each newest first. `open` lets every event open to all that is known of it.
    pub(crate) fn new(view: &View, events: &[StoredEvent], marks: &[TimelineMark]) -> Self {
        Self {
            title: "Events",
            aside: String::new(),
            days: days(view, events, marks, false),
            open: false,
            nothing: "No events yet. They will be listed here as they arrive.",
            more: None,
        }
    }

    /// The same with every event open to all that is known of it.
    pub(crate) fn detailed(view: &View, events: &[StoredEvent]) -> Self {
        Self { open: true, days: days(view, events, &[], true), ..Self::new(view, &[], &[]) }
    }

    /// Says how many there are, or what was asked for.
    pub(crate) fn aside(self, aside: String) -> Self {
        Self { aside, ..self }
    }

    /// Says why there is none.
    pub(crate) fn nothing(self, nothing: &'static str) -> Self {
        Self { nothing, ..self }
    }

    /// Where it goes on.
    pub(crate) fn more(self, href: Option<String>, words: &'static str) -> Self {
        Self { more: href.map(|href| (href, words)), ..self }
    }
}

enum Entry<'a> {
    Event(&'a StoredEvent),
    Mark(&'a TimelineMark),
}

impl Entry<'_> {
    const fn at(&self) -> Timestamp {
        match self {
            Self::Event(event) => event.occurred_at,
            Self::Mark(mark) => mark.at,
        }
    }
}

fn days(view: &View, events: &[StoredEvent], marks: &[TimelineMark], detailed: bool) -> Vec<Day> {
    let mut entries: Vec<Entry<'_>> =
        events.iter().map(Entry::Event).chain(marks.iter().map(Entry::Mark)).collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at()));
    let day_of = |at| local_day(at, view.zone());
    let mut days: Vec<Day> = Vec::new();
    // The event after the day that is written, or now.
    let mut next_at = view.now();
    for of_day in entries.chunk_by(|a, b| day_of(a.at()) == day_of(b.at())) {
        let day = day_of(of_day[0].at());
        let count = of_day.iter().filter(|entry| matches!(entry, Entry::Event(_))).count();
        let mut rows: Vec<Row> = of_day.iter().map(|entry| row(view, entry, detailed)).collect();
        let mut events =
            of_day.iter().filter(|entry| matches!(entry, Entry::Event(_))).map(Entry::at);
        if let Some(last) = events.next() {
            let quiet = quiet_days(last, next_at);
            if !detailed && quiet >= LONG_GAP_DAYS {
                rows.insert(0, Row::Gap(format!("{} without events", count_noun(quiet, "day"))));
            }
            next_at = events.next_back().unwrap_or(last);
        }
        days.push(Day {
            words: heading(view, day),
            count: match count {
                0 => String::new(),
                some => count_noun(i64::try_from(some).unwrap_or(i64::MAX), "event"),
            },
            rows,
        });
    }
    days
}

fn heading(view: &View, day: Date) -> String {
    if day == view.today() {
        format!("Today, {}", view.weekday(day))
    } else if day == add_days(view.today(), -1) {
        format!("Yesterday, {}", view.weekday(day))
    } else {
        view.weekday(day)
    }
}

fn row(view: &View, entry: &Entry<'_>, detailed: bool) -> Row {
    match entry {
        Entry::Mark(mark) => Row::Mark {
            time: view.time(mark.at),
            icon: mark.icon,
            severity: mark.severity,
            words: mark.words.clone(),
        },
        Entry::Event(event) => Row::Event(Box::new(EventRow {
            time: view.time(event.occurred_at),
            sentence: EventSentence::of(
                event.event_type,
                &event.name,
                event.page_path.as_deref(),
                &event.data,
            ),
            duration: event.duration_seconds.map(duration),
            self_told: event.self_told,
            facts: if detailed { facts(view, event) } else { Vec::new() },
            data: (detailed && !event.data.is_empty())
                .then(|| straight_json(&format!("{:#}", Value::Object(event.data.clone())))),
        })),
    }
}

fn facts(view: &View, event: &StoredEvent) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Name", event.name.clone()),
        ("Counts as", event.event_type.to_string()),
        ("Happened", view.full_moment(event.occurred_at)),
        ("Received", view.full_moment(event.received_at)),
        ("Message ID", event.message_id.clone()),
    ];
    if event.self_told {
        facts.push(("Sent by", "the client itself or its browser".to_owned()));
    }
    facts.extend(event.session_id.clone().map(|session| ("Session", session)));
    facts.extend(event.page_path.clone().map(|path| ("Page", path)));
    facts.extend(event.duration_seconds.map(|seconds| ("Duration", count_noun(seconds, "second"))));
    facts
}

/// `0:42`, `1:02:10`.
fn duration(seconds: i64) -> String {
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{}:{minutes:02}:{rest:02}", format_thousands(hours))
    } else {
        format!("{minutes}:{rest:02}")
    }
}

markup!(Timeline);
