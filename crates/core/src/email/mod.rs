//! What is written to clients who asked for it: what a mail says, who gets it and when it is tried.
//!
//! [`EmailContent`] is all that a mail says. Its text and its HTML are made from it, so that both say
//! the same, today and when somebody looks at it again.

mod compose;
mod content;
mod delivery;
mod settings;
mod text;

pub use compose::{
    Recipient, WeekInReview, achievement_badge, milestone_celebration, momentum_nudge,
    subscription_request, weekly_insights,
};
pub use content::{Change, EmailContent, Item, PartLine, ScoreLine, Stat};
pub use delivery::{Admission, Earlier, NUDGE_EVERY, admission, next_try, suspected};
pub use settings::{EmailSettings, QuietHours, SettingError};
pub use text::{EmailLinks, plain_text};

use crate::insight::named::named;

named! {
    /// What kind of mail it is.
    EmailType, "e-mail type" {
        /// How the week was.
        WeeklyInsights = "weekly_insights",
        /// A milestone was reached.
        MilestoneCelebration = "milestone_celebration",
        /// Nothing has come from the client for a while.
        MomentumNudge = "momentum_nudge",
        /// Something was made.
        AchievementBadge = "achievement_badge",
        /// Asks whether the owner of an address wants the others.
        SubscriptionRequest = "subscription_request",
    }
}

named! {
    /// What became of a mail.
    EmailState, "e-mail state" {
        /// It waits for its time.
        Queued = "queued",
        /// A mail server is being given it right now.
        Sending = "sending",
        /// A mail server took it.
        Sent = "sent",
        /// A mail server refused it for good, or too often.
        Failed = "failed",
        /// The connection was lost before the mail server's answer: it may have been sent, and is not
        /// sent again.
        Unknown = "unknown",
        /// It is not to be sent; the reason says why.
        Suppressed = "suppressed",
    }
}

named! {
    /// Whether a client gets mails.
    SubscriptionState, "subscription state" {
        /// It was asked and has not answered.
        Pending = "pending",
        /// It asked for them.
        Subscribed = "subscribed",
        /// It does not want them any more.
        Unsubscribed = "unsubscribed",
    }
}

named! {
    /// Where a client said so.
    ConsentSource, "source" {
        /// The organization's app told us.
        Api = "api",
        /// On its own page here.
        ClientPage = "client_page",
        /// By the link in a mail that asked.
        DoubleOptIn = "double_opt_in",
        /// By the link or the button of a mail.
        Unsubscribe = "unsubscribe",
    }
}

impl EmailType {
    /// The four that an organization switches on and off.
    pub const REGULAR: [Self; 4] = [
        Self::WeeklyInsights,
        Self::MilestoneCelebration,
        Self::MomentumNudge,
        Self::AchievementBadge,
    ];

    /// What people call it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::WeeklyInsights => "Weekly insights",
            Self::MilestoneCelebration => "Milestone",
            Self::MomentumNudge => "Nudge",
            Self::AchievementBadge => "Achievement",
            Self::SubscriptionRequest => "Request to confirm",
        }
    }
}
