use std::cmp::Ordering;

use super::{
    Filter, Order, PageCursor, Portfolio, Sort, Standing,
    facts::{CompiledFilter, Facts, NamePrefix},
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
    pub previous: Option<PageCursor>,
    /// Where the last of them stands, if a page comes after it.
    pub next: Option<PageCursor>,
}

/// Where a client stands in an order, by its position in the portfolio. Clients that are alike are in
/// the order of their ids, and so are positions.
#[derive(Clone, Copy, Debug)]
struct Key {
    number: i64,
    name: NamePrefix,
    position: usize,
}

/// Direction of paging.
#[derive(Clone, Copy, Debug)]
enum Direction {
    After,
    Before,
    Start,
}

/// The first `limit` keys of all that are pushed.
struct TopKeys<C> {
    limit: usize,
    keys: Vec<Key>,
    /// No later key belongs to the result.
    last: Option<Key>,
    compare: C,
}

impl<C: Fn(&Key, &Key) -> Ordering> TopKeys<C> {
    fn new(limit: usize, compare: C) -> Self {
        Self { limit, keys: Vec::with_capacity(limit * 2), last: None, compare }
    }

    fn push(&mut self, key: Key) {
        if self.last.is_some_and(|last| (self.compare)(&key, &last).is_gt()) {
            return;
        }
        self.keys.push(key);
        // Now and then, so that each client costs one comparison and not a place in a sorted list.
        if self.keys.len() >= self.limit * 2 {
            self.truncate_keys();
        }
    }

    fn truncate_keys(&mut self) {
        if let Some(end) = self.limit.checked_sub(1).filter(|_| self.keys.len() > self.limit) {
            let (_, last, _) = self.keys.select_nth_unstable_by(end, &self.compare);
            self.last = Some(*last);
        }
        self.keys.truncate(self.limit);
    }

    fn in_order(mut self) -> Vec<Key> {
        self.truncate_keys();
        self.keys.sort_unstable_by(&self.compare);
        self.keys
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
        (after, before): (Option<&PageCursor>, Option<&PageCursor>),
        size: usize,
    ) -> Page<'_> {
        let (from, place) = match (after, before) {
            (Some(after), _) => (Direction::After, Some(after)),
            (None, Some(before)) => (Direction::Before, Some(before)),
            (None, None) => (Direction::Start, None),
        };
        let mark = place.map(|place| self.mark(place));
        let mut first = TopKeys::new(size, |a: &Key, b: &Key| match from {
            Direction::Before => self.compare(order, b, a),
            Direction::After | Direction::Start => self.compare(order, a, b),
        });
        let (mut total, mut on) = (0, 0);
        for (position, facts) in self.matching(filter) {
            total += 1;
            let key = Key { number: facts.number(order), name: facts.name, position };
            let to = mark.as_ref().map(|mark| self.compare_to(order, &key, mark));
            let is_on = match from {
                Direction::After => to == Some(Ordering::Greater),
                Direction::Before => to == Some(Ordering::Less),
                Direction::Start => true,
            };
            if is_on {
                on += 1;
                first.push(key);
            }
        }
        let mut keys = first.in_order();
        let (outside, remaining) = (total - on, on - keys.len());
        let (before, beyond) = match from {
            Direction::Before => {
                keys.reverse();
                (remaining, outside)
            }
            Direction::After | Direction::Start => (outside, remaining),
        };
        Page {
            total,
            before,
            previous: keys.first().filter(|_| before > 0).map(|key| self.place(order, key)),
            next: keys.last().filter(|_| beyond > 0).map(|key| self.place(order, key)),
            standings: keys.iter().map(|key| &self.entries[key.position].standing).collect(),
        }
    }

    /// Returns the clients that match a filter, by position.
    fn matching<'a>(&'a self, filter: &'a Filter) -> impl Iterator<Item = (usize, &'a Facts)> {
        let sieve = CompiledFilter::new(filter);
        let text = filter.text.to_lowercase();
        let words: Vec<&str> = text.split_whitespace().collect();
        let matches = (!words.is_empty()).then(|| self.texts().find(&words));
        let all = if matches.is_some() { 0..0 } else { 0..self.facts.len() };
        all.chain(matches.into_iter().flatten())
            .map(|position| (position, &self.facts[position]))
            .filter(move |(position, facts)| {
                sieve.matches(facts, || self.entries[*position].standing.plan.as_deref())
            })
    }

    fn compare(&self, order: Order, a: &Key, b: &Key) -> Ordering {
        let by_name = || {
            let full = || self.entries[a.position].name().cmp(self.entries[b.position].name());
            by_name(order, || a.name.cmp(&b.name).then_with(full))
        };
        a.number.cmp(&b.number).then_with(by_name).then_with(|| a.position.cmp(&b.position))
    }

    fn compare_to(&self, order: Order, key: &Key, mark: &CursorMark<'_>) -> Ordering {
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

    fn place(&self, order: Order, key: &Key) -> PageCursor {
        let entry = &self.entries[key.position];
        let text = if order.sort == Sort::Name { entry.name() } else { "" };
        PageCursor { number: key.number, text: text.to_owned(), client: entry.standing.client }
    }

    fn mark<'a>(&self, place: &'a PageCursor) -> CursorMark<'a> {
        let matches =
            self.entries.binary_search_by_key(&place.client, |entry| entry.standing.client);
        let (position, is_there) = match matches {
            Ok(position) => (position, true),
            Err(position) => (position, false),
        };
        CursorMark { place, name: NamePrefix::of(&place.text), position, is_there }
    }
}

/// A place, with where its client is or would be.
struct CursorMark<'a> {
    place: &'a PageCursor,
    name: NamePrefix,
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
