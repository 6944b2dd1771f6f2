use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    alert::AlertType,
    playbook::{BandChange, PlaybookAction, Trigger},
    time::{add_days, local_day},
};
use mainstay_store::{
    ClientChunk, NewPlaybookRun, StoredPlaybook, TriggerSource, Tx, WaitReason, new_id,
};

use super::{approval::PlaybookCounts, start::PendingRuns};
use crate::{
    Mainstay, Result,
    alert::{Activity, Holds},
    email::Nudge,
    organization::Context,
    score::Scores,
};

/// Maximum age of a previous score in days for detecting a change of band.
const DAYS_BACK: i32 = 31;

/// Playbooks triggered by changes of band, during the computation of scores.
pub(crate) struct BandPlaybooks {
    as_of: Timestamp,
    day: Date,
    playbooks: Vec<StoredPlaybook>,
    context: Context,
}

impl Mainstay {
    /// Loads the playbooks that scores of an instant may start; `None` if there are none, or the
    /// instant is too old.
    pub(crate) async fn band_playbooks(
        &self,
        tx: &mut Tx,
        as_of: Timestamp,
    ) -> Result<Option<BandPlaybooks>> {
        let mut playbooks = tx.list_playbooks().await?;
        playbooks.retain(|one| one.enabled && matches!(one.playbook.trigger, Trigger::Band { .. }));
        if playbooks.is_empty() || !self.is_recent_enough(as_of) {
            return Ok(None);
        }
        let context = Context::load(tx).await?;
        // A score of a later instant is stored: this one is no news.
        if context.organization.scored_until.is_some_and(|until| until > as_of) {
            return Ok(None);
        }
        let day = local_day(as_of, &context.zone);
        Ok(Some(BandPlaybooks { as_of, day, playbooks, context }))
    }

    /// Starts the playbooks for changes of band in a chunk, in the transaction that stores the
    /// scores, before they replace the previous ones.
    pub(crate) async fn start_band_playbooks(
        &self,
        tx: &mut Tx,
        bands: &BandPlaybooks,
        chunk: &ClientChunk,
        scores: &Scores,
    ) -> Result<()> {
        let BandPlaybooks { as_of, day, playbooks, context } = bands;
        tx.lock_known_clients().await?;
        let days = (add_days(*day, -DAYS_BACK), *day);
        let latest = tx.list_latest_scores(chunk, days).await?;
        let holds = Holds::load(tx, *as_of).await?;
        let keys = holds.keys_of(tx, chunk).await?;
        let mut pending_runs = PendingRuns::default();
        let mut tasks = None;
        for (client, score) in scores {
            // Another model draws other bands; that is not the client's doing.
            let before = latest
                .get(client)
                .filter(|before| before.as_of <= *as_of && before.model == score.inputs.model);
            let model = context.model_of(score.inputs.model);
            let change = before
                .and_then(|before| BandChange::between(model.band(before.overall), score.band));
            let Some(change) = change else { continue };
            // A rise is never the fault of data that are missing.
            let activity = Activity::unknown(keys.get(client).copied());
            let held = change.is_fall() && holds.holds_alert(AlertType::ScoreDrop, &activity);
            for stored in playbooks {
                if !stored.playbook.trigger.matches_band(change) {
                    continue;
                }
                if tasks.is_none() && stored.playbook.actions.contains(&PlaybookAction::Nudge) {
                    tasks = Some(tx.list_open_tasks(chunk, *as_of).await?);
                }
                let run = NewPlaybookRun {
                    id: new_id(*as_of),
                    playbook: stored.id,
                    name: stored.playbook.name.clone(),
                    client: *client,
                    trigger_source: TriggerSource::Band { day: *day, change },
                    found_at: *as_of,
                    waits: held.then_some(WaitReason::Data),
                };
                let open = tasks.as_ref().and_then(|tasks| tasks.get(client));
                let open = open.map(Vec::as_slice).unwrap_or_default();
                pending_runs.add(stored, run, || Nudge::new(*client, score.clone(), &model, open));
            }
        }
        let mut counts = PlaybookCounts::default();
        counts.load(tx, *as_of).await?;
        counts.limit(&mut pending_runs);
        self.start_playbooks(tx, context, chunk, pending_runs).await
    }
}
