use askama::Template;
use jiff::civil::Date;
use mainstay_core::{
    insight::{InsightStatus, InsightType, Priority},
    text::count_noun,
};
use mainstay_store::StoredInsight;

use super::{markup, view::View};
use crate::web::ui::text::{Isolated, straight};

/// What a client is told about its weeks, and what it made of that.
#[derive(Template)]
#[template(path = "components/insights_card.html")]
pub(crate) struct WeeklyInsightsCard {
    title: String,
    unread: usize,
    insights: Vec<Row>,
    earlier: Vec<Row>,
    earlier_unread: usize,
    later: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "components/insight_row.html")]
struct Row {
    status: InsightStatus,
    icon: &'static str,
    title: String,
    message: String,
    priority: Option<&'static str>,
    kind: &'static str,
    period: Option<String>,
    later: Option<String>,
    until: String,
    evidence: Option<(String, String)>,
    /// Where what the client makes of it is sent; staff only read.
    action: Option<String>,
}

impl WeeklyInsightsCard {
    /// A client's insights, the newest first, and the day on which the next ones come.
    pub(crate) fn new(view: &View, insights: &[StoredInsight], next: Option<Date>) -> Self {
        let newest = insights.first().map(|insight| insight.period);
        let week = view.your("Your week", "Insights");
        let rows = |is_newest: bool| -> Vec<Row> {
            insights
                .iter()
                .filter(|insight| (Some(insight.period) == newest) == is_newest)
                .map(|insight| Row::new(view, insight, is_newest))
                .collect()
        };
        let (latest, earlier) = (rows(true), rows(false));
        Self {
            title: insights.first().map_or_else(
                || week.to_owned(),
                |insight| format!("{week}, {}", period(view, insight)),
            ),
            later: insights.first().and_then(|insight| later(view, insight)),
            unread: unread(&latest),
            insights: latest,
            earlier_unread: unread(&earlier),
            earlier,
            next: next.map(|day| view.weekday(day)),
        }
    }
}

/// That events of a week came after its insights were written, which do not count them.
fn later(view: &View, insight: &StoredInsight) -> Option<String> {
    let came = match insight.later_events {
        ..=0 => return None,
        1 => "1 event from that week arrived later and is not counted here".to_owned(),
        many => {
            format!(
                "{} from that week arrived later and are not counted here",
                count_noun(many, "event")
            )
        }
    };
    Some(format!("Written on {}; {came}.", view.day_of(insight.created_at)))
}

fn unread(rows: &[Row]) -> usize {
    rows.iter().filter(|row| row.is_unread()).count()
}

impl Row {
    fn new(view: &View, insight: &StoredInsight, is_newest: bool) -> Self {
        Self {
            status: insight.status,
            icon: icon(insight.kind),
            title: straight(&insight.title),
            message: straight(&insight.message),
            priority: match (insight.priority, insight.kind) {
                (Priority::High, InsightType::Recommendation) => Some("Do this first"),
                (Priority::High, _) => Some("Read this first"),
                _ => None,
            },
            kind: kind_words(insight.kind),
            period: (!is_newest).then(|| period(view, insight)),
            later: later(view, insight).filter(|_| !is_newest),
            until: view.day_of(insight.valid_until),
            evidence: evidence(view, insight),
            action: (!view.is_staff()).then(|| view.link(&format!("/insights/{}", insight.id))),
        }
    }

    fn is_unread(&self) -> bool {
        self.status == InsightStatus::Unread
    }

    fn can_become(&self, next: InsightStatus) -> bool {
        self.status != next && self.status.can_become(next)
    }

    fn about(&self) -> Isolated<'_> {
        Isolated(&self.title)
    }
}

fn period(view: &View, insight: &StoredInsight) -> String {
    view.days(insight.evidence.first, insight.evidence.last)
}

/// Where an insight's numbers open, and under which words.
fn evidence(view: &View, insight: &StoredInsight) -> Option<(String, String)> {
    let rests_on = &insight.evidence;
    if !rests_on.events.is_empty() {
        let count = insight.figures.get("count").and_then(serde_json::Value::as_i64);
        let words =
            count.map_or_else(|| "View events".to_owned(), |count| count_noun(count, "event"));
        let href = view.events_on_days(rests_on.first, rests_on.last, &rests_on.events);
        return Some((href, words));
    }
    if rests_on.tasks {
        return Some((view.part("tasks-h"), "View tasks".to_owned()));
    }
    (!rests_on.components.is_empty()).then(|| (view.part("score-h"), "Why".to_owned()))
}

const fn icon(kind: InsightType) -> &'static str {
    match kind {
        InsightType::WeeklySummary => "week",
        InsightType::Achievement => "award",
        InsightType::Recommendation => "compass",
        InsightType::Milestone => "flag",
        InsightType::TrendAlert => "trend",
        InsightType::Tip => "bulb",
    }
}

const fn kind_words(kind: InsightType) -> &'static str {
    match kind {
        InsightType::WeeklySummary => "Summary",
        InsightType::Achievement => "Achievement",
        InsightType::Recommendation => "Recommendation",
        InsightType::Milestone => "Milestone",
        InsightType::TrendAlert => "Trend",
        InsightType::Tip => "Tip",
    }
}

markup!(WeeklyInsightsCard, Row);
