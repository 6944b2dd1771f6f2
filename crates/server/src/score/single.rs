use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    id::{ClientId, OrganizationId},
    score::{Evidence, Improvement, Score, improvements, improvements_now},
    time::local_day,
};
use mainstay_store::{Client, ClientChunk, ResolvedClient, Scope, ScoreRow};

use super::{
    ScoringContext,
    current::{days_before, facts_at, shown_facts_of},
    just_after,
};
use crate::{
    Error, Mainstay, Result,
    organization::{Context, check_as_of},
};

/// A score with its explanation and possible improvements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The score.
    pub score: Score,
    /// Why.
    pub evidence: Evidence,
    /// Improvements, largest first.
    pub improvements: Vec<Improvement>,
}

impl Mainstay {
    /// Computes and stores the current score of a single client.
    ///
    /// # Errors
    /// If the client is outside the scope.
    pub async fn calculate_success_score(
        &self,
        scope: Scope,
        client: &Client,
    ) -> Result<Explained> {
        let organization = organization_of(scope)?;
        self.refresh_clients(organization, &[resolved(client)]).await?;
        self.explain_shown(scope, client).await
    }

    /// The current score of a client: as of its last event or the last local midnight, whichever is
    /// later. With possible improvements.
    ///
    /// # Errors
    /// If the client is outside the scope.
    pub async fn shown_score(&self, scope: Scope, client: &Client) -> Result<Explained> {
        let organization = organization_of(scope)?;
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let stale = tx.find_stale_since(client.id).await?;
        drop(tx);
        if stale.is_some_and(|since| since < self.now()) {
            // What it is compared with may be out of date.
            self.refresh_clients(organization, &[resolved(client)]).await?;
        }
        self.explain_shown(scope, client).await
    }

    async fn explain_shown(&self, scope: Scope, client: &Client) -> Result<Explained> {
        let now = self.now();
        let mut tx = self.store().read(scope).await?;
        let context = Context::load(&mut tx).await?;
        let days = days_before(&context, now);
        let histories = tx.list_client_histories(&ClientChunk::of(client), days).await?;
        let history = histories.first().ok_or_else(|| Error::no_client(&client.external_id))?;
        let mut facts = [shown_facts_of(history, &context, now)];
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

    /// Computes one client's score at an instant from its events. Stores nothing.
    ///
    /// # Errors
    /// If `as_of` is invalid.
    pub async fn score_as_of(
        &self,
        scope: Scope,
        client: &Client,
        as_of: Timestamp,
    ) -> Result<Explained> {
        check_as_of(as_of, self.now())?;
        let mut tx = self.store().read(scope).await?;
        let context = Context::load(&mut tx).await?;
        let scoring = ScoringContext::new(&context, as_of, false);
        let model = (scoring.version, &scoring.model);
        let facts = tx.list_client_facts(&ClientChunk::of(client), &scoring.range, model).await?;
        let facts = facts.first().ok_or_else(|| Error::no_client(&client.external_id))?;
        let score = scoring.score(facts);
        Ok(Explained {
            evidence: Evidence::of(&score.inputs, &scoring.model),
            improvements: improvements(&score.inputs, &scoring.model),
            score,
        })
    }

    /// Explains a stored score from its own inputs and model.
    pub async fn explain_stored(&self, scope: Scope, row: &ScoreRow) -> Result<Explained> {
        let context = self.context_in(scope).await?;
        let score = row.score.clone();
        let model = context.model_ref(score.inputs.model);
        Ok(Explained {
            evidence: Evidence::of(&score.inputs, model),
            improvements: improvements(&score.inputs, model),
            score,
        })
    }

    /// A client's stored scores on the days `[first, last]`, oldest first; today's is the current one.
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
            self.refresh_clients(organization_of(scope)?, &[resolved(client)]).await?;
        }
        Ok(self.store().read(scope).await?.list_client_scores(client.id, first, last).await?)
    }

    /// The stored scores of some days before today.
    pub(crate) async fn past_scores(
        &self,
        scope: Scope,
        client: ClientId,
        (first, last): (Date, Date),
    ) -> Result<Vec<ScoreRow>> {
        Ok(self.store().read(scope).await?.list_client_scores(client, first, last).await?)
    }
}

fn organization_of(scope: Scope) -> Result<OrganizationId> {
    scope.organization().ok_or_else(|| Error::no_client(""))
}

fn resolved(client: &Client) -> (ResolvedClient, String) {
    (ResolvedClient { id: client.id, created_at: client.created_at }, client.external_id.clone())
}
