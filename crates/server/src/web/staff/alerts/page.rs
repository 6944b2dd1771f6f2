use askama::Template;
use axum::extract::State;
use jiff::SignedDuration;
use mainstay_core::{
    alert::{AlertType, Severity},
    text::{counted, grouped},
};
use mainstay_store::EndedAlerts;

use super::{
    chosen::{CLIENTS, Chosen, OnPage, View as Part},
    lists::{BULK, Group, Lists, Told},
    which::{Which, read, written},
};
use crate::web::{
    Answer, Asked, Place, StaffSession, StaffShell, Web, show,
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
const ENDED: i64 = 50;
/// Ended alerts that are shown below the open ones, and how long ago they may have ended.
const ENDED_BELOW: i64 = 10;
const LATELY: SignedDuration = SignedDuration::from_hours(72);

#[derive(Template)]
#[template(path = "alerts/alerts.html")]
struct AlertsPage {
    shell: StaffShell,
    headline: String,
    lead: String,
    badge: MomentumAlertBadge,
    told: Option<Told>,
    /// Whether the signed-in member may act on alerts.
    actions: bool,
    /// Until when the chosen alerts were to be snoozed, and why that cannot be.
    snooze: Option<(String, String)>,
    /// The zone of the times that are typed.
    time_zone: String,
    tabs: Vec<Tab>,
    which: Which,
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
    Asked(which): Asked<Which>,
) -> Answer {
    let mainstay = &web.mainstay;
    let organization = session.organization_id();
    let chosen = which.chosen(session.member_id())?;
    let board = mainstay.portfolio(organization).await?;
    let summary = board.look(|portfolio| portfolio.summary().clone());
    let people = People::load(mainstay, &session).await?;
    let page = Lists {
        web: &web,
        session: &session,
        people: &people,
        back: which.here().link(),
        snooze: (which.snooze.clone(), which.until.clone()),
        chosen: which.chosen.split(',').map(str::to_owned).collect(),
    };

    let (mut groups, mut ended) = (Vec::new(), Vec::new());
    let pager;
    if let Some(status) = chosen.view.ended() {
        let asked =
            EndedAlerts { status: Some(status), after: read(which.places().0)?, ..chosen.ended() };
        let (listed, next) = mainstay.ended_alerts(organization, &asked, ENDED).await?;
        let newest = (!which.places().0.is_empty()).then(|| which.after(String::new()));
        pager = Some(Pager {
            words: counted(i64::try_from(listed.len()).unwrap_or(i64::MAX), "alert"),
            previous: newest,
            next: next.map(|place| which.after(written(place))),
        });
        ended = page.ended(&listed).await?;
    } else {
        let (after, before) = which.places();
        let places = (read_place("after", after)?, read_place("before", before)?);
        let on_page = board.look(|portfolio| chosen.clients(portfolio, &places));
        groups = page.groups(&chosen, &on_page.standings).await?;
        pager = (on_page.total > CLIENTS).then(|| Pager::new(&on_page, &which));
        if chosen.view == Part::Open && on_page.next.is_none() {
            let since = mainstay.now().checked_sub(LATELY).ok();
            let lately = EndedAlerts { since, ..chosen.ended() };
            let (listed, _) = mainstay.ended_alerts(organization, &lately, ENDED_BELOW).await?;
            ended = page.ended(&listed).await?;
        }
    }

    let counts = board.look(|portfolio| {
        Part::ALL.map(|(part, ..)| {
            let open = part.ended().is_none();
            open.then(|| Chosen::of(part, session.member_id()).count(portfolio))
        })
    });
    let snoozed =
        board.look(|portfolio| Chosen::of(Part::Snoozed, session.member_id()).count(portfolio));
    let checked = session.organization.health_checked_until;
    let mut shell = session.shell(Place::Alerts);
    shell.clients = Some(summary.clients);
    shell.alerts = Some(summary.open_alerts());
    show(&AlertsPage {
        shell,
        headline: headline(summary.open_alerts(), summary.with_alerts, snoozed),
        lead: lead(&page.view(""), checked),
        badge: MomentumAlertBadge::new(summary.open.clone().into_iter().collect()),
        told: page.told(&which).await?,
        actions: session.may_write(),
        snooze: page.snooze_problem(BULK),
        time_zone: session.organization.time_zone.clone(),
        tabs: tabs(&which, chosen.view, counts),
        selects: selects(&which, &people),
        is_ended: chosen.view.ended().is_some(),
        which,
        groups,
        ended,
        pager,
    })
}

/// What is open, of which the snoozed ones are a part: they are open everywhere, and come back.
fn headline(open: i64, clients: i64, snoozed: i64) -> String {
    let snoozed = match snoozed {
        0 => String::new(),
        snoozed => format!(", {} snoozed", grouped(snoozed)),
    };
    match (open, clients) {
        (0, _) => "No open alerts".to_owned(),
        (open, clients) => {
            format!("{} on {}{snoozed}", counted(open, "open alert"), counted(clients, "client"))
        }
    }
}

fn lead(view: &View, checked: Option<jiff::Timestamp>) -> String {
    let checked = checked.map_or_else(
        || "Clients were not checked yet.".to_owned(),
        |checked| format!("Clients were last checked {}.", view.moment(checked)),
    );
    format!(
        "An alert is one episode: it gets worse in place, ends by itself when its condition ends, and \
         says so. {checked}"
    )
}

fn tabs(which: &Which, current: Part, counts: [Option<i64>; Part::ALL.len()]) -> Vec<Tab> {
    let all = Part::ALL.into_iter().zip(counts);
    all.map(|((part, name, words), count)| Tab {
        href: which.of_view(name),
        words,
        count: count.map(grouped),
        current: part == current,
    })
    .collect()
}

fn selects(which: &Which, people: &People) -> Vec<Select> {
    let [kind, severity, owner] = which.filters();
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
    let nobody = choice("nobody".to_owned(), "Nobody", owner);
    let select = |name, label, any, choices| Select { name, label, any, choices };
    vec![
        select("type", "Type", "Any type", kinds.collect()),
        select("severity", "Severity", "Any severity", severities.collect()),
        select("owner", "Owner", "Any owner", owners.chain([nobody]).collect()),
    ]
}

impl Pager {
    fn new(page: &OnPage, which: &Which) -> Self {
        let number = |count: usize| grouped(i64::try_from(count).unwrap_or(i64::MAX));
        Self {
            words: format!(
                "{}–{} of {}",
                number(page.before + 1),
                number(page.before + page.standings.len()),
                counted(i64::try_from(page.total).unwrap_or(i64::MAX), "client")
            ),
            previous: page.previous.as_ref().map(|place| which.before(write_place(place))),
            next: page.next.as_ref().map(|place| which.after(write_place(place))),
        }
    }
}
