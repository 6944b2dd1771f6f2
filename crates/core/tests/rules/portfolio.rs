//! Finding, sorting and paging clients, held against doing the same the slow and plain way.

use std::cmp::Ordering;

use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    alert::{AlertStatus, AlertType, Severity},
    id::{ClientId, MemberId},
    portfolio::{
        AlertChoice, AlertMatch, Filter, OpenAlert, Order, OwnerChoice, PageCursor, Portfolio,
        Sort, Standing, StandingScore,
    },
    score::{Band, Trend},
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use uuid::Uuid;

const SORTS: [Sort; 5] = [Sort::Need, Sort::Score, Sort::Change, Sort::Name, Sort::LastSeen];
const NAMES: [&str; 9] = [
    "Ada",
    "ada",
    "Ádám & Söhne",
    "A name that is longer than its beginning 1",
    "A name that is longer than its beginning 2",
    "",
    "  ",
    "\u{202e}Right to left",
    "🏺 Kilns",
];

fn instant(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_770_000_000 + second)
}

fn member(number: u128) -> MemberId {
    MemberId::new(Uuid::from_u128(number))
}

fn scores() -> impl Strategy<Value = StandingScore> {
    (
        0..=100_i64,
        option::of(-100..=100_i64),
        select(vec![Trend::Rising, Trend::Stable, Trend::Declining]),
        select(vec![Band::AtRisk, Band::NeedsAttention, Band::Good, Band::Excellent]),
        option::of(0..5_i64),
    )
        .prop_map(|(overall, change, trend, band, seen)| StandingScore {
            as_of: instant(10),
            overall,
            change,
            trend,
            band,
            coverage: 85,
            events: 3,
            events_before: 4,
            last_event_at: seen.map(instant),
        })
}

/// At most one of a type, as a client has.
fn alerts() -> impl Strategy<Value = Vec<OpenAlert>> {
    let statuses = vec![AlertStatus::Active, AlertStatus::Acknowledged, AlertStatus::Snoozed];
    let one = option::weighted(0.2, (select(Severity::ALL.to_vec()), select(statuses)));
    vec(one, AlertType::ALL.len()).prop_map(|all| {
        let of_types = AlertType::ALL.iter().zip(all);
        of_types
            .filter_map(|(kind, alert)| {
                alert.map(|(severity, status)| OpenAlert { kind: *kind, severity, status })
            })
            .collect()
    })
}

prop_compose! {
    fn standings()(all in vec((
        option::of(select(NAMES.to_vec())),
        option::of(select(vec!["free", "pro"])),
        option::of(1..3_u128),
        0..4_i64,
        option::weighted(0.8, scores()),
        alerts(),
    ), 0..60)) -> Vec<Standing> {
        (1_u128..)
            .zip(all)
            .map(|(number, (name, plan, owner, created, score, alerts))| Standing {
                client: ClientId::new(Uuid::from_u128(number * 2)),
                external_id: format!("Client-{}", number % 7),
                name: name.map(str::to_owned),
                email: (number % 3 == 0).then(|| format!("someone{number}@Example.com")),
                plan: plan.map(str::to_owned),
                owner: owner.map(member),
                created_at: instant(created),
                score,
                alerts,
            })
            .collect()
    }
}

prop_compose! {
    fn filters()(
        text in select(vec!["", "", "", "ADA", "client 1", "söhne", "example someone", "nobody"]),
        band in option::weighted(0.2, select(vec![Band::AtRisk, Band::Good])),
        trend in option::weighted(0.2, select(vec![Trend::Rising, Trend::Stable])),
        alert in option::weighted(0.3, prop_oneof![
            Just(AlertChoice::Without),
            (option::of(select(AlertType::ALL.to_vec())),
             option::of(select(Severity::ALL.to_vec())),
             option::of(any::<bool>()))
                .prop_map(|(kind, severity, snoozed)| {
                    AlertChoice::With(AlertMatch { kind, severity, snoozed })
                }),
        ]),
        owner in option::weighted(0.2, prop_oneof![
            Just(OwnerChoice::Unassigned),
            (1..3_u128).prop_map(|one| OwnerChoice::Member(member(one))),
        ]),
        plan in option::weighted(0.2, select(vec!["free", "pro", "other"])),
        needs_a_person in prop::bool::weighted(0.2),
        created_since in option::weighted(0.2, (0..4_i64).prop_map(instant)),
    ) -> Filter {
        Filter {
            text: text.to_owned(),
            plan: plan.map(str::to_owned),
            band, trend, alert, owner, needs_a_person, created_since,
        }
    }
}

fn name(standing: &Standing) -> String {
    let name = standing.name.as_deref().map_or("", str::trim);
    if name.is_empty() { &standing.external_id } else { name }.to_lowercase()
}

fn is_let_through(filter: &Filter, standing: &Standing) -> bool {
    let score = standing.score.as_ref();
    let email = standing.email.clone().unwrap_or_default().to_lowercase();
    let fields = [name(standing), standing.external_id.to_lowercase(), email];
    filter
        .text
        .to_lowercase()
        .split_whitespace()
        .all(|word| fields.iter().any(|field| field.contains(word)))
        && filter.band.is_none_or(|band| score.map(|score| score.band) == Some(band))
        && filter.trend.is_none_or(|trend| score.map(|score| score.trend) == Some(trend))
        && filter.plan.as_ref().is_none_or(|plan| standing.plan.as_ref() == Some(plan))
        && (!filter.needs_a_person || standing.needs_a_person())
        && filter.created_since.is_none_or(|since| standing.created_at >= since)
        && filter.owner.is_none_or(|owner| match owner {
            OwnerChoice::Unassigned => standing.owner.is_none(),
            OwnerChoice::Member(member) => standing.owner == Some(member),
        })
        && filter.alert.is_none_or(|alert| match alert {
            AlertChoice::Without => standing.alerts.is_empty(),
            AlertChoice::With(like) => standing.alerts.iter().any(|alert| like.matches(*alert)),
        })
}

/// Whoever has nothing to be sorted by comes last, either way; but never having been seen is the
/// longest silence.
fn compare(order: Order, a: &Standing, b: &Standing) -> Ordering {
    let turned = |ordering: Ordering| if order.reversed { ordering.reverse() } else { ordering };
    let known = |a: Option<i64>, b: Option<i64>| match (a, b) {
        (Some(a), Some(b)) => turned(a.cmp(&b)),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    let score = |standing: &Standing| standing.score.as_ref().map(|score| score.overall);
    let change = |standing: &Standing| standing.score.as_ref().and_then(|score| score.change);
    let seen = |standing: &Standing| standing.score.as_ref().and_then(|score| score.last_event_at);
    match order.sort {
        Sort::Need => turned(b.need().cmp(&a.need())),
        Sort::Score => known(score(a), score(b)),
        Sort::Change => known(change(a), change(b)),
        Sort::Name => turned(name(a).cmp(&name(b))),
        Sort::LastSeen => turned(seen(a).cmp(&seen(b))),
    }
    .then_with(|| a.client.cmp(&b.client))
}

proptest! {
    #[test]
    fn pages_are_what_filtering_and_sorting_everything_gives(
        all in standings(),
        filter in filters(),
        sort in select(SORTS.to_vec()),
        reversed in any::<bool>(),
        size in 1..8_usize,
    ) {
        let order = Order { sort, reversed };
        let mut portfolio = Portfolio::default();
        let ends = (ClientId::new(Uuid::nil()), ClientId::new(Uuid::max()));
        portfolio.replace(ends, all.clone());
        let mut expected: Vec<&Standing> =
            all.iter().filter(|standing| is_let_through(&filter, standing)).collect();
        expected.sort_by(|a, b| compare(order, a, b));
        prop_assert_eq!(portfolio.counts(std::slice::from_ref(&filter)), [expected.len()]);

        // On from page to page to the end, and back again.
        let mut place: Option<PageCursor> = None;
        let mut seen = 0;
        loop {
            let page = portfolio.page(&filter, order, (place.as_ref(), None), size);
            prop_assert_eq!(page.total, expected.len());
            prop_assert_eq!(page.before, seen);
            let end = (seen + size).min(expected.len());
            prop_assert_eq!(&page.standings, &expected[seen..end]);
            prop_assert_eq!(page.previous.is_some(), seen > 0);
            prop_assert_eq!(page.next.is_some(), end < expected.len());
            if let Some(previous) = &page.previous {
                let back = portfolio.page(&filter, order, (None, Some(previous)), size);
                prop_assert_eq!(&back.standings, &expected[seen - size..seen]);
                prop_assert_eq!(back.before, seen - size);
            }
            seen = end;
            match page.next {
                Some(next) => place = Some(next),
                None => break,
            }
        }
        prop_assert_eq!(seen, expected.len());
    }

    #[test]
    fn a_place_stays_one_when_its_client_has_gone(
        all in standings(),
        sort in select(SORTS.to_vec()),
        reversed in any::<bool>(),
        gone in 0..60_usize,
    ) {
        let order = Order { sort, reversed };
        let mut portfolio = Portfolio::default();
        let ends = (ClientId::new(Uuid::nil()), ClientId::new(Uuid::max()));
        portfolio.replace(ends, all.clone());
        let mut expected = all;
        expected.sort_by(|a, b| compare(order, a, b));
        prop_assume!(gone + 1 < expected.len());
        let page = portfolio.page(&Filter::default(), order, (None, None), gone + 1);
        let place = page.next.unwrap();
        let client = expected[gone].client;
        portfolio.replace((client, client), Vec::new());
        let rest = portfolio.page(&Filter::default(), order, (Some(&place), None), 100);
        prop_assert_eq!(rest.before, gone);
        let rest: Vec<Standing> = rest.standings.into_iter().cloned().collect();
        prop_assert_eq!(&rest[..], &expected[gone + 1..]);
    }

    #[test]
    fn open_alerts_are_counted_as_they_stand(all in standings(), filter in filters()) {
        let mut portfolio = Portfolio::default();
        let ends = (ClientId::new(Uuid::nil()), ClientId::new(Uuid::max()));
        portfolio.replace(ends, all.clone());
        let Some(AlertChoice::With(like)) = filter.alert else { return Ok(()) };
        let owned = Filter { owner: filter.owner, ..Filter::default() };
        let expected: usize = all
            .iter()
            .filter(|standing| is_let_through(&owned, standing))
            .map(|standing| standing.alerts.iter().filter(|alert| like.matches(**alert)).count())
            .sum();
        prop_assert_eq!(portfolio.open_alerts(filter.owner, like), i64::try_from(expected).unwrap());
    }
}
