use askama::Template;
use axum::extract::State;
use jiff::SignedDuration;
use mainstay_core::{
    alert::AlertType,
    id::MemberId,
    portfolio::Summary,
    score::{Band, ScoreModel},
    text::{counted, grouped},
};
use mainstay_store::{AlertFlow, Member};

use super::{
    row::Row,
    which::{BANDS, Choice, SORTS, View as Part, Which},
};
use crate::{
    portfolio::{Worklist, WorklistQuery},
    web::{
        Answer, Asked, Place, StaffSession, StaffShell, Web, show,
        ui::{
            components::{BandChip, MomentumAlertBadge, TrendMark, View},
            text::visible,
        },
    },
};

/// Clients a page.
const PAGE: usize = 50;
/// What counts as lately in the first sentence.
const LATELY: SignedDuration = SignedDuration::from_hours(24);

#[derive(Template)]
#[template(path = "portfolio/portfolio.html")]
struct PortfolioPage {
    shell: StaffShell,
    headline: String,
    lead: String,
    badge: MomentumAlertBadge,
    strip: Option<Strip>,
    tabs: Vec<Tab>,
    which: Which,
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
    Asked(which): Asked<Which>,
) -> Answer {
    let mainstay = &web.mainstay;
    let (me, now) = (session.member_id(), mainstay.now());
    let view = View::of_staff(session.zone.clone(), now, "");
    let board = mainstay.portfolio(session.organization_id()).await?;
    let part = which.view()?.unwrap_or_else(|| {
        // Nobody in need is no reason for an empty page.
        let quiet = board.look(|portfolio| portfolio.summary().need_a_person == 0);
        if quiet { Part::All } else { Part::Need }
    });
    let filter = which.filter(&part.filter(me, now))?;
    let (after, before) = which.places()?;
    let query = WorklistQuery {
        filter,
        order: which.order()?,
        after,
        before,
        size: PAGE,
        // The other parts are counted in the summary already.
        others: [Part::Mine, Part::New].map(|part| part.filter(me, now)).into(),
        today: view.today(),
        lately: now.saturating_sub(LATELY).unwrap_or(now),
    };
    let list = mainstay.worklist(session.scope, &board, &query).await?;

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
        tabs: tabs(&list, part, &which),
        filters: filters(&which, members, summary),
        heads: heads(&which, query.order),
        rows: list.rows.iter().map(|row| Row::new(&view, row, model)).collect(),
        others: others(&list, part, &which),
        pager: Pager::new(&list, &which),
        members: members.clone(),
        which,
    })
}

fn headline(summary: &Summary) -> String {
    match (summary.clients, summary.need_a_person) {
        (0, _) => "No client yet".to_owned(),
        (_, 0) => "No client needs a person today".to_owned(),
        (_, 1) => "1 client needs a person today".to_owned(),
        (_, many) => format!("{} need a person today", counted(many, "client")),
    }
}

fn lead(view: &View, summary: &Summary, flow: AlertFlow) -> String {
    if summary.clients == 0 {
        return "A client is here from its first event on.".to_owned();
    }
    let scored = summary.as_of.map_or_else(
        || "No score is stored yet.".to_owned(),
        |as_of| {
            let as_of = view.full_moment(as_of);
            format!("Scores as of {as_of}; of clients that were active since, as of now.")
        },
    );
    format!(
        "In the last 24 hours {} opened and {} ended by {}. {scored}",
        counted(flow.opened, "alert"),
        grouped(flow.ended),
        if flow.ended == 1 { "itself" } else { "themselves" },
    )
}

fn tabs(list: &Worklist, part: Part, which: &Which) -> Vec<Tab> {
    let counted = |index: usize| {
        list.counts.get(index).map_or(0, |count| i64::try_from(*count).unwrap_or(i64::MAX))
    };
    Part::ALL
        .into_iter()
        .map(|(one, name, words)| Tab {
            href: Which::of_view(name),
            words,
            count: grouped(match one {
                Part::Need => list.summary.need_a_person,
                Part::Mine => counted(0),
                Part::Risk => list.summary.in_band(Band::AtRisk),
                Part::New => counted(1),
                Part::All => list.summary.clients,
            }),
            current: one == part && !which.is_filtered(),
        })
        .collect()
}

fn filters(which: &Which, members: &[Member], summary: &Summary) -> Vec<Select> {
    let select = |name, label, any, choices| Select { name, label, any, choices };
    let mut filters = vec![
        select("band", "Band", "Any band", which.bands()),
        select("trend", "Trend", "Any trend", which.trends()),
        select("alert", "Alerts", "Any alerts", which.alerts(AlertType::words)),
        select("owner", "Owner", "Any owner", which.owners(members)),
    ];
    if !summary.plans.is_empty() {
        filters.push(select("plan", "Plan", "Any plan", which.plans(summary.plans.keys())));
    }
    filters.push(select("sort", "Sort by", "", which.sorts()));
    filters
}

fn heads(which: &Which, order: mainstay_core::portfolio::Order) -> Vec<Head> {
    let sorted = |words, name: &'static str| {
        let sort = SORTS.into_iter().find(|(one, ..)| *one == name).map(|(_, sort, ..)| sort);
        let now = (sort == Some(order.sort)).then_some(match (name, order.reversed) {
            // The head says alerts, and most of them come first.
            ("need" | "seen", false) | ("score" | "change" | "name", true) => "descending",
            _ => "ascending",
        });
        Head { words, sort: Some((which.sorted(name), now)) }
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

fn others(list: &Worklist, part: Part, which: &Which) -> Option<String> {
    let left = list.summary.clients - list.summary.need_a_person;
    (part == Part::Need && !which.is_filtered() && left > 0 && list.next.is_none()).then(|| {
        match left {
            1 => "The other client does not need a person.".to_owned(),
            many => format!("The other {} do not need a person.", counted(many, "client")),
        }
    })
}

impl Strip {
    fn new(summary: &Summary, model: &ScoreModel) -> Self {
        let scored: i64 = summary.by_band.values().sum();
        let mut begin = 0;
        let bands = BANDS.map(|(name, band)| {
            let count = summary.in_band(band);
            let share = BandShare {
                href: Which::of_band(name),
                chip: band.into(),
                count: grouped(count),
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
            clients: counted(summary.clients, "client"),
            bands: bands.into(),
            median: summary.median,
            median_moved,
            events: grouped(summary.events),
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
    fn new(list: &Worklist, which: &Which) -> Self {
        let number = |count: usize| grouped(i64::try_from(count).unwrap_or(i64::MAX));
        let end = list.before + list.rows.len();
        Self {
            words: format!(
                "{}–{} of {}",
                number(list.before + 1),
                number(end),
                counted(i64::try_from(list.total).unwrap_or(i64::MAX), "client")
            ),
            previous: list.previous.as_ref().map(|place| which.before(place)),
            next: list.next.as_ref().map(|place| which.after(place)),
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
        self.which.is_filtered()
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
