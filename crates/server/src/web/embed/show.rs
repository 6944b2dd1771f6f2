use askama::Template;
use axum::{
    Form,
    extract::{
        Path, Query, State,
        rejection::{FormRejection, PathRejection, QueryRejection},
    },
    http::StatusCode,
    response::{Html, IntoResponse as _, Response},
};
use mainstay_core::id::InsightId;
use mainstay_store::Scope;

use super::caller::{Refusal, WidgetClient, WidgetMember};
use crate::{
    Error, Mainstay,
    api::Problem,
    engagement::Heatmap,
    web::{
        Web,
        events::{EventList, EventsQuery},
        overview::{Overview, next_insights},
        portal::InsightAction,
        ui::{
            components::{EngagementHeatmap, MomentumAlertBadge, Unscored, WeeklyInsightsCard},
            icons,
        },
    },
};

type Fragment = Result<Response, Refusal>;

/// What stands above a widget of a sample organization.
const SAMPLE: &str = "<p class=\"sample-mark\"><span class=\"chip sample\">\
                      <svg class=\"i\" aria-hidden=\"true\"><use href=\"#i-flask\"/></svg>Sample data\
                      </span></p>";

/// A component with the icons that it uses, for a tree of its own.
fn fragment(component: &impl Template, sample: bool) -> Fragment {
    let html = component.render().map_err(|error| {
        tracing::error!(%error, "a widget could not be written");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the widget could not be written")
    })?;
    let html = if sample { format!("{SAMPLE}{html}") } else { html };
    Ok(Html(format!("{}{html}", icons::definitions(&html))).into_response())
}

impl WidgetClient {
    async fn overview(self, mainstay: &Mainstay) -> Result<Result<Overview, Self>, Refusal> {
        match &self.known {
            Some((scope, client)) => {
                Ok(Ok(Overview::load(mainstay, *scope, client.clone(), &self.view).await?))
            }
            None => Ok(Err(self)),
        }
    }
}

pub(super) async fn score_card(asked: WidgetClient, State(web): State<Web>) -> Fragment {
    let (view, organization) = (asked.view.clone(), asked.organization);
    let sample = asked.sample;
    match asked.overview(&web.mainstay).await? {
        Ok(overview) if !overview.is_blank() => fragment(&overview.score_card(&view), sample),
        Ok(overview) => fragment(&Unscored::new(overview.model()), sample),
        Err(_) => {
            let context = web.mainstay.context_in(Scope::Service(organization)).await?;
            fragment(&Unscored::new(&context.model().1), sample)
        }
    }
}

pub(super) async fn heatmap(asked: WidgetClient, State(web): State<Web>) -> Fragment {
    let (view, sample) = (asked.view.clone(), asked.sample);
    let Ok(overview) = asked.overview(&web.mainstay).await? else {
        let today = view.today();
        return fragment(&EngagementHeatmap::new(&view, &Heatmap::empty(today), today), sample);
    };
    fragment(&overview.heatmap(&view), sample)
}

pub(super) async fn insights(asked: WidgetClient, State(web): State<Web>) -> Fragment {
    show_insights(&asked, &web.mainstay).await
}

async fn show_insights(asked: &WidgetClient, mainstay: &Mainstay) -> Fragment {
    let insights = match &asked.known {
        Some((scope, client)) => mainstay.client_insights(*scope, client.id, false).await?,
        None => Vec::new(),
    };
    let next = next_insights(asked.view.today());
    fragment(&WeeklyInsightsCard::new(&asked.view, &insights, Some(next)), asked.sample)
}

/// Says what the client made of an insight, and shows all of them as they are now.
pub(super) async fn act_on_insight(
    asked: WidgetClient,
    State(web): State<Web>,
    insight: Result<Path<InsightId>, PathRejection>,
    action: Result<Form<InsightAction>, FormRejection>,
) -> Fragment {
    let Path(insight) = insight.map_err(|_| Problem::invalid("insight_id", "is not an id"))?;
    let Form(action) = action.map_err(|_| {
        Problem::invalid("action", "is missing; send mark-read, acted-on or dismiss as a form")
    })?;
    let status = action.status()?;
    let (scope, client) =
        asked.known.as_ref().ok_or_else(|| Error::no_client(&asked.external_id))?;
    web.mainstay.set_insight_status(*scope, Some(client.id), insight, status).await?;
    show_insights(&asked, &web.mainstay).await
}

pub(super) async fn events(
    asked: WidgetClient,
    State(web): State<Web>,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Fragment {
    let Query(query) = query.map_err(|_| Problem::invalid("query", "cannot be read"))?;
    let (scope, client) = match &asked.known {
        Some((scope, client)) => (*scope, Some(client)),
        None => (Scope::Service(asked.organization), None),
    };
    let events = EventList::load(&web.mainstay, scope, client, &asked.view, query).await?;
    fragment(&events, asked.sample)
}

pub(super) async fn alert_badge(asked: WidgetMember, State(web): State<Web>) -> Fragment {
    let counts = web.mainstay.open_alert_counts(asked.scope).await?;
    fragment(&MomentumAlertBadge::new(counts), asked.sample)
}
