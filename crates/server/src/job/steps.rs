use jiff::Timestamp;
use mainstay_core::{
    id::OrganizationId,
    job::{Job, Step},
};
use mainstay_store::{JobRun, Scope};

use super::run::Progress;
use crate::{Error, Mainstay, Result, score::ClientScore};

impl Mainstay {
    /// Executes the steps of a run that an earlier attempt has not finished.
    pub(super) async fn run_steps(
        &self,
        organization: OrganizationId,
        run: &JobRun,
        progress: &Progress,
    ) -> Result<()> {
        let job: Job = run.job.parse().map_err(|error: mainstay_core::insight::UnknownName| {
            Error::invalid("job", error.to_string())
        })?;
        let clients =
            self.store().read(Scope::Service(organization)).await?.count_clients().await?;
        for step in job.steps() {
            if progress.has_ended(step.as_str()) {
                continue;
            }
            progress.begin(step.as_str(), clients);
            let count = self.run_step(organization, *step, run.period, progress).await?;
            progress.end(step.as_str(), count);
        }
        Ok(())
    }

    async fn run_step(
        &self,
        organization: OrganizationId,
        step: Step,
        period: Timestamp,
        progress: &Progress,
    ) -> Result<u64> {
        match step {
            Step::Scores => {
                // Whenever the job runs: everybody's as of its last event or the last midnight.
                let each = |scores: Vec<ClientScore>| progress.advance(scores.len());
                self.score_as_shown(organization, None, false, each).await
            }
            Step::Insights => {
                self.write_weekly_insights(organization, period, |insights| {
                    progress.advance(insights.len());
                })
                .await
            }
            Step::Emails => {
                self.queue_weekly_emails(organization, period, |mails| progress.advance(mails))
                    .await
            }
            Step::Health => {
                let checked = self.check_organization_health(organization, self.now(), None, false);
                match checked.await {
                    Ok(changes) => Ok(changes.len() as u64),
                    // Somebody has checked for a later instant meanwhile.
                    Err(Error::Invalid { field, .. }) if field == "as_of" => Ok(0),
                    Err(error) => Err(error),
                }
            }
            Step::CleanInsights => {
                self.expire_waiting_events(organization).await?;
                self.clean_expired_insights(organization).await
            }
            Step::Digest => self.queue_digests(organization, period).await,
        }
    }
}
