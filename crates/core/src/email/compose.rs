use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

use super::{Change, EmailContent, EmailType, Item, PartLine, ScoreLine, Stat};
use crate::{
    engagement::EventType,
    insight::{Insight, InsightType, Period, Rule, words},
    score::{Component, Score, ScoreModel, Trend},
    text::{count_noun, format_thousands},
    time::{days_between, local_day},
};

/// Things said in one mail at most; the page has all of them.
const MAX_ITEMS: usize = 6;
const DASHBOARD: &str = "Open your dashboard";
const NO_SCORE_EFFECT: &str = "Opening this email does not affect your score.";

/// Recipient of an email.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    /// Name of the organization that sends the email.
    pub organization: &'a str,
    /// Display name of the client.
    pub client: &'a str,
    /// The zone that days are told in.
    pub zone: &'a TimeZone,
    /// Since when it wants mails.
    pub since: Timestamp,
    /// When the email is created.
    pub now: Timestamp,
}

/// Content of the weekly email.
#[derive(Clone, Copy, Debug)]
pub struct WeekInReview<'a> {
    /// Recipient.
    pub to: Recipient<'a>,
    /// The week.
    pub period: &'a Period,
    /// The score after it.
    pub score: &'a Score,
    /// The model that made it.
    pub model: &'a ScoreModel,
    /// Events of the week.
    pub events: &'a BTreeMap<EventType, i64>,
    /// Insights of the week, in order.
    pub insights: &'a [Item],
}

impl Item {
    /// An insight as a mail says it.
    pub fn from_insight(kind: InsightType, title: &str, message: &str) -> Self {
        let label = match kind {
            InsightType::WeeklySummary => "Summary",
            InsightType::Achievement => "Achievement",
            InsightType::Recommendation => "Recommendation",
            InsightType::Milestone => "Milestone",
            InsightType::TrendAlert => "Trend",
            InsightType::Tip => "Tip",
        };
        // "Milestone: 5th content" stands below its label here.
        let own = title.strip_prefix(label).and_then(|rest| rest.strip_prefix(": "));
        let title = own.unwrap_or(title);
        let owned = str::to_owned;
        Self { label: owned(label), title: owned(title), message: owned(message) }
    }
}

impl Recipient<'_> {
    fn opt_in_note(&self) -> String {
        let since = words::format_local_day(self.since, self.zone, self.now);
        format!("You subscribed to these emails on {since}.")
    }

    fn content(&self, about: String, heading: String, lead: String) -> EmailContent {
        EmailContent {
            organization: self.organization.to_owned(),
            about,
            preview: lead.clone(),
            heading,
            lead,
            button: DASHBOARD.to_owned(),
            notes: vec![NO_SCORE_EFFECT.to_owned(), self.opt_in_note()],
            ..EmailContent::default()
        }
    }
}

/// The mail of a week: its subject and what it says.
pub fn weekly_insights(week: &WeekInReview<'_>) -> (String, EmailContent) {
    let WeekInReview { to, period, score, events, .. } = week;
    let moved = match score.change {
        Some(change @ 1..) => format!(", up {change}"),
        Some(0) => ", unchanged".to_owned(),
        Some(change) => format!(", down {}", -change),
        None => String::new(),
    };
    let subject = format!("{} of 100{moved}: your week at {}", score.overall, to.organization);
    let today = local_day(score.inputs.as_of, to.zone);
    let lead = format!(
        "This is where {} stands on {}: {}.",
        to.client,
        today.strftime("%A %-d %b"),
        score.band.client_words()
    );
    let count = |kind: EventType| events.get(&kind).copied().unwrap_or(0);
    let stat = |count: i64, one: &str, many: &str| Stat {
        figure: format_thousands(count),
        label: if count == 1 { one } else { many }.to_owned(),
    };
    let stats = vec![
        Stat {
            figure: format!("{} of {}", score.inputs.active_days, Period::DAYS),
            label: "active days".to_owned(),
        },
        stat(count(EventType::TaskCompleted), "task done", "tasks done"),
        stat(count(EventType::ContentGenerated), "piece of content", "pieces of content"),
        stat(count(EventType::VisualCreated), "visual made", "visuals made"),
    ];
    let figures: Vec<String> =
        stats.iter().map(|stat| format!("{} {}", stat.figure, stat.label)).collect();
    let about = format!("Your week, {}", days(period, to.now, to.zone));
    let mut content = to.content(about, score.headline(), lead);
    content.preview = format!("{}.", figures.join(", "));
    let line = score_line(week);
    if line.parts.iter().any(|part| !part.measured) {
        let note =
            "“Assumed” means that there is no data yet. The part counts as shown until there is.";
        content.notes.insert(0, note.to_owned());
    }
    content.score = Some(line);
    content.stats = stats;
    content.items = week.insights.iter().take(MAX_ITEMS).cloned().collect();
    (subject, content)
}

/// What is worth a mail of its own: the first, the 10th, the 50th and so on of what a client makes.
const CELEBRATED_COUNTS: [i64; 12] =
    [1, 10, 50, 100, 500, 1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000];

/// Something that a client has reached and that is worth a mail of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Celebration {
    /// The kind of its mail.
    pub kind: EmailType,
    /// `10th content`.
    pub title: String,
    /// The fact and its numbers.
    pub message: String,
}

impl Celebration {
    /// What of a week's insights is worth a mail of its own, at most one: everything else stands in the
    /// weekly mail. A milestone of the score comes first.
    pub fn from_insights<'a>(insights: impl IntoIterator<Item = &'a Insight>) -> Option<Self> {
        insights.into_iter().filter_map(Self::from_insight).min_by_key(|one| one.kind)
    }

    fn from_insight(insight: &Insight) -> Option<Self> {
        let figure = |name: &str| insight.figures.get(name).and_then(Value::as_i64);
        let total = figure("total")?;
        let (kind, noun, before) = match insight.rule {
            Rule::ContentMilestone => {
                (EmailType::MilestoneCelebration, "piece of content", figure("before")?)
            }
            Rule::VisualMilestone => (EmailType::MilestoneCelebration, "visual", figure("before")?),
            Rule::ContentGenerated => {
                (EmailType::AchievementBadge, "piece of content", total - figure("count")?)
            }
            Rule::VisualsCreated => {
                (EmailType::AchievementBadge, "visual", total - figure("count")?)
            }
            _ => return None,
        };
        let milestone =
            CELEBRATED_COUNTS.iter().rfind(|number| (before + 1..=total).contains(*number))?;
        let title = format!("{} {noun}", words::format_ordinal(*milestone));
        Some(Self { kind, title, message: insight.message.clone() })
    }

    /// The mail about it: its subject and what it says.
    pub fn email(&self, to: &Recipient<'_>) -> (String, EmailContent) {
        let about = self.kind.words().to_owned();
        let subject = format!("{} at {}", self.title, to.organization);
        (subject, to.content(about, format!("{}.", self.title), self.message.clone()))
    }
}

/// The mail to a client who has fallen silent; `score` is where it stands.
pub fn momentum_nudge(
    to: &Recipient<'_>,
    last_event: Option<Timestamp>,
    score: &Score,
    step: Option<Item>,
) -> (String, EmailContent) {
    let today = local_day(to.now, to.zone);
    let (subject, heading, last) = if let Some(at) = last_event {
        let quiet = count_noun(i64::from(days_between(local_day(at, to.zone), today)), "day");
        let last =
            format!("Your last activity was on {}.", words::format_instant(at, to.zone, to.now));
        (format!("{quiet} without activity"), format!("{quiet} without activity."), last)
    } else {
        let nothing = "You have had no activity yet.".to_owned();
        ("Your first step".to_owned(), "Your first step is still ahead.".to_owned(), nothing)
    };
    let lead = format!("{last} Your score is {} of 100.", score.overall);
    let mut content = to.content("A reminder".to_owned(), heading, lead);
    content.items.extend(step);
    (format!("{subject}: {}", to.organization), content)
}

/// The mail that asks the owner of an address whether it wants the others.
pub fn subscription_request(organization: &str, client: &str) -> (String, EmailContent) {
    let lead = format!(
        "Somebody asked {organization} to send the weekly summary of {client} to this address. \
         If that was you, open the page and confirm. If it was not, do nothing: you will get no other email."
    );
    let content = EmailContent {
        organization: organization.to_owned(),
        about: "Please confirm".to_owned(),
        preview: lead.clone(),
        heading: "Do you want a weekly summary?".to_owned(),
        lead,
        button: "Open the page to confirm".to_owned(),
        ..EmailContent::default()
    };
    (format!("Confirm your weekly summary from {organization}"), content)
}

fn score_line(week: &WeekInReview<'_>) -> ScoreLine {
    let WeekInReview { to, score, model, .. } = week;
    let values = model.components(&score.inputs);
    let change = score.previous.zip(score.change).map(|(previous, points)| Change {
        points,
        since: words::format_local_day(previous.as_of, to.zone, to.now),
        before: previous.overall,
    });
    let parts = Component::ALL.map(|component| {
        let value = values.get(component);
        let (band, measured) = (model.band(value.points), value.measured);
        PartLine { name: component.title().to_owned(), points: value.points, band, measured }
    });
    ScoreLine {
        overall: score.overall,
        band: score.band,
        trend: score.trend,
        change,
        parts: parts.to_vec(),
    }
}

/// `15 to 21 Nov`.
fn days(period: &Period, now: Timestamp, zone: &TimeZone) -> String {
    let last = words::format_day(period.last, local_day(now, zone));
    if period.first.first_of_month() == period.last.first_of_month() {
        format!("{} to {last}", period.first.day())
    } else {
        format!("{} to {last}", words::format_day(period.first, local_day(now, zone)))
    }
}

impl Score {
    /// How it stands and where it goes, in a sentence to the client.
    pub fn headline(&self) -> String {
        use crate::score::Band;
        let stands = match self.band {
            Band::Excellent => "You are doing very well",
            Band::Good => "You are doing well",
            Band::NeedsAttention => "Some parts of your score are low",
            Band::AtRisk => "Most parts of your score are low",
        };
        let goes = match self.trend {
            Trend::Rising => ", and rising",
            Trend::Stable => "",
            Trend::Declining => ", and falling",
        };
        format!("{stands}{goes}.")
    }
}
