//! What the host app tells of clients in passing: profiles and accounts.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use mainstay_core::{
    engagement::{Profile, ProfileChange, ProfileTimes},
    id::ClientId,
};
use serde_json::{Map, Value};
use sqlx::types::Json;

use crate::{
    ClientRange, Result, Tx,
    dialect::{Instant, execute, fetch_for_rows, fetch_one, insert_rows},
};

#[derive(sqlx::FromRow)]
struct ProfileRow {
    name: Option<String>,
    email: Option<String>,
    plan: Option<String>,
    group_id: Option<String>,
    traits: Json<Map<String, Value>>,
    traits_at: Option<Instant>,
    group_at: Option<Instant>,
}

/// Which account a user belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountUser<'a> {
    /// The host app's id of the user.
    pub user_id: &'a str,
    /// The account, a client.
    pub account: ClientId,
    /// When that was told.
    pub since: Timestamp,
}

impl Tx {
    /// Takes in what was told of clients, in this order. Nothing is written of what is known.
    pub async fn learn_profiles(&mut self, told: &[(ClientId, &ProfileChange)]) -> Result<()> {
        // In one order for everybody, so that nobody waits in a circle.
        let mut of_clients: BTreeMap<ClientId, Vec<&ProfileChange>> = BTreeMap::new();
        for (client, change) in told {
            of_clients.entry(*client).or_default().push(change);
        }
        for (client, changes) in of_clients {
            self.learn_profile(client, &changes).await?;
        }
        Ok(())
    }

    async fn learn_profile(&mut self, client: ClientId, changes: &[&ProfileChange]) -> Result<()> {
        let organization = self.scope.organization_uuid();
        // An update, because that takes the row's lock: nobody else's traits are lost.
        let row = fetch_one!(
            self,
            ProfileRow,
            "UPDATE clients SET traits_at = traits_at WHERE organization_id = $1 AND id = $2 \
             RETURNING name, email, plan, group_id, traits, traits_at, group_at",
            organization,
            client.uuid()
        )?;
        let before = Profile {
            name: row.name,
            email: row.email,
            plan: row.plan,
            group_id: row.group_id,
            traits: row.traits.0,
        };
        let times_before = ProfileTimes {
            traits_at: row.traits_at.map(|at| at.0),
            group_at: row.group_at.map(|at| at.0),
        };
        let (mut profile, mut times) = (before.clone(), times_before);
        for change in changes {
            profile.learn(change, &mut times);
        }
        if profile == before && times == times_before {
            return Ok(());
        }
        execute!(
            self,
            "UPDATE clients SET name = $3, email = $4, plan = $5, group_id = $6, traits = $7, \
             traits_at = $8, group_at = $9 WHERE organization_id = $1 AND id = $2",
            organization,
            client.uuid(),
            &profile.name,
            &profile.email,
            &profile.plan,
            &profile.group_id,
            Json(&profile.traits),
            times.traits_at.map(Instant),
            times.group_at.map(Instant)
        )?;
        if profile != before {
            self.stands_otherwise(ClientRange::of(client));
        }
        Ok(())
    }

    /// The accounts that users belong to, by the host app's ids.
    pub async fn accounts_of(&mut self, users: &[&str]) -> Result<HashMap<String, String>> {
        let organization = self.scope.organization_uuid();
        let rows: Vec<(String, String)> = fetch_for_rows!(
            self,
            (String, String),
            "WITH wanted (organization_id, user_id) AS (",
            users,
            ") SELECT u.user_id, c.external_id FROM wanted w CROSS JOIN account_users u \
             CROSS JOIN clients c WHERE u.organization_id = w.organization_id \
             AND u.user_id = w.user_id AND c.organization_id = u.organization_id \
             AND c.id = u.client_id",
            |user| [organization, *user]
        );
        Ok(rows.into_iter().collect())
    }

    /// Remembers which account each of these users belongs to, unless something newer is known. A
    /// user is in the list once.
    pub async fn set_accounts(&mut self, users: &[AccountUser<'_>]) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let mut users: Vec<&AccountUser<'_>> = users.iter().collect();
        users.sort_unstable_by_key(|user| user.user_id);
        insert_rows!(
            self,
            "INSERT INTO account_users (organization_id, user_id, client_id, since)",
            &users,
            "ON CONFLICT (organization_id, user_id) DO UPDATE SET \
             client_id = excluded.client_id, since = excluded.since \
             WHERE account_users.since <= excluded.since",
            |user| [organization, user.user_id, user.account.uuid(), Instant(user.since)]
        );
        Ok(())
    }
}
