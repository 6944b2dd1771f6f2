use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::{
    AlertFacts, AlertType, Family, ScoreFacts, Severity, sentences,
    threshold::{
        CHURN_GAP_FACTOR, CHURN_MIN_DAYS, INACTIVE_AFTER, SCORE_DROP_CRITICAL, SCORE_DROP_WARNING,
        TASK_STALLED_AFTER, ZERO_ACTIVITY_AFTER,
    },
};
use crate::score::Band;

/// An alert of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Kind.
    pub kind: AlertType,
    /// Severity.
    pub severity: Severity,
    /// A sentence for staff, with its numbers.
    pub message: String,
    /// Those numbers, a JSON object without fractions.
    pub figures: Map<String, Value>,
}

/// Whether the condition of a [`Family`] holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It holds: an episode opens, or the one there is goes on.
    Met(Finding),
    /// It holds no longer strongly enough to open an episode, but the one there is goes on.
    StillMet(Finding),
    /// It does not hold.
    Ended,
}

impl Condition {
    /// Problem, or `None` if there is none.
    pub const fn finding(&self) -> Option<&Finding> {
        match self {
            Self::Met(finding) | Self::StillMet(finding) => Some(finding),
            Self::Ended => None,
        }
    }
}

/// Every condition of a client, one a family. [`AlertType::Inactivity`] and
/// [`AlertType::ZeroActivity`] share one, so a silence is always exactly one of the two.
pub fn conditions(facts: &AlertFacts) -> [(Family, Condition); 5] {
    Family::ALL.map(|family| (family, condition(family, facts)))
}

/// One condition of a client.
pub fn condition(family: Family, facts: &AlertFacts) -> Condition {
    match family {
        Family::Silence => silence(facts),
        Family::TaskStalled => task_stalled(facts),
        Family::ScoreDrop => score_drop(facts),
        Family::ChurnRisk => churn_risk(facts),
        Family::NeedsAttention => needs_attention(facts),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(figures) => figures,
        _ => Map::new(),
    }
}

fn silence(facts: &AlertFacts) -> Condition {
    let silence = facts.silence();
    let (kind, severity) = if silence >= ZERO_ACTIVITY_AFTER {
        (AlertType::ZeroActivity, Severity::Critical)
    } else if silence >= INACTIVE_AFTER {
        (AlertType::Inactivity, Severity::Warning)
    } else {
        return Condition::Ended;
    };
    Condition::Met(Finding {
        kind,
        severity,
        message: sentences::silence(facts),
        figures: object(silence_figures(facts)),
    })
}

/// In hours up to 3 days, then in days: figures that change with every check would make every check
/// write every silent client.
fn silence_figures(facts: &AlertFacts) -> Value {
    let silence = facts.silence();
    let mut figures = json!({
        "quiet_since": facts.silent_since(),
        "last_event_at": facts.last_event_at,
        "usual_gap_days": facts.usual_gap_days,
    });
    if silence < ZERO_ACTIVITY_AFTER {
        figures["quiet_hours"] = json!(silence.as_hours());
    } else {
        figures["quiet_days"] = json!(sentences::whole_days(silence));
    }
    figures
}

fn task_stalled(facts: &AlertFacts) -> Condition {
    let stalled = facts.stalled_tasks(TASK_STALLED_AFTER);
    let Some(oldest) = stalled.first() else {
        return Condition::Ended;
    };
    let untouched = facts.as_of.duration_since(oldest.updated_at);
    Condition::Met(Finding {
        kind: AlertType::TaskStalled,
        severity: Severity::Warning,
        message: sentences::task_stalled(oldest, untouched, stalled.len() - 1),
        figures: object(json!({
            "stalled": stalled.len(),
            "title": oldest.title,
            "untouched_since": oldest.updated_at,
            "untouched_days": sentences::whole_days(untouched),
        })),
    })
}

fn score_figures(score: &ScoreFacts) -> Map<String, Value> {
    object(json!({
        "overall": score.overall,
        "previous": score.previous.map(|previous| previous.overall),
        "previous_as_of": score.previous.map(|previous| previous.as_of),
        "change": score.change,
        "trend": score.trend,
        "moved": score.moved,
    }))
}

fn score_drop(facts: &AlertFacts) -> Condition {
    let Some(score) = &facts.score else {
        return Condition::Ended;
    };
    let Some((previous, change)) = score.previous.zip(score.change) else {
        return Condition::Ended;
    };
    let severity = if change <= -SCORE_DROP_CRITICAL {
        Severity::Critical
    } else if change <= -SCORE_DROP_WARNING {
        Severity::Warning
    } else {
        return Condition::Ended;
    };
    Condition::Met(Finding {
        kind: AlertType::ScoreDrop,
        severity,
        message: sentences::score_drop(facts, score, &previous),
        figures: score_figures(score),
    })
}

/// Whether the silence is longer than the client's own habits explain; `false` while they are
/// unknown. Compares elapsed time, so a limit of 12 days is passed one microsecond after 288 hours.
fn unusually_silent(facts: &AlertFacts) -> bool {
    facts.usual_gap_days.is_some_and(|gap| {
        let limit_days = (CHURN_GAP_FACTOR * i64::from(gap)).max(CHURN_MIN_DAYS);
        facts.silence() > SignedDuration::from_hours(24 * limit_days)
    })
}

fn churn_risk(facts: &AlertFacts) -> Condition {
    let falling = facts.score.as_ref().filter(|score| score.at_risk_and_declining());
    let (severity, message, figures) = match (unusually_silent(facts), falling) {
        (true, Some(score)) => {
            let mut figures = score_figures(score);
            figures.extend(object(silence_figures(facts)));
            (Severity::Critical, sentences::quiet_and_falling(facts, score), figures)
        }
        (true, None) => {
            (Severity::Warning, sentences::unusually_quiet(facts), object(silence_figures(facts)))
        }
        (false, Some(score)) => {
            (Severity::Warning, sentences::falling(facts, score), score_figures(score))
        }
        (false, None) => return Condition::Ended,
    };
    Condition::Met(Finding { kind: AlertType::ChurnRisk, severity, message, figures })
}

fn needs_attention(facts: &AlertFacts) -> Condition {
    let Some(score) = facts.score.as_ref().filter(|score| score.band == Band::NeedsAttention)
    else {
        return Condition::Ended;
    };
    let entered =
        score.previous.filter(|_| score.previous_band.is_some_and(|band| band >= Band::Good));
    let finding = Finding {
        kind: AlertType::NeedsAttention,
        severity: Severity::Info,
        message: sentences::needs_attention(facts, score, entered.as_ref()),
        figures: score_figures(score),
    };
    // A week later `previous` has caught up with the fall. The client has not recovered by that, so
    // the episode lasts until the score leaves the band.
    if entered.is_some() { Condition::Met(finding) } else { Condition::StillMet(finding) }
}
