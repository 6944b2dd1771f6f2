use askama::Template;
use mainstay_core::alert::Severity;

use super::markup;

/// How many alerts are open, by severity, leading to their list.
#[derive(Clone, Debug, Template)]
#[template(path = "components/alert_badge.html")]
pub(crate) struct MomentumAlertBadge {
    open: i64,
    by_severity: Vec<(Severity, i64)>,
    href: &'static str,
}

impl MomentumAlertBadge {
    /// The badge of so many open alerts of each severity, in any order.
    pub(crate) fn new(mut by_severity: Vec<(Severity, i64)>) -> Self {
        by_severity.retain(|(_, count)| *count > 0);
        by_severity.sort_unstable_by_key(|(severity, _)| std::cmp::Reverse(*severity));
        Self {
            open: by_severity.iter().map(|(_, count)| count).sum(),
            by_severity,
            href: "/alerts",
        }
    }
}

markup!(MomentumAlertBadge);
