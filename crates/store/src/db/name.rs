//! Names of states, kinds and types in the database: which columns hold one, and how it is read.
//!
//! The database lists no names, so that a new one needs no migration. What it holds was written by this code;
//! an unknown name is an error, because any default would silently turn one thing into another.

use std::str::FromStr;

use crate::{Result, StoreError};

/// A column whose values are names that the code lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameColumn {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
}

impl NameColumn {
    /// Reads a name of this column.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when this version does not know it.
    pub(crate) fn read<T: FromStr>(self, stored: &str) -> Result<T> {
        stored.parse().map_err(|_| self.corrupt(stored))
    }

    /// The error of a value that this version does not know.
    pub(crate) fn corrupt(self, stored: &str) -> StoreError {
        StoreError::Corrupt { table: self.table, column: self.column, value: stored.to_owned() }
    }
}

/// The columns that hold names. Nothing else can be read as a name, so the list is complete; the contract tests
/// put an unknown name into each.
macro_rules! name_columns {
    ($($name:ident = $table:literal, $column:literal;)+) => {
        $(pub(crate) const $name: NameColumn = NameColumn { table: $table, column: $column };)+

        /// Every column that holds names which the code lists.
        pub const NAME_COLUMNS: &[NameColumn] = &[$($name),+];
    };
}

name_columns! {
    CLIENT_IDENTITY = "organizations", "clients_are";
    TIME_ZONE = "organizations", "time_zone";
    ZONE_CHANGE_PHASE = "organizations", "zone_change_phase";
    MEMBER_ROLE = "members", "role";
    KEY_KIND = "api_keys", "kind";
    KEY_SOURCE = "api_keys", "source";
    LINK_KIND = "sign_in_links", "kind";
    RUN_STATE = "job_runs", "state";
    MERGE_STATE = "client_merges", "state";
    TASK_STATUS = "onboarding_tasks", "status";
    TASK_CHANGE_STATUS = "onboarding_task_changes", "status";
    FEEDBACK_KIND = "client_feedback", "kind";
    EVENT_NAME_TYPE = "event_names", "event_type";
    EVENT_TYPE = "client_engagement_events", "event_type";
    ACTIVITY_TYPE = "daily_activity", "event_type";
    TREND = "client_success_scores", "trend";
    INSIGHT_RULE = "client_insights", "rule";
    INSIGHT_TYPE = "client_insights", "insight_type";
    INSIGHT_PRIORITY = "client_insights", "priority";
    INSIGHT_STATUS = "client_insights", "status";
    ALERT_TYPE = "client_momentum_alerts", "alert_type";
    ALERT_SEVERITY = "client_momentum_alerts", "severity";
    ALERT_STATUS = "client_momentum_alerts", "status";
    ALERT_ENDING = "client_momentum_alerts", "ending";
    NEWS_CHANGE = "alert_news", "change";
    NEWS_TYPE = "alert_news", "alert_type";
    NEWS_SEVERITY = "alert_news", "severity";
    BAND_FROM = "playbook_runs", "band_from";
    BAND_TO = "playbook_runs", "band_to";
    STAFF_TASK_STATE = "staff_tasks", "state";
    EMAIL_TYPE = "client_success_emails", "email_type";
    EMAIL_STATE = "client_success_emails", "state";
    SUBSCRIPTION_STATE = "email_subscriptions", "state";
    SUBSCRIPTION_SOURCE = "email_subscriptions", "source";
    CONSENT_STATE = "email_consents", "state";
    CONSENT_SOURCE = "email_consents", "source";
    TRANSACTIONAL_KIND = "transactional_emails", "kind";
    TRANSACTIONAL_STATE = "transactional_emails", "state";
    STAFF_EMAIL_STATE = "staff_emails", "state";
    ENDPOINT_KIND = "webhook_endpoints", "kind";
    NOTICE_TYPE = "webhook_messages", "notice_type";
    MESSAGE_STATE = "webhook_messages", "state";
}

/// Gives an enum its names: the same in every API and in storage.
macro_rules! names {
    ($type:ident, $what:literal, $($variant:ident => $name:literal),+) => {
        impl $type {
            /// The name used in every API and in storage.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = String;
            fn from_str(text: &str) -> std::result::Result<Self, String> {
                match text {
                    $($name => Ok(Self::$variant),)+
                    _ => Err(format!(
                        concat!("unknown ", $what, " {:?}: use one of {}"),
                        text,
                        [$($name),+].join(", "),
                    )),
                }
            }
        }
    };
}
pub(crate) use names;
