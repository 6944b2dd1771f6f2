//! Going on with a merge, or back, a piece at a time.

use jiff::{Timestamp, tz::TimeZone};
use mainstay_core::{
    id::MergeId,
    time::{add_days, local_day},
};

use super::{Merge, MergeState};
use crate::{
    ClientRange, Result, Tx,
    db::{
        dialect::{Instant, execute},
        lock::Lock,
    },
};

impl Tx {
    /// Goes a step on with a merge: moves about `events` events, or does all the rest when there are no
    /// more. Answers how far it is then.
    pub async fn merge_step(
        &mut self,
        merge: MergeId,
        zone: &TimeZone,
        now: Timestamp,
        events: usize,
    ) -> Result<MergeState> {
        self.lock_organization(Lock::DeleteClients).await?;
        self.lock_organization(Lock::SettleEvents).await?;
        let Some(merge) = self.find_merge(merge).await? else { return Ok(MergeState::Failed) };
        let state = match merge.state {
            MergeState::Waiting | MergeState::Merging => {
                self.step_forward(&merge, zone, now, events).await?
            }
            MergeState::Undoing => self.step_back(&merge, zone, now, events).await?,
            ended => return Ok(ended),
        };
        if state != merge.state {
            execute!(
                self,
                "UPDATE client_merges SET state = $3, \
                 finished_at = CASE WHEN $3 IN ('done', 'failed') THEN $4 ELSE finished_at END, \
                 undone_at = CASE WHEN $3 = 'undone' THEN $4 ELSE undone_at END \
                 WHERE organization_id = $1 AND id = $2",
                self.scope.organization_uuid(),
                merge.id.uuid(),
                state.as_str(),
                Instant(now)
            )?;
        }
        Ok(state)
    }

    async fn step_forward(
        &mut self,
        merge: &Merge,
        zone: &TimeZone,
        now: Timestamp,
        events: usize,
    ) -> Result<MergeState> {
        let gone = self.find_resolved_client(&merge.previous_id).await?;
        let Some(kept) = self.find_surviving_client(merge).await? else {
            return Ok(MergeState::Failed);
        };
        let Some(gone) = gone else { return Ok(MergeState::Failed) };
        // An earlier merge has made one of them already.
        if gone.id == kept.id {
            return Ok(MergeState::Settled);
        }
        if merge.previous_client.is_some_and(|began| began != gone.id) {
            return Ok(MergeState::Failed);
        }
        if merge.of_visitor && self.is_known(gone.id).await? {
            // Since the request; what was moved goes back.
            let began = merge.state == MergeState::Merging;
            return Ok(if began { MergeState::Undoing } else { MergeState::Failed });
        }
        self.gather_activity().await?;
        // No event is earlier than its client; events can lie a day ahead.
        let first = add_days(local_day(gone.created_at.min(kept.created_at), zone), -1);
        let days = (first, add_days(local_day(now, zone), 2));
        let (moved, more) =
            self.move_events_on(merge.id, (gone.id, kept.id), days, zone, events).await?;
        self.move_clients_back(&[(kept.id, gone.created_at)]).await?;
        execute!(
            self,
            "UPDATE client_merges SET events = events + $3, previous_client = $4, client_id = $5, \
             client_since = COALESCE(client_since, $6) WHERE organization_id = $1 AND id = $2",
            self.scope.organization_uuid(),
            merge.id.uuid(),
            moved,
            gone.id.uuid(),
            kept.id.uuid(),
            Instant(kept.created_at)
        )?;
        if more {
            return Ok(MergeState::Merging);
        }
        self.move_untimed_messages((gone.id, kept.id), now).await?;
        self.move_records(merge.id, (gone.id, kept.id)).await?;
        self.remove_client(gone.id, now).await?;
        self.assign_external_id(&merge.previous_id, kept.id, merge.of_visitor, now).await?;
        self.mark_changed(ClientRange::of(kept.id));
        Ok(MergeState::Done)
    }

    async fn step_back(
        &mut self,
        merge: &Merge,
        zone: &TimeZone,
        now: Timestamp,
        events: usize,
    ) -> Result<MergeState> {
        let Some(gone) = merge.previous_client else { return Ok(MergeState::Failed) };
        let kept = merge.client;
        self.gather_activity().await?;
        // Whether the last step forward was taken, and none back.
        if self.has_moved_records(merge.id).await? {
            self.release_external_id(&merge.previous_id, kept).await?;
            self.move_records_back(merge, (gone, kept)).await?;
            self.move_untimed_messages_back(merge.id, (gone, kept), now).await?;
            self.forget_records(merge.id).await?;
            self.invalidate_known_clients().await?;
        }
        let more = self.move_events_back(merge.id, (gone, kept), zone, now, events).await?;
        self.mark_changed(ClientRange::of(kept));
        self.mark_changed(ClientRange::of(gone));
        if more {
            return Ok(MergeState::Undoing);
        }
        // Whoever undid it knows both.
        self.mark_known(&[gone, kept]).await?;
        Ok(MergeState::Undone)
    }
}
