use askama::Template;
use mainstay_core::score::FeedbackKind;
use mainstay_store::Feedback;

use super::{markup, view::View};

/// A rating from 1 to 5 and a comment, to be sent.
#[derive(Template)]
#[template(path = "components/feedback_form.html")]
pub(crate) struct FeedbackForm {
    action: String,
    last: Option<String>,
    choices: [(u8, &'static str); 5],
}

impl FeedbackForm {
    /// The form of a client with these ratings, newest first.
    pub(crate) fn new(view: &View, feedback: &[Feedback]) -> Self {
        Self {
            action: view.link("/feedback"),
            last: feedback.first().map(|last| {
                format!(
                    "Your last answer: {}, on {}",
                    rating_words(last),
                    view.day_of(last.given_at)
                )
            }),
            choices: [
                (1, "very unhappy"),
                (2, "unhappy"),
                (3, "neither"),
                (4, "happy"),
                (5, "very happy"),
            ],
        }
    }
}

/// The ratings that a client gave.
#[derive(Template)]
#[template(path = "components/feedback_list.html")]
pub(crate) struct FeedbackList {
    answers: Vec<FeedbackRow>,
}

struct FeedbackRow {
    rating: String,
    normalised: i64,
    when: String,
    comment: Option<String>,
}

impl FeedbackList {
    /// Ratings, newest first.
    pub(crate) fn new(view: &View, feedback: &[Feedback]) -> Self {
        let answers = feedback
            .iter()
            .map(|given| FeedbackRow {
                rating: rating_words(given),
                normalised: given.normalised,
                when: view.moment(given.given_at),
                comment: given.comment.clone(),
            })
            .collect();
        Self { answers }
    }
}

/// A rating on its own scale: `NPS 6 of 10`.
pub(super) fn rating_words(feedback: &Feedback) -> String {
    let rating = feedback.rating;
    match feedback.kind {
        FeedbackKind::Stars => format!("{rating} of 5 stars"),
        FeedbackKind::Csat => format!("CSAT {rating} of 5"),
        FeedbackKind::Nps => format!("NPS {rating} of 10"),
        FeedbackKind::Thumbs if rating > 0 => "Thumbs up".to_owned(),
        FeedbackKind::Thumbs => "Thumbs down".to_owned(),
        FeedbackKind::Percent => format!("{rating} of 100"),
    }
}

markup!(FeedbackForm, FeedbackList);
