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

/// How news is told to one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gathered {
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
pub fn settled(news: &[News]) -> Vec<News> {
    let mut alerts: BTreeMap<AlertId, (usize, bool, News)> = BTreeMap::new();
    for (place, one) in news.iter().enumerate() {
        let opened = one.change == Change::Opened;
        alerts
            .entry(one.alert)
            .and_modify(|(_, new, last)| (*new, *last) = (*new || opened, *one))
            .or_insert((place, opened, *one));
    }
    let mut left: Vec<(usize, News)> = alerts
        .into_values()
        .filter(|(_, new, last)| !(*new && last.change == Change::Resolved))
        .map(|(place, new, last)| {
            (place, News { change: if new { Change::Opened } else { last.change }, ..last })
        })
        .collect();
    left.sort_by_key(|(place, _)| *place);
    left.into_iter().map(|(_, news)| news).collect()
}

/// How settled news is told to an endpoint with a route: what goes there at all, and what of it as one
/// because it is the organization's affair rather than a client's.
pub fn gathered(news: &[News], route: &Route, clients_in_all: i64) -> Vec<Gathered> {
    let mut told = Vec::new();
    for over in [false, true] {
        let same_way: Vec<News> = news
            .iter()
            .filter(|one| (one.change == Change::Resolved) == over && route.counts(one))
            .copied()
            .collect();
        if is_organization_wide(clients_of(&same_way), clients_in_all) {
            told.push(Gathered::Many { over, news: same_way });
        } else {
            let wanted = same_way.into_iter().filter(|one| route.takes(one));
            told.extend(wanted.map(Gathered::One));
        }
    }
    told
}

/// Whether what happens to so many clients at once is told as one.
pub const fn is_organization_wide(clients: i64, clients_in_all: i64) -> bool {
    clients > MANY_CLIENTS
        || (clients > FEW_CLIENTS && clients * 100 > clients_in_all * SHARE_PERCENT)
}

/// How many clients news is about.
pub(super) fn clients_of(news: &[News]) -> i64 {
    let clients: HashSet<ClientId> = news.iter().map(|one| one.client).collect();
    i64::try_from(clients.len()).unwrap_or(i64::MAX)
}

impl Gathered {
    /// The news that it tells of.
    pub fn news(&self) -> &[News] {
        match self {
            Self::One(news) => std::slice::from_ref(news),
            Self::Many { news, .. } => news,
        }
    }

    /// How many clients it is about.
    pub fn clients(&self) -> i64 {
        clients_of(self.news())
    }

    /// The news by type and severity, the most first.
    pub fn by_type(&self) -> Vec<TypeCount> {
        let mut counts: BTreeMap<(AlertType, Severity), i64> = BTreeMap::new();
        for one in self.news() {
            *counts.entry((one.kind, one.severity)).or_default() += 1;
        }
        let mut counts: Vec<TypeCount> = counts
            .into_iter()
            .map(|((alert_type, severity), alerts)| TypeCount { alert_type, severity, alerts })
            .collect();
        counts.sort_by_key(|count| std::cmp::Reverse(count.alerts));
        counts
    }

    /// So many of the alerts at most, the worst first: those that the notice is to name.
    pub fn worst(&self, most: usize) -> Vec<News> {
        let mut worst = self.news().to_vec();
        worst.sort_by_key(|one| std::cmp::Reverse(one.severity));
        worst.truncate(most);
        worst
    }
}
