use jiff::Timestamp;
use mainstay_core::{
    health::{SilentHours, data_are_silent},
    notice::{Event, SilenceNotice},
};
use mainstay_store::{DataSilence, Scope, Tx};

use crate::{Mainstay, Result, notice::tell_all, organization::Context};

impl Mainstay {
    /// The silence of an organization's data that lasts, as of the last health check.
    pub async fn data_silence(&self, scope: Scope) -> Result<Option<DataSilence>> {
        Ok(self.store().read(scope).await?.data_silence().await?)
    }
}

/// Notices that a silence of the data has begun or ended as of an instant, and tells it; answers
/// whether one lasts.
pub(super) async fn settle_silence(
    tx: &mut Tx,
    context: &Context,
    (as_of, now): (Timestamp, Timestamp),
) -> Result<bool> {
    let hours = SilentHours::at(as_of, &context.zone);
    let some_now = tx.any_event(hours.now.0, hours.now.1).await?;
    let notice = |last_event_at| SilenceNotice {
        organization: context.organization.slug.clone(),
        last_event_at,
    };
    if let Some(silence) = tx.data_silence().await? {
        if some_now {
            tx.end_data_silence(as_of).await?;
            let resumed = Event::DataResumed(notice(silence.since));
            tell_all(tx, &context.organization, &resumed, as_of, now).await?;
        }
        return Ok(!some_now);
    }
    if some_now {
        return Ok(false);
    }
    let mut before = Vec::with_capacity(hours.before.len());
    for (from, to) in &hours.before {
        before.push(tx.any_event(*from, *to).await?);
    }
    if !data_are_silent(some_now, &before) {
        return Ok(false);
    }
    if let Some(since) = tx.last_event_before(as_of).await? {
        tx.begin_data_silence(since, as_of).await?;
        let silent = Event::DataSilent(notice(since));
        tell_all(tx, &context.organization, &silent, as_of, now).await?;
    }
    Ok(true)
}
