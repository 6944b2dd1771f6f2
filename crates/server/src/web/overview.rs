//! All that is known of one client, as its own page, the staff's page and the widgets show it.

use jiff::civil::{Date, Weekday};
use mainstay_core::{
    insight::contributions,
    score::{LaunchKit, ScoreModel},
    time::{add_days, local_day},
};
use mainstay_store::{
    Client, Feedback, LaunchKitTimes, OnboardingTask, Scope, ScoreRow, StoredInsight,
};

use super::ui::components::{
    AlertMark, Details, EngagementHeatmap, FeedbackForm, FeedbackList, Improvements, LaunchKitCard,
    OnboardingTasks, ScoreHistory, SuccessScoreCard, View, WeeklyInsightsCard, weekly,
};
use crate::{Mainstay, Result, engagement::Heatmap, score::Explained};

/// Days that a score history shows, besides today: seven weeks make eight weekly scores.
const HISTORY_DAYS: i32 = 49;
/// Ratings that are read: those that count, and enough to look back on.
const MAX_RATINGS: i64 = 100;

/// One client at one instant.
pub(crate) struct Overview {
    pub(crate) client: Client,
    pub(crate) explained: Explained,
    pub(crate) insights: Vec<StoredInsight>,
    pub(crate) feedback: Vec<Feedback>,
    model: ScoreModel,
    heatmap: Heatmap,
    tasks: Vec<OnboardingTask>,
    launch_kit: LaunchKitTimes,
    history: Vec<ScoreRow>,
}

impl Overview {
    /// Reads everything. The score is the one that is shown everywhere.
    pub(crate) async fn load(
        mainstay: &Mainstay,
        scope: Scope,
        client: Client,
        view: &View,
    ) -> Result<Self> {
        let today = view.today();
        let explained = mainstay.shown_score(scope, &client).await?;
        let context = mainstay.context_in(scope).await?;
        let days = (add_days(today, -HISTORY_DAYS), today);
        Ok(Self {
            insights: mainstay.client_insights(scope, client.id, false).await?,
            feedback: mainstay.feedback(scope, client.id, MAX_RATINGS).await?,
            heatmap: mainstay.engagement_heatmap(scope, client.id, view.now()).await?,
            tasks: mainstay.tasks(scope, client.id).await?,
            launch_kit: mainstay.launch_kit(scope, client.id).await?,
            history: mainstay.past_scores(scope, client.id, days).await?,
            model: context.model_of(explained.score.inputs.model),
            explained,
            client,
        })
    }

    /// Whether nothing is known that a score could rest on.
    pub(crate) const fn is_blank(&self) -> bool {
        let inputs = &self.explained.score.inputs;
        inputs.last.is_none()
            && inputs.ratings == 0
            && inputs.settled == 0
            && matches!(inputs.kit, LaunchKit::Unopened)
    }

    pub(crate) const fn model(&self) -> &ScoreModel {
        &self.model
    }

    /// Scores by day, the last of them as it is now.
    fn scores(&self, view: &View) -> Vec<(Date, i64)> {
        let today = view.today();
        self.history
            .iter()
            .map(|row| (row.day, row.score.overall))
            .filter(|(day, _)| *day < today)
            .chain([(today, self.explained.score.overall)])
            .collect()
    }

    /// The days on which scores by another version of the model begin, with its number.
    fn model_changes(&self, view: &View) -> Vec<(Date, i64)> {
        let today = view.today();
        let versions: Vec<(Date, i64)> = self
            .history
            .iter()
            .map(|row| (row.day, row.score.inputs.model))
            .filter(|(day, _)| *day < today)
            .chain([(today, self.explained.score.inputs.model)])
            .collect();
        versions.windows(2).filter(|pair| pair[0].1 != pair[1].1).map(|pair| pair[1]).collect()
    }

    pub(crate) fn score_card(&self, view: &View) -> SuccessScoreCard {
        let details =
            Details { tasks: &self.tasks, launch_kit: self.launch_kit, feedback: &self.feedback };
        let before = self.explained.score.previous.and_then(|previous| {
            let row = self.history.iter().find(|row| row.score.inputs.as_of == previous.as_of)?;
            let inputs = &row.score.inputs;
            // By the model of the score that it is compared with, as `previous` is.
            Some(contributions(inputs, &self.model))
        });
        SuccessScoreCard::new(
            view,
            &self.explained,
            &self.model,
            details,
            &weekly(&self.scores(view), view.today()),
            before.as_ref(),
        )
    }

    pub(crate) fn improvements(&self, view: &View) -> Improvements {
        Improvements::new(view, &self.explained, &self.model, &self.tasks)
    }

    pub(crate) fn insights_card(&self, view: &View) -> WeeklyInsightsCard {
        WeeklyInsightsCard::new(view, &self.insights, Some(next_insights(view.today())))
    }

    pub(crate) fn heatmap(&self, view: &View) -> EngagementHeatmap {
        EngagementHeatmap::new(view, &self.heatmap, self.since(view))
    }

    pub(crate) fn history(&self, view: &View, alerts: &[AlertMark]) -> ScoreHistory {
        let today = view.today();
        let compared = self.explained.score.previous.map(|it| local_day(it.as_of, view.zone()));
        ScoreHistory::new(
            view,
            (add_days(today, -HISTORY_DAYS), today),
            &self.scores(view),
            &self.model,
            compared,
            (alerts, &self.model_changes(view)),
        )
    }

    pub(crate) fn tasks(&self, view: &View) -> OnboardingTasks {
        OnboardingTasks::new(view, &self.tasks)
    }

    pub(crate) fn launch_kit(&self, view: &View) -> LaunchKitCard {
        LaunchKitCard::new(view, self.launch_kit)
    }

    pub(crate) fn feedback_form(&self, view: &View) -> FeedbackForm {
        FeedbackForm::new(view, &self.feedback)
    }

    pub(crate) fn feedback_list(&self, view: &View) -> FeedbackList {
        FeedbackList::new(view, &self.feedback)
    }

    fn since(&self, view: &View) -> Date {
        local_day(self.client.created_at, view.zone())
    }
}

/// The day on which the next weekly insights are written: a Sunday.
pub(crate) fn next_insights(today: Date) -> Date {
    let days = today.weekday().until(Weekday::Sunday);
    add_days(today, if days == 0 { 7 } else { i32::from(days) })
}
