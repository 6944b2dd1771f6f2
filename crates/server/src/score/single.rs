use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    id::{ClientId, OrganizationId},
    score::{Evidence, Improvement, Score, improvements},
};
use mainstay_store::{Client, ClientChunk, Scope, ScoreRow};

use super::{ClientScore, Moment, ScoreRun};
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
    /// Computes one client's score and stores it.
    ///
    /// # Errors
    /// When there is no such client, or `as_of` cannot be used.
    pub async fn calculate_success_score(
        &self,
        organization: OrganizationId,
        client_id: &str,
        as_of: Timestamp,
    ) -> Result<Score> {
        let run = ScoreRun { as_of, client: Some(client_id.to_owned()), dry_run: false };
        let mut scores: Vec<ClientScore> = Vec::new();
        self.score_organization(organization, &run, |chunk| scores.extend(chunk)).await?;
        scores.pop().map(|client| client.score).ok_or_else(|| {
            Error::invalid(
                "as_of",
                format!("client {client_id:?} did not exist before {as_of}; use a later instant"),
            )
        })
    }

    /// One client's score as it is at an instant, computed from its events rather than looked up:
    /// never older than its last event. Stores nothing.
    ///
    /// # Errors
    /// When `as_of` cannot be used.
    pub async fn current_score(
        &self,
        scope: Scope,
        client: &Client,
        as_of: Timestamp,
    ) -> Result<Explained> {
        check_as_of(as_of, self.now())?;
        let mut tx = self.store().read(scope).await?;
        let context = Context::load(&mut tx).await?;
        let moment = Moment::new(&context, as_of, false);
        let facts = tx.client_facts(&ClientChunk::of(client), &moment.range, &moment.model).await?;
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
        self.explain(scope, row.score.clone()).await
    }

    /// Why a score is what it is, from its own inputs and model.
    pub async fn explain(&self, scope: Scope, made: Score) -> Result<Explained> {
        let model = self.context_in(scope).await?.model_of(made.inputs.model);
        Ok(Explained {
            evidence: Evidence::of(&made.inputs, &model),
            improvements: improvements(&made.inputs, &model),
            score: made,
        })
    }

    /// A client's stored scores on the days `[first, last]`, oldest first.
    pub async fn score_history(
        &self,
        scope: Scope,
        client: ClientId,
        (first, last): (Date, Date),
    ) -> Result<Vec<ScoreRow>> {
        Ok(self.store().read(scope).await?.client_scores(client, first, last).await?)
    }
}
