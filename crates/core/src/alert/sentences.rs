//! What staff read: fragments with their numbers, for a cell beside the client's name.

use jiff::{SignedDuration, Timestamp};

use super::{
    AlertFacts, Ending, Family, ScoreFacts, TaskInProgress,
    threshold::{SCORE_DROP_WARNING, TASK_STALLED_AFTER, ZERO_ACTIVITY_AFTER},
};
use crate::{
    insight::{
        ComponentChange,
        words::{format_instant, format_local_day, format_signed},
    },
    score::{Band, Previous, Trend},
    text::count_noun,
    time::{days_between, local_day},
};

/// Whole days of 24 hours without an event, from the last one until now or the next one: what every
/// sentence means by days that a client was quiet.
pub fn quiet_days(last: Timestamp, until: Timestamp) -> i64 {
    whole_days(until.duration_since(last).max(SignedDuration::ZERO))
}

pub(super) fn whole_days(elapsed: SignedDuration) -> i64 {
    elapsed.as_hours() / 24
}

/// `51 hours` up to 3 days, then `6 days`; never rounded up.
fn format_duration(elapsed: SignedDuration) -> String {
    if elapsed < ZERO_ACTIVITY_AFTER {
        count_noun(elapsed.as_hours(), "hour")
    } else {
        count_noun(whole_days(elapsed), "day")
    }
}

/// `, usual gap 4`, with the unit only where the number before it has another.
fn usual_gap(facts: &AlertFacts) -> String {
    match facts.usual_gap_days {
        None => String::new(),
        Some(gap) if facts.silence() < ZERO_ACTIVITY_AFTER => {
            format!(", usual gap {}", count_noun(i64::from(gap), "day"))
        }
        Some(gap) => format!(", usual gap {gap}"),
    }
}

fn describe_silence(facts: &AlertFacts) -> String {
    let format_duration = format_duration(facts.silence());
    if facts.last_event_at.is_some() {
        format!("Quiet for {format_duration}{}", usual_gap(facts))
    } else {
        format!("No event in the {format_duration} since it was created")
    }
}

pub(super) fn silence(facts: &AlertFacts) -> String {
    let last = facts.last_event_at.map_or_else(String::new, |last| {
        format!(" Last event {}.", format_instant(last, &facts.zone, facts.as_of))
    });
    format!("{}.{last}", describe_silence(facts))
}

pub(super) fn unusually_quiet(facts: &AlertFacts) -> String {
    format!("{}.", describe_silence(facts))
}

pub(super) fn task_stalled(
    oldest: &TaskInProgress,
    untouched: SignedDuration,
    others: usize,
) -> String {
    let others = match others {
        0 => String::new(),
        1 => format!(", and 1 more task for at least {}", format_duration(TASK_STALLED_AFTER)),
        more => {
            format!(", and {more} more tasks for at least {}", format_duration(TASK_STALLED_AFTER))
        }
    };
    format!("“{}” in progress, untouched for {}{others}.", oldest.title, format_duration(untouched))
}

/// `63 → 37 in 7 days`
fn describe_change(facts: &AlertFacts, score: &ScoreFacts, previous: &Previous) -> String {
    let days =
        days_between(local_day(previous.as_of, &facts.zone), local_day(score.as_of, &facts.zone));
    format!("{} → {} in {}", previous.overall, score.overall, count_noun(i64::from(days), "day"))
}

/// `: engagement −17.00, momentum −9.00` after the given mark; nothing when that is not known.
fn describe_component_changes(score: &ScoreFacts, mark: &str) -> String {
    if score.moved.is_empty() {
        String::new()
    } else {
        format!("{mark} {}", ComponentChange::words(&score.moved))
    }
}

pub(super) fn score_drop(facts: &AlertFacts, score: &ScoreFacts, previous: &Previous) -> String {
    format!(
        "Score fell {}, {}{}.",
        previous.overall - score.overall,
        describe_change(facts, score, previous),
        describe_component_changes(score, ":")
    )
}

pub(super) fn falling(facts: &AlertFacts, score: &ScoreFacts) -> String {
    format!("At risk and declining: {}", describe_fall(facts, score))
}

pub(super) fn quiet_and_falling(facts: &AlertFacts, score: &ScoreFacts) -> String {
    format!(
        "{}, and at risk and declining: {}",
        describe_silence(facts),
        describe_fall(facts, score)
    )
}

fn describe_fall(facts: &AlertFacts, score: &ScoreFacts) -> String {
    let describe_change = score.previous.as_ref().map_or_else(
        || score.overall.to_string(),
        |previous| describe_change(facts, score, previous),
    );
    format!("{describe_change}{}.", describe_component_changes(score, ","))
}

/// `40–59`.
fn format_attention_band(score: &ScoreFacts) -> String {
    format!("{}–{}", score.bands.needs_attention, score.bands.good - 1)
}

pub(super) fn needs_attention(
    facts: &AlertFacts,
    score: &ScoreFacts,
    entered: Option<&Previous>,
) -> String {
    let band = format_attention_band(score);
    match (entered, &score.previous) {
        (Some(previous), _) => {
            format!(
                "Entered {band} from {}, now {}{}.",
                previous.overall,
                score.overall,
                describe_component_changes(score, ":")
            )
        }
        (None, Some(previous)) => format!(
            "Still in {band}: {}, it was {} on {}.",
            score.overall,
            previous.overall,
            format_local_day(previous.as_of, &facts.zone, facts.as_of),
        ),
        (None, None) => format!("In {band}: {}.", score.overall),
    }
}

/// Why an episode of a family ended by itself.
pub(super) fn describe_end(family: Family, ending: Ending, facts: &AlertFacts) -> String {
    match (family, ending) {
        (Family::Silence, _) => active_again(facts),
        (Family::TaskStalled, _) => {
            format!(
                "No task in progress has been untouched for {}.",
                format_duration(TASK_STALLED_AFTER)
            )
        }
        (Family::ScoreDrop | Family::ChurnRisk, Ending::Faded) => describe_fade(facts),
        (Family::ScoreDrop, Ending::Recovered) => describe_drop_end(facts),
        (Family::ChurnRisk, Ending::Recovered) => describe_churn_end(facts),
        (Family::NeedsAttention, _) => facts.score.as_ref().map_or_else(no_score, |score| {
            let way = if score.band > Band::NeedsAttention { "Left" } else { "Fell below" };
            format!(
                "{way} {}: the score is {}, {}.",
                format_attention_band(score),
                score.overall,
                score.band.words()
            )
        }),
    }
}

/// The end of an episode that the client had no part in.
fn describe_fade(facts: &AlertFacts) -> String {
    let Some(score) = &facts.score else {
        return no_score();
    };
    let standing = format!("the score is {}, {}", score.overall, score.band.words());
    let compared = score.previous.map_or_else(String::new, |previous| {
        let day = format_local_day(previous.as_of, &facts.zone, facts.as_of);
        format!(", compared with {} on {day}", previous.overall)
    });
    format!("Faded, not recovered: nothing has come from the client since; {standing}{compared}.")
}

fn no_score() -> String {
    "There is no score to judge by any more.".to_owned()
}

fn active_again(facts: &AlertFacts) -> String {
    facts.last_event_at.map_or_else(
        || {
            let created = format_instant(facts.created_at, &facts.zone, facts.as_of);
            format!("Silence counts from its creation, {created}.")
        },
        |last| {
            format!("Active again: last event {}.", format_instant(last, &facts.zone, facts.as_of))
        },
    )
}

fn describe_drop_end(facts: &AlertFacts) -> String {
    let Some(score) = &facts.score else {
        return no_score();
    };
    let Some(change) = score.change else {
        return format!("There is no earlier score to compare the {} with.", score.overall);
    };
    match score.trend {
        Trend::Stable => format!("The score is stable again: change {}.", format_signed(change)),
        Trend::Rising => format!("The score is rising again: change {}.", format_signed(change)),
        Trend::Declining => {
            format!(
                "The fall is less than {SCORE_DROP_WARNING} now: change {}.",
                format_signed(change)
            )
        }
    }
}

fn describe_churn_end(facts: &AlertFacts) -> String {
    let score = facts.score.as_ref().map_or_else(
        || "no score yet".to_owned(),
        |score| format!("score {}, {}, {}", score.overall, score.band.words(), score.trend),
    );
    let last = facts.last_event_at.map_or_else(String::new, |last| {
        format!("; last event {}", format_instant(last, &facts.zone, facts.as_of))
    });
    format!("No longer a churn risk: {score}{last}.")
}
