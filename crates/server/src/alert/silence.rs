//! Detection of missing data, and the alerts it holds back.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    alert::{
        ActiveDays, AlertFacts, AlertType, DataFlow, MIN_TIME_TO_RETURN, SilentHours, TimeRange,
        held_until, is_new_normal,
    },
    id::{ApiKeyId, ClientId, OrganizationId},
    notification::{Event, SilenceNotification},
    time::start_of_day,
};
use mainstay_store::{ClientChunk, DataSilence, KeySilence, Scope, Tx, hour_of};

use crate::{Mainstay, Result, notification::notify_all_webhooks, organization::Context};

/// How long silences of keys matter: longer than any client's usual gap.
const SILENCE_RETENTION: SignedDuration = SignedDuration::from_hours(24 * 60);
/// How long hourly activity of keys is kept: four weeks before a silence of some weeks.
const KEY_ACTIVITY_RETENTION: SignedDuration = SignedDuration::from_hours(24 * 70);

/// The missing data of an organization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingData {
    /// The silence of all or most data.
    pub silence: Option<DataSilence>,
    /// The silences of single keys.
    pub keys: Vec<KeySilence>,
    /// The number of held open alerts.
    pub held_alerts: i64,
}

impl MissingData {
    /// Whether any data is missing.
    pub fn is_some(&self) -> bool {
        self.silence.is_some() || !self.keys.is_empty()
    }
}

/// An ongoing or an ended silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SilenceState {
    Lasts,
    Ended(Timestamp),
}

impl SilenceState {
    fn holds(self, kind: AlertType, client: &Activity, as_of: Timestamp) -> bool {
        let Self::Ended(ended) = self else { return true };
        let silence = matches!(kind, AlertType::Inactivity | AlertType::ZeroActivity);
        // A client that came back after the silence may fall silent again.
        let back = silence && client.silent_since >= ended;
        !back && as_of < held_until(ended, client.usual_gap_days)
    }
}

/// The activity that decides how long a client's alerts are held.
pub(crate) struct Activity {
    /// The client's usual key.
    pub(crate) key: Option<ApiKeyId>,
    /// Its last event.
    pub(crate) silent_since: Timestamp,
    /// [`AlertFacts::usual_gap_days`].
    pub(crate) usual_gap_days: Option<i32>,
}

impl Activity {
    pub(super) fn of(facts: &AlertFacts, key: Option<ApiKeyId>) -> Self {
        Self { key, silent_since: facts.silent_since(), usual_gap_days: facts.usual_gap_days }
    }

    /// For a client with unknown activity, with the minimum time to return.
    pub(crate) const fn unknown(key: Option<ApiKeyId>) -> Self {
        Self { key, silent_since: Timestamp::MIN, usual_gap_days: None }
    }
}

/// What is held because of missing data at an instant: alerts that depend on recent activity are
/// evaluated as usual, but not reported.
pub(crate) struct Holds {
    as_of: Timestamp,
    data: Option<SilenceState>,
    keys: HashMap<ApiKeyId, SilenceState>,
}

impl Holds {
    /// Loads the detected silences as of an instant.
    pub(crate) async fn load(tx: &mut Tx, as_of: Timestamp) -> Result<Self> {
        let data = match tx.find_data_silence().await? {
            Some(_) => Some(SilenceState::Lasts),
            None => tx.find_last_data_silence_end().await?.map(SilenceState::Ended),
        };
        let since = as_of.checked_sub(SILENCE_RETENTION).unwrap_or(Timestamp::MIN);
        let ended = tx.list_key_silence_ends(since).await?;
        let mut keys: HashMap<ApiKeyId, SilenceState> =
            ended.into_iter().map(|(key, at)| (key, SilenceState::Ended(at))).collect();
        let silent = tx.list_key_silences().await?;
        keys.extend(silent.into_iter().map(|silence| (silence.key, SilenceState::Lasts)));
        Ok(Self { as_of, data, keys })
    }

    /// Those after changes that are not noticed yet.
    pub(crate) fn after(mut self, changes: &SilenceChanges) -> Self {
        match &changes.data {
            None => {}
            Some(DataChange::Began { .. }) => self.data = Some(SilenceState::Lasts),
            Some(DataChange::Ended { .. }) => self.data = Some(SilenceState::Ended(self.as_of)),
        }
        let ended = changes.ended_keys.iter().map(|one| (one.key, SilenceState::Ended(self.as_of)));
        let silent = changes.silent_keys.iter().map(|one| (one.key, SilenceState::Lasts));
        self.keys.extend(ended.chain(silent));
        self
    }

    /// The usual keys of a chunk of clients, if relevant.
    pub(crate) async fn keys_of(
        &self,
        tx: &mut Tx,
        chunk: &ClientChunk,
    ) -> Result<HashMap<ClientId, ApiKeyId>> {
        if self.keys.is_empty() {
            return Ok(HashMap::new());
        }
        Ok(tx.find_usual_keys(chunk).await?)
    }

    /// Whether alerts of a type, and equivalent messages, are held for a client.
    pub(crate) fn holds_alert(&self, kind: AlertType, client: &Activity) -> bool {
        let key = client.key.and_then(|key| self.keys.get(&key));
        let holds = |state: Option<&SilenceState>| {
            state.is_some_and(|state| state.holds(kind, client, self.as_of))
        };
        kind.depends_on_activity() && (holds(self.data.as_ref()) || holds(key))
    }

    /// The clients of a chunk whose low activity is not reported.
    pub(crate) async fn withheld(
        &self,
        tx: &mut Tx,
        chunk: &ClientChunk,
    ) -> Result<HashSet<ClientId>> {
        let keys = self.keys_of(tx, chunk).await?;
        let clients = chunk.clients.iter().map(|(client, _)| client.id);
        Ok(clients
            .filter(|client| {
                self.holds_alert(
                    AlertType::ScoreDrop,
                    &Activity::unknown(keys.get(client).copied()),
                )
            })
            .collect())
    }
}

impl Mainstay {
    /// The missing data of an organization, as of the last health check.
    pub async fn missing_data(&self, scope: Scope) -> Result<MissingData> {
        let mut tx = self.store().read(scope).await?;
        Ok(MissingData {
            silence: tx.find_data_silence().await?,
            keys: tx.list_key_silences().await?,
            held_alerts: tx.count_held_alerts().await?,
        })
    }

    /// Detects started and ended silences as of an instant, before recent activity is evaluated.
    pub(crate) async fn refresh_data_silence(
        &self,
        organization: OrganizationId,
        as_of: Timestamp,
    ) -> Result<()> {
        if !self.settles_silences(as_of) {
            return Ok(());
        }
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        tx.lock_health_check().await?;
        let context = Context::load(&mut tx).await?;
        update_silences(&mut tx, &context, (as_of, self.now())).await?;
        Ok(tx.commit().await?)
    }

    /// What [`Mainstay::refresh_data_silence`] would notice.
    pub(crate) async fn foresee_data_silence(
        &self,
        tx: &mut Tx,
        context: &Context,
        as_of: Timestamp,
    ) -> Result<SilenceChanges> {
        if !self.settles_silences(as_of) {
            return Ok(SilenceChanges::default());
        }
        SilenceChanges::find(tx, context, as_of).await
    }

    /// Whether figures as of an instant are of the present: those for the past change nothing of it.
    fn settles_silences(&self, as_of: Timestamp) -> bool {
        self.now().duration_since(as_of) <= MIN_TIME_TO_RETURN
    }
}

/// Whether the data were silent for a day at least of `[from, to)`, also by changes that are not noticed
/// yet: what a client did in that time is not known.
pub(crate) async fn were_data_silent(
    tx: &mut Tx,
    (from, to): (Timestamp, Timestamp),
    changes: &SilenceChanges,
) -> Result<bool> {
    let mut silences = tx.list_data_silences_within(from, to).await?;
    if let Some(DataChange::Began { silence, .. }) = &changes.data
        && silence.since < to
    {
        silences.push((silence.since, None));
    }
    let silent: SignedDuration = silences
        .into_iter()
        .map(|(since, ended)| ended.unwrap_or(to).min(to).duration_since(since.max(from)))
        .sum();
    Ok(silent >= MIN_TIME_TO_RETURN)
}

/// Silences that have detect_silence or ended as of an instant, and are not noticed yet.
#[derive(Default)]
pub(crate) struct SilenceChanges {
    data: Option<DataChange>,
    ended_keys: Vec<KeySilence>,
    silent_keys: Vec<KeySilence>,
}

/// What has become of the silence of all data, or of most.
enum DataChange {
    Began { silence: DataSilence, last_event_at: Timestamp },
    Ended { since: Timestamp },
}

impl SilenceChanges {
    /// Finds them by looking.
    pub(super) async fn find(tx: &mut Tx, context: &Context, as_of: Timestamp) -> Result<Self> {
        let lasting = tx.find_data_silence().await?;
        let data = match &lasting {
            Some(silence) => find_end(tx, context, as_of, silence).await?,
            None => find_begin(tx, context, as_of).await?,
        };
        let keys = tx.list_key_silences().await?;
        let mut ended_keys = Vec::new();
        for silence in &keys {
            let flow = flow_of_key(tx, context, as_of, silence).await?;
            if flow.is_usual() || (flow.events > 0 && is_new_normal(silence.since, as_of)) {
                ended_keys.push(silence.clone());
            }
        }
        let silence = match &data {
            None => lasting.as_ref(),
            Some(DataChange::Began { silence, .. }) => Some(silence),
            Some(DataChange::Ended { .. }) => None,
        };
        let silent_keys = if silence.is_some_and(|silence| silence.clients.is_none()) {
            // Nothing comes at all: one notice says it.
            Vec::new()
        } else {
            find_silent_keys(tx, context, as_of, &keys).await?
        };
        Ok(Self { data, ended_keys, silent_keys })
    }
}

/// Detects started and ended silences as of an instant, and notifies about them.
pub(super) async fn update_silences(
    tx: &mut Tx,
    context: &Context,
    (as_of, now): (Timestamp, Timestamp),
) -> Result<()> {
    let SilenceChanges { data, ended_keys, silent_keys } =
        SilenceChanges::find(tx, context, as_of).await?;
    let notice = |last_event_at| SilenceNotification {
        organization: context.organization.slug.clone(),
        last_event_at,
        clients: None,
        write_key: None,
    };
    let of_key = |silence: &KeySilence| SilenceNotification {
        write_key: Some(silence.prefix.clone()),
        ..notice(silence.since)
    };
    let mut events = Vec::new();
    match data {
        None => {}
        Some(DataChange::Began { silence, last_event_at }) => {
            tx.begin_data_silence(&silence).await?;
            let clients = silence.clients;
            events
                .push(Event::DataSilent(SilenceNotification { clients, ..notice(last_event_at) }));
        }
        Some(DataChange::Ended { since }) => {
            tx.end_data_silence(as_of).await?;
            events.push(Event::DataResumed(notice(since)));
        }
    }
    for silence in &ended_keys {
        tx.end_key_silence(silence.key, as_of).await?;
        events.push(Event::DataResumed(of_key(silence)));
    }
    for silence in &silent_keys {
        tx.begin_key_silence(silence.key, silence.since, as_of).await?;
        events.push(Event::DataSilent(of_key(silence)));
    }
    for event in &events {
        notify_all_webhooks(tx, &context.organization, event, as_of, now).await?;
    }
    let keep_from = as_of.checked_sub(KEY_ACTIVITY_RETENTION).unwrap_or(Timestamp::MIN);
    Ok(tx.delete_key_activity(hour_of(keep_from)).await?)
}

/// That a silence of the data is over, if it is.
async fn find_end(
    tx: &mut Tx,
    context: &Context,
    as_of: Timestamp,
    silence: &DataSilence,
) -> Result<Option<DataChange>> {
    let flow = full_flow(tx, context, as_of, Some(silence.since)).await?;
    let mut over = flow.is_usual();
    if !over && flow.events > 0 && is_new_normal(silence.since, as_of) {
        let lately = full_flow(tx, context, as_of, None).await?;
        over = !lately.has_dropped();
    }
    Ok(over.then_some(DataChange::Ended { since: silence.since }))
}

/// That the data have fallen silent, if they have.
async fn find_begin(
    tx: &mut Tx,
    context: &Context,
    as_of: Timestamp,
) -> Result<Option<DataChange>> {
    let Some(last_event_at) = tx.find_last_event_before(as_of).await? else { return Ok(None) };
    let clients = match detect_silence(tx, context, as_of).await? {
        None => return Ok(None),
        Some(SilenceStart::Stopped) => None,
        Some(SilenceStart::Thinned { clients, usual }) => Some((clients, usual)),
    };
    // A part that is missing was missed since the day that shows it.
    let since = if clients.is_some() {
        let [_, yesterday] = ActiveDays::at(as_of, None, &context.zone).now;
        start_of_day(yesterday, &context.zone)
    } else {
        last_event_at
    };
    let silence = DataSilence { since, noticed_at: as_of, clients, held_alerts: 0 };
    Ok(Some(DataChange::Began { silence, last_event_at }))
}

/// The evidence of a new silence.
enum SilenceStart {
    Stopped,
    Thinned { clients: i64, usual: i64 },
}

/// Detects a new silence. Optimized for the usual case that there is none.
async fn detect_silence(
    tx: &mut Tx,
    context: &Context,
    as_of: Timestamp,
) -> Result<Option<SilenceStart>> {
    let hours = SilentHours::at(as_of, None, &context.zone);
    let any = |some: bool| i64::from(some);
    let mut flow = DataFlow {
        events: any(tx.has_event(hours.now.0, hours.now.1).await?),
        ..DataFlow::default()
    };
    if flow.events == 0 {
        for (from, to) in &hours.before {
            flow.events_before.push(any(tx.has_event(*from, *to).await?));
        }
        if flow.has_stopped() {
            return Ok(Some(SilenceStart::Stopped));
        }
    }
    let days = ActiveDays::at(as_of, None, &context.zone);
    for day in days.now {
        flow.clients = flow.clients.max(tx.count_active_clients(day).await?);
    }
    for day in &days.before {
        flow.clients_before.push(tx.count_active_clients(*day).await?);
        if !flow.has_dropped() {
            return Ok(None);
        }
    }
    Ok(flow.usual_clients().map(|usual| SilenceStart::Thinned { clients: flow.clients, usual }))
}

/// The rate of all data, compared with before an ongoing silence.
async fn full_flow(
    tx: &mut Tx,
    context: &Context,
    as_of: Timestamp,
    since: Option<Timestamp>,
) -> Result<DataFlow> {
    let hours = SilentHours::at(as_of, since, &context.zone);
    let days = ActiveDays::at(as_of, since, &context.zone);
    let mut flow = DataFlow {
        events: tx.count_events(hours.now.0, hours.now.1).await?,
        ..DataFlow::default()
    };
    for (from, to) in &hours.before {
        flow.events_before.push(tx.count_events(*from, *to).await?);
    }
    for day in days.now {
        flow.clients = flow.clients.max(tx.count_active_clients(day).await?);
    }
    for day in &days.before {
        flow.clients_before.push(tx.count_active_clients(*day).await?);
    }
    Ok(flow)
}

/// Events per key in the hours of a range.
async fn events_by_key(tx: &mut Tx, (from, to): TimeRange) -> Result<HashMap<ApiKeyId, i64>> {
    Ok(tx.count_key_events(hour_of(from), hour_of(to) + 1).await?)
}

async fn flow_of_key(
    tx: &mut Tx,
    context: &Context,
    as_of: Timestamp,
    silence: &KeySilence,
) -> Result<DataFlow> {
    let hours = SilentHours::at(as_of, Some(silence.since), &context.zone);
    let of = |events: HashMap<ApiKeyId, i64>| events.get(&silence.key).copied().unwrap_or(0);
    let mut flow =
        DataFlow { events: of(events_by_key(tx, hours.now).await?), ..DataFlow::default() };
    for stretch in hours.before {
        flow.events_before.push(of(events_by_key(tx, stretch).await?));
    }
    Ok(flow)
}

/// The keys that have fallen silent beside those that were silent already, or until now.
async fn find_silent_keys(
    tx: &mut Tx,
    context: &Context,
    as_of: Timestamp,
    known: &[KeySilence],
) -> Result<Vec<KeySilence>> {
    let hours = SilentHours::at(as_of, None, &context.zone);
    let current = events_by_key(tx, hours.now).await?;
    let mut before = Vec::with_capacity(hours.before.len());
    for stretch in hours.before {
        before.push(events_by_key(tx, stretch).await?);
    }
    let of = |events: &HashMap<ApiKeyId, i64>, key| events.get(&key).copied().unwrap_or(0);
    let keys = tx.list_api_keys().await?;
    let candidates = keys
        .into_iter()
        .filter(|key| key.revoked_at.is_none())
        .filter(|key| known.iter().all(|silence| silence.key != key.id))
        .filter(|key| {
            DataFlow {
                events: of(&current, key.id),
                events_before: before.iter().map(|events| of(events, key.id)).collect(),
                ..DataFlow::default()
            }
            .has_stopped()
        });
    let mut last_hours = None;
    let mut silent = Vec::new();
    for key in candidates {
        let last_hours = match &last_hours {
            Some(hours) => hours,
            None => last_hours.insert(tx.list_last_key_hours(hour_of(as_of)).await?),
        };
        let Some(hour) = last_hours.get(&key.id) else { continue };
        let since = Timestamp::from_second((hour + 1) * 3_600).unwrap_or(as_of);
        silent.push(KeySilence { key: key.id, prefix: key.prefix, since, noticed_at: as_of });
    }
    Ok(silent)
}
