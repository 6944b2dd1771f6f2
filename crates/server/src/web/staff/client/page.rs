use askama::Template;
use axum::extract::State;
use mainstay_core::{
    alert::{INACTIVE_AFTER, Severity, ZERO_ACTIVITY_AFTER},
    email::{ConsentSource, SubscriptionState},
    id::{ClientId, EmailId, MemberId, NoteId},
    playbook::StaffTaskState,
    text::count_noun,
    time::{days_before, local_day},
};
use mainstay_store::{
    Alert, AlertFilter, ClientEmail, ClientNote, Member, StaffTask, StaffTaskFilter, StoredEvent,
    Subscription,
};
use serde_json::Value;

use super::StaffClient;
use crate::{
    Error, Mainstay,
    client::OtherNames,
    web::{
        PageResult, Place, Query, StaffSession, StaffShell, Web,
        overview::Overview,
        show,
        staff::{alerts::snooze_problem, emails::delivery_words, people::People},
        ui::{
            components::{
                AlertFlash, AlertFlashParams, AlertMark, AlertRow, BandChip, EngagementHeatmap,
                FeedbackList, Improvements, LaunchKitCard, OnboardingTasks, ScoreHistory,
                StaffTaskRow, SuccessScoreCard, Timeline, TimelineMark, View, WeeklyInsightsCard,
                display_name, followed,
            },
            text::{straight, visible},
        },
    },
};

/// Alerts that are read: all that are open, and enough of those that ended.
const MAX_ALERTS: i64 = 100;
/// Ended alerts that are listed.
const MAX_ENDED_ALERTS: usize = 5;
const MAX_NOTES: i64 = 50;
const MAX_TASKS: i64 = 50;
/// Finished tasks that are listed.
const MAX_DONE_TASKS: i64 = 5;
const MAX_EMAILS: i64 = 20;
/// Events that are shown before the page of all of them.
const MAX_TIMELINE_EVENTS: i64 = 20;
/// Calendar days in which these are looked for.
const EVENT_DAYS: i32 = 400;
/// Open alerts that the first sentence tells of.
const MAX_SUMMARIZED_ALERTS: usize = 2;

#[derive(Template)]
#[template(path = "client/client.html")]
struct ClientPage {
    shell: StaffShell,
    client_id: String,
    name: String,
    overall: i64,
    band: BandChip,
    summary: String,
    base: String,
    /// Whether the signed-in member may change anything here.
    actions: bool,
    /// Whether the signed-in member may delete the client.
    admin: bool,
    flash: Option<AlertFlash>,
    open: Vec<AlertRow>,
    severities: Vec<(Severity, usize)>,
    ended: Vec<AlertRow>,
    score: SuccessScoreCard,
    improvements: Improvements,
    insights: WeeklyInsightsCard,
    heatmap: EngagementHeatmap,
    history: ScoreHistory,
    timeline: Timeline,
    tasks: OnboardingTasks,
    launch_kit: LaunchKitCard,
    feedback: FeedbackList,
    facts: Vec<(&'static str, String)>,
    /// Whether another client was merged into this one.
    merged: bool,
    traits: Vec<(String, String)>,
    owner: Option<MemberId>,
    members: Vec<Choice>,
    notes: Vec<Note>,
    staff_tasks: Vec<StaffTaskRow>,
    finished_tasks: Vec<StaffTaskRow>,
    today: String,
    emails: Vec<Email>,
    subscription: String,
}

struct Choice {
    id: MemberId,
    name: String,
}

struct Note {
    id: NoteId,
    text: String,
    meta: String,
    /// Whether the signed-in member may delete it.
    own: bool,
}

impl Choice {
    fn new(member: &Member) -> Self {
        Self { id: member.id, name: visible(&member.name, &member.email).to_owned() }
    }
}

impl Note {
    fn new(view: &View, people: &People, note: &ClientNote) -> Self {
        let who = people.name(Some(note.member));
        Self {
            id: note.id,
            text: note.text.clone(),
            meta: format!("{}, by {who}", view.moment(note.created_at)),
            own: people.is_me(note.member) && view.has_actions(),
        }
    }
}

struct Email {
    id: EmailId,
    subject: String,
    meta: String,
}

pub(super) async fn show_client(
    asked: StaffClient,
    State(web): State<Web>,
    Query(done): Query<AlertFlashParams>,
) -> PageResult {
    let mainstay = &web.mainstay;
    let StaffClient { session, client, view } = asked;
    let scope = session.scope;
    let of_client = AlertFilter { client: Some(client.id), ..AlertFilter::default() };
    let alerts = mainstay.alerts(scope, &of_client, MAX_ALERTS).await?;
    let people = People::load(mainstay, &session).await?;
    let rows = Rows::load(mainstay, &session, &view, &people, &alerts, &done).await?;
    let flash = AlertFlash::of(&done, view.part("al-h")).filter(|_| session.may_write());
    let (staff_tasks, finished_tasks) =
        staff_tasks(mainstay, &session, &view, &people, client.id).await?;
    let notes = mainstay.notes(scope, client.id, MAX_NOTES).await?;
    let emails = mainstay.client_emails(scope, client.id, MAX_EMAILS).await?;
    let subscription = mainstay.subscription(scope, client.id).await?;
    let range = (days_before(view.now(), EVENT_DAYS, view.zone()), view.now());
    let page =
        mainstay.client_timeline(scope, &client, range, &[], None, MAX_TIMELINE_EVENTS).await?;
    let names = mainstay.other_names(scope, client.id).await?;
    let overview = Overview::load(mainstay, scope, client, &view).await?;
    let client = &overview.client;
    let stands = &overview.explained.score;
    let alert_marks: Vec<AlertMark> = alerts
        .iter()
        .map(|alert| AlertMark {
            day: local_day(alert.episode.opened_at, view.zone()),
            kind: alert.episode.kind,
            severity: alert.episode.severity,
        })
        .collect();
    let severities = Severity::ALL.iter().rev().map(|severity| {
        (
            *severity,
            rows.open.iter().filter(|(alert, _)| alert.episode.severity == *severity).count(),
        )
    });
    show(&ClientPage {
        shell: session.shell(Place::Portfolio),
        client_id: client.external_id.clone(),
        name: display_name(client.profile.name.as_deref(), &client.external_id).to_owned(),
        overall: stands.overall,
        band: stands.band.into(),
        summary: summary(&view, &overview, &rows.open),
        base: view.link(""),
        actions: session.may_write(),
        admin: session.is_admin(),
        severities: severities.filter(|(_, count)| *count > 0).collect(),
        flash,
        open: rows.open.into_iter().map(|(_, row)| row).collect(),
        ended: rows.ended,
        score: overview.score_card(&view),
        improvements: overview.improvements(&view),
        insights: overview.insights_card(&view),
        heatmap: overview.heatmap(&view),
        history: overview.history(&view, &alert_marks),
        timeline: timeline(&view, &page.events, &alerts, &emails)
            .aside(format!("Since {}", view.day_of(client.created_at))),
        tasks: overview.tasks(&view),
        launch_kit: overview.launch_kit(&view),
        feedback: overview.feedback_list(&view),
        facts: facts(&view, &overview, &names),
        merged: !names.merged.is_empty(),
        traits: traits(&overview),
        owner: client.owner,
        staff_tasks,
        finished_tasks,
        today: view.today().to_string(),
        notes: notes.iter().map(|note| Note::new(&view, &people, note)).collect(),
        emails: emails.iter().map(|email| shown_email(&view, email)).collect(),
        subscription: subscription_words(&view, subscription.as_ref()),
        members: people.all.iter().map(Choice::new).collect(),
    })
}

/// A client's alerts as rows.
struct Rows {
    open: Vec<(Alert, AlertRow)>,
    ended: Vec<AlertRow>,
}

impl Rows {
    async fn load(
        mainstay: &Mainstay,
        session: &StaffSession,
        view: &View,
        people: &People,
        alerts: &[Alert],
        done: &AlertFlashParams,
    ) -> Result<Self, Error> {
        let mut rows = Self { open: Vec::new(), ended: Vec::new() };
        for alert in alerts {
            let is_open = alert.episode.status.is_open();
            if !is_open && rows.ended.len() == MAX_ENDED_ALERTS {
                continue;
            }
            let history = mainstay.alert(session.scope, alert.episode.id).await?;
            let last = people.last_action(&history.actions);
            let row = AlertRow::new(view, alert, last.as_ref(), None, None)
                .followed(followed(view, people, &history.follow_ups))
                .with_notifications(view, &history.told);
            let row = if done.snooze == alert.episode.id.to_string() {
                let problem = snooze_problem(&done.until, view.zone(), view.now());
                row.snooze_failed(problem.map(|problem| (done.until.clone(), problem)))
            } else {
                row
            };
            if is_open {
                rows.open.push((alert.clone(), row));
            } else {
                rows.ended.push(row);
            }
        }
        rows.open.sort_by_key(|(alert, _)| std::cmp::Reverse(alert.episode.severity));
        Ok(rows)
    }
}

/// What staff are to do for the client, and what they have done lately.
async fn staff_tasks(
    mainstay: &Mainstay,
    session: &StaffSession,
    view: &View,
    people: &People,
    client: ClientId,
) -> Result<(Vec<StaffTaskRow>, Vec<StaffTaskRow>), Error> {
    let of_client = StaffTaskFilter { client: Some(client), ..StaffTaskFilter::default() };
    let back = view.part("staff-tasks-h");
    let rows = |tasks: Vec<StaffTask>| {
        let row = |task: &StaffTask| StaffTaskRow::new(view, people, task, back.clone());
        tasks.iter().map(row).collect()
    };
    let open = StaffTaskFilter { state: Some(StaffTaskState::Open), ..of_client };
    let done =
        StaffTaskFilter { state: Some(StaffTaskState::Done), latest_first: true, ..of_client };
    Ok((
        rows(mainstay.staff_tasks(session.scope, &open, MAX_TASKS).await?),
        rows(mainstay.staff_tasks(session.scope, &done, MAX_DONE_TASKS).await?),
    ))
}

/// What is the matter, before anything else: from what is so now, each cause once. An alert's own message
/// may be an hour old, and a risk of churn by silence says what the silence says.
fn summary(view: &View, overview: &Overview, open: &[(Alert, AlertRow)]) -> String {
    let last = overview.explained.score.inputs.last;
    let quiet = |alert: &Alert| alert.episode.figures.contains_key("quiet_since");
    let mut facts: Vec<String> = Vec::new();
    let of_silence = open.iter().find(|(alert, _)| quiet(alert));
    if let Some((alert, _)) = of_silence {
        facts.push(silence(view, overview, alert));
    } else {
        let last = last.map_or_else(
            || "No events yet.".to_owned(),
            |last| format!("Last event {}.", view.moment(last)),
        );
        let none = if open.is_empty() { "No open alerts. " } else { "" };
        facts.push(format!("{none}{last}"));
    }
    let others = open.iter().filter(|(alert, _)| !quiet(alert)).map(|(alert, _)| &alert.episode);
    for episode in others.take(MAX_SUMMARIZED_ALERTS) {
        if !facts.contains(&episode.message) {
            facts.push(episode.message.clone());
        }
    }
    // What went wrong is told before when the client was here last.
    if of_silence.is_none() && facts.len() > 1 {
        facts.rotate_left(1);
    }
    straight(&facts.join(" "))
}

/// How long a client has been quiet, as of now.
fn silence(view: &View, overview: &Overview, alert: &Alert) -> String {
    let last = overview.explained.score.inputs.last;
    let elapsed = view.now().duration_since(last.unwrap_or(overview.client.created_at));
    let length = if elapsed < ZERO_ACTIVITY_AFTER {
        count_noun(elapsed.as_hours(), "hour")
    } else {
        count_noun(elapsed.as_hours() / 24, "day")
    };
    match last {
        Some(last) if elapsed < INACTIVE_AFTER => {
            format!("Active again: last event {}.", view.moment(last))
        }
        Some(last) => {
            let gap = alert.episode.figures.get("usual_gap_days").and_then(Value::as_i64);
            let gap = gap
                .map_or_else(String::new, |gap| format!(", usual gap {}", count_noun(gap, "day")));
            format!("Quiet for {length}{gap}. Last event {}.", view.moment(last))
        }
        None => format!("No event in the {length} since it was created."),
    }
}

fn timeline(
    view: &View,
    events: &[StoredEvent],
    alerts: &[Alert],
    emails: &[ClientEmail],
) -> Timeline {
    let oldest = events.last().map(|event| event.occurred_at);
    let opened = alerts.iter().map(|alert| TimelineMark {
        at: alert.episode.opened_at,
        icon: alert.episode.severity.as_str(),
        severity: Some(alert.episode.severity),
        words: format!("Alert: {}", alert.episode.kind.words().to_lowercase()),
    });
    let sent = emails.iter().filter_map(|email| {
        Some(TimelineMark {
            at: email.sent_at?,
            icon: "mail",
            severity: None,
            words: straight(&format!("Email sent: {}", email.subject)),
        })
    });
    // What is older than the events shown would stand beside days whose events are left out.
    let marks: Vec<TimelineMark> =
        opened.chain(sent).filter(|mark| oldest.is_none_or(|oldest| mark.at >= oldest)).collect();
    Timeline::new(view, events, &marks).more(Some(view.link("/events")), "All events")
}

fn facts(view: &View, overview: &Overview, names: &OtherNames) -> Vec<(&'static str, String)> {
    let client = &overview.client;
    let profile = &client.profile;
    let last = overview.explained.score.inputs.last;
    let unconfirmed = profile.unconfirmed_email.as_ref();
    let unconfirmed = unconfirmed.filter(|email| Some(*email) != profile.email.as_ref());
    let rows = [
        ("External ID", Some(client.external_id.clone())),
        ("Email", profile.email.clone()),
        ("Merged IDs", joined(&names.merged)),
        ("Anonymous IDs", joined(&names.anonymous)),
        ("Unconfirmed email", unconfirmed.cloned()),
        ("Plan", profile.plan.clone()),
        ("Group", profile.group_id.clone()),
        ("Client since", Some(view.full_moment(client.created_at))),
        ("Last event", Some(last.map_or("None yet".to_owned(), |last| view.full_moment(last)))),
    ];
    rows.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn joined(names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| names.join(", "))
}

fn traits(overview: &Overview) -> Vec<(String, String)> {
    let words = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let traits = &overview.client.profile.traits;
    traits.iter().map(|(name, value)| (name.clone(), words(value))).collect()
}

fn shown_email(view: &View, email: &ClientEmail) -> Email {
    Email {
        id: email.id,
        subject: email.subject.clone(),
        meta: format!("{}, {}", email.kind.words(), delivery_words(view, email)),
    }
}

/// Whether the client gets mails, since when and by whose word.
fn subscription_words(view: &View, subscription: Option<&Subscription>) -> String {
    let Some(one) = subscription else { return "Not subscribed".to_owned() };
    let on = view.day_of(one.changed_at);
    match (one.state, one.source) {
        (SubscriptionState::Subscribed, ConsentSource::Api) => {
            format!("Subscribed since {on}, by your app")
        }
        (SubscriptionState::Subscribed, ConsentSource::DoubleOptIn) => {
            format!("Subscribed since {on}, confirmed by email")
        }
        (SubscriptionState::Subscribed, _) => format!("Subscribed since {on}, on its page"),
        (SubscriptionState::Pending, _) => format!("Confirmation requested on {on}"),
        (SubscriptionState::Unsubscribed, _) => format!("Unsubscribed since {on}"),
    }
}

impl ClientPage {
    fn count(&self) -> String {
        count_noun(i64::try_from(self.open.len()).unwrap_or(i64::MAX), "open alert")
    }
}
