use askama::Template;
use axum::extract::State;
use mainstay_core::time::local_day;
use mainstay_store::Scope;
use serde::Deserialize;

use super::{known, view_of};
use crate::{
    engagement::Heatmap,
    web::{
        ClientSession, ClientShell, PageResult, Query, Web,
        overview::{Overview, next_insights},
        show,
        ui::components::{
            BandChip, EmailCard, EngagementHeatmap, FeedbackForm, Improvements, LaunchKitCard,
            OnboardingTasks, ScoreHistory, SuccessScoreCard, Unscored, View, WeeklyInsightsCard,
            display_name,
        },
    },
};

#[derive(Template)]
#[template(path = "portal/dashboard.html")]
struct Dashboard {
    shell: ClientShell,
    client_id: String,
    name: String,
    overall: i64,
    band: BandChip,
    headline: String,
    lead: String,
    next_step: Option<String>,
    notice: Option<&'static str>,
    score: SuccessScoreCard,
    improvements: Improvements,
    insights: WeeklyInsightsCard,
    heatmap: EngagementHeatmap,
    history: ScoreHistory,
    tasks: OnboardingTasks,
    launch_kit: LaunchKitCard,
    feedback: FeedbackForm,
    emails: EmailCard,
}

/// The page of a client with nothing to show yet.
#[derive(Template)]
#[template(path = "portal/blank.html")]
struct Blank {
    shell: ClientShell,
    client_id: String,
    name: String,
    joined: Option<String>,
    score: Unscored,
    insights: WeeklyInsightsCard,
    heatmap: EngagementHeatmap,
    tasks: Option<OnboardingTasks>,
    feedback: FeedbackForm,
    emails: Option<EmailCard>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct DashboardQuery {
    notice: String,
}

pub(super) async fn show_dashboard(
    session: ClientSession,
    State(web): State<Web>,
    Query(query): Query<DashboardQuery>,
) -> PageResult {
    let notice = (query.notice == "feedback")
        .then_some("Your answer is stored. It counts towards your satisfaction for 90 days.");
    dashboard(&session, &web, notice).await
}

/// The page of a client, for itself or for staff who look at it.
pub(in crate::web) async fn dashboard(
    session: &ClientSession,
    web: &Web,
    notice: Option<&'static str>,
) -> PageResult {
    let view = view_of(session, web);
    let Some((scope, client)) = known(session) else {
        return show(&unknown_client_page(session, web, &view).await?);
    };
    let overview = Overview::load(&web.mainstay, scope, client.clone(), &view).await?;
    let subscription = web.mainstay.subscription(scope, client.id).await?;
    let known = client.profile.displayed_email();
    let emails = EmailCard::new(&view, subscription.as_ref(), known);
    if overview.is_blank() {
        return show(&Blank {
            shell: session.shell(),
            client_id: session.external_id.clone(),
            name: name_of(session),
            joined: Some(view.weekday(local_day(client.created_at, &session.zone))),
            score: Unscored::new(overview.model()),
            insights: overview.insights_card(&view),
            heatmap: overview.heatmap(&view),
            tasks: Some(overview.tasks(&view)),
            feedback: overview.feedback_form(&view),
            emails: Some(emails),
        });
    }
    let improvements = overview.improvements(&view);
    let current = &overview.explained.score;
    show(&Dashboard {
        shell: session.shell(),
        client_id: session.external_id.clone(),
        name: name_of(session),
        overall: current.overall,
        band: BandChip::for_client(current.band),
        headline: current.headline(),
        lead: lead(&view, &overview),
        next_step: improvements.first().map(str::to_owned),
        notice,
        score: overview.score_card(&view),
        improvements,
        insights: overview.insights_card(&view),
        heatmap: overview.heatmap(&view),
        history: overview.history(&view, &[]),
        tasks: overview.tasks(&view),
        launch_kit: overview.launch_kit(&view),
        feedback: overview.feedback_form(&view),
        emails,
    })
}

/// The page of somebody the organization knows of, and of whom nothing has been stored.
async fn unknown_client_page(
    session: &ClientSession,
    web: &Web,
    view: &View,
) -> Result<Blank, crate::Error> {
    let context = web.mainstay.context_in(Scope::Service(session.organization.id)).await?;
    let (_, model) = context.model();
    let today = view.today();
    Ok(Blank {
        shell: session.shell(),
        client_id: session.external_id.clone(),
        name: name_of(session),
        joined: None,
        score: Unscored::new(&model),
        insights: WeeklyInsightsCard::new(view, &[], Some(next_insights(today))),
        heatmap: EngagementHeatmap::new(view, &Heatmap::empty(today), today),
        tasks: None,
        feedback: FeedbackForm::new(view, &[]),
        emails: None,
    })
}

fn name_of(session: &ClientSession) -> String {
    let name = known(session).and_then(|(_, client)| client.profile.name.as_deref());
    display_name(name, &session.external_id).to_owned()
}

/// The rest of the sentence that begins with the client's name.
fn lead(view: &View, overview: &Overview) -> String {
    let score = &overview.explained.score;
    let since = score.previous.zip(score.change).map_or_else(String::new, |(previous, change)| {
        let way = match change {
            1.. => format!("up {change}"),
            0 => "unchanged".to_owned(),
            _ => format!("down {}", -change),
        };
        format!(", {way} since {}", view.day_of(previous.as_of))
    });
    format!("is at {} of 100{since}.", score.overall)
}
