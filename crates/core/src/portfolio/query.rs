use std::cmp::Ordering;

use jiff::Timestamp;

use super::{OpenAlert, Portfolio, Standing};
use crate::{
    health::{AlertStatus, AlertType, Severity},
    id::{ClientId, MemberId},
    score::{Band, Trend},
};

/// Which clients to show; everything that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Words that all stand in its name, id or address, in any case.
    pub text: String,
    /// Only of this band.
    pub band: Option<Band>,
    /// Only with this trend.
    pub trend: Option<Trend>,
    /// Only with such an open alert.
    pub alert: Option<AlertChoice>,
    /// Only of this owner.
    pub owner: Option<OwnerChoice>,
    /// Only on this plan.
    pub plan: Option<String>,
    /// Only who needs a person.
    pub needs_a_person: bool,
    /// Only who came to be since then.
    pub created_since: Option<Timestamp>,
}

/// Which open alerts a client must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertChoice {
    /// One like this.
    With(AlertLike),
    /// None at all.
    Without,
}

/// What an open alert must be like; everything that is given must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertLike {
    /// Of this type.
    pub kind: Option<AlertType>,
    /// Of this severity.
    pub severity: Option<Severity>,
    /// Put off until later, or not.
    pub snoozed: Option<bool>,
}

/// Whose clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerChoice {
    /// A member's.
    Member(MemberId),
    /// Nobody's.
    Nobody,
}

/// What clients are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Who needs a person most.
    #[default]
    Need,
    /// The lowest score.
    Score,
    /// The deepest fall.
    Change,
    /// The name, or the id of whoever has none.
    Name,
    /// The longest silence.
    LastSeen,
}

/// What clients are sorted by, and whether the other way round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub sort: Sort,
    /// The other way round. Whoever has no score stays last all the same.
    pub reversed: bool,
}

/// Where a client stands in an order, also when it has moved or gone since.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// What it is sorted by.
    pub number: i64,
    /// The same in letters, in the order by name.
    pub text: String,
    /// Which of those that are alike.
    pub client: ClientId,
}

/// A page of clients.
#[derive(Debug)]
pub struct Page<'a> {
    /// Those on it, in order.
    pub standings: Vec<&'a Standing>,
    /// How many there are on all pages.
    pub total: usize,
    /// How many come before this page.
    pub before: usize,
    /// Where the first of them stands, if a page comes before it.
    pub previous: Option<Place>,
    /// Where the last of them stands, if a page comes after it.
    pub next: Option<Place>,
}

/// A client with what it is found and sorted by.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) standing: Standing,
    name: String,
    text: String,
}

impl Entry {
    pub(super) fn new(standing: Standing) -> Self {
        let name = standing.name.as_deref().map_or("", str::trim);
        let name = if name.is_empty() { &standing.external_id } else { name }.to_lowercase();
        // No word that is searched for holds the line's end, so none spans two of them.
        let email = standing.email.as_deref().unwrap_or_default().to_lowercase();
        let text = format!("{name}\n{}\n{email}", standing.external_id.to_lowercase());
        Self { standing, name, text }
    }

    fn number(&self, order: Order) -> i64 {
        let score = self.standing.score.as_ref();
        let last = i64::MAX;
        let (number, missing) = match order.sort {
            Sort::Need => (Some(-self.standing.need()), last),
            Sort::Score => (score.map(|score| score.overall), last),
            Sort::Change => (score.and_then(|score| score.change), last),
            Sort::Name => (Some(0), last),
            Sort::LastSeen => {
                let seen = score.and_then(|score| score.last_event_at);
                // Never is the longest silence.
                (seen.map(Timestamp::as_microsecond), if order.reversed { last } else { i64::MIN })
            }
        };
        number.map_or(missing, |number| if order.reversed { -number } else { number })
    }

    fn text(&self, order: Order) -> &str {
        if order.sort == Sort::Name { &self.name } else { "" }
    }
}

impl Filter {
    fn lets(&self, entry: &Entry) -> bool {
        let standing = &entry.standing;
        let score = standing.score.as_ref();
        self.band.is_none_or(|band| score.is_some_and(|score| score.band == band))
            && self.trend.is_none_or(|trend| score.is_some_and(|score| score.trend == trend))
            && self.alert.is_none_or(|alert| alert.fits(standing))
            && self.owner.is_none_or(|owner| match owner {
                OwnerChoice::Member(member) => standing.owner == Some(member),
                OwnerChoice::Nobody => standing.owner.is_none(),
            })
            && self.plan.as_ref().is_none_or(|plan| standing.plan.as_ref() == Some(plan))
            && (!self.needs_a_person || standing.needs_a_person())
            && self.created_since.is_none_or(|since| standing.created_at >= since)
    }
}

impl AlertChoice {
    fn fits(self, standing: &Standing) -> bool {
        match self {
            Self::With(like) => standing.alerts.iter().any(|alert| like.fits(*alert)),
            Self::Without => standing.alerts.is_empty(),
        }
    }
}

impl AlertLike {
    /// Whether an alert is like this.
    pub fn fits(self, alert: OpenAlert) -> bool {
        self.kind.is_none_or(|kind| alert.kind == kind)
            && self.severity.is_none_or(|severity| alert.severity == severity)
            && self.snoozed.is_none_or(|it| (alert.status == AlertStatus::Snoozed) == it)
    }
}

/// Which page of an order.
#[derive(Clone, Copy, Debug)]
enum From<'a> {
    After(&'a Place),
    Before(&'a Place),
    Start,
}

impl Portfolio {
    /// How many clients a filter lets through.
    pub fn count(&self, filter: &Filter) -> usize {
        self.matching(filter).count()
    }

    /// The first page, or the one after or before a place; `after` goes before `before`.
    pub fn page(
        &self,
        filter: &Filter,
        order: Order,
        (after, before): (Option<&Place>, Option<&Place>),
        size: usize,
    ) -> Page<'_> {
        let from = match (after, before) {
            (Some(after), _) => From::After(after),
            (None, Some(before)) => From::Before(before),
            (None, None) => From::Start,
        };
        let matching: Vec<(i64, &Entry)> =
            self.matching(filter).map(|entry| (entry.number(order), entry)).collect();
        let total = matching.len();
        let (mut on, others): (Vec<_>, Vec<_>) =
            matching.into_iter().partition(|(number, entry)| {
                let to = |place: &Place| compare_to(order, (*number, entry), place);
                match from {
                    From::After(place) => to(place) == Ordering::Greater,
                    From::Before(place) => to(place) == Ordering::Less,
                    From::Start => true,
                }
            });
        let in_order = |a: &(i64, &Entry), b: &(i64, &Entry)| compare(order, *a, *b);
        let left = on.len().saturating_sub(size);
        if left > 0 && size > 0 {
            // What is on the page and what is not: cheaper than to sort everything.
            match from {
                From::Before(_) => {
                    on.select_nth_unstable_by(left, in_order);
                    on.drain(..left);
                }
                From::After(_) | From::Start => {
                    on.select_nth_unstable_by(size, in_order);
                    on.truncate(size);
                }
            }
        }
        on.sort_unstable_by(in_order);
        let (before, beyond) = match from {
            From::Before(_) => (left, others.len()),
            From::After(_) | From::Start => (others.len(), left),
        };
        let place = |entry: Option<&(i64, &Entry)>| {
            entry.map(|(number, entry)| Place {
                number: *number,
                text: entry.text(order).to_owned(),
                client: entry.standing.client,
            })
        };
        Page {
            total,
            before,
            previous: place(on.first()).filter(|_| before > 0),
            next: place(on.last()).filter(|_| beyond > 0),
            standings: on.into_iter().map(|(_, entry)| &entry.standing).collect(),
        }
    }

    fn matching(&self, filter: &Filter) -> impl Iterator<Item = &Entry> {
        let text = filter.text.to_lowercase();
        self.entries.iter().filter(move |entry| {
            filter.lets(entry) && text.split_whitespace().all(|word| entry.text.contains(word))
        })
    }
}

fn compare(order: Order, (a, one): (i64, &Entry), (b, other): (i64, &Entry)) -> Ordering {
    a.cmp(&b)
        .then_with(|| by_text(order, one.text(order), other.text(order)))
        .then_with(|| one.standing.client.cmp(&other.standing.client))
}

fn compare_to(order: Order, (number, entry): (i64, &Entry), place: &Place) -> Ordering {
    number
        .cmp(&place.number)
        .then_with(|| by_text(order, entry.text(order), &place.text))
        .then_with(|| entry.standing.client.cmp(&place.client))
}

fn by_text(order: Order, one: &str, other: &str) -> Ordering {
    if order.reversed { other.cmp(one) } else { one.cmp(other) }
}
