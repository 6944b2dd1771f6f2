use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    alert::AlertType,
    playbook::{BandChange, PlaybookAction, Trigger},
    time::{add_days, local_day},
};
use mainstay_store::{ClientChunk, NewPlaybookRun, Occasion, StoredPlaybook, Tx, Waits, new_id};

use super::{approval::PlaybookCounts, start::Starting};
use crate::{
    Mainstay, Result,
    alert::{Activity, Holds},
    email::Nudge,
    organization::Context,
    score::Scores,
};

/// Days back that a score may lie for the next one's band to be compared with its. Whoever computes
/// scores less often cannot tell a change from a new beginning.
const DAYS_BACK: i32 = 31;

/// The playbooks that answer changes of the band, while scores are computed for an instant.
pub(crate) struct BandPlaybooks {
    as_of: Timestamp,
    day: Date,
    playbooks: Vec<StoredPlaybook>,
    context: Context,
}

impl Mainstay {
    /// The playbooks that scores of an instant may start; `None` when there are none, or it is not the
    /// present. So whoever has none pays one query a run.
    pub(crate) async fn band_playbooks(
        &self,
        tx: &mut Tx,
        as_of: Timestamp,
    ) -> Result<Option<BandPlaybooks>> {
        let mut playbooks = tx.playbooks().await?;
        playbooks.retain(|one| one.enabled && matches!(one.playbook.trigger, Trigger::Band { .. }));
        if playbooks.is_empty() || !self.is_present(as_of) {
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

    /// Starts what answers the bands of a chunk's scores, in the transaction that stores them and
    /// before they take the place of others.
    pub(crate) async fn answer_bands(
        &self,
        tx: &mut Tx,
        bands: &BandPlaybooks,
        chunk: &ClientChunk,
        scores: &Scores,
    ) -> Result<()> {
        let BandPlaybooks { as_of, day, playbooks, context } = bands;
        tx.lock_known_clients().await?;
        let days = (add_days(*day, -DAYS_BACK), *day);
        let latest = tx.latest_scores(chunk, days).await?;
        let holds = Holds::load(tx, *as_of).await?;
        let keys = holds.keys_of(tx, chunk).await?;
        let mut starting = Starting::default();
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
            let held = change.is_fall() && holds.hold(AlertType::ScoreDrop, &activity);
            for stored in playbooks {
                if !stored.playbook.trigger.is_met_by_band(change) {
                    continue;
                }
                if tasks.is_none() && stored.playbook.actions.contains(&PlaybookAction::Nudge) {
                    tasks = Some(tx.open_tasks(chunk, *as_of).await?);
                }
                let run = NewPlaybookRun {
                    id: new_id(*as_of),
                    playbook: stored.id,
                    name: stored.playbook.name.clone(),
                    client: *client,
                    occasion: Occasion::Band { day: *day, change },
                    found_at: *as_of,
                    waits: held.then_some(Waits::ForData),
                };
                let open = tasks.as_ref().and_then(|tasks| tasks.get(client));
                let open = open.map(Vec::as_slice).unwrap_or_default();
                starting.add(stored, run, || Nudge::new(*client, score.clone(), &model, open));
            }
        }
        let mut counts = PlaybookCounts::default();
        counts.load(tx, *as_of).await?;
        counts.limit(&mut starting);
        self.start_playbooks(tx, context, chunk, starting).await
    }
}
