//! Silences of the data: noticing them, and what they hold back.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    alert::{
        ActiveDays, AlertType, DataFlow, HealthFacts, MIN_TIME_TO_RETURN, SilentHours, Stretch,
        held_until, is_new_normal,
    },
    id::{ApiKeyId, ClientId, OrganizationId},
    notification::{Event, SilenceNotice},
    time::start_of_day,
};
use mainstay_store::{ClientChunk, DataSilence, KeySilence, Scope, Tx, hour_of};

use crate::{Mainstay, Result, notification::tell_all, organization::Context};

/// How far back silences of keys still matter: longer than any client's usual gap that is known.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24 * 60);
/// How long it is kept which hours brought events with a key: four weeks before a silence of some weeks.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 70);

/// What of an organization's data is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingData {
    /// The silence of all data, or of most.
    pub silence: Option<DataSilence>,
    /// The silences of single keys.
    pub keys: Vec<KeySilence>,
    /// Open alerts that are held back, for either reason.
    pub held_alerts: i64,
}

impl MissingData {
    /// Whether anything is missing.
    pub fn is_some(&self) -> bool {
        self.silence.is_some() || !self.keys.is_empty()
    }
}

/// A silence that lasts, or one that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Lasts,
    Ended(Timestamp),
}

impl State {
    fn holds(self, kind: AlertType, client: &Activity, as_of: Timestamp) -> bool {
        let Self::Ended(ended) = self else { return true };
        let silence = matches!(kind, AlertType::Inactivity | AlertType::ZeroActivity);
        // A client that came back after the silence may fall silent anew.
        let back = silence && client.silent_since >= ended;
        !back && as_of < held_until(ended, client.usual_gap_days)
    }
}

/// What decides how long a client's alerts are held.
pub(crate) struct Activity {
    /// The key that the client usually comes with.
    pub(crate) key: Option<ApiKeyId>,
    /// Since when nothing has come from it.
    pub(crate) silent_since: Timestamp,
    /// [`HealthFacts::usual_gap_days`].
    pub(crate) usual_gap_days: Option<i32>,
}

impl Activity {
    pub(super) fn of(facts: &HealthFacts, key: Option<ApiKeyId>) -> Self {
        Self { key, silent_since: facts.silent_since(), usual_gap_days: facts.usual_gap_days }
    }

    /// Of a client of which no more is known: it is given the least time to come back.
    pub(crate) const fn unknown(key: Option<ApiKeyId>) -> Self {
        Self { key, silent_since: Timestamp::MIN, usual_gap_days: None }
    }
}

/// What silences of the data hold back as of an instant: everything that rests on what came lately is
/// evaluated as always, and delivered to nobody.
pub(crate) struct Holds {
    as_of: Timestamp,
    data: Option<State>,
    keys: HashMap<ApiKeyId, State>,
}

impl Holds {
    /// Those as of an instant, by the silences that are noticed.
    pub(crate) async fn load(tx: &mut Tx, as_of: Timestamp) -> Result<Self> {
        let data = match tx.data_silence().await? {
            Some(_) => Some(State::Lasts),
            None => tx.last_data_silence_end().await?.map(State::Ended),
        };
        let since = as_of.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN);
        let ended = tx.key_silence_ends(since).await?;
        let mut keys: HashMap<ApiKeyId, State> =
            ended.into_iter().map(|(key, at)| (key, State::Ended(at))).collect();
        let silent = tx.key_silences().await?;
        keys.extend(silent.into_iter().map(|silence| (silence.key, State::Lasts)));
        Ok(Self { as_of, data, keys })
    }

    /// The keys that a chunk's clients usually come with, as far as that matters.
    pub(crate) async fn keys_of(
        &self,
        tx: &mut Tx,
        chunk: &ClientChunk,
    ) -> Result<HashMap<ClientId, ApiKeyId>> {
        if self.keys.is_empty() {
            return Ok(HashMap::new());
        }
        Ok(tx.usual_keys(chunk).await?)
    }

    /// Whether an alert of a client is held, or what else says the same as one of that type.
    pub(crate) fn hold(&self, kind: AlertType, client: &Activity) -> bool {
        let key = client.key.and_then(|key| self.keys.get(&key));
        let holds = |state: Option<&State>| {
            state.is_some_and(|state| state.holds(kind, client, self.as_of))
        };
        kind.rests_on_activity() && (holds(self.data.as_ref()) || holds(key))
    }

    /// The clients of a chunk of which nobody is told how little came from them.
    pub(crate) async fn withheld(
        &self,
        tx: &mut Tx,
        chunk: &ClientChunk,
    ) -> Result<HashSet<ClientId>> {
        let keys = self.keys_of(tx, chunk).await?;
        let clients = chunk.clients.iter().map(|(client, _)| client.id);
        Ok(clients
            .filter(|client| {
                self.hold(AlertType::ScoreDrop, &Activity::unknown(keys.get(client).copied()))
            })
            .collect())
    }
}

impl Mainstay {
    /// What of an organization's data is missing, as of the last health check.
    pub async fn missing_data(&self, scope: Scope) -> Result<MissingData> {
        let mut tx = self.store().read(scope).await?;
        Ok(MissingData {
            silence: tx.data_silence().await?,
            keys: tx.key_silences().await?,
            held_alerts: tx.count_held_alerts().await?,
        })
    }

    /// Notices silences that have begun or ended as of an instant, before something is made of what
    /// came lately.
    pub(crate) async fn settle_data_silence(
        &self,
        organization: OrganizationId,
        as_of: Timestamp,
    ) -> Result<()> {
        if self.now().duration_since(as_of) > MIN_TIME_TO_RETURN {
            // Figures for the past change nothing of the present.
            return Ok(());
        }
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        tx.lock_health_check().await?;
        let context = Context::load(&mut tx).await?;
        settle_silences(&mut tx, &context, (as_of, self.now())).await?;
        Ok(tx.commit().await?)
    }
}

/// Whether the data were silent for a day at least of `[from, to)`: what a client did in that time is
/// not known.
pub(crate) async fn were_data_silent(tx: &mut Tx, from: Timestamp, to: Timestamp) -> Result<bool> {
    let silences = tx.data_silences_within(from, to).await?;
    let silent: SignedDuration = silences
        .into_iter()
        .map(|(since, ended)| ended.unwrap_or(to).min(to).duration_since(since.max(from)))
        .sum();
    Ok(silent >= MIN_TIME_TO_RETURN)
}

/// Notices that silences of the data have begun or ended as of an instant, and tells it.
pub(super) async fn settle_silences(
    tx: &mut Tx,
    context: &Context,
    moment: (Timestamp, Timestamp),
) -> Result<()> {
    settle_data(tx, context, moment).await?;
    settle_keys(tx, context, moment).await
}

async fn settle_data(
    tx: &mut Tx,
    context: &Context,
    (as_of, now): (Timestamp, Timestamp),
) -> Result<()> {
    let notice = |last_event_at, clients| SilenceNotice {
        organization: context.organization.slug.clone(),
        last_event_at,
        clients,
        write_key: None,
    };
    if let Some(silence) = tx.data_silence().await? {
        let flow = whole_flow(tx, context, as_of, Some(silence.since)).await?;
        let mut over = flow.is_usual();
        if !over && flow.events > 0 && is_new_normal(silence.since, as_of) {
            let lately = whole_flow(tx, context, as_of, None).await?;
            over = !lately.has_thinned();
        }
        if over {
            tx.end_data_silence(as_of).await?;
            let resumed = Event::DataResumed(notice(silence.since, None));
            tell_all(tx, &context.organization, &resumed, as_of, now).await?;
        }
        return Ok(());
    }
    let Some(last) = tx.last_event_before(as_of).await? else { return Ok(()) };
    let clients = match begun(tx, context, as_of).await? {
        None => return Ok(()),
        Some(Begun::Stopped) => None,
        Some(Begun::Thinned { clients, usual }) => Some((clients, usual)),
    };
    // A part that is missing was missed since the day that shows it.
    let since = if clients.is_some() {
        let [_, yesterday] = ActiveDays::at(as_of, None, &context.zone).now;
        start_of_day(yesterday, &context.zone)
    } else {
        last
    };
    let silence = DataSilence { since, noticed_at: as_of, clients, held_alerts: 0 };
    tx.begin_data_silence(&silence).await?;
    let silent = Event::DataSilent(notice(last, clients));
    tell_all(tx, &context.organization, &silent, as_of, now).await
}

/// How a silence shows that has begun.
enum Begun {
    Stopped,
    Thinned { clients: i64, usual: i64 },
}

/// Whether a silence has begun. Asks for no more than it takes to say no, which is nearly always.
async fn begun(tx: &mut Tx, context: &Context, as_of: Timestamp) -> Result<Option<Begun>> {
    let hours = SilentHours::at(as_of, None, &context.zone);
    let any = |some: bool| i64::from(some);
    let mut flow = DataFlow {
        events: any(tx.any_event(hours.now.0, hours.now.1).await?),
        ..DataFlow::default()
    };
    if flow.events == 0 {
        for (from, to) in &hours.before {
            flow.events_before.push(any(tx.any_event(*from, *to).await?));
        }
        if flow.has_stopped() {
            return Ok(Some(Begun::Stopped));
        }
    }
    let days = ActiveDays::at(as_of, None, &context.zone);
    for day in days.now {
        flow.clients = flow.clients.max(tx.count_active_clients(day).await?);
    }
    for day in &days.before {
        flow.clients_before.push(tx.count_active_clients(*day).await?);
        if !flow.has_thinned() {
            return Ok(None);
        }
    }
    Ok(flow.usual_clients().map(|usual| Begun::Thinned { clients: flow.clients, usual }))
}

/// All that tells at which rate data come in, compared with before a silence that lasts.
async fn whole_flow(
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

/// Events that came with each key in the hours that a stretch touches.
async fn events_by_key(tx: &mut Tx, (from, to): Stretch) -> Result<HashMap<ApiKeyId, i64>> {
    Ok(tx.key_events(hour_of(from), hour_of(to) + 1).await?)
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

async fn settle_keys(
    tx: &mut Tx,
    context: &Context,
    (as_of, now): (Timestamp, Timestamp),
) -> Result<()> {
    let notice = |last_event_at, prefix: &str| SilenceNotice {
        organization: context.organization.slug.clone(),
        last_event_at,
        clients: None,
        write_key: Some(prefix.to_owned()),
    };
    let lasting = tx.key_silences().await?;
    for silence in &lasting {
        let flow = flow_of_key(tx, context, as_of, silence).await?;
        if flow.is_usual() || (flow.events > 0 && is_new_normal(silence.since, as_of)) {
            tx.end_key_silence(silence.key, as_of).await?;
            let resumed = Event::DataResumed(notice(silence.since, &silence.prefix));
            tell_all(tx, &context.organization, &resumed, as_of, now).await?;
        }
    }
    let kept = as_of.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
    tx.forget_key_activity(hour_of(kept)).await?;
    if tx.data_silence().await?.is_some_and(|silence| silence.clients.is_none()) {
        // Nothing comes at all: one notice says it.
        return Ok(());
    }
    let hours = SilentHours::at(as_of, None, &context.zone);
    let current = events_by_key(tx, hours.now).await?;
    let mut before = Vec::with_capacity(hours.before.len());
    for stretch in hours.before {
        before.push(events_by_key(tx, stretch).await?);
    }
    let of = |events: &HashMap<ApiKeyId, i64>, key| events.get(&key).copied().unwrap_or(0);
    let keys = tx.api_keys().await?;
    let candidates = keys
        .iter()
        .filter(|key| key.revoked_at.is_none())
        .filter(|key| lasting.iter().all(|silence| silence.key != key.id))
        .filter(|key| {
            DataFlow {
                events: of(&current, key.id),
                events_before: before.iter().map(|events| of(events, key.id)).collect(),
                ..DataFlow::default()
            }
            .has_stopped()
        });
    let mut last_hours = None;
    for key in candidates {
        let last_hours = match &last_hours {
            Some(hours) => hours,
            None => last_hours.insert(tx.last_key_hours(hour_of(as_of)).await?),
        };
        let Some(hour) = last_hours.get(&key.id) else { continue };
        let since = Timestamp::from_second((hour + 1) * 3_600).unwrap_or(as_of);
        tx.begin_key_silence(key.id, since, as_of).await?;
        let silent = Event::DataSilent(notice(since, &key.prefix));
        tell_all(tx, &context.organization, &silent, as_of, now).await?;
    }
    Ok(())
}
