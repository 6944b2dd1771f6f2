use askama::Template;
use jiff::civil::date;
use mainstay_core::{
    alert::{AlertType, Severity},
    id::TaskId,
    score::{
        Band, Components, Evidence, FeedbackKind, LaunchKit, Previous, Score, ScoreInputs,
        ScoreModel, Trend, improvements,
    },
    time::{add_days, days_before, local_day},
};
use mainstay_store::{Feedback, LaunchKitTimes, OnboardingTask, TaskStatus, new_id};

use super::{NOW, Specimen, ZONE, names, of_client, of_staff, zone};
use crate::{
    score::Explained,
    web::ui::components::{
        AlertMark, BandChip, Details, FeedbackForm, FeedbackList, Improvements, LaunchKitCard,
        OnboardingTasks, ScoreHistory, Sparkline, SuccessScoreCard, TrendMark, Unscored,
    },
};

/// Several small components in a row.
#[derive(Template)]
#[template(
    source = "<p class=\"actions\">{% for one in all %}{{ one }} {% endfor %}</p>",
    ext = "html"
)]
struct Several<T: std::fmt::Display + askama::filters::HtmlSafe> {
    all: Vec<T>,
}

pub(super) fn specimens() -> Vec<Specimen> {
    let model = ScoreModel::standard();
    let (client, staff) = (of_client(), of_staff());
    let (tasks, hostile_tasks) = (tasks(), hostile_tasks());
    let feedback = feedback();
    let good = explained(&inputs(), &model, Some(62));
    let mut risky = inputs();
    (risky.events, risky.events_before, risky.active_days, risky.high_value) = (7, 31, 2, 0);
    (risky.content, risky.visuals, risky.tasks, risky.settled) = (3, 0, 6, 4);
    (risky.ratings, risky.rating_sum) = (2, 110);
    let risk = explained(&risky, &model, Some(63));
    let before = Components {
        engagement: 2_500,
        activation: 1_540,
        progress: 500,
        satisfaction: 825,
        momentum: 900,
    };
    let mut full = inputs();
    (full.events, full.events_before, full.active_days) = (123_456, 61_728, 7);
    (full.content, full.visuals, full.settled, full.kit) = (1_234, 56, 5, LaunchKit::Completed);
    (full.ratings, full.rating_sum) = (40, 4_000);
    let excellent = explained(&full, &model, Some(94));
    let mut first = inputs();
    (first.events, first.events_before, first.active_days, first.high_value) = (1, 0, 1, 0);
    (first.content, first.visuals, first.tasks, first.kit) = (0, 0, 0, LaunchKit::Unopened);
    let first = explained(&first, &model, None);
    let hostile_model = ScoreModel { name: names::MARKUP.to_owned(), ..ScoreModel::standard() };
    let details = Details {
        tasks: &tasks,
        launch_kit: LaunchKitTimes { viewed_at: Some(days_ago(53)), completed_at: None },
        feedback: &[],
    };
    let with_feedback = Details { feedback: &feedback, ..details };
    let hostile = Details { tasks: &hostile_tasks, ..details };
    let rising = [48, 50, 55, 54, 58, 59, 62, 71].map(Some);
    let falling = [58, 61, 64, 66, 65, 66, 63, 37].map(Some);
    let gaps = [Some(40), None, Some(44), Some(43), None, None, Some(52), Some(71)];
    let card = |view, explained, details, weekly: &[Option<i64>], before| {
        SuccessScoreCard::new(view, explained, &model, details, weekly, before)
    };
    let name = "SuccessScoreCard";
    let mut specimens = vec![
        Specimen::new(name, "good, rising, assumed", &card(&client, &good, details, &rising, None)),
        Specimen::new(
            name,
            "at risk, for staff",
            &card(&staff, &risk, with_feedback, &falling, Some(&before)),
        ),
        Specimen::new(name, "excellent", &card(&client, &excellent, details, &gaps, None)),
        Specimen::new(name, "first", &card(&client, &first, Details::default(), &[], None)),
        Specimen::new(
            name,
            "hostile names",
            &SuccessScoreCard::new(&client, &good, &hostile_model, hostile, &gaps, None),
        ),
        Specimen::new("Unscored", "nothing yet", &Unscored::new(&model)),
        Specimen::new(
            "Improvements",
            "several",
            &Improvements::new(&client, &good, &model, &tasks),
        ),
        Specimen::new(
            "Improvements",
            "hostile names",
            &Improvements::new(&client, &good, &model, &hostile_tasks[..1]),
        ),
        Specimen::new(
            "Improvements",
            "none left",
            &Improvements::new(&client, &excellent, &model, &[]),
        ),
    ];
    specimens.extend(marks(&model, &[rising, falling, gaps]));
    specimens.extend(histories(&model));
    specimens.extend(records(details.launch_kit));
    specimens
}

/// What stands in lists and beside words.
fn marks(model: &ScoreModel, weeks: &[[Option<i64>; 8]]) -> Vec<Specimen> {
    vec![
        Specimen::new(
            "BandChip",
            "all",
            &Several {
                all: [Band::AtRisk, Band::NeedsAttention, Band::Good, Band::Excellent]
                    .map(BandChip::from)
                    .to_vec(),
            },
        ),
        Specimen::new(
            "TrendMark",
            "all",
            &Several {
                all: vec![
                    TrendMark::new(9, Trend::Rising),
                    TrendMark::new(2, Trend::Stable),
                    TrendMark::new(-26, Trend::Declining),
                ],
            },
        ),
        Specimen::new(
            "Sparkline",
            "all",
            &Several {
                all: weeks
                    .iter()
                    .filter_map(|weekly| Sparkline::small(weekly, model, Band::Good))
                    .collect(),
            },
        ),
    ]
}

fn records(launch_kit: LaunchKitTimes) -> Vec<Specimen> {
    let (client, staff) = (of_client(), of_staff());
    let (tasks, hostile_tasks, feedback) = (tasks(), hostile_tasks(), feedback());
    vec![
        Specimen::new("OnboardingTasks", "client", &OnboardingTasks::new(&client, &tasks)),
        Specimen::new("OnboardingTasks", "staff", &OnboardingTasks::new(&staff, &tasks)),
        Specimen::new(
            "OnboardingTasks",
            "hostile names",
            &OnboardingTasks::new(&staff, &hostile_tasks),
        ),
        Specimen::new("OnboardingTasks", "none", &OnboardingTasks::new(&client, &[])),
        Specimen::new(
            "LaunchKit",
            "not opened, staff",
            &LaunchKitCard::new(&staff, LaunchKitTimes::default()),
        ),
        Specimen::new("LaunchKit", "viewed", &LaunchKitCard::new(&client, launch_kit)),
        Specimen::new("FeedbackForm", "answered before", &FeedbackForm::new(&client, &feedback)),
        Specimen::new("FeedbackList", "every scale", &FeedbackList::new(&staff, &feedback)),
        Specimen::new("FeedbackList", "none", &FeedbackList::new(&staff, &[])),
    ]
}

fn histories(model: &ScoreModel) -> Vec<Specimen> {
    let view = of_staff();
    let today = local_day(NOW, &zone());
    let first = add_days(today, -49);
    let all: Vec<_> = (0..50)
        .map(|day| {
            (add_days(first, day), 58 + i64::from(day / 6) - i64::from((day - 43).max(0) * 4))
        })
        .collect();
    let gaps: Vec<_> = all
        .iter()
        .copied()
        .enumerate()
        .filter_map(|(n, score)| (n % 9 > 3).then_some(score))
        .collect();
    let alerts = [
        AlertMark {
            day: date(2026, 11, 20),
            kind: AlertType::Inactivity,
            severity: Severity::Warning,
        },
        AlertMark {
            day: date(2026, 11, 24),
            kind: AlertType::ScoreDrop,
            severity: Severity::Critical,
        },
    ];
    let history = |scores: &[_], alerts: &[_]| {
        ScoreHistory::new(
            &view,
            (first, today),
            scores,
            model,
            Some(date(2026, 11, 17)),
            (alerts, &[]),
        )
    };
    vec![
        Specimen::new("ScoreHistory", "with alerts", &history(&all, &alerts)),
        Specimen::new("ScoreHistory", "with gaps", &history(&gaps, &[])),
        Specimen::new("ScoreHistory", "one day", &history(&all[49..], &[])),
        Specimen::new("ScoreHistory", "none", &history(&[], &[])),
    ]
}

fn days_ago(days: i32) -> jiff::Timestamp {
    days_before(NOW, days, &zone())
}

/// A client in the middle: 71, with nothing said about satisfaction.
pub(super) fn inputs() -> ScoreInputs {
    ScoreInputs {
        as_of: NOW,
        zone: ZONE.to_owned(),
        model: ScoreModel::STANDARD_VERSION,
        events: 17,
        events_before: 16,
        active_days: 5,
        high_value: 3,
        content: 6,
        visuals: 4,
        tasks: 5,
        settled: 4,
        kit: LaunchKit::Viewed,
        ratings: 0,
        rating_sum: 0,
        last: Some(days_ago(1)),
        known_at: None,
    }
}

pub(super) fn explained(
    inputs: &ScoreInputs,
    model: &ScoreModel,
    before: Option<i64>,
) -> Explained {
    let previous = before.map(|overall| Previous { as_of: days_ago(7), overall });
    Explained {
        score: Score::compute(inputs.clone(), model, previous),
        evidence: Evidence::of(inputs, model),
        improvements: improvements(inputs, model),
    }
}

fn task(title: &str, status: TaskStatus, days: i32) -> OnboardingTask {
    let at = days_ago(days);
    let id: TaskId = new_id(at);
    OnboardingTask { id, title: title.to_owned(), status, created_at: at, updated_at: at }
}

fn tasks() -> Vec<OnboardingTask> {
    vec![
        task("Import contacts", TaskStatus::Completed, 60),
        task("Invite your team", TaskStatus::Completed, 58),
        task("Approve launch kit", TaskStatus::Completed, 53),
        task("Publish your first piece", TaskStatus::Completed, 50),
        task("Connect your shop", TaskStatus::Pending, 15),
    ]
}

fn hostile_tasks() -> Vec<OnboardingTask> {
    vec![
        task(names::MARKUP, TaskStatus::InProgress, 3),
        task(names::OVERRIDE, TaskStatus::Pending, 2),
        task(&names::wide(), TaskStatus::Skipped, 1),
    ]
}

fn rating(kind: FeedbackKind, rating: i64, comment: Option<&str>, days: i32) -> Feedback {
    Feedback {
        id: new_id(days_ago(days)),
        kind,
        rating,
        normalised: kind.normalize(rating).unwrap_or_default(),
        comment: comment.map(str::to_owned),
        given_at: days_ago(days),
        self_told: false,
    }
}

fn feedback() -> Vec<Feedback> {
    let wide = names::wide();
    vec![
        rating(FeedbackKind::Stars, 3, Some("Exports take long.\nThe rest is fine."), 20),
        rating(FeedbackKind::Nps, 6, None, 43),
        rating(FeedbackKind::Csat, 4, Some(names::MARKUP), 120),
        rating(FeedbackKind::Thumbs, 0, Some(names::OVERRIDE), 130),
        rating(FeedbackKind::Percent, 90, Some(&wide), 140),
    ]
}
