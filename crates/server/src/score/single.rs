use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    id::{ClientId, OrganizationId},
    score::{Evidence, Improvement, Score, improvements, improvements_now},
    time::local_day,
};
use mainstay_store::{Client, ClientChunk, ResolvedClient, Scope, ScoreRow};

use super::{
    Moment, just_after,
    shown::{days_before, facts_at, shown_of},
};
use crate::{
    Error, Mainstay, Result,
    organization::{Context, check_as_of},
};

/// A score with why it is what it is and what would raise it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The score.
    pub score: Score,
    /// Why.
    pub evidence: Evidence,
    /// What would raise it most, first.
    pub improvements: Vec<Improvement>,
}

impl Mainstay {
    /// Computes the score that is shown of a client and stores it, without seeing to anybody else.
    ///
    /// # Errors
    /// When the scope does not see the client.
    pub async fn calculate_success_score(
        &self,
        scope: Scope,
        client: &Client,
    ) -> Result<Explained> {
        let organization = organization_of(scope)?;
        self.refresh_clients(organization, &[known(client)]).await?;
        self.explain_shown(scope, client).await
    }

    /// The score that is shown of a client: as of its last event, or of the last local midnight,
    /// whichever is later. With what would raise it now.
    ///
    /// # Errors
    /// When the scope does not see the client.
    pub async fn shown_score(&self, scope: Scope, client: &Client) -> Result<Explained> {
        let organization = organization_of(scope)?;
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let stale = tx.stale_since(client.id).await?;
        drop(tx);
        if stale.is_some_and(|since| since < self.now()) {
            // What it is compared with may be out of date.
            self.refresh_clients(organization, &[known(client)]).await?;
        }
        self.explain_shown(scope, client).await
    }

    async fn explain_shown(&self, scope: Scope, client: &Client) -> Result<Explained> {
        let now = self.now();
        let mut tx = self.store().read(scope).await?;
        let context = Context::load(&mut tx).await?;
        let days = days_before(&context, now);
        let histories = tx.client_histories(&ClientChunk::of(client), days).await?;
        let history = histories.first().ok_or_else(|| Error::no_client(&client.external_id))?;
        let mut facts = [shown_of(history, &context, now)];
        tx.add_earlier_scores(&mut facts, &context.zone).await?;
        let [facts] = facts;
        let shown = context.shown_score(&facts);
        // What is done now is scored just after it.
        let soon = context.shown_score(&facts_at(history, &context, (just_after(now), None)));
        let model = context.model_ref(shown.inputs.model);
        Ok(Explained {
            evidence: Evidence::of(&shown.inputs, model),
            improvements: improvements_now(
                (&shown.inputs, model),
                (&soon.inputs, context.model_ref(soon.inputs.model)),
            ),
            score: shown,
        })
    }

    /// One client's score at an instant, computed from its events. Stores nothing.
    ///
    /// # Errors
    /// When `as_of` cannot be used.
    pub async fn score_as_of(
        &self,
        scope: Scope,
        client: &Client,
        as_of: Timestamp,
    ) -> Result<Explained> {
        check_as_of(as_of, self.now())?;
        let mut tx = self.store().read(scope).await?;
        let context = Context::load(&mut tx).await?;
        let moment = Moment::new(&context, as_of, false);
        let model = (moment.version, &moment.model);
        let facts = tx.client_facts(&ClientChunk::of(client), &moment.range, model).await?;
        let facts = facts.first().ok_or_else(|| Error::no_client(&client.external_id))?;
        let made = moment.score(facts);
        Ok(Explained {
            evidence: Evidence::of(&made.inputs, &moment.model),
            improvements: improvements(&made.inputs, &moment.model),
            score: made,
        })
    }

    /// Why a stored score is what it is, from its own inputs and model.
    pub async fn explain_stored(&self, scope: Scope, row: &ScoreRow) -> Result<Explained> {
        let context = self.context_in(scope).await?;
        let made = row.score.clone();
        let model = context.model_ref(made.inputs.model);
        Ok(Explained {
            evidence: Evidence::of(&made.inputs, model),
            improvements: improvements(&made.inputs, model),
            score: made,
        })
    }

    /// A client's stored scores on the days `[first, last]`, oldest first; today's as it is shown.
    pub async fn score_history(
        &self,
        scope: Scope,
        client: &Client,
        (first, last): (Date, Date),
    ) -> Result<Vec<ScoreRow>> {
        let mut tx = self.store().read(scope).await?;
        let zone = Context::load(&mut tx).await?.zone;
        drop(tx);
        if (first..=last).contains(&local_day(self.now(), &zone)) {
            self.refresh_clients(organization_of(scope)?, &[known(client)]).await?;
        }
        Ok(self.store().read(scope).await?.client_scores(client.id, first, last).await?)
    }

    /// The scores of some days before today, as they are stored.
    pub(crate) async fn past_scores(
        &self,
        scope: Scope,
        client: ClientId,
        (first, last): (Date, Date),
    ) -> Result<Vec<ScoreRow>> {
        Ok(self.store().read(scope).await?.client_scores(client, first, last).await?)
    }
}

fn organization_of(scope: Scope) -> Result<OrganizationId> {
    scope.organization().ok_or_else(|| Error::no_client(""))
}

fn known(client: &Client) -> (ResolvedClient, String) {
    (ResolvedClient { id: client.id, created_at: client.created_at }, client.external_id.clone())
}
