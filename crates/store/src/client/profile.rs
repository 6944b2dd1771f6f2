//! What the host app tells of clients, people and groups in passing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mainstay_core::{
    engagement::{EventError, Profile, ProfileChange, ProfileTimes},
    id::ClientId,
};
use serde_json::{Map, Value};
use sqlx::types::Json;

use crate::{
    ClientRange, Result, Tx,
    db::dialect::{Instant, execute, fetch_all, fetch_one, fetch_optional},
};

/// Why a message's part about a profile was refused, of each message in its order.
pub type ProfileRefusals = Vec<Option<EventError>>;

/// The columns of a profile, for every row that holds one.
#[derive(sqlx_macros::FromRow)]
pub(crate) struct ProfileRow {
    name: Option<String>,
    email: Option<String>,
    unconfirmed_email: Option<String>,
    plan: Option<String>,
    group_id: Option<String>,
    traits: Json<Map<String, Value>>,
}

/// The columns of [`ProfileRow`] in a table of clients.
macro_rules! profile_columns {
    () => {
        "name, email, unconfirmed_email, plan, group_id, traits"
    };
}
pub(crate) use profile_columns;

/// The same of a person or a group, which have no account and whose address needs no confirmation.
macro_rules! related_columns {
    () => {
        "name, email, CAST(NULL AS TEXT) AS unconfirmed_email, plan, \
         CAST(NULL AS TEXT) AS group_id, traits"
    };
}

impl From<ProfileRow> for Profile {
    fn from(row: ProfileRow) -> Self {
        Self {
            name: row.name,
            email: row.email,
            unconfirmed_email: row.unconfirmed_email,
            plan: row.plan,
            group_id: row.group_id,
            traits: row.traits.0,
        }
    }
}

#[derive(sqlx_macros::FromRow)]
pub(crate) struct TimedProfileRow {
    #[sqlx(flatten)]
    profile: ProfileRow,
    profile_times: Json<ProfileTimes>,
    told_at: Option<Instant>,
}

impl TimedProfileRow {
    pub(crate) fn into_parts(self) -> (Profile, ProfileTimes) {
        (self.profile.into(), self.profile_times.0)
    }
}

/// Of whom, other than clients, something is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelatedKind {
    /// A person, where clients are accounts.
    Person,
    /// A group, where clients are users.
    Group,
}

impl RelatedKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Group => "group",
        }
    }
}

/// A person who belongs to a client.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientPerson {
    /// The host app's id.
    pub external_id: String,
    /// Profile of the person.
    pub profile: Profile,
    /// Since when the person belongs to the client.
    pub since: Timestamp,
}

impl Tx {
    /// Takes in what was told of clients. Nothing is written of what is known.
    pub async fn apply_profile_changes(
        &mut self,
        told: &[(ClientId, &ProfileChange)],
    ) -> Result<ProfileRefusals> {
        // In one order for everybody, so that nobody waits in a circle.
        let mut of_clients: BTreeMap<ClientId, Vec<usize>> = BTreeMap::new();
        for (place, (client, _)) in told.iter().enumerate() {
            of_clients.entry(*client).or_default().push(place);
        }
        let mut refusals = vec![None; told.len()];
        for (client, places) in of_clients {
            let changes = places.iter().map(|place| (*place, told[*place].1));
            self.apply_profile_changes_of(client, changes.collect(), &mut refusals).await?;
        }
        Ok(refusals)
    }

    async fn apply_profile_changes_of(
        &mut self,
        client: ClientId,
        changes: Vec<(usize, &ProfileChange)>,
        refusals: &mut ProfileRefusals,
    ) -> Result<()> {
        let row = self.locked_profile(client).await?;
        let told_at = row.told_at.as_ref().map(|at| at.0);
        let before = row.into_parts();
        let (profile, times) = apply_in_order(before.clone(), &changes, refusals);
        let first = changes.iter().map(|(_, change)| change.at).min();
        if let Some(first) = first.filter(|first| told_at.is_none_or(|known| *first < known)) {
            self.record_client_told(client, first).await?;
        }
        if (&profile, &times) != (&before.0, &before.1) {
            self.save_profile(client, &profile, &times).await?;
        }
        if profile != before.0 {
            self.mark_changed(ClientRange::of(client));
        }
        Ok(())
    }

    /// A client's profile. An update, because that takes the row's lock: nobody else's word is lost.
    pub(crate) async fn locked_profile(&mut self, client: ClientId) -> Result<TimedProfileRow> {
        fetch_one!(
            self,
            TimedProfileRow,
            concat!(
                "UPDATE clients SET told_at = told_at WHERE organization_id = $1 AND id = $2 \
                 RETURNING ",
                profile_columns!(),
                ", profile_times, told_at"
            ),
            self.scope.organization_uuid(),
            client.uuid()
        )
    }

    pub(crate) async fn save_profile(
        &mut self,
        client: ClientId,
        profile: &Profile,
        times: &ProfileTimes,
    ) -> Result<()> {
        execute!(
            self,
            "UPDATE clients SET name = $3, email = $4, plan = $5, group_id = $6, traits = $7, \
             profile_times = $8, unconfirmed_email = $9 WHERE organization_id = $1 AND id = $2",
            self.scope.organization_uuid(),
            client.uuid(),
            &profile.name,
            &profile.email,
            &profile.plan,
            &profile.group_id,
            Json(&profile.traits),
            Json(times),
            &profile.unconfirmed_email
        )?;
        Ok(())
    }

    /// Remembers that a client was told of at an instant: it exists since then at the latest.
    pub(crate) async fn record_client_told(
        &mut self,
        client: ClientId,
        at: Timestamp,
    ) -> Result<()> {
        execute!(
            self,
            "UPDATE clients SET told_at = CASE WHEN told_at <= $3 THEN told_at ELSE $3 END \
             WHERE organization_id = $1 AND id = $2",
            self.scope.organization_uuid(),
            client.uuid(),
            Instant(at)
        )?;
        self.move_clients_back(&[(client, at)]).await
    }

    /// Takes in what was told of people or groups.
    pub async fn apply_related_profiles(
        &mut self,
        kind: RelatedKind,
        told: &[&ProfileChange],
    ) -> Result<ProfileRefusals> {
        let mut by_id: BTreeMap<&str, Vec<(usize, &ProfileChange)>> = BTreeMap::new();
        for (place, change) in told.iter().enumerate() {
            by_id.entry(&change.client_id).or_default().push((place, change));
        }
        let mut refusals = vec![None; told.len()];
        for (id, changes) in by_id {
            self.apply_related_profile(kind, id, &changes, &mut refusals).await?;
        }
        Ok(refusals)
    }

    async fn apply_related_profile(
        &mut self,
        kind: RelatedKind,
        id: &str,
        changes: &[(usize, &ProfileChange)],
        refusals: &mut ProfileRefusals,
    ) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let first = changes.iter().map(|(_, change)| change.at).min().unwrap_or_default();
        let row = fetch_one!(
            self,
            TimedProfileRow,
            concat!(
                "INSERT INTO related_profiles \
                 (organization_id, kind, external_id, traits, profile_times, told_at) \
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (organization_id, kind, external_id) \
                 DO UPDATE SET told_at = CASE WHEN excluded.told_at < related_profiles.told_at \
                 THEN excluded.told_at ELSE related_profiles.told_at END RETURNING ",
                related_columns!(),
                ", profile_times, told_at"
            ),
            organization,
            kind.as_str(),
            id,
            Json(Map::<String, Value>::new()),
            Json(ProfileTimes::default()),
            Instant(first)
        )?;
        let before = row.into_parts();
        let (profile, times) = apply_in_order(before.clone(), changes, refusals);
        if (&profile, &times) != (&before.0, &before.1) {
            execute!(
                self,
                "UPDATE related_profiles SET name = $4, email = $5, plan = $6, traits = $7, \
                 profile_times = $8 WHERE organization_id = $1 AND kind = $2 AND external_id = $3",
                organization,
                kind.as_str(),
                id,
                &profile.name,
                &profile.email,
                &profile.plan,
                Json(&profile.traits),
                Json(&times)
            )?;
        }
        Ok(())
    }

    /// Profile of a person or group.
    pub async fn find_related_profile(
        &mut self,
        kind: RelatedKind,
        external_id: &str,
    ) -> Result<Option<Profile>> {
        let row = fetch_optional!(
            self,
            ProfileRow,
            concat!(
                "SELECT ",
                related_columns!(),
                " FROM related_profiles \
                 WHERE organization_id = $1 AND kind = $2 AND external_id = $3"
            ),
            self.scope.organization_uuid(),
            kind.as_str(),
            external_id
        )?;
        Ok(row.map(Into::into))
    }

    /// The people who belong to a client now, in the order of their ids, from the one after `after`.
    pub async fn list_people_of(
        &mut self,
        client: ClientId,
        after: &str,
        limit: i64,
    ) -> Result<Vec<ClientPerson>> {
        type Row = (
            String,
            Instant,
            Option<String>,
            Option<String>,
            Option<String>,
            Option<Json<Map<String, Value>>>,
        );
        let rows = fetch_all!(
            self,
            Row,
            "SELECT m.person_id, m.since, p.name, p.email, p.plan, p.traits FROM memberships m \
             LEFT JOIN related_profiles p ON p.organization_id = m.organization_id \
             AND p.kind = 'person' AND p.external_id = m.person_id \
             WHERE m.organization_id = $1 AND m.client_id = $2 AND m.person_id > $3 \
             AND NOT EXISTS (SELECT 1 FROM memberships n \
             WHERE n.organization_id = m.organization_id AND n.person_id = m.person_id \
             AND (n.since, n.message_id) > (m.since, m.message_id)) \
             ORDER BY m.person_id LIMIT $4",
            self.scope.organization_uuid(),
            client.uuid(),
            after,
            limit
        )?;
        Ok(rows
            .into_iter()
            .map(|(external_id, since, name, email, plan, traits)| ClientPerson {
                external_id,
                profile: Profile {
                    name,
                    email,
                    unconfirmed_email: None,
                    plan,
                    group_id: None,
                    traits: traits.map(|Json(traits)| traits).unwrap_or_default(),
                },
                since: since.0,
            })
            .collect())
    }
}

fn apply_in_order(
    (mut profile, mut times): (Profile, ProfileTimes),
    changes: &[(usize, &ProfileChange)],
    refusals: &mut ProfileRefusals,
) -> (Profile, ProfileTimes) {
    for (place, change) in changes {
        refusals[*place] = profile.apply(change, &mut times).err();
    }
    (profile, times)
}
