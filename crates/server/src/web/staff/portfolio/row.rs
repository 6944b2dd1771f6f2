use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    alert::{AlertStatus, Severity},
    id::MemberId,
    score::ScoreModel,
    text::count_noun,
};

use crate::{
    portfolio::WorklistRow,
    web::ui::{
        components::{BandChip, Sparkline, TrendMark, View, alert_headline, display_name},
        text::straight,
    },
};

/// From how much assumed weight on a row says so. Satisfaction alone, which is assumed until clients
/// are asked, is less by the standard model and said of all together above the table.
const SHOW_ASSUMED_FROM: i64 = 25;

/// One client of the worklist, as it is shown.
pub(super) struct Row {
    pub(super) external_id: String,
    pub(super) name: String,
    pub(super) href: String,
    pub(super) score: Option<(i64, BandChip)>,
    /// Percent of the weight that is assumed, where that is much.
    pub(super) assumed: Option<i64>,
    pub(super) change: Option<TrendMark>,
    pub(super) spark: Option<Sparkline>,
    pub(super) severities: Vec<(Severity, i64)>,
    pub(super) seen: String,
    pub(super) owner: Option<MemberId>,
    /// What is the matter: the head of the sentence, and the rest of it.
    pub(super) why: Option<(String, String)>,
}

impl Row {
    pub(super) fn new(view: &View, row: &WorklistRow, model: &ScoreModel) -> Self {
        let standing = &row.standing;
        let score = standing.score.as_ref();
        let name = display_name(standing.name.as_deref(), &standing.external_id);
        let assumed = score.map(|score| 100 - score.coverage).filter(|it| *it >= SHOW_ASSUMED_FROM);
        let open = |severity: &Severity| (*severity, standing.open(*severity));
        Self {
            external_id: standing.external_id.clone(),
            name: name.to_owned(),
            href: View::of_staff(view.zone().clone(), view.now(), &standing.external_id).link(""),
            score: score.map(|score| (score.overall, score.band.into())),
            assumed,
            change: score.and_then(|score| Some(TrendMark::new(score.change?, score.trend))),
            spark: score.and_then(|score| Sparkline::small(&row.weekly, model, score.band)),
            severities: Severity::ALL.iter().rev().map(open).filter(|(_, n)| *n > 0).collect(),
            seen: seen(row.last_event_at, view.now()),
            owner: standing.owner,
            why: why(row),
        }
    }
}

/// What the worst alert says, in its first sentence, and what members made of it.
fn why(row: &WorklistRow) -> Option<(String, String)> {
    let worst = row.alerts.first()?;
    let message = straight(&worst.episode.message);
    let (headline, rest) = alert_headline(&message);
    let rest = rest.split_once(". ").map_or(rest, |(first, _)| first);
    let (headline, rest) = match headline.split_once(". ") {
        Some((first, _)) => (first, ""),
        None => (headline, rest),
    };
    let done = match worst.episode.status {
        AlertStatus::Acknowledged => "; acknowledged",
        AlertStatus::Snoozed => "; snoozed",
        _ => "",
    };
    let (headline, rest) = (headline.trim_end_matches('.'), rest.trim_end_matches('.'));
    Some((headline.to_owned(), format!("{rest}{done}")))
}

/// `40 min ago`, `31 hours ago`, `6 days ago`, `never`.
fn seen(last: Option<Timestamp>, now: Timestamp) -> String {
    let Some(last) = last else { return "never".to_owned() };
    let ago = now.duration_since(last).max(SignedDuration::ZERO);
    let (minutes, hours) = (ago.as_mins(), ago.as_hours());
    if minutes < 1 {
        "just now".to_owned()
    } else if hours < 1 {
        format!("{minutes} min ago")
    } else if hours < 48 {
        format!("{} ago", count_noun(hours, "hour"))
    } else {
        format!("{} ago", count_noun(hours / 24, "day"))
    }
}
