use mainstay_core::{
    email::{EmailState, EmailType},
    text::count_noun,
};
use mainstay_store::ClientEmail;

use crate::web::ui::components::View;

/// A state as people read it.
pub(super) const fn state_words(state: EmailState) -> &'static str {
    match state {
        EmailState::Queued => "Waiting",
        EmailState::Sending => "Being sent",
        EmailState::Sent => "Sent",
        EmailState::Failed => "Failed",
        EmailState::Unknown => "Unknown",
        EmailState::Suppressed => "Not sent",
    }
}

/// What became of a mail, in a sentence.
pub(in crate::web) fn delivery_words(view: &View, email: &ClientEmail) -> String {
    let why = email.reason.as_deref().map_or_else(String::new, |why| format!(": {why}"));
    match email.state {
        EmailState::Queued if email.attempts > 0 => {
            let tries = count_noun(email.attempts, "try").replace("trys", "tries");
            format!("waiting after {tries} until {}{why}", view.moment(email.due_at))
        }
        EmailState::Queued if email.due_at > view.now() => {
            format!("waiting until {}{why}", view.moment(email.due_at))
        }
        EmailState::Queued => "waiting to be sent".to_owned(),
        EmailState::Sending => "being sent".to_owned(),
        EmailState::Sent => {
            let at = email.sent_at.unwrap_or(email.created_at);
            format!("sent {}, {}", view.moment(at), reactions(view, email))
        }
        EmailState::Failed => format!("failed{why}"),
        EmailState::Unknown => format!("unknown whether it was sent{why}"),
        EmailState::Suppressed => format!("not sent{why}"),
    }
}

fn reactions(view: &View, email: &ClientEmail) -> String {
    match (email.opened_at, email.clicked_at) {
        (_, Some(at)) => format!("link clicked {}", view.moment(at)),
        (Some(at), None) => format!("opened {}", view.moment(at)),
        (None, None) => "not opened".to_owned(),
    }
}

/// The icon of a kind.
pub(super) const fn icon(kind: EmailType) -> &'static str {
    match kind {
        EmailType::WeeklyInsights => "week",
        EmailType::MilestoneCelebration => "flag",
        EmailType::MomentumNudge => "bell",
        EmailType::AchievementBadge => "award",
        EmailType::SubscriptionRequest => "mail",
    }
}
