//! What pages and widgets are made of: each a struct that is built from what services answer, with
//! its markup beside it. A component knows no request and no session, so that a page, a widget and
//! the gallery show the same thing.

mod alert_badge;
mod alert_row;
mod band;
mod email_card;
mod empty_state;
mod evidence;
mod feedback;
mod figures;
mod flash;
mod followed;
mod heatmap;
mod improvements;
mod insights_card;
mod name;
mod onboarding;
mod score_card;
mod score_history;
mod sparkline;
mod staff_task_row;
mod timeline;
mod view;

pub(crate) use alert_badge::MomentumAlertBadge;
pub(crate) use alert_row::{AlertRow, AlertSubject, LastAction, alert_headline};
pub(crate) use band::{BandChip, TrendMark};
pub(crate) use email_card::EmailCard;
#[cfg(feature = "gallery")]
pub(crate) use empty_state::EmptyState;
pub(crate) use evidence::Details;
pub(crate) use feedback::{FeedbackForm, FeedbackList};
pub(crate) use flash::{AlertFlash, AlertFlashParams};
pub(crate) use followed::followed;
pub(crate) use heatmap::EngagementHeatmap;
pub(crate) use improvements::Improvements;
pub(crate) use insights_card::WeeklyInsightsCard;
pub(crate) use name::display_name;
pub(crate) use onboarding::{LaunchKitCard, OnboardingTasks};
pub(crate) use score_card::{SuccessScoreCard, Unscored};
pub(crate) use score_history::{AlertMark, ScoreHistory};
pub(crate) use sparkline::{Sparkline, weekly};
pub(crate) use staff_task_row::StaffTaskRow;
pub(crate) use timeline::{EventSentence, Timeline, TimelineMark};
pub(crate) use view::View;

/// Templates inside templates are markup already: escaping them again would show tags as text.
macro_rules! markup {
    ($($component:ty),+ $(,)?) => {
        $(impl askama::filters::HtmlSafe for $component {})+
    };
}
pub(crate) use markup;
