use mainstay_core::{
    alert::{AlertStatus, AlertType, Severity},
    id::MemberId,
    portfolio::{
        AlertChoice, AlertMatch, Filter, OpenAlert, Order, OwnerChoice, PageCursor, Portfolio,
        Standing,
    },
};
use mainstay_store::EndedAlertFilter;

/// Clients with open alerts a page.
pub(super) const CLIENTS_PER_PAGE: usize = 30;

/// A part of the alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    Open,
    Mine,
    Snoozed,
    Resolved,
    Dismissed,
}

impl View {
    pub(super) const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::Open, "open", "To do"),
        (Self::Mine, "mine", "Mine"),
        (Self::Snoozed, "snoozed", "Snoozed"),
        (Self::Resolved, "resolved", "Resolved"),
        (Self::Dismissed, "dismissed", "Dismissed"),
    ];

    /// What became of the ended alerts that it shows; `None` when it shows open ones.
    pub(super) const fn ended(self) -> Option<AlertStatus> {
        match self {
            Self::Resolved => Some(AlertStatus::Resolved),
            Self::Dismissed => Some(AlertStatus::Dismissed),
            Self::Open | Self::Mine | Self::Snoozed => None,
        }
    }
}

/// Which alerts are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AlertSelection {
    pub(super) view: View,
    pub(super) kind: Option<AlertType>,
    pub(super) severity: Option<Severity>,
    pub(super) owner: Option<OwnerChoice>,
}

/// The clients of a page.
pub(super) struct ClientsOnPage {
    pub(super) standings: Vec<Standing>,
    pub(super) total: usize,
    pub(super) before: usize,
    pub(super) previous: Option<PageCursor>,
    pub(super) next: Option<PageCursor>,
}

impl AlertSelection {
    /// A part of the alerts, all of it.
    pub(super) fn of(view: View, me: MemberId) -> Self {
        let owner = (view == View::Mine).then_some(OwnerChoice::Member(me));
        Self { view, kind: None, severity: None, owner }
    }

    /// What open alerts must be like to be shown.
    fn pattern(&self) -> AlertMatch {
        let snoozed = Some(self.view == View::Snoozed);
        AlertMatch { kind: self.kind, severity: self.severity, snoozed }
    }

    /// Whether an open alert is shown.
    pub(super) fn shows(&self, alert: OpenAlert) -> bool {
        self.pattern().matches(alert)
    }

    fn filter(&self) -> Filter {
        Filter {
            alert: Some(AlertChoice::With(self.pattern())),
            owner: self.owner,
            ..Filter::default()
        }
    }

    /// How many open alerts it shows.
    pub(super) fn count(&self, portfolio: &Portfolio) -> i64 {
        portfolio.open_alerts(self.owner, self.pattern())
    }

    /// The clients of a page, whoever is most in need first.
    pub(super) fn clients(
        &self,
        portfolio: &Portfolio,
        (after, before): &(Option<PageCursor>, Option<PageCursor>),
    ) -> ClientsOnPage {
        let places = (after.as_ref(), before.as_ref());
        let page = portfolio.page(&self.filter(), Order::default(), places, CLIENTS_PER_PAGE);
        ClientsOnPage {
            total: page.total,
            before: page.before,
            previous: page.previous,
            next: page.next,
            standings: page.standings.into_iter().cloned().collect(),
        }
    }

    /// The same of ended alerts.
    pub(super) fn ended(&self) -> EndedAlertFilter {
        EndedAlertFilter {
            kind: self.kind,
            severity: self.severity,
            owner: match self.owner {
                Some(OwnerChoice::Member(member)) => Some(member),
                _ => None,
            },
            unowned: self.owner == Some(OwnerChoice::Unassigned),
            ..EndedAlertFilter::default()
        }
    }
}
