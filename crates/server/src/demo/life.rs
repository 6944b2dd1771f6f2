//! The behaviour of sample clients: how often they are active, and what happens on a day.

use jiff::{Timestamp, ToSpan};
use mainstay_core::{
    engagement::{EventType, IncomingEvent},
    id::TaskId,
};
use mainstay_store::TaskStatus;

use super::names::{COMPANIES, ONBOARDING};

/// The random seed: the same number gives the same sample data.
const SEED: u64 = 0x6d61_696e_7374_6179;
const PLANS: [&str; 3] = ["starter", "studio", "scale"];

/// The behaviour of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Thriving,
    Steady,
    New,
    Fading,
    Silent,
    Stalled,
}

/// An event in the life of a sample client.
pub(super) enum DemoEvent {
    Begins(Timestamp),
    Event(Box<IncomingEvent>),
    TaskAdded(Timestamp, &'static str),
    /// The index of the task, in order of creation.
    Task(Timestamp, usize, TaskStatus),
    LaunchKit(Timestamp),
    /// One to five stars.
    Feedback(Timestamp, i64),
}

impl DemoEvent {
    pub(super) fn at(&self) -> Timestamp {
        match self {
            Self::Begins(at)
            | Self::TaskAdded(at, _)
            | Self::Task(at, ..)
            | Self::LaunchKit(at)
            | Self::Feedback(at, _) => *at,
            Self::Event(event) => event.timestamp.unwrap_or_default(),
        }
    }
}

/// A sample client.
pub(super) struct Life {
    pub(super) client_id: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) plan: &'static str,
    pub(super) tasks: Vec<TaskId>,
    kind: Kind,
    /// The day of its first event, counted from the first sample day.
    begins: i32,
    /// Day after its last event, if it leaves.
    leaves: Option<i32>,
    /// The days on which its onboarding tasks are started and completed; the second is missing for
    /// an open task.
    onboarding: Vec<(i32, Option<i32>)>,
    days: i32,
    messages: u32,
    random: fastrand::Rng,
}

impl Life {
    /// All sample clients, over a number of days.
    pub(super) fn all(days: i32) -> Vec<Self> {
        COMPANIES.iter().zip(0..).map(|(name, index)| Self::new(name, index, days)).collect()
    }

    fn new(name: &str, index: u64, days: i32) -> Self {
        let mut random = fastrand::Rng::with_seed(SEED.wrapping_add(index));
        let kind = match index {
            0 | 13..=23 => Kind::Thriving,
            1 | 2 | 6 | 10..=12 | 24..=26 => Kind::Fading,
            3 | 27..=33 => Kind::New,
            4 | 7 | 34..=38 => Kind::Silent,
            8 | 39..=44 => Kind::Stalled,
            _ => Kind::Steady,
        };
        let begins = match kind {
            Kind::New => days - random.i32(4..22),
            Kind::Stalled => days - random.i32(12..40),
            _ if random.u8(..) < 160 => 0,
            _ => random.i32(5..days / 2),
        };
        let leaves = match kind {
            // The first new one never comes at all.
            Kind::New if index == 3 => Some(begins),
            Kind::Silent => Some(days - random.i32(2..36)),
            _ => None,
        };
        let stalls = if kind == Kind::Stalled { random.usize(1..4) } else { ONBOARDING.len() };
        let mut day = begins;
        let onboarding = (0..ONBOARDING.len())
            .map_while(|step| {
                day += random.i32(0..4);
                (step <= stalls).then(|| (day, (step < stalls).then_some(day + 1)))
            })
            .collect();
        let slug: String = name
            .to_lowercase()
            .chars()
            .filter_map(|c| match c {
                ' ' => Some('-'),
                c if c.is_ascii_alphanumeric() => Some(c),
                _ => None,
            })
            .collect::<String>()
            .replace("--", "-");
        Self {
            email: format!("hello@{slug}.example"),
            client_id: slug,
            name: name.to_owned(),
            plan: PLANS[random.usize(..PLANS.len())],
            tasks: Vec::new(),
            kind,
            begins,
            leaves,
            onboarding,
            days,
            messages: 0,
            random,
        }
    }

    /// The events of the day between two instants, in order.
    pub(super) fn day(&mut self, day: i32, start: Timestamp, end: Timestamp) -> Vec<DemoEvent> {
        let mut happenings = Vec::new();
        let eight = start.saturating_add(8.hours()).unwrap_or(start);
        if day == self.begins {
            happenings.push(DemoEvent::Begins(eight));
            happenings.extend(ONBOARDING.map(|title| DemoEvent::TaskAdded(eight, title)));
        }
        if day < self.begins || self.leaves.is_some_and(|leaves| day >= leaves) {
            return happenings;
        }
        let nine = start.saturating_add(9.hours()).unwrap_or(start);
        for (index, (started, finished)) in self.onboarding.clone().into_iter().enumerate() {
            if day == started {
                happenings.push(DemoEvent::Task(nine, index, TaskStatus::InProgress));
            }
            if Some(day) == finished {
                happenings.push(DemoEvent::Task(nine, index, TaskStatus::Completed));
                happenings
                    .push(DemoEvent::Event(self.event(nine, EventType::TaskCompleted).into()));
                if index == 3 {
                    happenings.push(DemoEvent::LaunchKit(nine));
                }
            }
        }
        for _ in 0..self.events_on(day) {
            // Working hours, mostly: two dice make the middle of the day busy.
            let minutes = 7 * 60 + self.random.i64(0..330) + self.random.i64(0..330);
            let at = start
                .saturating_add(minutes.minutes())
                .map_or(start, |at| at.min(end.saturating_sub(1.second()).unwrap_or(at)));
            let kind = self.event_type();
            happenings.push(DemoEvent::Event(self.event(at, kind).into()));
        }
        if self.random.u8(..) < 4 {
            let (low, high) = match self.kind {
                Kind::Thriving => (4, 5),
                Kind::Steady | Kind::New => (3, 5),
                Kind::Fading | Kind::Silent | Kind::Stalled => (1, 4),
            };
            let at = start.saturating_add(17.hours()).unwrap_or(start);
            happenings.push(DemoEvent::Feedback(at, self.random.i64(low..=high)));
        }
        happenings.sort_by_key(DemoEvent::at);
        happenings
    }

    /// The number of events of the client on a day.
    fn events_on(&mut self, day: i32) -> u32 {
        let weekend = day % 7 >= 5;
        let (chance, most) = match self.kind {
            Kind::Thriving => (if weekend { 20 } else { 82 }, 7),
            Kind::Steady => (if weekend { 8 } else { 55 }, 4),
            Kind::New | Kind::Silent => (if weekend { 10 } else { 60 }, 4),
            Kind::Stalled => (if weekend { 5 } else { 28 }, 2),
            // Fades from steady to hardly ever over its last six weeks.
            Kind::Fading => {
                let left = (self.days - day).clamp(1, 42);
                (u8::try_from(70 * left / 42).unwrap_or(0), if left > 20 { 4 } else { 2 })
            }
        };
        if self.random.u8(..100) < chance { self.random.u32(1..=most) } else { 0 }
    }

    fn event_type(&mut self) -> EventType {
        match self.random.u8(..100) {
            0..28 => EventType::Login,
            28..56 => EventType::PageView,
            56..72 => EventType::ContentGenerated,
            72..80 => EventType::VisualCreated,
            80..88 => EventType::TaskCompleted,
            88..92 => EventType::ExportDownloaded,
            92..95 => EventType::InsightReviewed,
            95..98 => EventType::SettingsUpdated,
            _ => EventType::VoiceInteraction,
        }
    }

    /// Whether it is subscribed to emails: two of three are, the same at every start.
    pub(super) fn wants_mails(&self) -> bool {
        !self.client_id.len().is_multiple_of(3)
    }

    /// An event of the client's.
    pub(super) fn event(&mut self, at: Timestamp, event_type: EventType) -> IncomingEvent {
        self.messages += 1;
        IncomingEvent {
            client_id: self.client_id.clone(),
            name: event_type.as_str().to_owned(),
            event_type: Some(event_type),
            timestamp: Some(at),
            message_id: format!("demo-{}-{}", self.client_id, self.messages),
            page_path: (event_type == EventType::PageView).then(|| "/projects".to_owned()),
            ..IncomingEvent::default()
        }
    }
}
