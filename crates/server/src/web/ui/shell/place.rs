/// Where a member is: what the navigation marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The worklist, and a client from it.
    Portfolio,
    /// Alerts.
    Alerts,
    /// What staff are to do for clients.
    Tasks,
    /// Mails to clients.
    Emails,
    /// Events as they arrive.
    Live,
    /// What runs by itself.
    Jobs,
    /// Settings.
    Settings,
}

impl Place {
    /// Where a path belongs; nowhere when nothing is there.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        let first = path.split('/').nth(1).unwrap_or_default();
        if first == "clients" {
            return Some(Self::Portfolio);
        }
        let found = Self::ALL.iter().find(|(_, start, ..)| start.strip_prefix('/') == Some(first));
        found.map(|(place, ..)| *place)
    }

    /// Each with its path, icon and name.
    pub(crate) const ALL: [(Self, &'static str, &'static str, &'static str); 7] = [
        (Self::Portfolio, "/portfolio", "list", "Portfolio"),
        (Self::Alerts, "/alerts", "bell", "Alerts"),
        (Self::Tasks, "/tasks", "task", "Tasks"),
        (Self::Emails, "/emails", "mail", "Emails"),
        (Self::Live, "/live", "live", "Live events"),
        (Self::Jobs, "/jobs", "clock", "Jobs"),
        (Self::Settings, "/settings", "settings", "Settings"),
    ];
}
