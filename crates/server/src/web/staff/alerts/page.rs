use askama::Template;
use axum::extract::State;
use jiff::SignedDuration;
use mainstay_core::{
    alert::{AlertType, Severity},
    text::{count_noun, format_thousands},
};
use mainstay_store::EndedAlertFilter;

use super::{
    lists::{ActionSummary, AlertLists, BULK_FORM, Group},
    query::{AlertQuery, read_cursor, write_cursor},
    selection::{AlertSelection, CLIENTS_PER_PAGE, ClientsOnPage, View as AlertsView},
};
use crate::web::{
    PageResult, Place, Query, StaffSession, StaffShell, Web, show,
    staff::{
        people::People,
        portfolio::{read_place, write_place},
    },
    ui::{
        components::{AlertRow, MomentumAlertBadge, View},
        text::visible,
    },
};

/// Ended alerts a page.
const ENDED_PER_PAGE: i64 = 50;
/// Ended alerts that are shown below the open ones, and how long ago they may have ended.
const MAX_RECENTLY_ENDED: i64 = 10;
const RECENT: SignedDuration = SignedDuration::from_hours(72);

#[derive(Template)]
#[template(path = "alerts/alerts.html")]
struct AlertsPage {
    shell: StaffShell,
    headline: String,
    lead: String,
    badge: MomentumAlertBadge,
    outcome: Option<ActionSummary>,
    /// Whether the signed-in member may act on alerts.
    actions: bool,
    /// Until when the chosen alerts were to be snoozed, and why that cannot be.
    snooze: Option<(String, String)>,
    /// The zone of the times that are typed.
    time_zone: String,
    tabs: Vec<Tab>,
    query: AlertQuery,
    selects: Vec<Select>,
    groups: Vec<Group>,
    ended: Vec<AlertRow>,
    is_ended: bool,
    pager: Option<Pager>,
}

struct Tab {
    href: String,
    words: &'static str,
    count: Option<String>,
    current: bool,
}

struct Select {
    name: &'static str,
    label: &'static str,
    any: &'static str,
    choices: Vec<(String, String, bool)>,
}

struct Pager {
    words: String,
    previous: Option<String>,
    next: Option<String>,
}

pub(super) async fn show_alerts(
    session: StaffSession,
    State(web): State<Web>,
    Query(query): Query<AlertQuery>,
) -> PageResult {
    let mainstay = &web.mainstay;
    let organization = session.organization_id();
    let chosen = query.selection(session.member_id())?;
    let board = mainstay.portfolio(organization).await?;
    let summary = board.read(|portfolio| portfolio.summary().clone());
    let people = People::load(mainstay, &session).await?;
    let page = AlertLists {
        web: &web,
        session: &session,
        people: &people,
        back: query.without_outcome().link(),
        snooze: (query.snooze.clone(), query.until.clone()),
        chosen: query.chosen.split(',').map(str::to_owned).collect(),
    };

    let (mut groups, mut ended) = (Vec::new(), Vec::new());
    let pager;
    if let Some(status) = chosen.view.ended() {
        let asked = EndedAlertFilter {
            status: Some(status),
            after: read_cursor(query.places().0)?,
            ..chosen.ended()
        };
        let (listed, next) = mainstay.ended_alerts(organization, &asked, ENDED_PER_PAGE).await?;
        let newest = (!query.places().0.is_empty()).then(|| query.after(String::new()));
        pager = Some(Pager {
            words: count_noun(i64::try_from(listed.len()).unwrap_or(i64::MAX), "alert"),
            previous: newest,
            next: next.map(|place| query.after(write_cursor(place))),
        });
        ended = page.ended(&listed).await?;
    } else {
        let (after, before) = query.places();
        let places = (read_place("after", after)?, read_place("before", before)?);
        let on_page = board.read(|portfolio| chosen.clients(portfolio, &places));
        groups = page.groups(&chosen, &on_page.standings).await?;
        pager = (on_page.total > CLIENTS_PER_PAGE).then(|| Pager::new(&on_page, &query));
        if chosen.view == AlertsView::Open && on_page.next.is_none() {
            let since = mainstay.now().checked_sub(RECENT).ok();
            let recent = EndedAlertFilter { since, ..chosen.ended() };
            let (listed, _) =
                mainstay.ended_alerts(organization, &recent, MAX_RECENTLY_ENDED).await?;
            ended = page.ended(&listed).await?;
        }
    }

    let counts = board.read(|portfolio| {
        AlertsView::ALL.map(|(part, ..)| {
            let open = part.ended().is_none();
            open.then(|| AlertSelection::of(part, session.member_id()).count(portfolio))
        })
    });
    let snoozed = board.read(|portfolio| {
        AlertSelection::of(AlertsView::Snoozed, session.member_id()).count(portfolio)
    });
    let checked = session.organization.health_checked_until;
    let mut shell = session.shell(Place::Alerts);
    shell.clients = Some(summary.clients);
    shell.alerts = Some(summary.open_alerts());
    show(&AlertsPage {
        shell,
        headline: headline(summary.open_alerts(), summary.with_alerts, snoozed),
        lead: lead(&page.view(""), checked),
        badge: MomentumAlertBadge::new(summary.open.clone().into_iter().collect()),
        outcome: page.outcome(&query).await?,
        actions: session.may_write(),
        snooze: page.snooze_problem(BULK_FORM),
        time_zone: session.organization.time_zone.clone(),
        tabs: tabs(&query, chosen.view, counts),
        selects: selects(&query, &people),
        is_ended: chosen.view.ended().is_some(),
        query,
        groups,
        ended,
        pager,
    })
}

/// What is open, of which the snoozed ones are a part: they are open everywhere, and come back.
fn headline(open: i64, clients: i64, snoozed: i64) -> String {
    let snoozed = match snoozed {
        0 => String::new(),
        snoozed => format!(", {} snoozed", format_thousands(snoozed)),
    };
    match (open, clients) {
        (0, _) => "No open alerts".to_owned(),
        (open, clients) => {
            format!(
                "{} on {}{snoozed}",
                count_noun(open, "open alert"),
                count_noun(clients, "client")
            )
        }
    }
}

fn lead(view: &View, checked: Option<jiff::Timestamp>) -> String {
    let checked = checked.map_or_else(
        || "Clients have not been checked yet.".to_owned(),
        |checked| format!("Clients were last checked {}.", view.moment(checked)),
    );
    format!(
        "Alerts escalate in place and clear themselves when the client recovers. \
         {checked}"
    )
}

fn tabs(
    query: &AlertQuery,
    current: AlertsView,
    counts: [Option<i64>; AlertsView::ALL.len()],
) -> Vec<Tab> {
    let all = AlertsView::ALL.into_iter().zip(counts);
    all.map(|((part, name, words), count)| Tab {
        href: query.of_view(name),
        words,
        count: count.map(format_thousands),
        current: part == current,
    })
    .collect()
}

fn selects(query: &AlertQuery, people: &People) -> Vec<Select> {
    let [kind, severity, owner] = query.filters();
    let choice = |value: String, words: &str, chosen: &str| {
        let is_chosen = value == chosen;
        (value, words.to_owned(), is_chosen)
    };
    let kinds = AlertType::ALL.iter().map(|it| choice(it.to_string(), it.words(), kind));
    let severities = Severity::ALL.iter().rev();
    let severities = severities.map(|it| choice(it.to_string(), it.words(), severity));
    let owners = people
        .all
        .iter()
        .map(|member| choice(member.id.to_string(), visible(&member.name, &member.email), owner));
    let nobody = choice("nobody".to_owned(), "Unassigned", owner);
    let select = |name, label, any, choices| Select { name, label, any, choices };
    vec![
        select("type", "Type", "All types", kinds.collect()),
        select("severity", "Severity", "All severities", severities.collect()),
        select("owner", "Owner", "All owners", owners.chain([nobody]).collect()),
    ]
}

impl Pager {
    fn new(page: &ClientsOnPage, query: &AlertQuery) -> Self {
        let number = |count: usize| format_thousands(i64::try_from(count).unwrap_or(i64::MAX));
        Self {
            words: format!(
                "{}–{} of {}",
                number(page.before + 1),
                number(page.before + page.standings.len()),
                count_noun(i64::try_from(page.total).unwrap_or(i64::MAX), "client")
            ),
            previous: page.previous.as_ref().map(|place| query.before(write_place(place))),
            next: page.next.as_ref().map(|place| query.after(write_place(place))),
        }
    }
}
