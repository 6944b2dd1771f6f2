//! Preview of a score model for all clients, before it is published.

use std::{cmp::Reverse, collections::HashMap};

use mainstay_core::{
    id::ClientId,
    score::{Band, Score, ScoreModel},
    time::{add_days, local_day},
};
use mainstay_store::Scope;

use crate::{CHUNK, Error, Mainstay, Result, organization::Context};

/// How many days back a client's latest score is searched.
const DAYS_BACK: i32 = 7;

/// The effects of a model.
#[derive(Clone, Debug)]
pub struct ModelPreview {
    /// Every client with a recent score, largest change first.
    pub moves: Vec<Move>,
    /// The number of clients per band before and after, from the lowest band.
    pub bands: [(Band, usize, usize); 4],
}

/// One client's score before and after.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    /// The client.
    pub client: ClientId,
    /// The stored score, with its band.
    pub before: (i64, Band),
    /// The score by the other model from the same inputs.
    pub after: (i64, Band),
}

impl Move {
    /// Points up or down.
    pub const fn change(&self) -> i64 {
        self.after.0 - self.before.0
    }
}

impl Mainstay {
    /// Computes the effects of a model on each client's latest stored score, from the score's
    /// inputs. Changes nothing.
    ///
    /// # Errors
    /// If the model is invalid.
    pub async fn preview_score_model(
        &self,
        scope: Scope,
        model: &ScoreModel,
    ) -> Result<ModelPreview> {
        model.check().map_err(|error| Error::invalid(error.field, error.reason))?;
        let mut tx = self.store().read(scope).await?;
        let context = Context::load(&mut tx).await?;
        let earliest = add_days(local_day(self.now(), &context.zone), -DAYS_BACK);
        let mut moves: HashMap<ClientId, Move> = HashMap::new();
        let days = tx.list_score_days().await?;
        for day in days.into_iter().rev().take_while(|day| *day >= earliest) {
            let mut after = None;
            loop {
                let rows = tx.list_scores_of_day(day, after, CHUNK).await?;
                let Some(last) = rows.last() else { break };
                after = Some(last.client);
                for row in rows {
                    // An older day fills in only those that have no newer score.
                    moves.entry(row.client).or_insert_with(|| {
                        let before = (row.score.overall, row.score.band);
                        let score = Score::compute(row.score.inputs, model, None);
                        Move { client: row.client, before, after: (score.overall, score.band) }
                    });
                }
            }
        }
        let mut moves: Vec<Move> = moves.into_values().collect();
        moves.sort_unstable_by_key(|one| (Reverse(one.change().abs()), one.after.0, one.client));
        let bands = [Band::AtRisk, Band::NeedsAttention, Band::Good, Band::Excellent].map(|band| {
            let count = |of: fn(&Move) -> Band| moves.iter().filter(|one| of(one) == band).count();
            (band, count(|one| one.before.1), count(|one| one.after.1))
        });
        Ok(ModelPreview { moves, bands })
    }
}
