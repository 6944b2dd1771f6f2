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
    Celebration, Recipient, WeekInReview, momentum_nudge, subscription_request, weekly_insights,
};
pub use content::{Change, EmailContent, Item, PartLine, ScoreLine, Stat};
pub use delivery::{
    Admission, EarlierEmail, EmailCandidate, FailureCause, MAX_UNANSWERED_WEEKLY, NUDGE_INTERVAL,
    SmtpStage, admission, failure_cause, is_sender_fault, is_suspected_bot, probe_delay,
    retry_delay, weekly_pause,
};
pub use settings::{EmailSettings, QuietHours, SettingError};
pub use text::{EmailLinks, plain_text};

use crate::named::named;

named! {
    /// Email type.
    EmailType, "email type" {
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
    EmailState, "email state" {
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
    /// What an email is for that goes to one person, apart from those that clients subscribe to.
    TransactionalKind, "kind of transactional email" {
        /// The link by which a member chooses a new password.
        PasswordReset = "password_reset",
        /// The link by which a client comes to its page.
        SignInLink = "sign_in_link",
        /// What the owners of an organization have to know.
        OwnerNotice = "owner_notice",
        /// Shows that emails arrive.
        Test = "test",
        /// Tells a member that somebody tries to guess its password.
        SignInWarning = "sign_in_warning",
    }
}

named! {
    /// Whether the client receives emails.
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

    /// Display name.
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
