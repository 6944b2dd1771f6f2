use std::cmp::Ordering;

use super::{
    Filter, Order, Place, Portfolio, Sort, Standing,
    facts::{Beginning, Facts, Sieve},
};

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

/// Where a client stands in an order, by its position in the portfolio. Clients that are alike are in
/// the order of their ids, and so are positions.
#[derive(Clone, Copy, Debug)]
struct Key {
    number: i64,
    name: Beginning,
    position: usize,
}

/// Which page of an order.
#[derive(Clone, Copy, Debug)]
enum From {
    After,
    Before,
    Start,
}

/// The first so many of all that are offered.
struct First<C> {
    most: usize,
    kept: Vec<Key>,
    /// None after this one is among them.
    last: Option<Key>,
    compare: C,
}

impl<C: Fn(&Key, &Key) -> Ordering> First<C> {
    fn new(most: usize, compare: C) -> Self {
        Self { most, kept: Vec::with_capacity(most * 2), last: None, compare }
    }

    fn offer(&mut self, key: Key) {
        if self.last.is_some_and(|last| (self.compare)(&key, &last).is_gt()) {
            return;
        }
        self.kept.push(key);
        // Now and then, so that each client costs one comparison and not a place in a sorted list.
        if self.kept.len() >= self.most * 2 {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if let Some(end) = self.most.checked_sub(1).filter(|_| self.kept.len() > self.most) {
            let (_, last, _) = self.kept.select_nth_unstable_by(end, &self.compare);
            self.last = Some(*last);
        }
        self.kept.truncate(self.most);
    }

    fn in_order(mut self) -> Vec<Key> {
        self.cut();
        self.kept.sort_unstable_by(&self.compare);
        self.kept
    }
}

impl Portfolio {
    /// How many clients each of some filters lets through. Of an owner, or of who came to be since an
    /// instant, that is known without looking through them.
    pub fn counts(&self, filters: &[Filter]) -> Vec<usize> {
        let tally = self.tally();
        let count = |filter| tally.count(filter).unwrap_or_else(|| self.matching(filter).count());
        filters.iter().map(count).collect()
    }

    /// The first page, or the one after or before a place; `after` goes before `before`.
    pub fn page(
        &self,
        filter: &Filter,
        order: Order,
        (after, before): (Option<&Place>, Option<&Place>),
        size: usize,
    ) -> Page<'_> {
        let (from, place) = match (after, before) {
            (Some(after), _) => (From::After, Some(after)),
            (None, Some(before)) => (From::Before, Some(before)),
            (None, None) => (From::Start, None),
        };
        let mark = place.map(|place| self.mark(place));
        let mut first = First::new(size, |a: &Key, b: &Key| match from {
            From::Before => self.compare(order, b, a),
            From::After | From::Start => self.compare(order, a, b),
        });
        let (mut total, mut on) = (0, 0);
        for (position, facts) in self.matching(filter) {
            total += 1;
            let key = Key { number: facts.number(order), name: facts.name, position };
            let to = mark.as_ref().map(|mark| self.compare_to(order, &key, mark));
            let is_on = match from {
                From::After => to == Some(Ordering::Greater),
                From::Before => to == Some(Ordering::Less),
                From::Start => true,
            };
            if is_on {
                on += 1;
                first.offer(key);
            }
        }
        let mut keys = first.in_order();
        let (others, left) = (total - on, on - keys.len());
        let (before, beyond) = match from {
            From::Before => {
                keys.reverse();
                (left, others)
            }
            From::After | From::Start => (others, left),
        };
        Page {
            total,
            before,
            previous: keys.first().filter(|_| before > 0).map(|key| self.place(order, key)),
            next: keys.last().filter(|_| beyond > 0).map(|key| self.place(order, key)),
            standings: keys.iter().map(|key| &self.entries[key.position].standing).collect(),
        }
    }

    /// Whom a filter lets through, by position.
    fn matching<'a>(&'a self, filter: &'a Filter) -> impl Iterator<Item = (usize, &'a Facts)> {
        let sieve = Sieve::new(filter);
        let text = filter.text.to_lowercase();
        let words: Vec<&str> = text.split_whitespace().collect();
        let found = (!words.is_empty()).then(|| self.texts().find(&words));
        let all = if found.is_some() { 0..0 } else { 0..self.facts.len() };
        all.chain(found.into_iter().flatten())
            .map(|position| (position, &self.facts[position]))
            .filter(move |(position, facts)| {
                sieve.lets(facts, || self.entries[*position].standing.plan.as_deref())
            })
    }

    fn compare(&self, order: Order, a: &Key, b: &Key) -> Ordering {
        let by_name = || {
            let full = || self.entries[a.position].name().cmp(self.entries[b.position].name());
            by_name(order, || a.name.cmp(&b.name).then_with(full))
        };
        a.number.cmp(&b.number).then_with(by_name).then_with(|| a.position.cmp(&b.position))
    }

    fn compare_to(&self, order: Order, key: &Key, mark: &Mark<'_>) -> Ordering {
        let by_name = || {
            let full = || self.entries[key.position].name().cmp(&mark.place.text);
            by_name(order, || key.name.cmp(&mark.name).then_with(full))
        };
        let by_client = || match key.position.cmp(&mark.position) {
            Ordering::Equal if !mark.is_there => Ordering::Greater,
            ordering => ordering,
        };
        key.number.cmp(&mark.place.number).then_with(by_name).then_with(by_client)
    }

    fn place(&self, order: Order, key: &Key) -> Place {
        let entry = &self.entries[key.position];
        let text = if order.sort == Sort::Name { entry.name() } else { "" };
        Place { number: key.number, text: text.to_owned(), client: entry.standing.client }
    }

    fn mark<'a>(&self, place: &'a Place) -> Mark<'a> {
        let found = self.entries.binary_search_by_key(&place.client, |entry| entry.standing.client);
        let (position, is_there) = match found {
            Ok(position) => (position, true),
            Err(position) => (position, false),
        };
        Mark { place, name: Beginning::of(&place.text), position, is_there }
    }
}

/// A place, with where its client is or would be.
struct Mark<'a> {
    place: &'a Place,
    name: Beginning,
    position: usize,
    is_there: bool,
}

fn by_name(order: Order, compare: impl FnOnce() -> Ordering) -> Ordering {
    match (order.sort, order.reversed) {
        (Sort::Name, false) => compare(),
        (Sort::Name, true) => compare().reverse(),
        _ => Ordering::Equal,
    }
}
