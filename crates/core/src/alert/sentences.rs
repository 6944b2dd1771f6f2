//! What staff read: fragments with their numbers, for a cell beside the client's name.

use jiff::{SignedDuration, Timestamp};

use super::{
    Ending, Family, HealthFacts, ScoreFacts, TaskInProgress,
    threshold::{SCORE_DROP_WARNING, TASK_STALLED_AFTER, ZERO_ACTIVITY_AFTER},
};
use crate::{
    insight::{
        Moved,
        words::{day_of, moment, signed},
    },
    score::{Band, Previous, Trend},
    text::counted,
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
fn length(elapsed: SignedDuration) -> String {
    if elapsed < ZERO_ACTIVITY_AFTER {
        counted(elapsed.as_hours(), "hour")
    } else {
        counted(whole_days(elapsed), "day")
    }
}

/// `, usual gap 4`, with the unit only where the number before it has another.
fn usual_gap(facts: &HealthFacts) -> String {
    match facts.usual_gap_days {
        None => String::new(),
        Some(gap) if facts.silence() < ZERO_ACTIVITY_AFTER => {
            format!(", usual gap {}", counted(i64::from(gap), "day"))
        }
        Some(gap) => format!(", usual gap {gap}"),
    }
}

fn quiet_for(facts: &HealthFacts) -> String {
    let length = length(facts.silence());
    if facts.last_event_at.is_some() {
        format!("Quiet for {length}{}", usual_gap(facts))
    } else {
        format!("No event in the {length} since it was created")
    }
}

pub(super) fn silence(facts: &HealthFacts) -> String {
    let last = facts.last_event_at.map_or_else(String::new, |last| {
        format!(" Last event {}.", moment(last, &facts.zone, facts.as_of))
    });
    format!("{}.{last}", quiet_for(facts))
}

pub(super) fn unusually_quiet(facts: &HealthFacts) -> String {
    format!("{}.", quiet_for(facts))
}

pub(super) fn task_stalled(
    oldest: &TaskInProgress,
    untouched: SignedDuration,
    others: usize,
) -> String {
    let others = match others {
        0 => String::new(),
        1 => format!(", and 1 more task for at least {}", length(TASK_STALLED_AFTER)),
        more => format!(", and {more} more tasks for at least {}", length(TASK_STALLED_AFTER)),
    };
    format!("“{}” in progress, untouched for {}{others}.", oldest.title, length(untouched))
}

/// `63 → 37 in 7 days`
fn course(facts: &HealthFacts, score: &ScoreFacts, previous: &Previous) -> String {
    let days =
        days_between(local_day(previous.as_of, &facts.zone), local_day(score.as_of, &facts.zone));
    format!("{} → {} in {}", previous.overall, score.overall, counted(i64::from(days), "day"))
}

/// `: engagement −17.00, momentum −9.00` after the given mark; nothing when that is not known.
fn moved(score: &ScoreFacts, mark: &str) -> String {
    if score.moved.is_empty() {
        String::new()
    } else {
        format!("{mark} {}", Moved::words(&score.moved))
    }
}

pub(super) fn score_drop(facts: &HealthFacts, score: &ScoreFacts, previous: &Previous) -> String {
    format!(
        "Score fell {}, {}{}.",
        previous.overall - score.overall,
        course(facts, score, previous),
        moved(score, ":")
    )
}

pub(super) fn falling(facts: &HealthFacts, score: &ScoreFacts) -> String {
    format!("At risk and declining: {}", fall(facts, score))
}

pub(super) fn quiet_and_falling(facts: &HealthFacts, score: &ScoreFacts) -> String {
    format!("{}, and at risk and declining: {}", quiet_for(facts), fall(facts, score))
}

fn fall(facts: &HealthFacts, score: &ScoreFacts) -> String {
    let course = score
        .previous
        .as_ref()
        .map_or_else(|| score.overall.to_string(), |previous| course(facts, score, previous));
    format!("{course}{}.", moved(score, ","))
}

/// `40–59`.
fn attention_band(score: &ScoreFacts) -> String {
    format!("{}–{}", score.bands.needs_attention, score.bands.good - 1)
}

pub(super) fn needs_attention(
    facts: &HealthFacts,
    score: &ScoreFacts,
    entered: Option<&Previous>,
) -> String {
    let band = attention_band(score);
    match (entered, &score.previous) {
        (Some(previous), _) => {
            format!(
                "Entered {band} from {}, now {}{}.",
                previous.overall,
                score.overall,
                moved(score, ":")
            )
        }
        (None, Some(previous)) => format!(
            "Still in {band}: {}, it was {} on {}.",
            score.overall,
            previous.overall,
            day_of(previous.as_of, &facts.zone, facts.as_of),
        ),
        (None, None) => format!("In {band}: {}.", score.overall),
    }
}

/// Why an episode of a family ended by itself.
pub(super) fn over(family: Family, ending: Ending, facts: &HealthFacts) -> String {
    match (family, ending) {
        (Family::Silence, _) => active_again(facts),
        (Family::TaskStalled, _) => {
            format!("No task in progress has been untouched for {}.", length(TASK_STALLED_AFTER))
        }
        (Family::ScoreDrop | Family::ChurnRisk, Ending::Faded) => faded(facts),
        (Family::ScoreDrop, Ending::Recovered) => drop_over(facts),
        (Family::ChurnRisk, Ending::Recovered) => churn_over(facts),
        (Family::NeedsAttention, _) => facts.score.as_ref().map_or_else(no_score, |score| {
            let way = if score.band > Band::NeedsAttention { "Left" } else { "Fell below" };
            format!(
                "{way} {}: the score is {}, {}.",
                attention_band(score),
                score.overall,
                score.band.words()
            )
        }),
    }
}

/// The end of an episode that the client had no part in.
fn faded(facts: &HealthFacts) -> String {
    let Some(score) = &facts.score else {
        return no_score();
    };
    let standing = format!("the score is {}, {}", score.overall, score.band.words());
    let compared = score.previous.map_or_else(String::new, |previous| {
        let day = day_of(previous.as_of, &facts.zone, facts.as_of);
        format!(", compared with {} on {day}", previous.overall)
    });
    format!("Faded, not recovered: nothing has come from the client since; {standing}{compared}.")
}

fn no_score() -> String {
    "There is no score to judge by any more.".to_owned()
}

fn active_again(facts: &HealthFacts) -> String {
    facts.last_event_at.map_or_else(
        || {
            let created = moment(facts.created_at, &facts.zone, facts.as_of);
            format!("Silence counts from its creation, {created}.")
        },
        |last| format!("Active again: last event {}.", moment(last, &facts.zone, facts.as_of)),
    )
}

fn drop_over(facts: &HealthFacts) -> String {
    let Some(score) = &facts.score else {
        return no_score();
    };
    let Some(change) = score.change else {
        return format!("There is no earlier score to compare the {} with.", score.overall);
    };
    match score.trend {
        Trend::Stable => format!("The score is stable again: change {}.", signed(change)),
        Trend::Rising => format!("The score is rising again: change {}.", signed(change)),
        Trend::Declining => {
            format!("The fall is less than {SCORE_DROP_WARNING} now: change {}.", signed(change))
        }
    }
}

fn churn_over(facts: &HealthFacts) -> String {
    let score = facts.score.as_ref().map_or_else(
        || "no score yet".to_owned(),
        |score| format!("score {}, {}, {}", score.overall, score.band.words(), score.trend),
    );
    let last = facts.last_event_at.map_or_else(String::new, |last| {
        format!("; last event {}", moment(last, &facts.zone, facts.as_of))
    });
    format!("No longer a churn risk: {score}{last}.")
}
