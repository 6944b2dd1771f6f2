use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::Timestamp;

use super::{AlertChoice, AlertMatch, Filter, OpenAlert, Order, OwnerChoice, Sort, Standing};
use crate::{
    alert::{AlertStatus, AlertType, Severity},
    id::MemberId,
    score::{Band, Trend},
};

/// What one client is found and sorted by, in as few bytes as that takes: looking through a hundred
/// thousand clients costs as much as the memory that is read for it.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    created_at: i64,
    last_event_at: Option<i64>,
    alerts: Alerts,
    /// Of the plan's name; which plan it is stands in the standing.
    plan: u64,
    /// The beginning of the name, which is nearly always enough to sort by.
    pub(super) name: NamePrefix,
    need: i32,
    change: Option<i16>,
    overall: Option<i16>,
    owner: Option<MemberId>,
    band: Option<Band>,
    trend: Option<Trend>,
    needs_a_person: bool,
}

/// The first bytes of a name, which are in the same order as the names as far as they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NamePrefix([u8; 16]);

/// Kinds of open alerts, a bit for each type with a severity, snoozed or not. A client has at most one
/// open alert of a type, so as many bits as alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Alerts(u64);

impl Facts {
    pub(super) fn new(standing: &Standing, name: &str) -> Self {
        let score = standing.score.as_ref();
        let small = |points: i64| i16::try_from(points).unwrap_or(i16::MAX);
        Self {
            created_at: standing.created_at.as_microsecond(),
            last_event_at: score
                .and_then(|score| score.last_event_at)
                .map(Timestamp::as_microsecond),
            alerts: standing.alerts.iter().map(|alert| Alerts::of(*alert)).collect(),
            plan: standing.plan.as_deref().map_or(0, hash),
            name: NamePrefix::of(name),
            need: i32::try_from(standing.need()).unwrap_or(i32::MAX),
            change: score.and_then(|score| score.change).map(small),
            overall: score.map(|score| small(score.overall)),
            owner: standing.owner,
            band: score.map(|score| score.band),
            trend: score.map(|score| score.trend),
            needs_a_person: standing.needs_a_person(),
        }
    }

    /// Returns the sort key. Smaller keys come first.
    pub(super) fn number(&self, order: Order) -> i64 {
        let last = i64::MAX;
        let (number, missing) = match order.sort {
            Sort::Need => (Some(-i64::from(self.need)), last),
            Sort::Score => (self.overall.map(i64::from), last),
            Sort::Change => (self.change.map(i64::from), last),
            Sort::Name => (Some(0), last),
            // Never is the longest silence.
            Sort::LastSeen => (self.last_event_at, if order.reversed { last } else { i64::MIN }),
        };
        number.map_or(missing, |number| if order.reversed { -number } else { number })
    }

    fn is_owned_by(&self, owner: OwnerChoice) -> bool {
        match owner {
            OwnerChoice::Member(member) => self.owner == Some(member),
            OwnerChoice::Unassigned => self.owner.is_none(),
        }
    }

    /// How many such open alerts a client of this owner has.
    pub(super) fn open_alerts(&self, owner: Option<OwnerChoice>, like: AlertMask) -> i64 {
        let counts = owner.is_none_or(|owner| self.is_owned_by(owner));
        if counts { i64::from((self.alerts.0 & like.0.0).count_ones()) } else { 0 }
    }
}

impl NamePrefix {
    pub(super) fn of(name: &str) -> Self {
        let mut bytes = [0; 16];
        for (byte, of_name) in bytes.iter_mut().zip(name.bytes()) {
            *byte = of_name;
        }
        Self(bytes)
    }
}

impl Alerts {
    fn of(alert: OpenAlert) -> Self {
        let snoozed = u32::from(alert.status == AlertStatus::Snoozed);
        Self(1 << ((alert.kind as u32 * 4 + alert.severity as u32) * 2 + snoozed))
    }
}

impl FromIterator<Self> for Alerts {
    fn from_iter<T: IntoIterator<Item = Self>>(alerts: T) -> Self {
        Self(alerts.into_iter().fold(0, |all, alert| all | alert.0))
    }
}

/// All kinds of open alerts that are like something.
#[derive(Clone, Copy, Debug)]
pub(super) struct AlertMask(Alerts);

impl From<AlertMatch> for AlertMask {
    fn from(like: AlertMatch) -> Self {
        let all = AlertType::ALL.iter().flat_map(|kind| {
            Severity::ALL.iter().flat_map(move |severity| {
                [AlertStatus::Active, AlertStatus::Snoozed].map(|status| OpenAlert {
                    kind: *kind,
                    severity: *severity,
                    status,
                })
            })
        });
        Self(all.filter(|alert| like.matches(*alert)).map(Alerts::of).collect())
    }
}

/// Test of a client's open alerts.
#[derive(Clone, Copy, Debug)]
enum AlertTest {
    Any,
    With(AlertMask),
    Without,
}

/// A filter, made ready to be held against very many clients.
pub(super) struct CompiledFilter<'a> {
    filter: &'a Filter,
    alerts: AlertTest,
    plan: Option<(u64, &'a str)>,
    created_since: Option<i64>,
}

impl<'a> CompiledFilter<'a> {
    pub(super) fn new(filter: &'a Filter) -> Self {
        Self {
            filter,
            alerts: match filter.alert {
                None => AlertTest::Any,
                Some(AlertChoice::With(like)) => AlertTest::With(like.into()),
                Some(AlertChoice::Without) => AlertTest::Without,
            },
            plan: filter.plan.as_deref().map(|plan| (hash(plan), plan)),
            created_since: filter.created_since.map(Timestamp::as_microsecond),
        }
    }

    /// Whether a client passes, whatever its text; `plan` looks up which plan it is on.
    pub(super) fn matches<'e>(&self, facts: &Facts, plan: impl Fn() -> Option<&'e str>) -> bool {
        let filter = self.filter;
        filter.band.is_none_or(|band| facts.band == Some(band))
            && filter.trend.is_none_or(|trend| facts.trend == Some(trend))
            && match self.alerts {
                AlertTest::Any => true,
                AlertTest::With(like) => facts.alerts.0 & like.0.0 != 0,
                AlertTest::Without => facts.alerts == Alerts::default(),
            }
            && filter.owner.is_none_or(|owner| facts.is_owned_by(owner))
            && (!filter.needs_a_person || facts.needs_a_person)
            && self.created_since.is_none_or(|since| facts.created_at >= since)
            && self.plan.is_none_or(|(hash, name)| facts.plan == hash && plan() == Some(name))
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
