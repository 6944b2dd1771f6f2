use std::collections::{BTreeMap, HashSet};

use super::{News, Route, TypeCount};
use crate::{
    alert::{AlertType, Change, Severity},
    id::{AlertId, ClientId},
};

/// So many clients are told of one by one, however few there are in all.
const FEW_CLIENTS: i64 = 10;
/// So many are too many to be told of one by one, however many there are in all.
const MANY_CLIENTS: i64 = 100;
/// Above this share of all clients, in percent, more than a few are the organization's affair.
const SHARE_PERCENT: i64 = 5;

/// How news is grouped for one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotificationGroup {
    /// By itself.
    One(News),
    /// Together with others that went the same way.
    Many {
        /// Whether it is the end of alerts, rather than that clients got worse.
        over: bool,
        /// All of them, in their order.
        news: Vec<News>,
    },
}

/// What is left to tell when all of it is told at once: of each alert the last change, as one that is
/// new if it is, and nothing of an alert that opened and ended since.
pub fn latest_changes(news: &[News]) -> Vec<News> {
    let mut alerts: BTreeMap<AlertId, (usize, bool, News)> = BTreeMap::new();
    for (index, item) in news.iter().enumerate() {
        let opened = item.change == Change::Opened;
        alerts
            .entry(item.alert)
            .and_modify(|(_, new, last)| (*new, *last) = (*new || opened, *item))
            .or_insert((index, opened, *item));
    }
    let mut latest: Vec<(usize, News)> = alerts
        .into_values()
        .filter(|(_, new, last)| !(*new && last.change == Change::Resolved))
        .map(|(index, new, last)| {
            (index, News { change: if new { Change::Opened } else { last.change }, ..last })
        })
        .collect();
    latest.sort_by_key(|(index, _)| *index);
    latest.into_iter().map(|(_, news)| news).collect()
}

/// How settled news is told to an endpoint with a route: what goes there at all, and what of it as one
/// because it is the organization's affair rather than a client's.
pub fn group_news(news: &[News], route: &Route, clients_in_all: i64) -> Vec<NotificationGroup> {
    let mut groups = Vec::new();
    for over in [false, true] {
        let candidates: Vec<News> = news
            .iter()
            .filter(|item| (item.change == Change::Resolved) == over && route.counts(item))
            .copied()
            .collect();
        if is_organization_wide(clients_of(&candidates), clients_in_all) {
            groups.push(NotificationGroup::Many { over, news: candidates });
        } else {
            let accepted = candidates.into_iter().filter(|item| route.accepts(item));
            groups.extend(accepted.map(NotificationGroup::One));
        }
    }
    groups
}

/// Whether what happens to so many clients at once is told as one.
pub const fn is_organization_wide(clients: i64, clients_in_all: i64) -> bool {
    clients > MANY_CLIENTS
        || (clients > FEW_CLIENTS && clients * 100 > clients_in_all * SHARE_PERCENT)
}

/// Returns the number of clients that news is about.
pub(super) fn clients_of(news: &[News]) -> i64 {
    let clients: HashSet<ClientId> = news.iter().map(|item| item.client).collect();
    i64::try_from(clients.len()).unwrap_or(i64::MAX)
}

impl NotificationGroup {
    /// Returns the news in the group.
    pub fn news(&self) -> &[News] {
        match self {
            Self::One(news) => std::slice::from_ref(news),
            Self::Many { news, .. } => news,
        }
    }

    /// Returns the number of clients in the group.
    pub fn clients(&self) -> i64 {
        clients_of(self.news())
    }

    /// The news by type and severity, the most first.
    pub fn by_type(&self) -> Vec<TypeCount> {
        let mut counts: BTreeMap<(AlertType, Severity), i64> = BTreeMap::new();
        for item in self.news() {
            *counts.entry((item.kind, item.severity)).or_default() += 1;
        }
        let mut counts: Vec<TypeCount> = counts
            .into_iter()
            .map(|((alert_type, severity), alerts)| TypeCount { alert_type, severity, alerts })
            .collect();
        counts.sort_by_key(|count| std::cmp::Reverse(count.alerts));
        counts
    }

    /// So many of the alerts at most, the worst first: those that the notice is to name.
    pub fn worst(&self, limit: usize) -> Vec<News> {
        let mut worst = self.news().to_vec();
        worst.sort_by_key(|item| std::cmp::Reverse(item.severity));
        worst.truncate(limit);
        worst
    }
}
