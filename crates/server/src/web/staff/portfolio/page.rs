use askama::Template;
use axum::extract::State;
use jiff::SignedDuration;
use mainstay_core::{
    alert::AlertType,
    id::MemberId,
    portfolio::Summary,
    score::{Band, ScoreModel},
    text::{count_noun, format_thousands},
};
use mainstay_store::{AlertFlow, Member};

use super::{
    query::{BANDS, Choice, PortfolioQuery, SORTS, View as PortfolioView},
    row::Row,
};
use crate::{
    portfolio::{Worklist, WorklistQuery},
    web::{
        PageResult, Place, Query, StaffSession, StaffShell, Web, show,
        ui::{
            components::{BandChip, MomentumAlertBadge, TrendMark, View},
            text::visible,
        },
    },
};

/// Clients a page.
const PAGE_SIZE: usize = 50;
/// What counts as lately in the first sentence.
const RECENT: SignedDuration = SignedDuration::from_hours(24);

#[derive(Template)]
#[template(path = "portfolio/portfolio.html")]
struct PortfolioPage {
    shell: StaffShell,
    headline: String,
    lead: String,
    badge: MomentumAlertBadge,
    strip: Option<Strip>,
    tabs: Vec<Tab>,
    query: PortfolioQuery,
    filters: Vec<Select>,
    heads: Vec<Head>,
    rows: Vec<Row>,
    members: Vec<Member>,
    pager: Pager,
    /// How many clients the part that is shown leaves out.
    others: Option<String>,
}

struct Tab {
    href: String,
    words: &'static str,
    count: String,
    current: bool,
}

/// A list to choose from, in a form.
struct Select {
    name: &'static str,
    label: &'static str,
    any: &'static str,
    choices: Vec<Choice>,
}

/// The head of a column.
struct Head {
    words: &'static str,
    /// What it sorts by, and how it is sorted when it is.
    sort: Option<(String, Option<&'static str>)>,
}

/// All clients in a few figures.
struct Strip {
    clients: String,
    bands: Vec<BandShare>,
    median: Option<i64>,
    median_moved: Option<TrendMark>,
    events: String,
    events_moved: Option<TrendMark>,
    coverage: Option<i64>,
}

struct BandShare {
    href: String,
    chip: BandChip,
    count: String,
    words: &'static str,
    /// Where it begins and how wide it is, in percent of the bar.
    x: String,
    width: String,
}

struct Pager {
    words: String,
    previous: Option<String>,
    next: Option<String>,
}

pub(super) async fn show_portfolio(
    session: StaffSession,
    State(web): State<Web>,
    Query(query): Query<PortfolioQuery>,
) -> PageResult {
    let mainstay = &web.mainstay;
    let (me, now) = (session.member_id(), mainstay.now());
    let view = View::of_staff(session.zone.clone(), now, "");
    let board = mainstay.portfolio(session.organization_id()).await?;
    let part = query.view()?.unwrap_or_else(|| {
        // Nobody in need is no reason for an empty page.
        let quiet = board.read(|portfolio| portfolio.summary().need_a_person == 0);
        if quiet { PortfolioView::All } else { PortfolioView::Need }
    });
    let filter = query.filter(&part.filter(me, now))?;
    let (after, before) = query.places()?;
    let worklist_query = WorklistQuery {
        filter,
        order: query.order()?,
        after,
        before,
        size: PAGE_SIZE,
        // The other parts are counted in the summary already.
        others: [PortfolioView::Mine, PortfolioView::New].map(|part| part.filter(me, now)).into(),
        today: view.today(),
        lately: now.saturating_sub(RECENT).unwrap_or(now),
    };
    let list = mainstay.worklist(session.scope, &board, &worklist_query).await?;

    let Worklist { summary, model, members, .. } = &list;
    let mut shell = session.shell(Place::Portfolio);
    shell.clients = Some(summary.clients);
    shell.alerts = Some(summary.open_alerts());
    show(&PortfolioPage {
        shell,
        headline: headline(summary),
        lead: lead(&view, summary, list.flow),
        badge: MomentumAlertBadge::new(summary.open.clone().into_iter().collect()),
        strip: (summary.clients > 0).then(|| Strip::new(summary, model)),
        tabs: tabs(&list, part, &query),
        filters: filters(&query, members, summary),
        heads: heads(&query, worklist_query.order),
        rows: list.rows.iter().map(|row| Row::new(&view, row, model)).collect(),
        others: others(&list, part, &query),
        pager: Pager::new(&list, &query),
        members: members.clone(),
        query,
    })
}

fn headline(summary: &Summary) -> String {
    match (summary.clients, summary.need_a_person) {
        (0, _) => "No clients yet".to_owned(),
        (_, 0) => "No clients to contact today".to_owned(),
        (_, 1) => "1 client to contact today".to_owned(),
        (_, many) => format!("{} to contact today", count_noun(many, "client")),
    }
}

fn lead(view: &View, summary: &Summary, flow: AlertFlow) -> String {
    if summary.clients == 0 {
        return "Clients appear when their first event arrives.".to_owned();
    }
    let scored = summary.as_of.map_or_else(
        || "No scores yet.".to_owned(),
        |as_of| {
            let as_of = view.full_moment(as_of);
            format!("Scores from {as_of}, updated for clients active since.")
        },
    );
    format!(
        "In the last 24 hours {} opened and {} cleared by {}. {scored}",
        count_noun(flow.opened, "alert"),
        format_thousands(flow.ended),
        if flow.ended == 1 { "itself" } else { "themselves" },
    )
}

fn tabs(list: &Worklist, part: PortfolioView, query: &PortfolioQuery) -> Vec<Tab> {
    let counted = |index: usize| {
        list.counts.get(index).map_or(0, |count| i64::try_from(*count).unwrap_or(i64::MAX))
    };
    PortfolioView::ALL
        .into_iter()
        .map(|(one, name, words)| Tab {
            href: PortfolioQuery::of_view(name),
            words,
            count: format_thousands(match one {
                PortfolioView::Need => list.summary.need_a_person,
                PortfolioView::Mine => counted(0),
                PortfolioView::Risk => list.summary.in_band(Band::AtRisk),
                PortfolioView::New => counted(1),
                PortfolioView::All => list.summary.clients,
            }),
            current: one == part && !query.is_filtered(),
        })
        .collect()
}

fn filters(query: &PortfolioQuery, members: &[Member], summary: &Summary) -> Vec<Select> {
    let select = |name, label, any, choices| Select { name, label, any, choices };
    let mut filters = vec![
        select("band", "Band", "All bands", query.bands()),
        select("trend", "Trend", "All trends", query.trends()),
        select("alert", "Alerts", "All clients", query.alerts(AlertType::words)),
        select("owner", "Owner", "All owners", query.owners(members)),
    ];
    if !summary.plans.is_empty() {
        filters.push(select("plan", "Plan", "All plans", query.plans(summary.plans.keys())));
    }
    filters.push(select("sort", "Sort by", "", query.sorts()));
    filters
}

fn heads(query: &PortfolioQuery, order: mainstay_core::portfolio::Order) -> Vec<Head> {
    let sorted = |words, name: &'static str| {
        let sort = SORTS.into_iter().find(|(one, ..)| *one == name).map(|(_, sort, ..)| sort);
        let now = (sort == Some(order.sort)).then_some(match (name, order.reversed) {
            // The head says alerts, and most of them come first.
            ("need" | "seen", false) | ("score" | "change" | "name", true) => "descending",
            _ => "ascending",
        });
        Head { words, sort: Some((query.sorted(name), now)) }
    };
    let plain = |words| Head { words, sort: None };
    vec![
        sorted("Client", "name"),
        sorted("Score", "score"),
        sorted("7 days", "change"),
        plain("8 weeks"),
        sorted("Alerts", "need"),
        sorted("Last seen", "seen"),
        plain("Owner"),
        plain("Why now"),
    ]
}

fn others(list: &Worklist, part: PortfolioView, query: &PortfolioQuery) -> Option<String> {
    let left = list.summary.clients - list.summary.need_a_person;
    (part == PortfolioView::Need && !query.is_filtered() && left > 0 && list.next.is_none()).then(
        || match left {
            1 => "No need to contact the other client.".to_owned(),
            many => format!("No need to contact the other {}.", count_noun(many, "client")),
        },
    )
}

impl Strip {
    fn new(summary: &Summary, model: &ScoreModel) -> Self {
        let scored: i64 = summary.by_band.values().sum();
        let mut begin = 0;
        let bands = BANDS.map(|(name, band)| {
            let count = summary.in_band(band);
            let share = BandShare {
                href: PortfolioQuery::of_band(name),
                chip: band.into(),
                count: format_thousands(count),
                words: band.words(),
                x: percent(begin, scored),
                width: percent(count, scored),
            };
            begin += count;
            share
        });
        let median_moved = summary
            .median
            .zip(summary.median_before)
            .map(|(now, before)| TrendMark::new(now - before, model.trend(Some(now - before))));
        let events_moved = (summary.events_before > 0).then(|| {
            TrendMark::share(rounded_percent(
                summary.events - summary.events_before,
                summary.events_before,
            ))
        });
        Self {
            clients: count_noun(summary.clients, "client"),
            bands: bands.into(),
            median: summary.median,
            median_moved,
            events: format_thousands(summary.events),
            events_moved,
            coverage: summary.coverage,
        }
    }
}

/// A share in whole percent, rounded half up.
fn rounded_percent(part: i64, whole: i64) -> i64 {
    (2 * 100 * part + whole).div_euclid(2 * whole)
}

/// `7.14%`, of nothing `0.00%`.
fn percent(part: i64, whole: i64) -> String {
    let hundredths = if whole == 0 { 0 } else { (part * 10_000 + whole / 2) / whole };
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

impl Pager {
    fn new(list: &Worklist, query: &PortfolioQuery) -> Self {
        let number = |count: usize| format_thousands(i64::try_from(count).unwrap_or(i64::MAX));
        let end = list.before + list.rows.len();
        Self {
            words: format!(
                "{}–{} of {}",
                number(list.before + 1),
                number(end),
                count_noun(i64::try_from(list.total).unwrap_or(i64::MAX), "client")
            ),
            previous: list.previous.as_ref().map(|place| query.before(place)),
            next: list.next.as_ref().map(|place| query.after(place)),
        }
    }
}

impl PortfolioPage {
    #[expect(clippy::ref_option, reason = "templates pass what they have by reference")]
    fn owner(&self, owner: &Option<MemberId>) -> Option<String> {
        let member = self.members.iter().find(|member| Some(member.id) == *owner)?;
        Some(visible(&member.name, &member.email).to_owned())
    }

    fn is_searched(&self) -> bool {
        self.query.is_filtered()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_to_the_nearest_percent_and_not_cut() {
        for (part, whole, percent) in [
            // 474 events after 449.
            (25, 449, 6),
            (-25, 449, -6),
            (7, 449, 2),
            (6, 449, 1),
            (0, 449, 0),
            (449, 449, 100),
            (-449, 449, -100),
            // A half is rounded up.
            (1, 200, 1),
            (-1, 200, 0),
            (-3, 200, -1),
        ] {
            assert_eq!(rounded_percent(part, whole), percent, "{part} of {whole}");
        }
    }
}
